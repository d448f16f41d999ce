"""The cursor of the list of hotels on one morning: its order, and the position in it."""

from collections.abc import Mapping
from typing import Annotated

import msgspec

from common.web.pagination import CursorId, decode_cursor, encode_cursor
from dashboard.bookings.inputs import SummarySort
from dashboard.bookings.models.summary import SummaryPosition

SHAPES: Mapping[SummarySort, type[tuple[str, bool, int | str, int]]] = {
    "name": tuple[Annotated[str, msgspec.Meta(pattern="^name$")], bool, str, CursorId],
    "pickup": tuple[Annotated[str, msgspec.Meta(pattern="^pickup$")], bool, int, CursorId],
    "behind": tuple[Annotated[str, msgspec.Meta(pattern="^behind$")], bool, int, CursorId],
}
"""What a cursor of each order holds: the order, and the position."""


def encode_position(sort: SummarySort, position: SummaryPosition, path: str | None = None) -> str:
    """The cursor of the page that starts after the position, valid for the path only; None: of the current request."""
    return encode_cursor(sort, *position, path=path)


def decode_position(sort: SummarySort, cursor: str | None) -> SummaryPosition | None:
    """The position in a cursor; None without one. Raises Invalid for a cursor of another order or path."""
    return None if cursor is None else SummaryPosition(*decode_cursor(cursor, SHAPES[sort])[1:])
