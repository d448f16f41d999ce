"""HTML pages: templates, their one style sheet and scripts, and the security headers of pages."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, select_autoescape
from quart import Quart, Response
from quart_schema import hide

from common.web.errors import NotFound

PRIVATE_HEADERS = {"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
"""For pages whose address or content is for one person."""

ASSETS_FOLDER = Path(__file__).parent / "assets"
CONTENT_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
IMMUTABLE = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Asset:
    """A style sheet or script; its address changes with its content, so browsers may cache it forever."""

    content: bytes
    content_type: str
    url: str


def _read_asset(file: Path) -> Asset:
    content = file.read_bytes()
    url = f"/assets/{hashlib.sha256(content).hexdigest()[:12]}/{file.name}"
    return Asset(content, CONTENT_TYPES[file.suffix], url)


ASSETS = {file.name: _read_asset(file) for file in ASSETS_FOLDER.iterdir() if file.suffix in CONTENT_TYPES}


def asset_url(name: str) -> str:
    """The address of a file of the folder `assets`."""
    return ASSETS[name].url


def content_security_policy(**changes: str) -> str:
    """The Content-Security-Policy of a page: our own style sheets and form targets, and no scripts.

    changes: directives to add or to replace, such as script_src="'self'".
    """
    directives = {
        "default_src": "'none'",
        "style_src": "'self'",
        "img_src": "data:",
        "form_action": "'self'",
        "base_uri": "'none'",
        "frame_ancestors": "'none'",
    } | changes
    return "; ".join(f"{name.replace('_', '-')} {sources}" for name, sources in directives.items())


SCRIPTLESS_POLICY = content_security_policy()


class Templates:
    """The Jinja templates of a package and those of `common.web`; pages extend `page.html`."""

    def __init__(self, package: str) -> None:
        """package: has a folder `templates`."""
        self._environment = Environment(
            loader=ChoiceLoader([PackageLoader(package, "templates"), PackageLoader("common.web", "templates")]),
            autoescape=select_autoescape(),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals["asset_url"] = asset_url

    def render(self, template: str, **content: Any) -> str:
        """The text of a template."""
        return self._environment.get_template(template).render(**content)

    def page(self, template: str, *, policy: str = SCRIPTLESS_POLICY, **content: Any) -> Response:
        """A page as a response that is not cached or framed and whose address is not sent as a Referer.

        policy: the Content-Security-Policy.
        """
        return Response(
            self.render(template, **content),
            content_type="text/html; charset=utf-8",
            headers={**PRIVATE_HEADERS, "Content-Security-Policy": policy},
        )


def install(app: Quart) -> None:
    """Serve the files of the folder `assets`."""

    @app.get("/assets/<version>/<name>")
    @hide
    async def asset(version: str, name: str) -> Response:
        found = ASSETS.get(name)
        if found is None or found.url != f"/assets/{version}/{name}":
            raise NotFound(f"There is no asset {name} of version {version}.")
        return Response(found.content, content_type=found.content_type, headers={"Cache-Control": IMMUTABLE})
