"""The cursor of the list of hotels on one morning: what was asked, its order, and the position in it."""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from common.web.errors import Invalid
from common.web.pagination import CursorId, decode_cursor, encode_cursor
from dashboard.bookings.inputs import SummaryQuery, SummarySort
from dashboard.bookings.models.summary import SummaryPosition

SHAPES: Mapping[SummarySort, Any] = {
    "name": tuple[str, bool, str, CursorId],
    "pickup": tuple[str, bool, int, CursorId],
    "behind": tuple[str, bool, int, CursorId],
}
"""What a cursor of each order holds: a digest of what was asked, and the position."""


def encode_position(query: SummaryQuery, position: SummaryPosition, path: str | None = None) -> str:
    """The cursor of the page that starts after the position, valid for the path only; None: of the current request."""
    return encode_cursor(_digest(query), *position, path=path)


def decode_position(query: SummaryQuery) -> SummaryPosition | None:
    """The position in the cursor; None without one.

    Raises Invalid for a cursor of another path, order, date, comparison or search, in whose list it is a position.
    """
    if query.cursor is None:
        return None
    digest, *position = decode_cursor(query.cursor, SHAPES[query.sort])
    if digest != _digest(query):
        raise Invalid.field("cursor", "is not a valid cursor for this list")
    return SummaryPosition(*position)


def _digest(query: SummaryQuery) -> str:
    asked = "\0".join([query.sort, str(query.as_of), query.match, query.search])
    return blake2b(asked.encode(), digest_size=6).hexdigest()
