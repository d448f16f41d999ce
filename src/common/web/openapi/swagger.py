"""Swagger UI at `/docs`, from an installed package: it works without access to the Internet.

It keeps a token that a person enters only as long as the page is open.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import swagger_ui
from quart import Quart, Response
from quart_schema import hide

from common.web.errors import NotFound
from common.web.html import Templates, content_security_policy, html_page
from common.web.spooled import is_current, not_modified

ETAG_DIGITS = 32
SWAGGER_FILES = Path(swagger_ui.__file__).parent / "static"
CONTENT_TYPES = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
}

POLICY = content_security_policy(require_trusted_types_for=None, trusted_types=None)
"""Swagger UI makes markup of plain texts, which Trusted Types forbid."""

templates = Templates("common.web")


@dataclass(frozen=True)
class SwaggerFile:
    content: bytes
    content_type: str
    etag: str


def _read_file(name: str) -> SwaggerFile:
    content = (SWAGGER_FILES / name).read_bytes()
    return SwaggerFile(content, CONTENT_TYPES[name], hashlib.sha256(content).hexdigest()[:ETAG_DIGITS])


def install(app: Quart, title: str) -> None:
    """Serve the page; it shows `/openapi.json`."""
    files: dict[str, SwaggerFile] = {}

    @app.get("/docs")
    @html_page
    @hide
    async def docs() -> Response:
        return templates.page("docs.html", policy=POLICY, title=title)

    @app.get("/docs/assets/<name>")
    @html_page
    @hide
    async def docs_assets(name: str) -> Response:
        if name not in CONTENT_TYPES:
            raise NotFound(f"There is no asset {name}.")
        if name not in files:
            files[name] = _read_file(name)
        file = files[name]
        headers = {"ETag": f'"{file.etag}"', "Cache-Control": "public, max-age=86400"}
        if is_current(file.etag):
            return not_modified(headers)
        return Response(file.content, content_type=file.content_type, headers=headers)
