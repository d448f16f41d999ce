"""Request bodies: size limits, encodings, media types, and validated JSON."""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Mapping
from datetime import UTC, datetime
from functools import wraps
from typing import Any, TypeVar, cast

import pydantic
from quart import Quart, Request, request
from quart.wrappers.request import Body
from quart_schema import document_request

from common.web.errors import FieldError, Invalid, TooLarge, UnsupportedMedia, field_errors
from common.web.resources import unproxied

DEFAULT_MAX_BYTES = 1024 * 1024
HIGH_WATER = 1024 * 1024
IDENTITY = frozenset({"", "identity"})
_LIMIT_ATTRIBUTE = "_body_limit"
_ENCODINGS_ATTRIBUTE = "_body_encodings"
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
    """A request with a bounded body, that knows which headers it has.

    header_names: their names in lower case. The hooks of every request ask here first, since looking for a header that
    is not there compares all names.
    """

    body_class = BoundedBody
    body: BoundedBody

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.header_names = frozenset([name for name, _ in options["scope"]["headers"]])


def current_request() -> BoundedRequest:
    """The request that is being served."""
    return cast(BoundedRequest, unproxied(request))


def body_limit(size: int) -> Callable[[V], V]:
    """Give a route a limit other than 1 MiB. size: in bytes as received, before decompression."""

    def decorate(view: V) -> V:
        setattr(view, _LIMIT_ATTRIBUTE, size)
        return view

    return decorate


def body_encodings(*names: str) -> Callable[[V], V]:
    """Let a route receive bodies with one of these Content-Encodings; its view decodes them.

    `x-gzip` means gzip (RFC 9110, section 8.4.1.3).
    """

    def decorate(view: V) -> V:
        setattr(view, _ENCODINGS_ATTRIBUTE, names)
        return view

    return decorate


def require_known_encoding(view: Any) -> None:
    """Raises UnsupportedMedia when the body of the request has a Content-Encoding that its view does not decode."""
    current = current_request()
    if b"content-encoding" not in current.header_names:
        return
    encoding = current.headers["Content-Encoding"].strip().lower().removeprefix("x-")
    decoded: tuple[str, ...] = getattr(view, _ENCODINGS_ATTRIBUTE, ())
    if encoding in IDENTITY or encoding in decoded:
        return
    allowed = f"send {' or '.join(decoded)}, or no Content-Encoding" if decoded else "send the body unencoded"
    raise UnsupportedMedia(
        f"Unsupported Content-Encoding {encoding[:40]}; {allowed}.",
        headers={"Accept-Encoding": ", ".join(decoded) or "identity"},
    )


def install(app: Quart) -> None:
    app.request_class = BoundedRequest
    app.config["MAX_CONTENT_LENGTH"] = None

    @app.before_request
    async def set_limit() -> None:
        current = current_request()
        body = current.body
        view = app.view_functions.get(current.endpoint or "")
        limit = body.limit = getattr(view, _LIMIT_ATTRIBUTE, DEFAULT_MAX_BYTES)
        announced = current.content_length or 0 if b"content-length" in current.header_names else 0
        if announced > limit or body.received > limit:
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
    """The media type of the request. Raises UnsupportedMedia unless it is one of `accepted`.

    A request without a Content-Type is refused too: browsers send it to other sites without asking them first.
    """
    media_type = request.mimetype
    if not media_type:
        raise UnsupportedMedia(f"The header Content-Type is missing; send {' or '.join(accepted)}.")
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
