"""Rules of HTTP that hold for every route: OPTIONS, Accept, requests from other sites, and WebSockets."""

import re
from urllib.parse import quote, unquote

import msgspec
import structlog
from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, WebsocketScope
from quart import Quart, Request, Response
from quart.globals import request_ctx
from werkzeug import exceptions
from werkzeug.routing import MapAdapter, RequestRedirect

from common.telemetry import tracing
from common.web.errors import PROBLEM_TYPE, Forbidden, NotFound, Problem
from common.web.logged_path import logged_path
from common.web.negotiation import ANYTHING, accept_header, not_acceptable, preferred
from common.web.openapi.document import offered_media_types
from common.web.request_body import BoundedRequest, current_request, require_known_encoding
from common.web.resources import Application, current_application

log = structlog.get_logger()

NO_WEBSOCKETS = 400

ABSOLUTE_FORM = re.compile(r"https?://[^/]*", re.IGNORECASE)
"""The beginning of a request target that names the host too (RFC 9112, section 3.2.2)."""


def install(app: Application) -> None:
    """Check every request, and refuse WebSockets."""
    app.asgi_websocket_class = RefusedWebsocket

    @app.before_request
    async def check_request() -> Response | None:
        current = current_request()
        if current.url_rule is None:
            require_exact_slash(current)
            return None
        require_exact_path(current)
        if current.method in ("GET", "HEAD"):
            require_acceptable(current)
        elif current.method == "OPTIONS":
            return allowed_methods()
        else:
            require_no_other_site(current)
            require_known_encoding(app.view_functions[current.url_rule.endpoint])
        return None


def require_acceptable(current: BoundedRequest) -> None:
    """Raises NotAcceptable when the request accepts none of the media types of its route.

    A route with several of them chooses by `negotiation.negotiate`; `?format=` is stronger than Accept.
    """
    if b"accept" not in current.header_names:
        return
    if current.headers["Accept"] == ANYTHING or "format" in current.args:
        return
    offered = offered_media_types(current_application().view_functions[current.endpoint or ""])
    if offered and preferred(accept_header(), offered, offered[0]) is None:
        raise not_acceptable(offered)


def allowed_methods() -> Response:
    """The answer to OPTIONS: the methods of the path, without authentication."""
    methods = ", ".join(sorted(_adapter().allowed_methods()))
    response = Response(b"", status=204, headers={"Allow": methods})
    del response.headers["Content-Type"], response.headers["Content-Length"]
    return response


def require_no_other_site(current: BoundedRequest) -> None:
    """Raises Forbidden for a request that another site made a browser send, unless CORS allows that site."""
    if b"sec-fetch-site" not in current.header_names or current.headers["Sec-Fetch-Site"] != "cross-site":
        return
    origins = current_application().cors_origins
    if "*" not in origins and current.origin not in origins:
        raise Forbidden("This request was sent by a page of another site.", code="cross_site")


def require_exact_path(current: Request) -> None:
    """Raises NotFound for a path that only resembles the one that is routed.

    Werkzeug drops further slashes at the beginning, and Quart reads `metrics` as `/metrics`. A reverse proxy that
    shields /metrics lets //metrics through.
    """
    assert current.scope is not None
    path: str = current.scope["path"]
    if not path.startswith("/"):
        raw = (current.scope.get("raw_path") or quote(path, safe="/:;%").encode()).decode("latin-1")
        path = unquote(ABSOLUTE_FORM.sub("", raw, count=1)) or "/"
    if path != current.path:
        raise NotFound(f"There is no {path}; use {current.path}.")


def require_exact_slash(current: Request) -> None:
    """Raises NotFound, naming the path that exists, for a path without its last slash or with one too many."""
    path, failure = current.path, current.routing_exception
    if isinstance(failure, RequestRedirect):
        raise NotFound(f"There is no {path}; use {path}/.")
    shorter = path[:-1]
    too_long = isinstance(failure, exceptions.NotFound) and shorter and path.endswith("/")
    if too_long and _adapter().allowed_methods(shorter):
        raise NotFound(f"There is no {path}; use {shorter}.")


def _adapter() -> MapAdapter:
    """The routes, bound to the current request."""
    adapter = request_ctx.url_adapter
    assert adapter is not None
    return adapter


class RefusedWebsocket:
    """Answers a WebSocket handshake with a problem document."""

    def __init__(self, app: Quart, scope: WebsocketScope) -> None:
        self.app = app
        self.scope = scope

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        given: dict[bytes, bytes] = dict(self.scope["headers"])
        request_id = tracing.begin_trace(given.get(b"x-request-id", b"").decode("latin-1"))
        log.info(
            "request",
            method="GET",
            path=logged_path(self.app, self.scope["path"]),
            status=NO_WEBSOCKETS,
            websocket=True,
        )
        if "websocket.http.response" not in (self.scope.get("extensions") or {}):
            await send({"type": "websocket.close", "code": 1000, "reason": None})
            return
        problem = Problem(
            type="about:blank",
            title="Bad Request",
            status=NO_WEBSOCKETS,
            detail="WebSockets are not supported; send the request without Upgrade.",
            code="websocket_not_supported",
            request_id=request_id,
        )
        body = msgspec.json.encode(problem)
        headers: list[tuple[bytes, bytes]] = [
            (b"content-type", PROBLEM_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"x-request-id", request_id.encode()),
            (b"connection", b"close"),
        ]
        await send({"type": "websocket.http.response.start", "status": NO_WEBSOCKETS, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": body, "more_body": False})
