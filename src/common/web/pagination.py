"""Lists in pages: an opaque cursor, and the Link header to the next page (RFC 8288)."""

import base64
import binascii
import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from quart import request

from common.web.errors import Invalid
from common.web.input_types import MAX_ID

T = TypeVar("T")

CursorId = Annotated[int, msgspec.Meta(ge=1, le=MAX_ID)]
CursorInstant = Annotated[datetime, msgspec.Meta(tz=True)]
"""Parts of a position, for the `shape` of `decode_cursor`."""

CHECKSUM_BYTES = 6


def _checksum(path: str, position: bytes) -> bytes:
    """A checksum of a position in the list at the path. It detects mistakes; it is not secret."""
    return hashlib.blake2b(path.encode() + b"\0" + position, digest_size=CHECKSUM_BYTES).digest()


def encode_cursor(*position: Any, path: str | None = None) -> str:
    """Encode the position of a page's last item as a cursor, valid for the path only; None: of the current request."""
    data = msgspec.msgpack.encode(position)
    return base64.urlsafe_b64encode(_checksum(path or request.path, data) + data).rstrip(b"=").decode()


def decode_cursor(cursor: str, shape: type[T]) -> T:
    """Decode a cursor into the position, a tuple of type `shape`.

    Raises Invalid unless `encode_cursor` made the cursor for the path of the current request.
    """
    try:
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        if _checksum(request.path, data[CHECKSUM_BYTES:]) == data[:CHECKSUM_BYTES]:
            return msgspec.msgpack.decode(data[CHECKSUM_BYTES:], type=shape)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        pass
    raise Invalid.field("cursor", "is not a valid cursor for this list")


def page_and_link(
    rows: list[T], limit: int, position: Callable[[T], tuple[Any, ...]]
) -> tuple[list[T], dict[str, str]]:
    """The first `limit` rows, and the Link header to the next page if there are more rows.

    position: returns the position of a row, after which the next page starts.
    """
    page = rows[:limit]
    return page, {"Link": next_link(encode_cursor(*position(page[-1])))} if len(rows) > limit else {}


def next_link(cursor: str) -> str:
    """The value of the Link header to the next page of the current request.

    The address is relative (RFC 8288, section 3), since the host may be known to the outside by another name.
    """
    query = [(name, value) for name, value in request.args.items(multi=True) if name != "cursor"]
    path = quote(request.root_path + request.path)
    return f'<{path}?{urlencode([*query, ("cursor", cursor)])}>; rel="next"'
