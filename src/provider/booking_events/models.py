"""Booking events, as stored and as sent in responses."""

from datetime import date, datetime
from typing import NamedTuple

import msgspec

from common.web.errors import Invalid
from common.web.input_types import parse_instant
from common.web.pagination import CursorId, decode_cursor

COLUMNS = ("id", "hotel_id", "event_timestamp", "status", "room_id", "night_of_stay")

StagedRow = tuple[int, int, int, datetime, int, str, date]
"""The number of a file's line, then COLUMNS."""


def sort_by_id(rows: list[StagedRow]) -> list[StagedRow]:
    """The rows by id, then by line. All writers insert in id order to avoid deadlocks."""
    return sorted(rows, key=lambda row: (row[1], row[0]))


Position = tuple[datetime, int]
"""A reader's place in the feed: the time and the id of the last event that it has."""


class Page(NamedTuple):
    """A part of the feed: lines, and the place after which the next page begins; None when no event can follow."""

    lines: bytes
    """Each ends with a line break."""
    end: Position | None


class FoundLines(NamedTuple):
    """The lines that a statement found, up to a limit, and the place of the last; None when there is none."""

    lines: bytes
    """Each ends with a line break."""
    last: Position | None
    has_more: bool


def decode_position(cursor: str) -> Position:
    """Decode the position in a cursor of this list. Raises Invalid."""
    at, event_id = decode_cursor(cursor, tuple[datetime, CursorId])
    try:
        return parse_instant(at), event_id
    except (ValueError, OverflowError):
        raise Invalid.field("cursor", "is not a valid cursor for this list") from None


class Event(msgspec.Struct, frozen=True):
    """A booking (status 1) or a cancellation (status 2) of one room for one night."""

    id: int
    """Id of the event, unique in the feed."""
    hotel_id: int
    """Id of the hotel."""
    event_timestamp: datetime
    """When the booking or the cancellation was made."""
    status: int
    """1 = booking, 2 = cancellation."""
    room_id: int | str
    """The room: a number or a UUID."""
    night_of_stay: date
    """The date on which the guest goes to sleep."""


class BatchResult(msgspec.Struct, frozen=True):
    """How many events of a batch were stored now, and how many were stored already."""

    stored: int
    """Events that were stored now."""
    duplicates: int
    """Events that were stored before, with the same content."""


class NewEvent(msgspec.Struct, frozen=True):
    """An event to be stored; `room_id` in the form that the database stores.

    by_storefront: it is of a reservation of our own storefront, not one that somebody sent.
    """

    id: int
    hotel_id: int
    event_timestamp: datetime
    status: int
    room_id: str
    night_of_stay: date
    by_storefront: bool = False

    @property
    def content(self) -> tuple[int, datetime, int, str, date]:
        """Two events with one id are the same if these fields are equal; UUIDs are compared without case."""
        return (self.hotel_id, self.event_timestamp, self.status, self.room_id.lower(), self.night_of_stay)


class StoredEvent(NamedTuple):
    """A stored event: its id, its JSON, and whether it was stored just now."""

    id: int
    body: str
    is_new: bool


class FeedTotals(msgspec.Struct, frozen=True):
    """The size of the feed: events (if many, an estimate), those of the last minute, the newest event's time."""

    events: int
    last_minute: int
    newest: datetime | None
