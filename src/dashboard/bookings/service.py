"""Booking figures as they are answered: every period of a year, and pace compared with last year."""

from calendar import isleap
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

import asyncpg
from prometheus_client import Gauge

from common.db.pool import Executor, transaction
from common.web.errors import Invalid, NotFound
from dashboard.bookings.inputs import DashboardQuery, NightsQuery, PaceMatch
from dashboard.bookings.models.figures import (
    CountedDays,
    CountedYear,
    Counts,
    CountsByPeriod,
    FeedState,
    HotelProfile,
    LeadTime,
    LeadTimeBucket,
    MonthPace,
    PeriodCounts,
)
from dashboard.bookings.models.nights import AskedNights, Nights
from dashboard.bookings.queries import counters, feed_progress, ledger, profiles, time_zones
from dashboard.bookings.queries.counters import LEAD_TIME_FROM
from dashboard.bookings.queries.nights import select_known_hotel, select_nights
from dashboard.bookings.time_zones import recount_hotels

FEED_LAG = Gauge(
    "feed_lag_seconds", "How far the counters of a feed are behind now", ["feed"], multiprocess_mode="mostrecent"
)
FEED_CUT_OFF = Gauge(
    "feed_cut_off",
    "Instants of which a feed may have more events than it sent",
    ["feed"],
    multiprocess_mode="mostrecent",
)

SAME_WEEKDAY = timedelta(days=364)
FIRST_COMPARABLE_DATE = date(2, 1, 2)
"""The first date with a date a year before it; no night before it has bookings."""

NO_COUNTS = (0, 0)


async def measure_feeds(db: Executor, feeds: Sequence[str], now: datetime) -> None:
    """Set the gauges of each feed; its lag stays unset until the feed has been read once."""
    for state in await feed_progress.select_feed_states(db, feeds):
        FEED_CUT_OFF.labels(state.feed).set(state.cut_off)
        if state.data_through is not None:
            FEED_LAG.labels(state.feed).set((now - state.data_through).total_seconds())


def counted_through(states: Sequence[FeedState]) -> datetime | None:
    """The time up to which all feeds are counted; None while one has not been read."""
    times = [state.data_through for state in states if state.data_through is not None]
    return min(times) if len(times) == len(states) else None


def lag_seconds(through: datetime | None, now: datetime) -> float | None:
    """How long ago that was, at least 0."""
    return None if through is None else max(0.0, round((now - through) / timedelta(seconds=1), 3))


UNKNOWN_HOTEL = "unknown_hotel"
"""The code of the problem of a request for a hotel without an event in the feeds."""


def unknown_hotel(hotel_id: int) -> NotFound:
    return NotFound(f"Unknown hotel {hotel_id}.", code=UNKNOWN_HOTEL)


async def require_today(db: Executor, hotel_id: int, now: datetime) -> date:
    """The date at a hotel. Raises NotFound for a hotel without an event in the feeds."""
    today = await counters.select_hotel_today(db, hotel_id, now)
    if today is None:
        raise unknown_hotel(hotel_id)
    return today


async def require_as_of(db: Executor, hotel_id: int, as_of: date | None, now: datetime) -> date:
    """`as_of`, or the date at the hotel when it is absent. Raises NotFound, and Invalid for a future date."""
    today = await require_today(db, hotel_id, now)
    require_not_future(as_of, today)
    return as_of or today


def require_not_future(as_of: date | None, today: date) -> None:
    """Raises Invalid for an `as_of` after today."""
    if as_of is not None and as_of > today:
        raise Invalid.field("as_of", "is in the future")


async def replace_profile(db: asyncpg.Pool, profile: HotelProfile, default: str) -> None:
    """Store a profile, and recount the hotel if its time zone changes, in one transaction.

    default: the time zone of hotels that have none of their own. Raises Invalid for a zone that PostgreSQL
    does not know.
    """
    if profile.timezone is not None and not await time_zones.select_is_known_time_zone(db, profile.timezone):
        raise Invalid.field("timezone", "is not known to PostgreSQL")
    async with transaction(db) as connection:
        await ledger.lock_ledger(connection)
        await profiles.upsert_profile(connection, profile)
        await recount_hotels(connection, [profile.hotel_id], default)


async def hide_hotel(db: asyncpg.Pool, hotel_id: int, *, is_hidden: bool) -> bool:
    """Hide a hotel from lists and sums, or show it again; returns whether that changes anything.

    The rest of its profile stays. Raises NotFound for a hotel without a profile and without an event in the feeds.
    """
    async with transaction(db) as connection:
        await ledger.lock_ledger(connection)
        before = await profiles.select_profile(connection, hotel_id)
        if before is None:
            raise unknown_hotel(hotel_id)
        if before.hidden == is_hidden:
            return False
        after = HotelProfile(hotel_id, None, None, None, is_hidden)
        return await profiles.upsert_profiles(connection, [after], ["hidden"]) > 0


async def count_year(
    db: Executor, query: DashboardQuery, feeds: Sequence[str], now: datetime, *, is_distributed: bool
) -> CountedYear:
    """Count the events of a hotel's year by month, day or year; periods without events are zeros.

    Only events dated on or before `as_of` count, by default today's date at the hotel. is_distributed: whether the
    counters are on the nodes of a cluster. Raises NotFound for an unknown hotel, and Invalid for a future `as_of`.
    """
    year = query.year
    first, last = date(year, 1, 1), date(year, 12, 31)
    # On a cluster two statements, since the feeds are on another node than the counters: the feeds first, so that the
    # counters show at least what the time promises.
    through = await feed_progress.select_data_through(db, feeds) if is_distributed else None
    named_feeds = None if is_distributed else feeds
    days = CountedDays(query.hotel_id, first, last, query.as_of, query.by == "event_date", now, named_feeds)
    select = counters.select_counts_by_day if query.period == "day" else counters.select_counts_by_month
    found = await select(db, days)
    if found is None:
        raise unknown_hotel(query.hotel_id)
    require_not_future(query.as_of, found.today)
    if query.period == "day":
        periods = day_counts(year, found)
    elif query.period == "month":
        periods = month_counts(year, found)
    else:
        periods = year_counts(year, found)
    return CountedYear(through or found.data_through, periods)


def month_counts(year: int, found: CountsByPeriod) -> list[PeriodCounts]:
    """The counts of all 12 months."""
    return [(f"{year}-{month:02}", found.counts.get(month, NO_COUNTS)) for month in range(1, 13)]


def day_counts(year: int, found: CountsByPeriod) -> list[PeriodCounts]:
    """The counts of all 365 or 366 days."""
    counts = found.counts
    return [(name, counts.get(day, NO_COUNTS)) for day, name in enumerate(day_names(year))]


def year_counts(year: int, found: CountsByPeriod) -> list[PeriodCounts]:
    """The counts of the year as a whole."""
    return [(str(year), sum_counts(found.counts.values()))]


_day_names: dict[int, list[str]] = {}


def day_names(year: int) -> list[str]:
    """All dates of a year as text; cached, since every response by day contains them."""
    if year not in _day_names:
        first = date(year, 1, 1)
        _day_names[year] = [(first + timedelta(days=day)).isoformat() for day in range(366 if isleap(year) else 365)]
    return _day_names[year]


def sum_counts(counts: Iterable[Counts]) -> Counts:
    """The sums of bookings and of cancellations."""
    bookings, cancellations = 0, 0
    for booked, cancelled in counts:
        bookings += booked
        cancellations += cancelled
    return bookings, cancellations


def a_year_before(day: date) -> date | None:
    """The same calendar date a year before; None for 29 February, which has no counterpart."""
    if (day.month, day.day) == (2, 29):
        return None
    return day.replace(year=day.year - 1)


def day_last_year(day: date, match: PaceMatch) -> date:
    """The day of last year up to which events are compared: 28 February for 29 February with match "date"."""
    if match == "weekday":
        return day - SAME_WEEKDAY
    return a_year_before(day) or day.replace(year=day.year - 1, day=28)


def night_last_year(night: date, match: PaceMatch) -> date | None:
    """The night of last year that is compared; None for 29 February with match "date"."""
    return night - SAME_WEEKDAY if match == "weekday" else a_year_before(night)


async def compute_pace(db: Executor, hotel_id: int, year: int, as_of: date, match: PaceMatch) -> list[MonthPace]:
    """Compare each month's net bookings at `as_of` with those of the same month last year, a year before `as_of`.

    match "date": a year is a calendar year; 29 February compares with 0 bookings, or as `as_of` with 28 February.
    match "weekday": a year is 364 days, both for the nights and for `as_of`.
    """
    first, last = date(year, 1, 1), date(year, 12, 31)
    as_of_before = day_last_year(max(as_of, FIRST_COMPARABLE_DATE), match)
    first_before, last_before = day_last_year(first, match), day_last_year(last, match)
    this_year = await counters.select_net_by_night(db, hotel_id, first, last, as_of)
    last_year = await counters.select_net_by_night(db, hotel_id, first_before, last_before, as_of_before)
    months = [0] * 12
    months_before = [0] * 12
    for number in range((last - first).days + 1):
        night = first + timedelta(days=number)
        counterpart = night_last_year(night, match)
        months[night.month - 1] += this_year.get(night, 0)
        months_before[night.month - 1] += last_year.get(counterpart, 0) if counterpart else 0
    return [
        MonthPace(f"{year}-{month:02}", net, net_before, net - net_before)
        for month, net, net_before in zip(range(1, 13), months, months_before, strict=True)
    ]


async def compute_nights(db: Executor, hotel_id: int, query: NightsQuery, now: datetime) -> Nights:
    """The nights asked for beside those of the year before.

    Raises NotFound for an unknown hotel, and Invalid for a future `as_of` and for a range of no or too many nights.
    """
    as_of = await require_as_of(db, hotel_id, query.as_of, now)
    first, last = query.nights_at(as_of)
    hotel = await select_known_hotel(db, hotel_id)
    if hotel is None:
        raise unknown_hotel(hotel_id)
    items = await select_nights(db, AskedNights(hotel_id, first, last, as_of, query.match))
    return Nights(hotel_id, first, last, as_of, query.match, hotel.rooms, hotel.first_event_date, items)


async def compute_lead_time(db: Executor, hotel_id: int, year: int, as_of: date) -> LeadTime:
    """Group the bookings of a year's nights, dated on or before `as_of`, by days ahead."""
    row = await counters.select_lead_time(db, hotel_id, date(year, 1, 1), date(year, 12, 31), as_of)
    assert row is not None
    ends = [*(start - 1 for start in LEAD_TIME_FROM[1:]), None]
    buckets = [
        LeadTimeBucket(start, end, bookings)
        for start, end, bookings in zip(LEAD_TIME_FROM, ends, row["buckets"], strict=True)
    ]
    return LeadTime(hotel_id, year, buckets, row["mean"], row["median"])
