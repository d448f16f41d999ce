"""Pages of a list: an opaque cursor, and the Link header that leads to the next page (RFC 8288)."""

import base64
import binascii
import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

import msgspec
from quart import request

from common.web.errors import Invalid
from common.web.input_types import MAX_ID

T = TypeVar("T")

CursorId = Annotated[int, msgspec.Meta(ge=1, le=MAX_ID)]
CursorInstant = Annotated[datetime, msgspec.Meta(tz=True)]
"""Parts of a position, for the shapes that `decode_cursor` takes."""

SEAL_BYTES = 6


def _seal(position: bytes) -> bytes:
    """A checksum of a position in the list of the current request. It catches mistakes, not intent: it is no secret."""
    return hashlib.blake2b(request.path.encode() + b"\0" + position, digest_size=SEAL_BYTES).digest()


def encode_cursor(*position: Any) -> str:
    """An opaque cursor for the position of the last item of a page of the current request's list."""
    data = msgspec.msgpack.encode(position)
    return base64.urlsafe_b64encode(_seal(data) + data).rstrip(b"=").decode()


def decode_cursor(cursor: str, shape: type[T]) -> T:
    """The position in a cursor, a tuple of type `shape`. Raises Invalid for a cursor that we did not make, or changed,
    or made for another list.
    """
    try:
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        if _seal(data[SEAL_BYTES:]) == data[:SEAL_BYTES]:
            return msgspec.msgpack.decode(data[SEAL_BYTES:], type=shape)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        pass
    raise Invalid.field("cursor", "is no cursor of this list")


def page_and_link(
    found: list[T], limit: int, position: Callable[[T], tuple[Any, ...]]
) -> tuple[list[T], dict[str, str]]:
    """Up to `limit` of what was found, and where more was found the Link header to it.

    position: of an item in the list of the current request; the next page begins behind it.
    """
    page = found[:limit]
    return page, {"Link": next_link(encode_cursor(*position(page[-1])))} if len(found) > limit else {}


def next_link(cursor: str) -> str:
    """The Link header to the next page of the current request."""
    query = [(name, value) for name, value in request.args.items(multi=True) if name != "cursor"]
    return f'<{request.base_url}?{urlencode([*query, ("cursor", cursor)])}>; rel="next"'
