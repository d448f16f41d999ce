"""Rows of the months ahead."""

from datetime import date
from typing import NamedTuple


class MonthAhead(NamedTuple):
    """Room nights of a hotel in a month, beside those of the same time last year; None if these are not known."""

    hotel_id: int
    month: date
    on_the_books: int
    same_time_last_year: int | None
