"""Booking events as they come in, as they are asked for, and as they go out."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

import msgspec
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema

from common.web.errors import FieldError, Invalid
from common.web.input_types import (
    MAX_ID,
    Id,
    Input,
    Instant,
    Night,
    QueryId,
    QueryInteger,
    QueryNight,
    parse_instant,
    parse_night,
    parse_query_instant,
)
from common.web.pagination import decode_cursor

BOOKING = 1
CANCELLATION = 2

MAX_FUTURE = timedelta(days=1)
"""How far ahead of our clock the sender's may be."""

_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def parse_room_id(value: Any) -> str:
    """A room as the database holds it: the digits of an integer, or a UUID as it came. Raises ValueError."""
    if type(value) is int and 1 <= value <= MAX_ID:
        return str(value)
    if isinstance(value, str) and _UUID.fullmatch(value):
        return value
    raise ValueError("must be a whole number from 1 to 2^63 - 1, or a UUID")


def parse_room_id_text(value: Any) -> str:
    """The same where everything is text: a query string or a CSV file."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return parse_room_id(int(value))
    return parse_room_id(value)


ROOM_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": MAX_ID},
        {"type": "string", "format": "uuid"},
    ]
}

RoomId = Annotated[str, BeforeValidator(parse_room_id), WithJsonSchema(ROOM_SCHEMA)]
QueryRoomId = Annotated[str, BeforeValidator(parse_room_id_text), WithJsonSchema(ROOM_SCHEMA)]


def parse_from(value: Any) -> datetime:
    """An instant, or a date, which means its first moment in UTC. Raises ValueError."""
    if isinstance(value, str) and len(value) == 10:
        return datetime.combine(parse_night(value), time.min, UTC)
    return parse_query_instant(value)


def parse_to(value: Any) -> datetime:
    """An instant, or a date, which means its last microsecond in UTC. Raises ValueError."""
    if isinstance(value, str) and len(value) == 10:
        return datetime.combine(parse_night(value), time.max, UTC)
    return parse_query_instant(value)


_INSTANT_OR_DATE_SCHEMA = WithJsonSchema(
    {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]}
)
From = Annotated[datetime, BeforeValidator(parse_from), _INSTANT_OR_DATE_SCHEMA]
To = Annotated[datetime, BeforeValidator(parse_to), _INSTANT_OR_DATE_SCHEMA]


def require_plausible(at: datetime, now: datetime) -> datetime:
    """Raises ValueError for an event dated more than a day after `now`."""
    if at > now + MAX_FUTURE:
        raise ValueError("is more than a day in the future")
    return at


def _require_plausible_now(at: datetime, info: ValidationInfo) -> datetime:
    assert info.context is not None
    return require_plausible(at, info.context["now"])


class EventInput(Input):
    """A booking event as a sender gives it; without an id the server assigns one."""

    id: Id | None = None
    hotel_id: Id
    event_timestamp: Annotated[Instant, AfterValidator(_require_plausible_now)]
    status: Annotated[int, Field(ge=BOOKING, le=CANCELLATION, description="1 = booking, 2 = cancellation")]
    room_id: RoomId
    night_of_stay: Night


class EventsQuery(Input):
    """The filters of the feed; all optional, combined by AND."""

    hotel_id: Annotated[QueryId | None, Field(description="Only this hotel")] = None
    updated__gte: Annotated[From | None, Field(description="event_timestamp at or after; a date means its start")] = (
        None
    )
    updated__lte: Annotated[To | None, Field(description="event_timestamp at or before; a date means all of it")] = None
    rpg_status: Annotated[
        QueryInteger | None, Field(ge=BOOKING, le=CANCELLATION, description="1 = booking, 2 = cancellation")
    ] = None
    room_id: Annotated[QueryRoomId | None, Field(description="Only this room: a number or a UUID")] = None
    night_of_stay__gte: Annotated[QueryNight | None, Field(description="Nights from here on")] = None
    night_of_stay__lte: Annotated[QueryNight | None, Field(description="Nights up to here, included")] = None
    recorded__gte: Annotated[From | None, Field(description="Stored by us at or after")] = None
    recorded__lte: Annotated[To | None, Field(description="Stored by us at or before")] = None
    limit: Annotated[QueryInteger | None, Field(ge=1, le=10_000, description="Answer in pages of this many events")] = (
        None
    )
    cursor: Annotated[str | None, Field(description="Where the page begins; from the Link header")] = None

    def require_ordered(self) -> None:
        """Raises Invalid naming every range that ends before it begins, and a cursor without a limit."""
        faults = []
        for name in ("updated", "night_of_stay", "recorded"):
            low: datetime | date | None = getattr(self, f"{name}__gte")
            high: datetime | date | None = getattr(self, f"{name}__lte")
            if low is not None and high is not None and low > high:
                faults.append(FieldError(f"{name}__gte", f"is after {name}__lte"))
        if self.cursor is not None and self.limit is None:
            faults.append(FieldError("cursor", "goes with limit"))
        if faults:
            raise Invalid("The request is not valid.", errors=faults)


Position = tuple[datetime, int]
"""Where a reader of the feed stands: the time and the id of the last event that it has."""


def decode_position(cursor: str) -> Position:
    """The position in a cursor of ours. Raises Invalid."""
    at, event_id = decode_cursor(cursor, tuple[datetime, Annotated[int, msgspec.Meta(ge=1, le=MAX_ID)]])
    try:
        return parse_instant(at), event_id
    except (ValueError, OverflowError):
        raise Invalid.field("cursor", "is no cursor of this list") from None


class Event(msgspec.Struct, frozen=True):
    """A booking (status 1) or a cancellation (status 2) of one room for one night."""

    id: int
    hotel_id: int
    event_timestamp: datetime
    status: int
    room_id: int | str
    night_of_stay: date


class BatchResult(msgspec.Struct, frozen=True):
    """What a batch did: events stored now, and events that were stored before."""

    stored: int
    duplicates: int


class NewEvent(msgspec.Struct, frozen=True):
    """An event on its way into the table; `room_id` as the database holds it."""

    id: int
    hotel_id: int
    event_timestamp: datetime
    status: int
    room_id: str
    night_of_stay: date

    @property
    def content(self) -> tuple[int, datetime, int, str, date]:
        """What makes two events with one id the same; the letters of a UUID have no case."""
        return (self.hotel_id, self.event_timestamp, self.status, self.room_id.lower(), self.night_of_stay)


class FeedTotals(msgspec.Struct, frozen=True):
    """What the feed holds: events (an estimate of many), those stored in the last minute, the newest event's time."""

    events: int
    last_minute: int
    newest: datetime | None


EXAMPLE = {
    "id": 1,
    "hotel_id": 1,
    "event_timestamp": "2020-01-01T00:00:00Z",
    "status": 1,
    "room_id": 1,
    "night_of_stay": "2020-01-01",
}
