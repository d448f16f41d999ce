"""Rows of what the events of each date changed of one night."""

from datetime import date
from typing import NamedTuple


class EventDay(NamedTuple):
    """A date at the hotel with events of a night: what they booked and cancelled, and the rooms on the books after it.

    days_ahead: days from the date to the night; negative after the night.
    """

    day: date
    days_ahead: int
    bookings: int
    cancellations: int
    on_the_books: int
