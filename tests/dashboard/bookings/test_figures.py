"""For any events and any date, the figures equal a plain recount of the events."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import Any, get_args

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.devstack.embedded import Server
from dashboard.bookings import service
from dashboard.bookings.decoding import BookingEvent
from dashboard.bookings.inputs import PaceMatch
from dashboard.bookings.models import CountedDays
from dashboard.bookings.queries import counters
from dashboard.bookings.queries.ledger import insert_events
from tests.support.databases import cloned

Events = list[BookingEvent]
Check = Coroutine[Any, Any, None]

nights = st.dates(date(2023, 12, 20), date(2025, 1, 10))
event_days = st.dates(date(2023, 10, 1), date(2025, 1, 20))


@st.composite
def booking_events(draw: st.DrawFn) -> Events:
    """Events of two hotels around a leap year; some ids repeat."""
    count = draw(st.integers(0, 40))
    return [
        BookingEvent(
            id=draw(st.integers(1, 80)),
            hotel_id=draw(st.sampled_from([7001, 7002])),
            event_timestamp=datetime.combine(draw(event_days), datetime.min.time(), UTC)
            + timedelta(seconds=draw(st.sampled_from([0, 1, 43_200, 86_399]))),
            status=draw(st.sampled_from([1, 1, 2])),
            room_id=9,
            night_of_stay=draw(nights),
        )
        for _ in range(count)
    ]


def first_of_each_id(events: Events) -> Events:
    """The events that the ledger stores."""
    kept: dict[int, BookingEvent] = {}
    for each in events:
        kept.setdefault(each.id, each)
    return list(kept.values())


def net(events: Events, hotel_id: int, night: date, first: date | None, last: date) -> int:
    """Bookings minus cancellations of a night, of events dated after `first` and up to `last`."""
    return sum(
        1 if each.status == 1 else -1
        for each in events
        if each.hotel_id == hotel_id
        and each.night_of_stay == night
        and each.event_timestamp.date() <= last
        and (first is None or each.event_timestamp.date() > first)
    )


async def check_and_roll_back(db: asyncpg.Connection, pages: list[Events], check: Callable[[], Check]) -> None:
    transaction = db.transaction()
    await transaction.start()
    try:
        for page in pages:
            if page:
                await insert_events(db, page)
        await check()
    finally:
        await transaction.rollback()


def property_test(strategy: st.SearchStrategy[Any]) -> Callable[[Callable[..., Check]], Callable[..., None]]:
    """A test on one connection for all examples; hypothesis calls it outside of an event loop."""

    def decorate(check: Callable[..., Check]) -> Callable[..., None]:
        def test(postgres: Server, templates: dict[str, str]) -> None:
            with asyncio.Runner() as runner:
                clone = cloned(postgres, templates["dashboard"])
                url = runner.run(clone.__aenter__())
                connection = runner.run(asyncpg.connect(url.reveal(), server_settings={"timezone": "UTC"}))
                try:
                    settings(max_examples=25, deadline=None)(
                        given(strategy)(lambda example: runner.run(check(connection, example)))
                    )()
                finally:
                    runner.run(connection.close())
                    runner.run(clone.__aexit__(None, None, None))

        test.__name__ = check.__name__
        test.__doc__ = check.__doc__
        return test

    return decorate


@property_test(st.tuples(booking_events(), st.integers(1, 5)))
async def test_counters_equal_the_recount_however_the_events_are_paged(
    db: asyncpg.Connection, example: tuple[Events, int]
) -> None:
    events, parts = example
    size = max(1, len(events) // parts)
    pages = [events[start : start + size] for start in range(0, len(events), size)]

    async def check() -> None:
        found = dict(await counters.select_differences(db))
        assert found == {"events": len(first_of_each_id(events)), "night_counters": 0, "day_counters": 0, "hotels": 0}

    await check_and_roll_back(db, [*pages, *pages], check)


@property_test(st.tuples(booking_events(), event_days))
async def test_months_and_days_equal_the_recount_as_of_any_date(
    db: asyncpg.Connection, example: tuple[Events, date]
) -> None:
    events, as_of = example
    first, last = date(2024, 1, 1), date(2024, 12, 31)

    async def check() -> None:
        for by_event_date in (False, True):
            days: Counter[tuple[date, int]] = Counter()
            for each in first_of_each_id(events):
                day = each.event_timestamp.date() if by_event_date else each.night_of_stay
                if each.hotel_id == 7001 and first <= day <= last and each.event_timestamp.date() <= as_of:
                    days[day, each.status] += 1
            counted_days = CountedDays(7001, first, last, as_of, by_event_date)
            by_day = await counters.select_counts_by_day(db, counted_days)
            by_month = await counters.select_counts_by_month(db, counted_days)
            if not any(each.hotel_id == 7001 for each in first_of_each_id(events)):
                assert by_day is None
                assert by_month is None
                continue
            assert by_day is not None
            assert by_month is not None
            day_counts = service.day_counts(2024, by_day)
            assert len(day_counts) == 366
            assert [counts for _, counts in day_counts] == [
                (days[day, 1], days[day, 2]) for day in (first + timedelta(days=n) for n in range(366))
            ]
            month_counts = service.month_counts(2024, by_month)
            assert [counts for _, counts in month_counts] == [
                tuple(sum(n for (day, status), n in days.items() if (day.month, status) == (month, s)) for s in (1, 2))
                for month in range(1, 13)
            ]
            (year,) = service.year_counts(2024, by_month)
            assert year == ("2024", service.sum_counts(counts for _, counts in day_counts))

    await check_and_roll_back(db, [events], check)


@property_test(st.tuples(booking_events(), event_days, st.integers(1, 60), st.integers(1, 40)))
async def test_pickup_is_the_change_over_the_last_days(
    db: asyncpg.Connection, example: tuple[Events, date, int, int]
) -> None:
    events, as_of, days, ahead = example

    async def check() -> None:
        found = await counters.select_pickup(db, 7001, as_of, days, ahead)
        assert [(each.night, each.on_the_books, each.pickup) for each in found] == [
            (
                night,
                net(first_of_each_id(events), 7001, night, None, as_of),
                net(first_of_each_id(events), 7001, night, as_of - timedelta(days=days), as_of),
            )
            for night in (as_of + timedelta(days=n) for n in range(ahead))
        ]

    await check_and_roll_back(db, [events], check)


@property_test(st.tuples(booking_events(), event_days, st.sampled_from(get_args(PaceMatch))))
async def test_pace_compares_the_same_nights_a_year_before(
    db: asyncpg.Connection, example: tuple[Events, date, PaceMatch]
) -> None:
    events, as_of, match = example
    year = 2025
    kept = first_of_each_id(events)

    async def check() -> None:
        found = await service.compute_pace(db, 7001, year, as_of, match)
        months: Counter[int] = Counter()
        months_before: Counter[int] = Counter()
        for number in range(365):
            night = date(year, 1, 1) + timedelta(days=number)
            then = night - timedelta(days=364) if match == "weekday" else night.replace(year=year - 1)
            if match == "weekday":
                before = as_of - timedelta(days=364)
            elif (as_of.month, as_of.day) == (2, 29):
                before = date(as_of.year - 1, 2, 28)
            else:
                before = as_of.replace(year=as_of.year - 1)
            months[night.month] += net(kept, 7001, night, None, as_of)
            months_before[night.month] += net(kept, 7001, then, None, before)
        assert [(each.on_the_books, each.last_year, each.difference) for each in found] == [
            (months[month], months_before[month], months[month] - months_before[month]) for month in range(1, 13)
        ]

    await check_and_roll_back(db, [events], check)


@property_test(st.tuples(booking_events(), nights))
async def test_the_booking_curve_ends_with_all_net_bookings_of_the_night(
    db: asyncpg.Connection, example: tuple[Events, date]
) -> None:
    events, night = example
    kept = [each for each in first_of_each_id(events) if each.hotel_id == 7001 and each.night_of_stay == night]

    async def check() -> None:
        found = await counters.select_curve(db, 7001, night)
        if not kept:
            assert found == []
            return
        first = max(max(0, (night - each.event_timestamp.date()).days) for each in kept)
        assert [point.days_before for point in found] == list(range(first, -1, -1))
        for point in found:
            last = night - timedelta(days=point.days_before) if point.days_before else date(9999, 1, 1)
            assert point.on_the_books == net(kept, 7001, night, None, last)

    await check_and_roll_back(db, [events], check)


@property_test(booking_events())
async def test_lead_times_are_the_days_between_booking_and_night(db: asyncpg.Connection, events: Events) -> None:
    leads = [
        max(0, (each.night_of_stay - each.event_timestamp.date()).days)
        for each in first_of_each_id(events)
        if each.hotel_id == 7001 and each.status == 1 and each.night_of_stay.year == 2024
    ]

    async def check() -> None:
        found = await service.compute_lead_time(db, 7001, 2024)
        for bucket in found.items:
            end = 10**6 if bucket.to is None else bucket.to
            assert bucket.bookings == sum(bucket.from_ <= lead <= end for lead in leads)
        assert sum(bucket.bookings for bucket in found.items) == len(leads)
        assert found.median == (median(leads) if leads else None)
        assert found.mean == (pytest.approx(sum(leads) / len(leads), abs=0.0051) if leads else None)

    await check_and_roll_back(db, [events], check)


def test_lead_time_buckets_are_those_of_the_specification() -> None:
    assert counters.LEAD_TIME_FROM == (0, 1, 4, 8, 15, 31, 61, 91, 181)
