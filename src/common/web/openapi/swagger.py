"""Swagger UI at `/docs`, from an installed package: it works without any outside network."""

from pathlib import Path

import swagger_ui
from quart import Quart, Response, send_from_directory
from quart_schema import hide

ASSETS = Path(swagger_ui.__file__).parent / "static"

SWAGGER_PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>{title}</title>
  <link rel="stylesheet" href="/docs/assets/swagger-ui.css">
  <link rel="icon" href="data:,">
</head>
<body>
  <div id="swagger-ui"></div>
  <script src="/docs/assets/swagger-ui-bundle.js"></script>
  <script src="/docs/start.js"></script>
</body>
</html>
"""

SWAGGER_START = """SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, tryItOutEnabled: true,
  displayRequestDuration: true, persistAuthorization: true, docExpansion: "list", defaultModelsExpandDepth: 0
});
"""


def install(app: Quart, title: str) -> None:
    """Serve the page; it shows `/openapi.json`."""

    @app.get("/docs")
    @hide
    async def docs() -> Response:
        return Response(SWAGGER_PAGE.format(title=title), content_type="text/html; charset=utf-8")

    @app.get("/docs/start.js")
    @hide
    async def docs_start() -> Response:
        return Response(SWAGGER_START, content_type="text/javascript; charset=utf-8")

    @app.get("/docs/assets/<path:name>")
    @hide
    async def docs_assets(name: str) -> Response:
        return await send_from_directory(ASSETS, name, cache_timeout=86400)
