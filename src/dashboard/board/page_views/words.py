"""Dates and shares as pages write them."""

from datetime import date
from functools import lru_cache

from common.web.charts.number_text import count_text


@lru_cache(maxsize=4096)
def short_night(night: date) -> str:
    """Such as `Fri 11 Dec`."""
    return f"{night:%a} {night.day} {night:%b}"


def long_night(night: date) -> str:
    """Such as `Saturday 12 December 2026`."""
    return f"{night:%A} {night.day} {night:%B %Y}"


def long_day(day: date) -> str:
    """Such as `12 October 2026`."""
    return f"{day.day} {day:%B %Y}"


def counted(number: int, noun: str) -> str:
    """Such as `1 day` or `15 days`."""
    return f"{count_text(number)} {noun if number == 1 else f'{noun}s'}"


def percent_text(value: float, whole: float | None) -> str:
    """A share such as `72%`, rounded down so that only a full house is 100%; empty without a whole."""
    return f"{int(100 * value // whole)}%" if whole else ""


def hotel_name(hotel_id: int, name: str | None) -> str:
    """The name of a hotel, or `Hotel 7` for one that has none."""
    return name or f"Hotel {hotel_id}"
