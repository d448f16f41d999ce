"""The events of a hotel's room in the feed, one for each night."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import date, timedelta

from common.db.pool import Connection
from provider.hotel_rooms import NightEvent
from provider.stays.models.reservations import CancelledStay, ImportedStay, LinkedStay

AppendEvents = Callable[[Connection, Sequence[NightEvent]], Awaitable[None]]
"""Appends events to the feed inside the caller's transaction; the slice of the feed provides it."""


Stay = LinkedStay | ImportedStay | CancelledStay


def night_events(stay: Stay, status: int) -> list[NightEvent]:
    """An event for each night of a stay in a hotel's room."""
    return events_of(stay, status, nights_between(stay.arrival, stay.departure))


def events_of(stay: Stay, status: int, nights: Sequence[date]) -> list[NightEvent]:
    """An event for each of some nights of a stay in a hotel's room."""
    assert stay.hotel_id is not None
    assert stay.room_id is not None
    return [NightEvent(stay.hotel_id, stay.occurred_at, status, stay.room_id, night) for night in nights]


def nights_between(arrival: date, departure: date) -> list[date]:
    """The nights from the arrival on, without the departure."""
    return [arrival + timedelta(days=i) for i in range((departure - arrival).days)]
