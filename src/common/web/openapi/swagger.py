"""Swagger UI at `/docs`, from an installed package: it works without access to the Internet."""

from pathlib import Path

import swagger_ui
from quart import Quart, Response, send_from_directory
from quart_schema import hide

from common.web.html import Templates, content_security_policy, html_page

SWAGGER_FILES = Path(swagger_ui.__file__).parent / "static"

POLICY = content_security_policy(script_src="'self'", connect_src="'self'", img_src="'self' data:")

templates = Templates("common.web")


def install(app: Quart, title: str) -> None:
    """Serve the page; it shows `/openapi.json`."""

    @app.get("/docs")
    @html_page
    @hide
    async def docs() -> Response:
        return templates.page("docs.html", policy=POLICY, title=title)

    @app.get("/docs/assets/<path:name>")
    @html_page
    @hide
    async def docs_assets(name: str) -> Response:
        return await send_from_directory(SWAGGER_FILES, name, cache_timeout=86400)
