"""The cursor of the list of hotels on one morning: its order, and the position in it."""

from typing import Annotated

import msgspec

from common.web.pagination import CursorId, decode_cursor, encode_cursor
from dashboard.bookings.inputs import SummarySort
from dashboard.bookings.models.summary import SummaryPosition

NameOrder = Annotated[str, msgspec.Meta(pattern="^name$")]
PickupOrder = Annotated[str, msgspec.Meta(pattern="^pickup$")]
BehindOrder = Annotated[str, msgspec.Meta(pattern="^behind$")]


def encode_position(sort: SummarySort, position: SummaryPosition) -> str:
    """The cursor of the page that starts after the position, valid for the path of the current request only."""
    return encode_cursor(sort, *position)


def decode_position(sort: SummarySort, cursor: str | None) -> SummaryPosition | None:
    """The position in a cursor; None without one. Raises Invalid for a cursor of another order or path."""
    if cursor is None:
        return None
    if sort == "name":
        return SummaryPosition(*decode_cursor(cursor, tuple[NameOrder, bool, str, CursorId])[1:])
    if sort == "pickup":
        return SummaryPosition(*decode_cursor(cursor, tuple[PickupOrder, bool, int, CursorId])[1:])
    return SummaryPosition(*decode_cursor(cursor, tuple[BehindOrder, bool, int, CursorId])[1:])
