"""HTML pages: templates, their one style sheet and scripts, their security headers, and their errors."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, select_autoescape
from quart import Response, current_app, request
from quart_schema import hide
from rjsmin import jsmin
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.exceptions import NotFound as WerkzeugNotFound

from common.version import VERSION
from common.web.errors import PROBLEM_TYPE, HttpProblem, NotFound
from common.web.negotiation import accept_header, preferred
from common.web.resources import Application, current_application
from common.web.words import moment_text

View = TypeVar("View", bound=Callable[..., Any])
_PAGE_ATTRIBUTE = "_html_page"

HTML = "text/html"
UNKNOWN_ADDRESS = "Nightaudit has no page at this address."

TITLES: dict[int, str] = {
    HTTPStatus.BAD_REQUEST: "This cannot be shown",
    HTTPStatus.NOT_FOUND: "Not found",
    HTTPStatus.SERVICE_UNAVAILABLE: "Not available at the moment",
}
"""The headings of pages that report an error, where the phrase of the status says nothing to people."""

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


SPACE_AND_COMMENTS = re.compile(r"/\*.*?\*/|(?<=[{};:,>])\s+|\s+(?=[{}>])", re.DOTALL)
"""What a style sheet is sent without, as well as last semicolons. It has no text in which these have a meaning."""


ONLY_PARAMETER = re.compile(r"(?<![\w$])\((\w+)\)=>")
"""The brackets around an only parameter, which stay where a word is before them: `async(x)=>`, `return(x)=>`."""

CONSTANT = re.compile(r"\bconst\b")


def shortened_script(text: str) -> str:
    """A script as it is sent: without space, comments, brackets around an only parameter, and last semicolons.

    Constants are sent as variables, whose word is shorter. It may have no loop without a body, no template within a
    template, and no text that looks like one of these. A test compares the tokens of each of our scripts with those of
    its source.
    """
    return CONSTANT.sub("let", ONLY_PARAMETER.sub(r"\1=>", jsmin(text))).replace(";}", "}")


def _style_sheet(text: str) -> str:
    """A style sheet as it is sent."""
    return SPACE_AND_COMMENTS.sub("", text).replace(";}", "}")


def _read_asset(file: Path) -> Asset:
    text = file.read_text()
    content = (shortened_script(text) if file.suffix == ".js" else _style_sheet(text)).encode()
    url = f"/assets/{hashlib.sha256(content).hexdigest()[:12]}/{file.name}"
    return Asset(content, CONTENT_TYPES[file.suffix], url)


ASSETS = {file.name: _read_asset(file) for file in ASSETS_FOLDER.iterdir() if file.suffix in CONTENT_TYPES}


def asset_url(name: str) -> str:
    """The address of a file of the folder `assets`."""
    return ASSETS[name].url


def content_security_policy(**changes: str | None) -> str:
    """The Content-Security-Policy of a page: our own style sheet, script, addresses and form targets alone.

    Texts become markup only where the script says so by the policy `nightaudit` of Trusted Types.
    changes: directives to add or to replace, such as script_src="'none'"; None leaves a directive out.
    """
    directives = {
        "default_src": "'none'",
        "style_src": "'self'",
        "script_src": "'self'",
        "img_src": "'self' data:",
        "connect_src": "'self'",
        "form_action": "'self'",
        "base_uri": "'none'",
        "frame_ancestors": "'none'",
        "require_trusted_types_for": "'script'",
        "trusted_types": "nightaudit",
    } | changes
    kept = {name: sources for name, sources in directives.items() if sources is not None}
    return "; ".join(f"{name.replace('_', '-')} {sources}" for name, sources in kept.items())


PAGE_POLICY = content_security_policy()


class Templates:
    """The Jinja templates of a package and those of `common.web`; pages extend `page.html`."""

    def __init__(self, package: str, **functions: Callable[..., Any]) -> None:
        """package: has a folder `templates`. functions: those that its templates may call."""
        self._environment = Environment(
            loader=ChoiceLoader([PackageLoader(package, "templates"), PackageLoader("common.web", "templates")]),
            autoescape=select_autoescape(),
            undefined=StrictUndefined,
            auto_reload=False,  # a process keeps the templates that its code was written for
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update({"moment_text": moment_text}, asset_url=asset_url, **functions)

    def render(self, template: str, **content: Any) -> str:
        """The text of a template."""
        return self._environment.get_template(template).render(**content)

    def page(self, template: str, *, policy: str = PAGE_POLICY, **content: Any) -> Response:
        """A page for one person as a response: not cached, not framed, its address not sent as a Referer.

        policy: the Content-Security-Policy.
        """
        return Response(
            self.render(template, **content),
            content_type="text/html; charset=utf-8",
            headers={**PRIVATE_HEADERS, "Content-Security-Policy": policy},
        )


def html_page(view: View) -> View:
    """Mark a view as a page for people; goes directly below the route.

    A browser gets the errors of the view as a page, and parameters that the view does not know are ignored: mail
    programs and social networks add theirs to links. A page with parameters of its own has a `PageInput`.
    """
    setattr(view, _PAGE_ATTRIBUTE, True)
    return view


def is_page(endpoint: str | None) -> bool:
    """Whether the view of an endpoint is a page for people."""
    return hasattr(current_app.view_functions.get(endpoint or ""), _PAGE_ATTRIBUTE)


def error_page(problem: HttpProblem, status: int) -> Response | None:
    """An error as a page; None unless a browser asks, for a page or for an address that does not exist."""
    app = current_application()
    wants_page = preferred(accept_header(), (PROBLEM_TYPE, HTML), PROBLEM_TYPE) == HTML
    is_unknown = isinstance(request.routing_exception, WerkzeugNotFound)
    if not wants_page or not (is_unknown or is_page(_requested_endpoint())):
        return None
    page = _templates.page(
        "error.html" if app.frame is None else "framed_error.html",
        title=TITLES.get(status, HTTPStatus(status).phrase),
        problem=problem,
        explanation=UNKNOWN_ADDRESS if is_unknown and not isinstance(problem, NotFound) else problem.detail,
        frame=app.frame,
        state=None,
        path=request.path,
        arguments=request.args.to_dict(),
        version=VERSION,
        alternates=(),
        live_seconds=None,
        is_temporary=status == HTTPStatus.SERVICE_UNAVAILABLE,
    )
    page.status_code = status
    page.headers.update(problem.headers)
    return page


def _requested_endpoint() -> str | None:
    """The endpoint of the current request, also if it has a method that the endpoint does not allow."""
    not_allowed = request.routing_exception
    if not isinstance(not_allowed, MethodNotAllowed) or not not_allowed.valid_methods:
        return request.endpoint
    adapter = current_app.create_url_adapter(request)
    assert adapter is not None
    try:
        endpoint, _ = adapter.match(method=next(iter(not_allowed.valid_methods)))
    except HTTPException:
        return None
    return endpoint


_templates = Templates("common.web")


def install(app: Application) -> None:
    """Serve the files of the folder `assets`, and answer errors of pages with pages."""
    app.error_page = error_page

    @app.get("/assets/<version>/<name>")
    @hide
    async def asset(version: str, name: str) -> Response:
        found = ASSETS.get(name)
        if found is None or found.url != f"/assets/{version}/{name}":
            raise NotFound(f"There is no asset {name} of version {version}.")
        return Response(found.content, content_type=found.content_type, headers={"Cache-Control": IMMUTABLE})
