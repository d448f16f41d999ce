"""From what the feed sent to events that can be counted, or the reason why one cannot."""

from datetime import UTC, date, datetime
from typing import Annotated, Literal, NamedTuple

import msgspec

from common.web.input_types import MAX_ID

Id = Annotated[int, msgspec.Meta(ge=1, le=MAX_ID)]
LONGEST_RAW = 10_000


class FeedEvent(msgspec.Struct, frozen=True, gc=False):
    """An event of the feed; what else a provider may add to it is not ours to judge."""

    id: Id
    hotel_id: Id
    event_timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    status: Literal[1, 2]
    room_id: int | Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    night_of_stay: date


class Dated(msgspec.Struct, frozen=True, gc=False):
    """Something that is no event but says when it was one."""

    event_timestamp: datetime


class Refused(NamedTuple):
    """Something that is no event: as it came, why, and the time that it gives for itself, if it does."""

    raw: str
    reason: str
    at: datetime | None = None


_decoder = msgspec.json.Decoder(FeedEvent)
_dated = msgspec.json.Decoder(Dated)
_many = msgspec.json.Decoder(list[FeedEvent])
NO_EVENT = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for a JSON value that is no event; the last for one that is nested too deeply."""

_FIRST = datetime(1, 1, 2, tzinfo=UTC)
_LAST = datetime(9999, 12, 30, tzinfo=UTC)


def decode(batch: list[bytes]) -> tuple[list[FeedEvent], list[Refused]]:
    """The events of a batch of JSON values in their order, and what had to be refused."""
    whole = b"[" + b",".join(batch) + b"]"
    try:
        events = _many.decode(whole)
    except NO_EVENT:
        pass
    else:
        if len(events) == len(batch) and b"\\u0000" not in whole and _all_storable(events):
            return events, []
    events, refused = [], []
    for raw in batch:
        result = _decode_one(raw)
        if isinstance(result, Refused):
            refused.append(result)
        else:
            events.append(result)
    return events, refused


def _decode_one(raw: bytes) -> FeedEvent | Refused:
    try:
        event = _decoder.decode(raw)
    except NO_EVENT as error:
        return Refused(_shown(raw), str(error), _time_of(raw))
    return event if _storable(event) else Refused(_shown(raw), "cannot be stored: instant, night or room_id")


def _time_of(raw: bytes) -> datetime | None:
    try:
        at = _dated.decode(raw).event_timestamp
    except NO_EVENT:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return at if _FIRST <= at <= _LAST else None


def _shown(raw: bytes) -> str:
    """What came, for people, as far as PostgreSQL can hold it."""
    return raw.decode("utf-8", errors="replace")[:LONGEST_RAW].replace("\0", "\ufffd")


def _all_storable(events: list[FeedEvent]) -> bool:
    """Whether the instants and nights of all can be stored; JSON can write a NUL in one way only."""
    times = [event.event_timestamp for event in events]
    nights = [event.night_of_stay for event in events]
    return min(times) >= _FIRST and max(times) <= _LAST and date.min < min(nights) and max(nights) < date.max


def _storable(event: FeedEvent) -> bool:
    """PostgreSQL holds no NUL in a text, an instant has to exist in UTC, and asyncpg takes the first and the last date
    for the infinities.
    """
    return (
        _FIRST <= event.event_timestamp <= _LAST
        and date.min < event.night_of_stay < date.max
        and (isinstance(event.room_id, int) or "\0" not in event.room_id)
    )
