"""Dates and shares as pages write them."""

from datetime import date
from functools import lru_cache
from math import floor

from common.web import words
from common.web.charts.number_text import count_text


@lru_cache(maxsize=4096)
def short_night(night: date) -> str:
    """Such as `Fri 11 Dec`."""
    return words.short_day(night)


def long_night(night: date) -> str:
    """Such as `Saturday 12 December 2026`."""
    return words.long_day(night)


def long_day(day: date) -> str:
    """Such as `12 October 2026`."""
    return f"{day.day} {day:%B %Y}"


def was_or_were(number: int) -> str:
    return "was" if number == 1 else "were"


def percent_text(value: float, whole: float | None) -> str:
    """A share such as `72%`, rounded half up, of which only a full house is 100% and an empty one 0%.

    Empty without a whole.
    """
    if not whole:
        return ""
    percent = floor(100 * value / whole + 0.5)
    if 0 < value < whole:
        percent = min(99, max(1, percent))
    return f"{count_text(percent)}%"


def hotel_name(hotel_id: int, name: str | None) -> str:
    """The name of a hotel, or `Hotel 7` for one that has none."""
    return name or f"Hotel {hotel_id}"
