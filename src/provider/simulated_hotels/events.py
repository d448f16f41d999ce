"""What a simulated hotel says: one event per night, booked or cancelled."""

from datetime import date, datetime
from typing import NamedTuple, Protocol

BOOKING = 1
CANCELLATION = 2


class SimulatedEvent(NamedTuple):
    """One night of a booking or of a cancellation, in the feed's words but without the id.

    A tuple rather than a dataclass, because years of history are hundreds of millions of these.
    """

    hotel_id: int
    event_timestamp: datetime
    status: int
    room_id: int
    night_of_stay: date


class FeedEvent(Protocol):
    """What the simulation reads of an event that the provider holds, whoever wrote it."""

    @property
    def hotel_id(self) -> int: ...
    @property
    def event_timestamp(self) -> datetime: ...
    @property
    def status(self) -> int: ...
    @property
    def room_id(self) -> int | str: ...
    @property
    def night_of_stay(self) -> date: ...


MAX_CACHED_NIGHTS = 2048
"""Beyond the nights that can be on the books, so that years of history take no more memory than one."""


class DateCache(dict[int, date]):
    """The date of an ordinal, made once for the many events that name the night."""

    def __missing__(self, ordinal: int) -> date:
        if len(self) >= MAX_CACHED_NIGHTS:
            self.clear()
        self[ordinal] = day = date.fromordinal(ordinal)
        return day
