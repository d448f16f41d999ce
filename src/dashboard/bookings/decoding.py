"""Decode values of the feed to events that can be counted, or to reasons why they cannot."""

from datetime import UTC, date, datetime
from typing import Annotated, Literal, NamedTuple

import msgspec

from common.web.input_types import MAX_ID

EventId = Annotated[int, msgspec.Meta(ge=1, le=MAX_ID)]
HotelId = Annotated[int, msgspec.Meta(ge=1, le=MAX_ID)]
MAX_RAW_LENGTH = 10_000
"""Characters of a rejected value that are stored."""


class BookingEvent(msgspec.Struct, frozen=True, gc=False):
    """An event of the feed; further fields are ignored."""

    id: EventId
    hotel_id: HotelId
    event_timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    status: Literal[1, 2]
    room_id: int | Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    night_of_stay: date


class EventTime(msgspec.Struct, frozen=True, gc=False):
    """The time of a value that is not a valid event."""

    event_timestamp: datetime


class RejectedEvent(NamedTuple):
    """A value that is not a valid event, and the reason; at: its event time, if it has one."""

    raw: str
    reason: str
    at: datetime | None = None


_one_event = msgspec.json.Decoder(BookingEvent)
_many_events = msgspec.json.Decoder(list[BookingEvent])
_event_time = msgspec.json.Decoder(EventTime)
DECODE_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""Raised by msgspec for a value that is not a valid event; RecursionError for one that is nested too deeply."""

_MIN_INSTANT = datetime(1, 1, 2, tzinfo=UTC)
_MAX_INSTANT = datetime(9999, 12, 30, tzinfo=UTC)


def decode(batch: list[bytes]) -> tuple[list[BookingEvent], list[RejectedEvent]]:
    """The events of a batch of JSON values in their order, and the values that are not valid events."""
    whole = b"[" + b",".join(batch) + b"]"
    try:
        events = _many_events.decode(whole)
    except DECODE_ERRORS:
        pass
    else:
        if len(events) == len(batch) and b"\\u0000" not in whole and _all_storable(events):
            return events, []
    events, rejected = [], []
    for raw in batch:
        result = _decode_one(raw)
        if isinstance(result, RejectedEvent):
            rejected.append(result)
        else:
            events.append(result)
    return events, rejected


def _decode_one(raw: bytes) -> BookingEvent | RejectedEvent:
    try:
        event = _one_event.decode(raw)
    except DECODE_ERRORS as error:
        return RejectedEvent(_storable_text(raw), str(error), _event_time_of(raw))
    if not _storable(event):
        return RejectedEvent(_storable_text(raw), "event_timestamp, night_of_stay or room_id cannot be stored")
    return event


def _event_time_of(raw: bytes) -> datetime | None:
    try:
        at = _event_time.decode(raw).event_timestamp
    except DECODE_ERRORS:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return at if _MIN_INSTANT <= at <= _MAX_INSTANT else None


def _storable_text(raw: bytes) -> str:
    """The value as text that PostgreSQL can store."""
    return raw.decode("utf-8", errors="replace")[:MAX_RAW_LENGTH].replace("\0", "\ufffd")


def _all_storable(events: list[BookingEvent]) -> bool:
    """Whether the instants and nights of all events can be stored."""
    times = [event.event_timestamp for event in events]
    nights = [event.night_of_stay for event in events]
    return (
        min(times) >= _MIN_INSTANT and max(times) <= _MAX_INSTANT and date.min < min(nights) and max(nights) < date.max
    )


def _storable(event: BookingEvent) -> bool:
    """Whether PostgreSQL can store the event.

    Text must not contain NUL, an instant must exist in UTC, and asyncpg takes the first and last date for infinities.
    """
    return (
        _MIN_INSTANT <= event.event_timestamp <= _MAX_INSTANT
        and date.min < event.night_of_stay < date.max
        and (isinstance(event.room_id, int) or "\0" not in event.room_id)
    )
