"""Shares, times and durations of stores as their pages write them. Shares are rounded down: only all is 100%."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from common.web import words
from common.web.charts.number_text import UNKNOWN
from common.web.page_frame import duration_words

HUNDREDTHS = 10_000
MICROSECONDS = 1_000_000
NO_DATA = "No data"
ALL_DAY = "all day"


def exact_percent_text(part: float, whole: float) -> str:
    """A share of a time with two decimals, such as `99.62%`. whole: not 0. Both are seconds."""
    hundredths = round(part * MICROSECONDS) * HUNDREDTHS // max(1, round(whole * MICROSECONDS))
    return f"{hundredths // 100}.{hundredths % 100:02}%"


def short_percent_text(part: float, whole: float) -> str:
    """A share without zeros at its end, such as `75%`, `97.9%` or `99.62%`."""
    number = exact_percent_text(part, whole).removesuffix("%")
    return f"{number.rstrip('0').rstrip('.')}%"


def whole_percent_text(share: float | None) -> str:
    """A share without decimals; a dash where it is unknown."""
    return UNKNOWN if share is None else f"{int(share * 100 + 1e-9)}%"


def day_name(day: date) -> str:
    """Such as `Aug 22 2026`."""
    return f"{day:%b} {day.day} {day.year}"


def clock_text(at: datetime, zone: ZoneInfo) -> str:
    """The time by the clocks of a zone, such as `13:12`."""
    return f"{at.astimezone(zone):%H:%M}"


def moment_text(at: datetime, zone: ZoneInfo, now: datetime) -> str:
    """The time by the clocks of a zone, with the day unless it is the current one: `Thu 26 Nov, 13:12`."""
    return words.moment_text(at.astimezone(zone), now.astimezone(zone))


def span_text(start: datetime, end: datetime, zone: ZoneInfo, now: datetime) -> str:
    """From when to when, with the day of the end only where it is another: `Thu 26 Nov, 13:12 – 14:05`."""
    same = start.astimezone(zone).date() == end.astimezone(zone).date()
    return f"{moment_text(start, zone, now)} – {clock_text(end, zone) if same else moment_text(end, zone, now)}"


def lasting(seconds: float | None) -> str:
    """A duration in words, in days with their hours: `2 days 17 h`; a dash where it is unknown."""
    if seconds is None:
        return UNKNOWN
    hours = int(seconds // 3600)
    return f"{hours // 24} days {hours % 24} h" if hours >= 48 and hours % 24 else duration_words(seconds)
