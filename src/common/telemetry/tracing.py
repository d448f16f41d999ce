"""Request ids and W3C trace context: taken over or made for each request and job run, and passed upstream."""

import re
import secrets
from contextvars import ContextVar

import structlog

REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")

_trace: ContextVar[tuple[str, str] | None] = ContextVar("trace", default=None)
_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


def request_headers() -> dict[str, str]:
    """The headers that carry the current request id and trace to an external service (W3C Trace Context)."""
    headers = {}
    if identifier := _request_id.get():
        headers["X-Request-ID"] = identifier
    if trace := _trace.get():
        headers["traceparent"] = f"00-{trace[0]}-{secrets.token_hex(8)}-{trace[1]}"
    return headers


def begin_trace(request_id: str | None = None, traceparent: str | None = None) -> str:
    """Set the request id and trace of a request or job run: the given ones if valid, else new ones. Returns the id."""
    random = secrets.token_hex(32)
    identifier = request_id if request_id and REQUEST_ID.fullmatch(request_id) else random[:32]
    match = TRACEPARENT.fullmatch(traceparent) if traceparent else None
    _trace.set((match[1], match[2]) if match else (random[32:], "01"))
    _request_id.set(identifier)
    structlog.contextvars.bind_contextvars(request_id=identifier)
    return identifier
