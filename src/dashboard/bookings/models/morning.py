"""Rows of the state of the books of all hotels, and what is asked of them."""

from datetime import date, datetime
from typing import NamedTuple

from dashboard.bookings.inputs import PaceMatch


class AskedMorning(NamedTuple):
    """The books as of a date, or of the date at each hotel `now`, beside those of the year before by `match`."""

    as_of: date | None
    match: PaceMatch
    now: datetime


class MorningMark(NamedTuple):
    """What tells one state of the books of all hotels from another; hidden hotels are left out of the numbers.

    profiles: a text that changes with names, rooms and time zones. dates: the dates at the hotels now.
    first_event_date: the earliest one of a hotel; None without hotels.
    """

    events: int
    hotels: int
    profiles: str
    dates: list[date]
    first_event_date: date | None


class LastEvent(NamedTuple):
    """The newest events of a hotel at one instant: how many nights were booked and cancelled, the first one named."""

    hotel_id: int
    name: str | None
    at: datetime
    first_night: date
    bookings: int
    cancellations: int
