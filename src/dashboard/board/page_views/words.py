"""Dates and shares as pages write them."""

from datetime import date
from functools import lru_cache
from math import floor

from common.web import words
from common.web.charts.number_text import count_text
from common.web.words import counted


@lru_cache(maxsize=4096)
def short_night(night: date) -> str:
    """Such as `Fri 11 Dec`."""
    return words.short_day(night)


def long_night(night: date) -> str:
    """Such as `Saturday 12 December 2026`."""
    return words.long_day(night)


def date_text(day: date) -> str:
    """Such as `12 October 2026`."""
    return f"{day.day} {day:%B %Y}"


def was_or_were(number: int) -> str:
    return "was" if number == 1 else "were"


def outlook(on_the_books: int, difference: int | None, *, is_past: bool) -> str:
    """How the next 30 nights compare with the same time last year. difference: None if that is not known."""
    stand = "stood" if is_past else "stand"
    if difference is None:
        have = "had" if is_past else "have"
        return f"the next 30 nights {have} {count_text(on_the_books)}, and the same time last year is not known"
    if difference == 0:
        return f"the next 30 nights {stand} level with the same time last year"
    side = "over" if difference > 0 else "under"
    return f"the next 30 nights {stand} {count_text(abs(difference))} {side} the same time last year"


def tonight_words(taken: int, rooms: int | None, as_of: date, *, is_past: bool) -> str:
    """How many rooms are taken in the first night of the books, such as `300 of 480 rooms are taken tonight`."""
    of_all = counted(taken, "room") if rooms is None else f"{count_text(taken)} of {counted(rooms, 'room')}"
    if is_past:
        return f"{of_all} {was_or_were(taken)} taken on {as_of.day} {as_of:%B}"
    return f"{of_all} {'is' if taken == 1 else 'are'} taken tonight"


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
