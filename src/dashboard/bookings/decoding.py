"""Decode values of the feed to events that can be counted, or to reasons why they cannot."""

from datetime import UTC, date, datetime
from typing import Annotated, Literal, NamedTuple

import msgspec

from common.instants import parse_instant, parse_instant_with_zone
from common.limits import EARLIEST_INSTANT, EARLIEST_NIGHT, LATEST_NIGHT
from common.web.input_types import MAX_ID

EventId = Annotated[int, msgspec.Meta(ge=1, le=MAX_ID)]
HotelId = Annotated[int, msgspec.Meta(ge=1, le=MAX_ID)]
RoomId = int | Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Status = Literal[1, 2]
MAX_RAW_LENGTH = 10_000
"""Characters of a rejected value that are stored."""


class BookingEvent(msgspec.Struct, frozen=True, gc=False):
    """An event of the feed; further fields are ignored."""

    id: EventId
    """Id of the event, unique in the feed."""
    hotel_id: HotelId
    """Id of the hotel."""
    event_timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    """When the booking or the cancellation was made."""
    status: Status
    """1 = booking, 2 = cancellation."""
    room_id: RoomId
    """The room, a number or text as the feed gave it."""
    night_of_stay: date
    """The date on which the guest goes to sleep."""


class UndatedEvent(msgspec.Struct, frozen=True, gc=False):
    """An event of the feed whose time is not yet parsed."""

    id: EventId
    hotel_id: HotelId
    event_timestamp: int | str
    status: Status
    room_id: RoomId
    night_of_stay: date


class EventTime(msgspec.Struct, frozen=True, gc=False):
    """The time of a value that is not a valid event."""

    event_timestamp: int | str


class RejectedEvent(NamedTuple):
    """A value that is not a valid event, and the reason; at: its event time, if it has one."""

    raw: str
    reason: str
    at: datetime | None = None


_one_event = msgspec.json.Decoder(BookingEvent)
_many_events = msgspec.json.Decoder(list[BookingEvent])
_undated_event = msgspec.json.Decoder(UndatedEvent)
_event_time = msgspec.json.Decoder(EventTime)
DECODE_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""Raised by msgspec for a value that is not a valid event; RecursionError for one that is nested too deeply."""


def decode(batch: list[bytes], latest: datetime) -> tuple[list[BookingEvent], list[RejectedEvent]]:
    """The events of a batch of JSON values in their order, and the values that are not valid events.

    latest: an event dated after this instant is not valid yet.
    """
    whole = b"[" + b",".join(batch) + b"]"
    try:
        events = _many_events.decode(whole)
    except DECODE_ERRORS:
        pass
    else:
        if len(events) == len(batch) and b"\\u0000" not in whole and _all_in_range(events, latest):
            return events, []
    events, rejected = [], []
    for raw in batch:
        result = _decode_one(raw, latest)
        if isinstance(result, RejectedEvent):
            rejected.append(result)
        else:
            events.append(result)
    return events, rejected


def _decode_one(raw: bytes, latest: datetime) -> BookingEvent | RejectedEvent:
    event: BookingEvent | None
    try:
        event = _one_event.decode(raw)
    except DECODE_ERRORS as error:
        event = _with_parsed_time(raw)
        if event is None:
            return RejectedEvent(_storable_text(raw), str(error), _event_time_of(raw))
    reason = _unacceptable(event, latest)
    if reason is not None:
        return RejectedEvent(_storable_text(raw), reason, _storable_instant(event.event_timestamp))
    return event


def _with_parsed_time(raw: bytes) -> BookingEvent | None:
    """The event, if it is valid but for an instant in a form that JSON does not know; else None."""
    try:
        undated = _undated_event.decode(raw)
        at = _parse_instant(undated.event_timestamp)
    except (*DECODE_ERRORS, ValueError):
        return None
    return BookingEvent(undated.id, undated.hotel_id, at, undated.status, undated.room_id, undated.night_of_stay)


def _parse_instant(value: int | str) -> datetime:
    """Parse an instant that names its zone, or seconds or milliseconds since 1970. Raises ValueError."""
    return parse_instant_with_zone(str(value))


def _event_time_of(raw: bytes) -> datetime | None:
    """The time of a value that is not a valid event, taken as UTC if it names no zone; None if it has none."""
    try:
        return _storable_instant(parse_instant(str(_event_time.decode(raw).event_timestamp)))
    except (*DECODE_ERRORS, ValueError):
        return None


def _storable_text(raw: bytes) -> str:
    """The value as text that PostgreSQL can store."""
    return raw.decode("utf-8", errors="replace")[:MAX_RAW_LENGTH].replace("\0", "\ufffd")


_FIRST_IN_UTC = datetime(1, 1, 2, tzinfo=UTC)
_LAST_IN_UTC = datetime(9999, 12, 30, tzinfo=UTC)


def _storable_instant(at: datetime) -> datetime | None:
    """The instant, unless it does not exist in UTC or asyncpg would take it for an infinity."""
    return at if _FIRST_IN_UTC <= at <= _LAST_IN_UTC else None


def _all_in_range(events: list[BookingEvent], latest: datetime) -> bool:
    """Whether the instants and nights of all events are sane."""
    times = [event.event_timestamp for event in events]
    nights = [event.night_of_stay for event in events]
    return (
        min(times) >= EARLIEST_INSTANT
        and max(times) <= latest
        and min(nights) >= EARLIEST_NIGHT
        and max(nights) <= LATEST_NIGHT
    )


def _unacceptable(event: BookingEvent, latest: datetime) -> str | None:
    """Why a well-formed event is not counted; None if it is."""
    if event.event_timestamp < EARLIEST_INSTANT:
        return f"event_timestamp is before {EARLIEST_INSTANT.year}"
    if event.event_timestamp > latest:
        return "event_timestamp is more than a day in the future"
    if not EARLIEST_NIGHT <= event.night_of_stay <= LATEST_NIGHT:
        return f"night_of_stay is not from {EARLIEST_NIGHT} to {LATEST_NIGHT}"
    if isinstance(event.room_id, str) and "\0" in event.room_id:
        return "room_id contains a NUL character"
    return None
