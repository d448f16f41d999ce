"""HTML pages for people: one look, no script, and a content security policy that allows only what the page has."""

import base64
import hashlib
from importlib import resources
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, select_autoescape
from quart import Response

STYLE = (resources.files("common.web") / "templates" / "page.css").read_text(encoding="utf-8")
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; img-src data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)

PRIVATE_HEADERS = {"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
"""For pages whose address or content is for one person."""


class Pages:
    """The templates of a slice, which extend `page.html`."""

    def __init__(self, package: str) -> None:
        """package: the slice, with a folder `templates`."""
        self.templates = Environment(
            loader=ChoiceLoader([PackageLoader(package, "templates"), PackageLoader("common.web", "templates")]),
            autoescape=select_autoescape(),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.templates.globals["page_style"] = STYLE

    def render(self, template: str, **content: Any) -> str:
        return self.templates.get_template(template).render(**content)

    def answer(
        self, template: str, *, status: int = 200, content_security: str = CONTENT_SECURITY_POLICY, **content: Any
    ) -> Response:
        """The page as a response that nobody stores, frames or learns the address of."""
        return Response(
            self.render(template, **content),
            status=status,
            content_type="text/html; charset=utf-8",
            headers={**PRIVATE_HEADERS, "Content-Security-Policy": content_security},
        )
