"""Request bodies: size limits, back pressure, and validated JSON."""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import wraps
from typing import Any, TypeVar

import pydantic
from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable
from quart import Quart, Request, request
from quart.asgi import ASGIHTTPConnection
from quart.typing import ResponseTypes
from quart.utils import encode_headers
from quart.wrappers.request import Body
from quart.wrappers.response import DataBody
from quart_schema import document_request

from common.web.errors import FieldError, Invalid, TooLarge, UnsupportedMedia, field_errors

DEFAULT_MAX_BYTES = 1024 * 1024
HIGH_WATER = 1024 * 1024
LINGER_SECONDS = 10.0
SILENCE_SECONDS = 1.0
_LIMIT_ATTRIBUTE = "_body_limit"
EMPTY_BODY_ATTRIBUTE = "_empty_body"
"""Marks a view whose request body is optional, for the OpenAPI document."""

View = Callable[..., Awaitable[Any]]
V = TypeVar("V", bound=View)


class BoundedBody(Body):
    """Quart's body with a size limit per route, and with back pressure while it is read in parts.

    Quart itself receives a body as fast as the network delivers it, whether or not the view reads it.
    """

    def __init__(self, expected_content_length: int | None, max_content_length: int | None) -> None:
        super().__init__(expected_content_length, None)
        self.limit = max_content_length
        """In bytes; None until the route is known, while HIGH_WATER bounds the part received."""
        self.received = 0
        self.arrived = asyncio.Event()
        """Set when the whole body has been received."""
        self._discarded = False
        self._whole = False
        self._room = asyncio.Event()
        self._room.set()

    def append(self, data: bytes) -> None:
        self.received += len(data)
        if self._discarded:
            return
        if self.limit is not None and self.received > self.limit:
            self.refuse()
        super().append(data)
        if not self._whole and len(self._data) >= HIGH_WATER:
            self._room.clear()

    def refuse(self) -> None:
        """Raise TooLarge in every read of the body from now on."""
        self._must_raise = TooLarge(f"The request body exceeds {self.limit} bytes.")
        self.set_complete()
        self.discard()

    def discard(self) -> None:
        """Drop the part received and the parts still to come."""
        self._discarded = True
        self._data.clear()
        self._room.set()

    async def room(self) -> None:
        """Wait until the view has read the parts received; returns at once if it awaits the whole body."""
        await self._room.wait()

    async def __anext__(self) -> bytes:
        try:
            data = await super().__anext__()
        except StopAsyncIteration:
            if self._must_raise is not None:  # refused while the reader waited: not the end of the body
                raise self._must_raise from None
            raise
        self._room.set()
        return data

    def __await__(self) -> Generator[Any, None, Any]:
        self._whole = True
        self._room.set()
        return super().__await__()


class BoundedRequest(Request):
    body_class = BoundedBody


class BackpressureConnection(ASGIHTTPConnection):
    """Receives the next part of a body only when there is room for it, and reads on after an early response.

    A client may send its whole body before it reads. Closing the connection while it still sends would lose a response
    that was sent early, so the rest of the body is received and dropped for a while.
    """

    body: BoundedBody | None = None

    async def handle_messages(self, request: Request, receive: ASGIReceiveCallable) -> None:
        body = request.body
        assert isinstance(body, BoundedBody)
        self.body = body
        while True:
            await body.room()
            message = await receive()
            if message["type"] == "http.request":
                body.append(message.get("body", b""))
                if not message.get("more_body", False):
                    body.set_complete()
                    body.arrived.set()
            elif message["type"] == "http.disconnect":
                return

    async def _send_response(self, send: ASGISendCallable, response: ResponseTypes) -> None:
        """Send the response; a body that is complete goes in one message with its end, where Quart sends two."""
        body = response.response
        received = self.body is None or self.body.arrived.is_set()
        if self.scope["method"] == "HEAD":  # the headers are those of GET; no body is made
            await self._send_whole(send, response, b"")
            return
        if received and isinstance(body, DataBody):
            await self._send_whole(send, response, bytes(body.data[body.begin : body.end]))
            return

        async def send_and_linger(message: Any) -> None:
            if message["type"] == "http.response.body" and not message["more_body"]:
                await self._linger()
            await send(message)

        await super()._send_response(send_and_linger, response)

    async def _send_whole(self, send: ASGISendCallable, response: ResponseTypes, body: bytes) -> None:
        headers = encode_headers(response.headers)
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _linger(self) -> None:
        """Receive the rest of the body, until the client pauses for SILENCE_SECONDS, for at most LINGER_SECONDS."""
        if self.body is None or self.body.arrived.is_set():
            return
        self.body.discard()
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                received = -1
                while received != self.body.received and not self.body.arrived.is_set():
                    received = self.body.received
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self.body.arrived.wait(), SILENCE_SECONDS)


def body_limit(size: int) -> Callable[[V], V]:
    """Give a route a limit other than 1 MiB. size: in bytes as received, before decompression."""

    def decorate(view: V) -> V:
        setattr(view, _LIMIT_ATTRIBUTE, size)
        return view

    return decorate


def install(app: Quart) -> None:
    app.request_class = BoundedRequest
    app.asgi_http_class = BackpressureConnection
    app.config["MAX_CONTENT_LENGTH"] = None

    @app.before_request
    async def set_limit() -> None:
        body = request.body
        if not isinstance(body, BoundedBody):
            return
        view = app.view_functions.get(request.endpoint or "")
        limit = body.limit = getattr(view, _LIMIT_ATTRIBUTE, DEFAULT_MAX_BYTES)
        if (request.content_length or 0) > limit or body.received > limit:
            body.refuse()
            raise TooLarge(f"The request body exceeds {limit} bytes.")


async def raw_body() -> bytes:
    """The whole body of the current request."""
    return await request.get_data(as_text=False)  # type: ignore[return-value]  # bytes, since as_text is False


def parse_json(adapter: pydantic.TypeAdapter[Any], data: bytes, context: Mapping[str, Any] | None = None) -> Any:
    """Parse and validate a JSON body. Raises Invalid with every error found.

    Validators find the time as `now` in their context, beside the values of `context`.
    """
    try:
        return adapter.validate_json(data, context={"now": datetime.now(UTC), **(context or {})})
    except pydantic.ValidationError as error:
        raise Invalid("The body is not valid.", errors=field_errors(error)) from None


def require_media_type(*accepted: str) -> str:
    """The media type of the request, by default the first of `accepted`. Raises UnsupportedMedia for any other."""
    media_type = request.mimetype or accepted[0]
    if media_type not in accepted:
        raise UnsupportedMedia(f"Unsupported media type {media_type}; send {' or '.join(accepted)}.")
    return media_type


def json_body(
    model: Any, *, empty: bool = False, context: Callable[[], Mapping[str, Any]] | None = None
) -> Callable[[View], View]:
    """Validate the JSON body against a pydantic model and pass it as `data`.

    Unlike quart-schema's validate_request it uses pydantic's strict JSON mode, so that `true` is not a number, and it
    answers any other media type with 415. empty: a missing body counts as `{}`. context: called for each request; its
    result joins the context of the validators, so that rules on the time are reported together with all others.
    """
    adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(model)

    def decorate(view: View) -> View:
        @wraps(view)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            data = await raw_body()
            if not data and empty:
                data = b"{}"
            elif not data:
                raise Invalid("The body is not valid.", errors=[FieldError("body", "is missing")])
            else:
                require_media_type("application/json")
            return await view(*args, data=parse_json(adapter, data, context() if context else None), **kwargs)

        if empty:
            setattr(wrapper, EMPTY_BODY_ATTRIBUTE, True)
        return document_request(model)(wrapper)

    return decorate
