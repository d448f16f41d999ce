"""Rows and responses of `GET /hotels/{id}/nights`."""

from datetime import date
from typing import NamedTuple

import msgspec

from dashboard.bookings.inputs import PaceMatch


class AskedNights(NamedTuple):
    """The nights of a hotel from `first` to `last`, both included, by the events dated on or before `as_of`."""

    hotel_id: int
    first: date
    last: date
    as_of: date
    match: PaceMatch


class KnownHotel(NamedTuple):
    """The number of rooms of a hotel, None if it is not known, and where its history begins.

    first_event_date: the date at the hotel of its first event. first_night: its earliest night with an event.
    """

    rooms: int | None
    first_event_date: date
    first_night: date


class NightFigures(msgspec.Struct, frozen=True):
    """A night: rooms on the books, their pickup, and the same at the same time last year.

    Null in a field of last year: the events of the hotel begin too late to know it, or the night has no counterpart
    last year (29 February with match=date).
    """

    night: date
    """The night."""
    on_the_books: int
    """Rooms booked and not cancelled."""
    today: int
    """Pickup of the date as_of: bookings less cancellations."""
    yesterday: int
    """Pickup of the date before as_of."""
    pickup_3: int
    """Pickup of the last 3 dates, as_of included."""
    pickup_7: int
    """Pickup of the last 7 dates."""
    pickup_14: int
    """Pickup of the last 14 dates."""
    pickup_30: int
    """Pickup of the last 30 dates."""
    same_time_last_year: int | None
    """Rooms on the books a year before as_of for the counterpart of the night; null if that is not known."""
    difference: int | None
    """on_the_books less same_time_last_year."""
    usual_7: int | None
    """Pickup of the same 7 dates a year before for the counterpart; null if they are not all known."""
    last_year: int | None
    """Rooms slept on the counterpart; null if that is not known, or if the counterpart is not before as_of."""


class Nights(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """Nights of a hotel beside those of the year before."""

    hotel_id: int
    """Id of the hotel."""
    from_: date
    """The first night."""
    to: date
    """The last night."""
    as_of: date
    """The date at the hotel up to which events are counted."""
    match: str
    """Whether the same weekday (364 days before) or the same calendar date of the year before is compared."""
    rooms: int | None
    """Number of rooms of the hotel; null if it is not known."""
    first_event_date: date
    """The date at the hotel of its first event; nothing before it is known."""
    items: list[NightFigures]
    """Each night, in order."""
