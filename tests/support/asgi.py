"""Calls applications by ASGI; returns what they send, unchanged: Quart's test client sets a Content-Length itself."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from common.web.resources import Application


@dataclass
class Sent:
    """A response as it was sent: its status, headers and parts; is_complete: whether its end was sent."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    parts: list[bytes] = field(default_factory=list)
    is_complete: bool = False

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)


async def call(
    app: Application, target: str | dict[str, Any], method: str = "GET", into: Sent | None = None, /, **headers: str
) -> Sent:
    """Call the application. headers: `Accept_Encoding` and so on. into: receives what is sent, even before an error.

    target: the path with the query string, or values of the scope.
    """
    sent = into or Sent()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            sent.status = message["status"]
            sent.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
            return
        sent.is_complete = not message["more_body"]
        if message["body"]:
            sent.parts.append(message["body"])

    received = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Any:
        return next(received, None) or await asyncio.Event().wait()

    given = {"path": target} if isinstance(target, str) else target
    plain, _, query = given["path"].partition("?") if isinstance(target, str) else (given["path"], "", "")
    scope = {
        **given, "type": "http", "method": method, "path": plain, "query_string": query.encode(), "http_version": "1.1",
        "scheme": "http",
        "headers": [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    await app(scope, receive, send)  # type: ignore[arg-type]  # plain dictionaries stand for ASGI's
    return sent
