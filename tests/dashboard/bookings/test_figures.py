"""For any events and any date, the figures equal a plain recount of the events."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import Any, Literal, get_args

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.devstack.embedded import Server
from dashboard.bookings import service
from dashboard.bookings.decoding import BookingEvent
from dashboard.bookings.inputs import PaceMatch
from dashboard.bookings.models.figures import CountedDays
from dashboard.bookings.queries import counters
from dashboard.bookings.queries.ledger import insert_events
from tests.support.databases import cloned
from tests.support.feeds import MAIN_LEDGER

Events = list[BookingEvent]
Check = Coroutine[Any, Any, None]

NOW = datetime(2026, 1, 1, tzinfo=UTC)
"""Later than every event."""

EDGES = (date(2023, 12, 31), date(2024, 2, 29), date(2024, 12, 31), date(2025, 2, 28))
"""Days at whose sides figures change: ends of years, and the ends of February in a leap year and after it."""


def days_around(edge: date) -> st.SearchStrategy[date]:
    """The days within three of an edge."""
    return st.integers(-3, 3).map(lambda days: edge + timedelta(days=days))


nights = st.sampled_from(EDGES).flatmap(days_around)
event_days = nights | st.dates(date(2023, 10, 1), date(2025, 3, 10))


@st.composite
def booking_events(draw: st.DrawFn) -> Events:
    """Events, mostly of one hotel, on a few days around a leap year; some ids repeat."""
    count = draw(st.integers(0, 40))
    return [
        BookingEvent(
            id=draw(st.integers(1, 80)),
            hotel_id=draw(st.sampled_from([7001, 7001, 7001, 7002])),
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
                await insert_events(db, MAIN_LEDGER, page)
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
            counted_days = CountedDays(7001, first, last, as_of, by_event_date, NOW, ["main"])
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


@property_test(st.tuples(booking_events(), event_days, st.integers(1, 8) | st.just(366), st.integers(1, 40)))
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


@property_test(
    st.tuples(booking_events(), event_days, st.sampled_from(get_args(PaceMatch)), st.sampled_from([2024, 2025]))
)
async def test_pace_compares_the_same_nights_a_year_before(
    db: asyncpg.Connection, example: tuple[Events, date, PaceMatch, int]
) -> None:
    events, as_of, match, year = example
    kept = first_of_each_id(events)

    async def check() -> None:
        found = await service.compute_pace(db, 7001, year, as_of, match)
        months: Counter[int] = Counter()
        months_before: Counter[int] = Counter()
        for number in range(366 if year == 2024 else 365):
            night = date(year, 1, 1) + timedelta(days=number)
            then: date | None
            if match == "weekday":
                then = night - timedelta(days=364)
            elif (night.month, night.day) == (2, 29):
                then = None
            else:
                then = night.replace(year=year - 1)
            if match == "weekday":
                before = as_of - timedelta(days=364)
            elif (as_of.month, as_of.day) == (2, 29):
                before = date(as_of.year - 1, 2, 28)
            else:
                before = as_of.replace(year=as_of.year - 1)
            months[night.month] += net(kept, 7001, night, None, as_of)
            months_before[night.month] += net(kept, 7001, then, None, before) if then else 0
        assert [(each.on_the_books, each.last_year, each.difference) for each in found] == [
            (months[month], months_before[month], months[month] - months_before[month]) for month in range(1, 13)
        ]

    await check_and_roll_back(db, [events], check)


@property_test(st.tuples(booking_events(), nights, event_days, st.sampled_from([1, 3, 730])))
async def test_the_booking_curve_ends_with_all_net_bookings_of_the_night(
    db: asyncpg.Connection, example: tuple[Events, date, date, int]
) -> None:
    events, night, as_of, longest = example
    kept = [
        each
        for each in first_of_each_id(events)
        if each.hotel_id == 7001 and each.night_of_stay == night and each.event_timestamp.date() <= as_of
    ]

    async def check() -> None:
        found = await counters.select_curve(db, 7001, night, as_of, longest)
        if not kept:
            assert found == []
            return
        first = max(max(0, (night - each.event_timestamp.date()).days) for each in kept)
        assert [point.days_before for point in found] == list(range(min(first, longest), -1, -1))
        for point in found:
            last = night - timedelta(days=point.days_before) if point.days_before else date(9999, 1, 1)
            assert point.on_the_books == net(kept, 7001, night, None, last)

    await check_and_roll_back(db, [events], check)


@property_test(st.tuples(booking_events(), event_days))
async def test_lead_times_are_the_days_between_booking_and_night(
    db: asyncpg.Connection, example: tuple[Events, date]
) -> None:
    events, as_of = example
    leads = [
        max(0, (each.night_of_stay - each.event_timestamp.date()).days)
        for each in first_of_each_id(events)
        if each.hotel_id == 7001
        and each.status == 1
        and each.night_of_stay.year == 2024
        and each.event_timestamp.date() <= as_of
    ]

    async def check() -> None:
        found = await service.compute_lead_time(db, 7001, 2024, as_of)
        for bucket in found.items:
            end = 10**6 if bucket.to is None else bucket.to
            assert bucket.bookings == sum(bucket.from_ <= lead <= end for lead in leads)
        assert sum(bucket.bookings for bucket in found.items) == len(leads)
        assert found.median == (median(leads) if leads else None)
        assert found.mean == (pytest.approx(sum(leads) / len(leads), abs=0.0051) if leads else None)

    await check_and_roll_back(db, [events], check)


def test_lead_time_buckets_are_those_of_the_specification() -> None:
    assert counters.LEAD_TIME_FROM == (0, 1, 4, 8, 15, 31, 61, 91, 181)


BUCKET_EDGES = [0, 1, 3, 4, 7, 8, 14, 15, 30, 31, 60, 61, 90, 91, 180, 181, 800]


@property_test(st.lists(st.sampled_from([-1, *BUCKET_EDGES]), max_size=12))
async def test_a_lead_time_at_the_edge_of_a_bucket_is_in_it(db: asyncpg.Connection, leads: list[int]) -> None:
    night = date(2024, 2, 29)
    events = [
        BookingEvent(
            number, 7001, datetime.combine(night - timedelta(days=lead), datetime.max.time(), UTC), 1, 9, night
        )
        for number, lead in enumerate(leads, start=1)
    ]

    async def check() -> None:
        found = await service.compute_lead_time(db, 7001, 2024, date(2025, 1, 1))
        for bucket in found.items:
            end = 10**6 if bucket.to is None else bucket.to
            assert bucket.bookings == sum(bucket.from_ <= max(0, lead) <= end for lead in leads)

    await check_and_roll_back(db, [events], check)


async def store(db: asyncpg.Pool, *events: tuple[str, str, Literal[1, 2]]) -> None:
    """Store events of hotel 7001, each of a time, a night and a status."""
    async with db.acquire() as connection, connection.transaction():
        await insert_events(
            connection,
            MAIN_LEDGER,
            [
                BookingEvent(number, 7001, datetime.fromisoformat(at), status, 9, date.fromisoformat(night))
                for number, (at, night, status) in enumerate(events, start=1)
            ],
        )


async def test_pickup_counts_the_last_days_and_not_the_day_before_them(dashboard_db: asyncpg.Pool) -> None:
    night = "2024-03-20"
    for day in ("2024-03-03", "2024-03-04", "2024-03-10", "2024-03-11"):
        await dashboard_db.execute("TRUNCATE ledger_event, hotel_summary, night_counter, day_counter")
        await store(dashboard_db, (f"{day}T12:00:00Z", night, 1))
        found = await counters.select_pickup(dashboard_db, 7001, date(2024, 3, 10), 7, 11)
        assert (found[10].night, found[10].on_the_books, found[10].pickup) == {
            "2024-03-03": (date(2024, 3, 20), 1, 0),
            "2024-03-04": (date(2024, 3, 20), 1, 1),
            "2024-03-10": (date(2024, 3, 20), 1, 1),
            "2024-03-11": (date(2024, 3, 20), 0, 0),
        }[day]


@pytest.mark.parametrize("after", ["2024-03-01T00:00:00Z", "2024-03-01T23:59:59.999999Z", "2024-03-02T00:00:00Z"])
async def test_an_event_on_the_days_after_a_view_does_not_count_in_it(dashboard_db: asyncpg.Pool, after: str) -> None:
    """Whether or not it is the last event of the hotel decides which counters are read."""
    await store(dashboard_db, ("2024-02-29T23:59:59.999999Z", "2024-05-01", 1), (after, "2024-05-01", 1))
    for as_of, expected in ((date(2024, 2, 28), 0), (date(2024, 2, 29), 1), (date(2024, 3, 2), 2)):
        days = CountedDays(7001, date(2024, 1, 1), date(2024, 12, 31), as_of, False, NOW, ["main"])
        by_day = await counters.select_counts_by_day(dashboard_db, days)
        by_month = await counters.select_counts_by_month(dashboard_db, days)
        assert by_day is not None
        assert by_month is not None
        assert sum(bookings for bookings, _ in by_day.counts.values()) == expected
        assert sum(bookings for bookings, _ in by_month.counts.values()) == expected


async def test_lead_time_of_a_year_with_cancellations_only_has_no_mean(dashboard_db: asyncpg.Pool) -> None:
    await store(dashboard_db, ("2024-01-01T00:00:00Z", "2024-02-01", 2))

    found = await service.compute_lead_time(dashboard_db, 7001, 2024, date(2025, 1, 1))

    assert (found.mean, found.median, sum(bucket.bookings for bucket in found.items)) == (None, None, 0)


async def test_the_last_of_february_has_no_counterpart_in_a_common_year(dashboard_db: asyncpg.Pool) -> None:
    """Neither does the 28th of the year before count twice."""
    await store(
        dashboard_db,
        ("2022-12-01T00:00:00Z", "2023-02-28", 1),
        ("2022-12-01T00:00:00Z", "2023-03-01", 1),
        ("2023-12-01T00:00:00Z", "2024-02-29", 1),
    )

    pace = await service.compute_pace(dashboard_db, 7001, 2024, date(2024, 2, 29), "date")

    assert [(month.on_the_books, month.last_year) for month in pace[:4]] == [(0, 0), (1, 1), (0, 1), (0, 0)]


async def test_a_view_of_29_february_looks_back_to_the_28th(dashboard_db: asyncpg.Pool) -> None:
    await store(
        dashboard_db,
        ("2023-02-28T23:59:59.999999Z", "2023-05-01", 1),
        ("2023-03-01T00:00:00Z", "2023-05-02", 1),
    )

    pace = await service.compute_pace(dashboard_db, 7001, 2024, date(2024, 2, 29), "date")

    assert pace[4].last_year == 1


async def test_pace_by_weekday_compares_364_days_back_over_the_turn_of_the_year(dashboard_db: asyncpg.Pool) -> None:
    await store(
        dashboard_db,
        ("2022-01-01T00:00:00Z", "2023-01-01", 1),  # 364 days before 2023-12-31
        ("2022-01-01T00:00:00Z", "2023-01-02", 1),  # 364 days before 2024-01-01
        ("2022-01-01T00:00:00Z", "2024-01-02", 1),  # 364 days before 2024-12-31
        ("2022-01-01T00:00:00Z", "2024-01-03", 1),  # 364 days before 2025-01-01
    )

    pace = await service.compute_pace(dashboard_db, 7001, 2024, date(2024, 12, 30), "weekday")

    assert [month.last_year for month in pace] == [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]


async def test_a_curve_begins_at_most_730_days_before_the_night(dashboard_db: asyncpg.Pool) -> None:
    """What was booked earlier is on the books from its first day on."""
    await store(
        dashboard_db,
        ("1900-01-01T00:00:00Z", "2199-12-31", 1),
        ("2020-01-01T00:00:00Z", "2199-12-31", 1),
        ("2020-01-02T00:00:00Z", "2199-12-31", 2),
    )

    points = await counters.select_curve(dashboard_db, 7001, date(2199, 12, 31), date(2200, 1, 1), 730)

    assert len(points) == 731
    assert {point.on_the_books for point in points} == {1}
