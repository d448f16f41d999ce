"""What the pages of a hotel show at their top, and what tells one state of them from another."""

from datetime import date, datetime
from typing import NamedTuple


class DayCounts(NamedTuple):
    """Room nights that the events of a date booked and cancelled."""

    bookings: int
    cancellations: int


class HotelHead(NamedTuple):
    """A hotel in the feeds.

    name, rooms: None if they are not known. timezone: that by which the dates of its events are counted. today: the
    date there. events: how many are counted; they are of dates from `first_event_date` on, and of nights from
    `first_night` to `last_night`.
    """

    hotel_id: int
    name: str | None
    rooms: int | None
    timezone: str
    events: int
    first_event_date: date
    last_event_timestamp: datetime
    first_night: date
    last_night: date
    today: date
