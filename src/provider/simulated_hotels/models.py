"""The events of simulated hotels: one per night, booked or cancelled."""

from datetime import date, datetime
from typing import NamedTuple

import msgspec

from provider.hotel_rooms import NightEvent


class SimulatedEvent(NamedTuple):
    """A booking or a cancellation of one night, with the feed's field names but without an id.

    A tuple rather than a dataclass, because years of history are hundreds of millions of these.
    """

    hotel_id: int
    event_timestamp: datetime
    status: int
    room_id: int
    night_of_stay: date


def night_event(event: SimulatedEvent) -> NightEvent:
    """The event as the feed stores it, where rooms are texts."""
    hotel_id, at, status, room_id, night = event
    return NightEvent(hotel_id, at, status, str(room_id), night)


class FeedEvent(msgspec.Struct, frozen=True):
    """The fields that the simulation reads of an event in the feed, which any client may have sent."""

    hotel_id: int
    event_timestamp: datetime
    status: int
    room_id: int | str
    night_of_stay: date


MAX_CACHED_NIGHTS = 2048
"""More nights than can be on the books, so that years of history take no more memory than one."""


class DateCache(dict[int, date]):
    """The date of an ordinal, created once for the many events of a night."""

    def __missing__(self, ordinal: int) -> date:
        if len(self) >= MAX_CACHED_NIGHTS:
            self.clear()
        self[ordinal] = day = date.fromordinal(ordinal)
        return day
