"""Numbers of things, lists and days as pages write them."""

from collections.abc import Iterable
from datetime import date, datetime

from common.web.charts.number_text import count_text


def counted(number: float, noun: str) -> str:
    """Such as `1 day` or `1,500 days`. noun: in the singular, of those whose plural ends with an s."""
    return f"{count_text(number)} {noun if number == 1 else f'{noun}s'}"


def listed(words: Iterable[str], limit: int | None = None) -> str:
    """Such as `a, b and c`; empty without words. limit: how many of more are named: `a, b and 3 more`."""
    shown = list(words)
    if limit is not None and len(shown) > limit:
        shown[limit:] = [f"{count_text(len(shown) - limit)} more"]
    *others, last = shown or [""]
    return f"{', '.join(others)} and {last}" if others else last


def long_day(day: date) -> str:
    """Such as `Saturday 22 August 2026`."""
    return f"{day:%A} {day.day} {day:%B %Y}"


def short_day(day: date) -> str:
    """Such as `Sat 22 Aug`."""
    return f"{day:%a} {day.day} {day:%b}"


def moment_text(at: datetime, now: datetime, *, seconds: bool = False) -> str:
    """A moment of the past: `14:20` on the day of `now`, else `Wed 11 Nov, 14:20`, with the year if it is another one.

    It is by the clocks of the zone that both are in. seconds: whether a time of today has them, as in `14:20:05`.
    """
    if at.date() == now.date():
        return f"{at:%H:%M:%S}" if seconds else f"{at:%H:%M}"
    year = "" if at.year == now.year else f" {at.year}"
    return f"{short_day(at.date())}{year}, {at:%H:%M}"
