"""From counters to the numbers: periods without events, years beside each other."""

from calendar import isleap
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Literal

from common.db.pool import Executor
from common.web.errors import NotFound
from dashboard.bookings import queries
from dashboard.bookings.models import LeadTime, LeadTimeBucket, MonthPace
from dashboard.bookings.queries import LEAD_TIME_FROM, Counted

SAME_WEEKDAY = timedelta(days=364)
FIRST_COMPARED = date(2, 1, 2)
"""The first date with another a year before it; nothing is on the books of anybody before."""


def never_heard_of(hotel_id: int) -> NotFound:
    return NotFound(f"Hotel {hotel_id} was never heard of.", code="unknown_hotel")


async def require_hotel(db: Executor, hotel_id: int) -> None:
    """Raises NotFound for a hotel that the feed never named."""
    if not await queries.hotel_exists(db, hotel_id):
        raise never_heard_of(hotel_id)


Line = tuple[str, tuple[int, int]]
"""A period, and its bookings and cancellations."""

NOTHING = (0, 0)


def month_lines(year: int, counted: Counted) -> list[Line]:
    """All 12 months; those without events are zeros."""
    return [(f"{year}-{month:02}", counted[1].get(month, NOTHING)) for month in range(1, 13)]


def day_lines(year: int, counted: Counted) -> list[Line]:
    """All 365 or 366 days; those without events are zeros."""
    found = counted[1]
    return [(name, found.get(day, NOTHING)) for day, name in enumerate(day_names(year))]


_day_names: dict[int, list[str]] = {}


def day_names(year: int) -> list[str]:
    """The dates of a year as text; kept, since every answer by day writes them."""
    if year not in _day_names:
        first = date(year, 1, 1)
        _day_names[year] = [(first + timedelta(days=day)).isoformat() for day in range(366 if isleap(year) else 365)]
    return _day_names[year]


def year_lines(year: int, counted: Counted) -> list[Line]:
    """The year as one line."""
    return [(str(year), total(counted[1].values()))]


def total(tallies: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """The sums of bookings and of cancellations."""
    bookings, cancellations = 0, 0
    for booked, cancelled in tallies:
        bookings += booked
        cancellations += cancelled
    return bookings, cancellations


def a_year_before(day: date) -> date | None:
    """The same calendar date a year before; None for 29 February, which has no counterpart."""
    if (day.month, day.day) == (2, 29):
        return None
    return day.replace(year=day.year - 1)


async def pace(
    db: Executor, hotel_id: int, year: int, as_of: date, match: Literal["date", "weekday"]
) -> list[MonthPace]:
    """Net of each month's nights as of `as_of`, beside the same nights a year before as of a year before.

    date: the same calendar date; 29 February counts as 0, and an `as_of` of 29 February looks back to the 28th.
    weekday: nights and `as_of` both minus 364 days.
    """
    first, last = date(year, 1, 1), date(year, 12, 31)
    reference = max(as_of, FIRST_COMPARED)
    if match == "weekday":
        before = reference - SAME_WEEKDAY
        then_first, then_last = first - SAME_WEEKDAY, last - SAME_WEEKDAY
    else:
        before = a_year_before(reference) or reference.replace(year=reference.year - 1, day=28)
        then_first, then_last = first.replace(year=year - 1), last.replace(year=year - 1)
    now = await queries.select_net_by_night(db, hotel_id, first, last, as_of)
    then = await queries.select_net_by_night(db, hotel_id, then_first, then_last, before)
    ours = [0] * 12
    theirs = [0] * 12
    for number in range((last - first).days + 1):
        night = first + timedelta(days=number)
        counterpart = night - SAME_WEEKDAY if match == "weekday" else a_year_before(night)
        ours[night.month - 1] += now.get(night, 0)
        theirs[night.month - 1] += then.get(counterpart, 0) if counterpart else 0
    return [
        MonthPace(f"{year}-{month:02}", our, their, our - their)
        for month, our, their in zip(range(1, 13), ours, theirs, strict=True)
    ]


async def lead_time(db: Executor, hotel_id: int, year: int) -> LeadTime:
    """Bookings of the year's nights by days ahead."""
    row = await queries.select_lead_time(db, hotel_id, date(year, 1, 1), date(year, 12, 31))
    assert row is not None
    ends = [*(start - 1 for start in LEAD_TIME_FROM[1:]), None]
    buckets = [
        LeadTimeBucket(start, end, bookings)
        for start, end, bookings in zip(LEAD_TIME_FROM, ends, row["buckets"], strict=True)
    ]
    return LeadTime(hotel_id, year, buckets, row["mean"], row["median"])
