"""The numbers are what a plain recount of the events gives, for any events and any date."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from statistics import median

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.devstack.embedded import Server
from dashboard.bookings import queries, service
from dashboard.bookings.decoding import FeedEvent
from dashboard.bookings.ledger import insert_page
from tests.support.databases import cloned

Books = list[FeedEvent]

nights = st.dates(date(2023, 12, 20), date(2025, 1, 10))
event_days = st.dates(date(2023, 10, 1), date(2025, 1, 20))


@st.composite
def books(draw: st.DrawFn) -> Books:
    """Events of two hotels around a leap year; ids repeat, as feeds do."""
    count = draw(st.integers(0, 40))
    return [
        FeedEvent(
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


def held(events: Books) -> Books:
    """What a ledger keeps: the first event of each id."""
    kept: dict[int, FeedEvent] = {}
    for each in events:
        kept.setdefault(each.id, each)
    return list(kept.values())


def net(events: Books, hotel_id: int, night: date, first: date | None, last: date) -> int:
    """Bookings less cancellations of a night by the events dated after `first` and up to `last`."""
    return sum(
        1 if each.status == 1 else -1
        for each in events
        if each.hotel_id == hotel_id
        and each.night_of_stay == night
        and each.event_timestamp.date() <= last
        and (first is None or each.event_timestamp.date() > first)
    )


async def rolled_back(db: asyncpg.Connection, pages: list[Books], check: Callable[[], Awaitable[None]]) -> None:
    transaction = db.transaction()
    await transaction.start()
    try:
        for page in pages:
            if page:
                await insert_page(db, page)
        await check()
    finally:
        await transaction.rollback()


def law(strategy: st.SearchStrategy[object]) -> Callable[[Callable[..., Awaitable[None]]], Callable[..., None]]:
    """A test over one connection for all examples of a strategy, which hypothesis runs outside of the event loop."""

    def decorate(check: Callable[..., Awaitable[None]]) -> Callable[..., None]:
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


@law(st.tuples(books(), st.integers(1, 5)))
async def test_counters_equal_the_recount_however_the_pages_are_cut(
    db: asyncpg.Connection, example: tuple[Books, int]
) -> None:
    events, parts = example
    size = max(1, len(events) // parts)
    pages = [events[start : start + size] for start in range(0, len(events), size)]

    async def check() -> None:
        found = dict(await queries.select_differences(db))
        assert found == {"events": len(held(events)), "night_counters": 0, "day_counters": 0, "hotels": 0}

    await rolled_back(db, [*pages, *pages], check)


@law(st.tuples(books(), event_days))
async def test_months_and_days_are_the_recount_as_of_any_date(
    db: asyncpg.Connection, example: tuple[Books, date]
) -> None:
    events, as_of = example
    first, last = date(2024, 1, 1), date(2024, 12, 31)

    async def check() -> None:
        for by_event_date in (False, True):
            days = Counter()
            for each in held(events):
                day = each.event_timestamp.date() if by_event_date else each.night_of_stay
                if each.hotel_id == 7001 and first <= day <= last and each.event_timestamp.date() <= as_of:
                    days[day, each.status] += 1
            by_day = await queries.select_counted(
                db, 7001, first, last, as_of, by_event_date=by_event_date, by_day=True
            )
            by_month = await queries.select_counted(
                db, 7001, first, last, as_of, by_event_date=by_event_date, by_day=False
            )
            if not any(each.hotel_id == 7001 for each in held(events)):
                assert by_day is None
                assert by_month is None
                continue
            assert by_day is not None
            assert by_month is not None
            lines = service.day_lines(2024, by_day)
            assert len(lines) == 366
            assert [tally for _, tally in lines] == [
                (days[day, 1], days[day, 2]) for day in (first + timedelta(days=n) for n in range(366))
            ]
            months = service.month_lines(2024, by_month)
            assert [tally for _, tally in months] == [
                tuple(sum(n for (day, status), n in days.items() if (day.month, status) == (month, s)) for s in (1, 2))
                for month in range(1, 13)
            ]
            (year,) = service.year_lines(2024, by_month)
            assert year == ("2024", service.total(tally for _, tally in lines))

    await rolled_back(db, [events], check)


@law(st.tuples(books(), event_days, st.integers(1, 60), st.integers(1, 40)))
async def test_pickup_is_the_change_of_the_last_days(
    db: asyncpg.Connection, example: tuple[Books, date, int, int]
) -> None:
    events, as_of, days, ahead = example

    async def check() -> None:
        found = await queries.select_pickup(db, 7001, as_of, days, ahead)
        assert [(each.night, each.on_the_books, each.pickup) for each in found] == [
            (
                night,
                net(held(events), 7001, night, None, as_of),
                net(held(events), 7001, night, as_of - timedelta(days=days), as_of),
            )
            for night in (as_of + timedelta(days=n) for n in range(ahead))
        ]

    await rolled_back(db, [events], check)


@law(st.tuples(books(), event_days, st.sampled_from(["date", "weekday"])))
async def test_pace_compares_the_same_nights_a_year_before(
    db: asyncpg.Connection, example: tuple[Books, date, str]
) -> None:
    events, as_of, match = example
    year = 2025
    kept = held(events)

    async def check() -> None:
        found = await service.pace(db, 7001, year, as_of, match)  # type: ignore[arg-type]  # drawn from the literals
        ours, theirs = Counter(), Counter()
        for number in range(365):
            night = date(year, 1, 1) + timedelta(days=number)
            then = night - timedelta(days=364) if match == "weekday" else night.replace(year=year - 1)
            if match == "weekday":
                before = as_of - timedelta(days=364)
            elif (as_of.month, as_of.day) == (2, 29):
                before = date(as_of.year - 1, 2, 28)
            else:
                before = as_of.replace(year=as_of.year - 1)
            ours[night.month] += net(kept, 7001, night, None, as_of)
            theirs[night.month] += net(kept, 7001, then, None, before)
        assert [(each.on_the_books, each.last_year, each.difference) for each in found] == [
            (ours[month], theirs[month], ours[month] - theirs[month]) for month in range(1, 13)
        ]

    await rolled_back(db, [events], check)


@law(st.tuples(books(), nights))
async def test_the_booking_curve_ends_at_what_is_on_the_books(
    db: asyncpg.Connection, example: tuple[Books, date]
) -> None:
    events, night = example
    kept = [each for each in held(events) if each.hotel_id == 7001 and each.night_of_stay == night]

    async def check() -> None:
        found = await queries.select_curve(db, 7001, night)
        if not kept:
            assert found == []
            return
        first = max(max(0, (night - each.event_timestamp.date()).days) for each in kept)
        assert [point.days_before for point in found] == list(range(first, -1, -1))
        for point in found:
            last = night - timedelta(days=point.days_before) if point.days_before else date(9999, 1, 1)
            assert point.on_the_books == net(kept, 7001, night, None, last)

    await rolled_back(db, [events], check)


@law(books())
async def test_lead_times_are_those_of_the_bookings(db: asyncpg.Connection, events: Books) -> None:
    leads = [
        max(0, (each.night_of_stay - each.event_timestamp.date()).days)
        for each in held(events)
        if each.hotel_id == 7001 and each.status == 1 and each.night_of_stay.year == 2024
    ]

    async def check() -> None:
        found = await service.lead_time(db, 7001, 2024)
        for bucket in found.items:
            end = 10**6 if bucket.to is None else bucket.to
            assert bucket.bookings == sum(bucket.from_ <= lead <= end for lead in leads)
        assert sum(bucket.bookings for bucket in found.items) == len(leads)
        assert found.median == (median(leads) if leads else None)
        assert found.mean == (pytest.approx(sum(leads) / len(leads), abs=0.0051) if leads else None)

    await rolled_back(db, [events], check)


def test_the_buckets_are_those_of_the_contract() -> None:
    assert queries.LEAD_TIME_FROM == (0, 1, 4, 8, 15, 31, 61, 91, 181)
