"""The dashboard's statements on a Citus cluster: the nodes that each asks, and the same answers as on one node."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from common.config import Secret
from common.db.errors import TransactionInDoubtError
from common.db.migrate import migrate
from common.db.pool import transaction
from dashboard.bookings.decoding import BookingEvent
from dashboard.bookings.inputs import PaceMatch
from dashboard.bookings.models.figures import CountedDays, HotelProfile
from dashboard.bookings.models.morning import AskedMorning
from dashboard.bookings.models.nights import AskedNights
from dashboard.bookings.models.summary import AskedSummary
from dashboard.bookings.queries import (
    build_up,
    cancellations,
    corrections,
    counters,
    counting,
    ledger,
    profiles,
    time_zones,
    usual_curve,
)
from dashboard.bookings.queries.counting import CountedEvents
from dashboard.bookings.queries.event_days import select_event_days
from dashboard.bookings.queries.hotel_head import select_hotel_head, select_last_booked_night
from dashboard.bookings.queries.ledger import LedgerFeed, LedgerRange, insert_events
from dashboard.bookings.queries.months_ahead import select_months_ahead
from dashboard.bookings.queries.morning import select_events_since, select_last_event, select_morning_mark
from dashboard.bookings.queries.nights import select_known_hotel, select_nights
from dashboard.bookings.queries.notable_nights import select_notable_nights
from dashboard.bookings.queries.summary import select_hotel_figures, select_latest_today
from tests.conftest import MIGRATIONS
from tests.support.citus import CitusCluster
from tests.support.databases import DatabaseServer
from tests.support.feeds import MAIN_LEDGER

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "scaling.md"
NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
FIRST, LAST = date(2023, 1, 1), date(2023, 12, 31)
HOTELS = list(range(1, 24))
ONE, ALL = "one", "all"


def booking_event(number: int, hotel_id: int | None = None) -> BookingEvent:
    at = datetime(2023, 1, 1, tzinfo=UTC) + timedelta(minutes=number * 37 % 600_000)
    night = FIRST + timedelta(days=number * 7 % 700)
    room = number % 50 if number % 3 else f"r{number % 40}"
    return BookingEvent(number, hotel_id or HOTELS[number % len(HOTELS)], at, 1 if number % 5 else 2, room, night)


def counted_days(hotel_id: int, as_of: date | None = None, *, by_event_date: bool = False) -> CountedDays:
    return CountedDays(hotel_id, FIRST, LAST, as_of, by_event_date, NOW, None)


class ExplainedConnection:
    """Explains each statement that it is given, and notes the number of its tasks, before it runs it."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection
        self.tasks: list[int] = []

    def __getattr__(self, method: str) -> Callable[..., Awaitable[Any]]:
        async def run(statement: str, *arguments: object) -> Any:
            plan = await self.connection.fetch(f"EXPLAIN (COSTS OFF) {statement}", *arguments)
            found = re.findall(r"Task Count: ([0-9]+)", "\n".join(row[0] for row in plan))
            self.tasks.append(max(map(int, found)))
            return await getattr(self.connection, method)(statement, *arguments)

        return run


Call = Callable[[Any], Awaitable[Any]]

MORNING = AskedMorning(None, "weekday", NOW)
ONE_HOTEL = CountedEvents(1, [1, 2, 3], [7])

STATEMENTS: Mapping[str, Call] = {
    "select_counts_by_month": lambda db: counters.select_counts_by_month(db, counted_days(7)),
    "select_counts_by_day": lambda db: counters.select_counts_by_day(db, counted_days(7)),
    "select_hotel_today": lambda db: counters.select_hotel_today(db, 7, NOW),
    "select_hotel_head": lambda db: select_hotel_head(db, 7, NOW),
    "select_event_days": lambda db: select_event_days(db, 7, FIRST, LAST),
    "select_last_booked_night": lambda db: select_last_booked_night(db, 7, LAST),
    "select_pickup": lambda db: counters.select_pickup(db, 7, FIRST, 7, 90),
    "select_net_by_night": lambda db: counters.select_net_by_night(db, 7, FIRST, LAST, LAST),
    "select_known_hotel": lambda db: select_known_hotel(db, 7),
    "select_nights": lambda db: select_nights(db, AskedNights(7, FIRST, LAST, LAST, "weekday")),
    "select_curve": lambda db: counters.select_curve(db, 7, LAST, LAST, 730),
    "select_lead_time": lambda db: counters.select_lead_time(db, 7, FIRST, LAST, LAST),
    "select_net_through": lambda db: build_up.select_net_through(db, 7, FIRST, LAST, [FIRST, LAST]),
    "select_usual_quartiles": lambda db: usual_curve.select_usual_quartiles(db, 7, LAST, 8, LAST),
    "select_cancellations": lambda db: cancellations.select_cancellations(db, 7, FIRST, LAST, LAST),
    "select_profile": lambda db: profiles.select_profile(db, 7),
    "upsert_profile": lambda db: profiles.upsert_profile(db, HotelProfile(7, "A", None, None, False)),
    "select_room_ids": lambda db: ledger.select_room_ids(db, 7, 10),
    "count_nights": lambda db: counting.count_nights(db, ONE_HOTEL),
    "count_days": lambda db: counting.count_days(db, ONE_HOTEL),
    "uncount_nights": lambda db: corrections.uncount_nights(db, ONE_HOTEL),
    "uncount_days": lambda db: corrections.uncount_days(db, ONE_HOTEL),
    "update_hotel_summaries": lambda db: corrections.update_hotel_summaries(db, [7]),
    "delete_empty_hotels": lambda db: corrections.delete_empty_hotels(db, [7]),
    "update_time_zones": lambda db: time_zones.update_time_zones(db, [7], "UTC"),
    "update_event_dates": lambda db: time_zones.update_event_dates(db, [7]),
    "delete_counters_by_event_date": lambda db: time_zones.delete_counters_by_event_date(db, [7]),
    "select_hotels": lambda db: counters.select_hotels(db, "", 0, 100, hidden=False),
    "select_morning_mark": lambda db: select_morning_mark(db, NOW),
    "select_events_since": lambda db: select_events_since(db, NOW - timedelta(hours=1), NOW),
    "select_last_event": lambda db: select_last_event(db, NOW),
    "select_notable_nights": lambda db: select_notable_nights(db, MORNING),
    "select_months_ahead": lambda db: select_months_ahead(db, MORNING, [1, 7, 9], 12),
    "select_hotel_figures": lambda db: select_hotel_figures(db, AskedSummary(None, "weekday", NOW, "")),
    "select_latest_today": lambda db: select_latest_today(db, NOW),
    "select_has_ids_between": lambda db: ledger.select_has_ids_between(db, 1, 1, 9),
    "select_held_ids": lambda db: ledger.select_held_ids(db, 1, [1, 2, 3]),
    "count_hotels": lambda db: counting.count_hotels(db, ONE_HOTEL, "UTC"),
    "select_changed_events": lambda db: ledger.select_changed_events(db, 1, [booking_event(1)]),
    "select_unseen_events": lambda db: ledger.select_unseen_events(db, LedgerRange(1, None, 0, None), [1], 9),
    "insert_night_counters": lambda db: time_zones.insert_night_counters(db, [777]),
    "insert_event_date_counters": lambda db: time_zones.insert_event_date_counters(db, [777]),
    "select_hotels_to_recount": lambda db: time_zones.select_hotels_to_recount(db, "UTC", 100),
    "delete_events": lambda db: corrections.delete_events(db, 1, [1, 2, 3]),
    "select_differences": lambda db: counters.select_differences(db, is_distributed=True),
}
"""Those about one hotel as they are called for one."""


def documented_nodes() -> dict[str, str]:
    """The nodes that each statement of the dashboard asks, by the document."""
    rows = re.findall(r"^\| dashboard \| `(\w+)` \| .+ \| (one|all) \|$", DOCUMENT.read_text(), re.MULTILINE)
    return dict(rows)


@pytest.fixture
async def connection(dashboard_url: Secret) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(dashboard_url.reveal(), server_settings={"timezone": "UTC"})
    try:
        yield opened
    finally:
        await opened.close()


async def test_each_statement_asks_the_nodes_that_the_document_names(connection: asyncpg.Connection) -> None:
    async with connection.transaction():
        await insert_events(connection, MAIN_LEDGER, map(booking_event, range(1, 400)))
    found = {}
    for name, call in STATEMENTS.items():
        explained = ExplainedConnection(connection)
        attempt = connection.transaction()
        await attempt.start()
        await call(explained)
        await attempt.rollback()
        found[name] = ONE if max(explained.tasks) == 1 else ALL
    assert found == documented_nodes()


SUMMARIES: list[tuple[str, date | None, PaceMatch]] = [
    ("", None, "weekday"),
    ("", None, "date"),
    ("hotel 1", date(2023, 12, 1), "weekday"),
]


async def answers(connection: asyncpg.Connection) -> AsyncIterator[tuple[str, object]]:
    """What each step of a ledger's life answers, in an order that does not depend on nodes."""
    is_distributed = await ledger.lock_and_select_layout(connection)
    feed = LedgerFeed(1, "Europe/Berlin")
    events = list(map(booking_event, range(1, 1500)))
    named = [HotelProfile(hotel, f"Hotel {hotel}", hotel, "Asia/Kolkata", hotel % 7 == 0) for hotel in HOTELS[2:14]]
    renamed = [HotelProfile(hotel, None, hotel * 3, "UTC", True) for hotel in HOTELS[2:19]]

    async def insert(added: list[BookingEvent]) -> int:
        async with connection.transaction():
            return await insert_events(connection, feed, added)

    async def uncount(ids: list[int]) -> None:
        async with connection.transaction():
            counted = CountedEvents(1, ids, HOTELS)
            await corrections.uncount_events(connection, counted, is_distributed=is_distributed)
            await corrections.delete_events(connection, 1, ids)
            await corrections.delete_empty_hotels(connection, HOTELS)
            await corrections.update_hotel_summaries(connection, HOTELS)

    async def audited() -> dict[str, int]:
        return dict(await counters.select_differences(connection, is_distributed=is_distributed))

    columns = ["name", "rooms", "timezone", "hidden"]
    yield "profiles", await profiles.upsert_profiles(connection, named, columns)
    yield "profiles by column", await profiles.upsert_profiles(connection, renamed, ["rooms"])
    yield "profiles again", await profiles.upsert_profiles(connection, renamed, ["rooms"])
    await profiles.upsert_profile(connection, HotelProfile(2, "X", 3, "America/New_York", False))
    yield "new", await insert(events)
    yield "some new", await insert([*events[:200], booking_event(1500)])
    yield "of other hotels", await insert([booking_event(event.id, event.hotel_id % 23 + 1) for event in events[:200]])
    moved = [booking_event(event.id, event.hotel_id + 1) for event in events[:300]]
    yield "changed", sorted(map(str, await ledger.select_changed_events(connection, 1, moved)))
    searched = LedgerRange(1, events[50].event_timestamp, 51, NOW)
    yield "unseen", await ledger.select_unseen_events(connection, searched, [event.id for event in events[:1400]], 100)
    yield "latest hotels", await ledger.select_hotel_ids(connection, 5)
    yield "rooms", sorted(await ledger.select_room_ids(connection, 5, 5_000))
    for hotel in (1, 2, 3, 777):
        yield "profile", await profiles.select_profile(connection, hotel)
        yield "today", await counters.select_hotel_today(connection, hotel, NOW)
        yield "pickup", await counters.select_pickup(connection, hotel, date(2023, 2, 1), 7, 90)
        yield "net", await counters.select_net_by_night(connection, hotel, FIRST, LAST, date(2023, 2, 1))
        yield "curve", await counters.select_curve(connection, hotel, date(2023, 6, 4), LAST, 730)
        yield "hotel head", await select_hotel_head(connection, hotel, NOW)
        yield "event days", await select_event_days(connection, hotel, date(2023, 6, 4), LAST)
        yield "last booked night", await select_last_booked_night(connection, hotel, date(2023, 2, 1))
        yield "known hotel", await select_known_hotel(connection, hotel)
        for asked in (
            AskedNights(hotel, FIRST, LAST, date(2024, 2, 1), "weekday"),
            AskedNights(hotel, date(2024, 2, 1), date(2024, 12, 1), date(2024, 2, 1), "date"),
        ):
            yield "nights", await select_nights(connection, asked)
        yield "lead time", await counters.select_lead_time(connection, hotel, FIRST, LAST, LAST)
        yield "net through", await build_up.select_net_through(connection, hotel, FIRST, LAST, [LAST, FIRST])
        yield "usual", await usual_curve.select_usual_quartiles(connection, hotel, date(2023, 6, 4), 8, LAST)
        yield (
            "cancellations",
            sorted(await cancellations.select_cancellations(connection, hotel, FIRST, LAST, LAST), key=str),
        )
        for as_of in (None, date(2023, 2, 1)):
            for by_event_date in (False, True):
                days = counted_days(hotel, as_of, by_event_date=by_event_date)
                yield "months", await counters.select_counts_by_month(connection, days)
                yield "days", await counters.select_counts_by_day(connection, days)
    for hidden in (False, True):
        for search in ("", "hotel 1", "1"):
            yield "hotels", await counters.select_hotels(connection, search, 0, 10, hidden=hidden)
    for search, as_of, match in SUMMARIES:
        summary = await select_hotel_figures(
            connection, AskedSummary(as_of, match, datetime(2024, 2, 1, tzinfo=UTC), search)
        )
        yield "summary", sorted(summary, key=lambda found: found.hotel_id)
    yield "latest today", await select_latest_today(connection, NOW)
    morning = AskedMorning(date(2023, 2, 1), "date", NOW)
    yield "mark", await select_morning_mark(connection, NOW)
    yield "notable nights", sorted(map(str, await select_notable_nights(connection, morning)))
    yield "months ahead", await select_months_ahead(connection, morning, [1, 2, 3], 12)
    yield "events since", await select_events_since(connection, datetime(2023, 1, 1, tzinfo=UTC), NOW)
    yield "last event", await select_last_event(connection, NOW)
    yield "audit", await audited()
    yield "due", await time_zones.select_hotels_to_recount(connection, "UTC", 100)
    yield "zones", sorted(await time_zones.update_time_zones(connection, HOTELS, "UTC"))
    await time_zones.delete_counters_by_event_date(connection, HOTELS)
    await time_zones.insert_night_counters(connection, HOTELS)
    await time_zones.insert_event_date_counters(connection, HOTELS)
    await time_zones.update_event_dates(connection, HOTELS)
    yield "audit after the recount", await audited()
    await uncount([event.id for event in events if event.id % 4 == 0 or event.hotel_id == 5])
    yield "audit after corrections", await audited()
    yield "hotels after corrections", await counters.select_hotels(connection, "", 0, 100, hidden=True)


@pytest.fixture
async def one_node(postgres: DatabaseServer, dashboard_url: Secret) -> AsyncIterator[asyncpg.Connection]:
    """A database of the dashboard that is not distributed, on the coordinator."""
    assert isinstance(postgres, CitusCluster)
    name = f"{dashboard_url.reveal().rpartition('/')[2]}_one_node"
    admin = await asyncpg.connect(postgres.url("postgres"))
    try:
        await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        await migrate(Secret(postgres.url(name)), MIGRATIONS["dashboard"])
        opened = await asyncpg.connect(postgres.url(name), server_settings={"timezone": "UTC"})
        try:
            yield opened
        finally:
            await opened.close()
    finally:
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await admin.close()


async def test_every_answer_is_that_of_one_node(connection: asyncpg.Connection, one_node: asyncpg.Connection) -> None:
    expected = [answer async for answer in answers(one_node)]
    found = [answer async for answer in answers(connection)]
    assert found == expected
    audits = [answer for name, answer in found if name.startswith("audit")]
    assert [(a["night_counters"], a["day_counters"], a["hotels"]) for a in audits] == [(0, 0, 0)] * 3  # type: ignore[index]  # dicts


async def test_an_id_that_another_hotel_has_is_not_counted_again(dashboard_db: asyncpg.Pool) -> None:
    async with transaction(dashboard_db) as connection:
        assert await insert_events(connection, MAIN_LEDGER, [booking_event(1, 7001)]) == 1
    async with transaction(dashboard_db) as connection:
        assert await insert_events(connection, MAIN_LEDGER, [booking_event(1, 7002), booking_event(2, 7002)]) == 1
    rows = await dashboard_db.fetch("SELECT id, hotel_id FROM ledger_event ORDER BY id")
    assert [tuple(row) for row in rows] == [(1, 7001), (2, 7002)]


async def test_nothing_is_counted_while_a_node_has_a_transaction_in_doubt(
    postgres: DatabaseServer, dashboard_db: asyncpg.Pool
) -> None:
    assert isinstance(postgres, CitusCluster)
    name = await dashboard_db.fetchval("SELECT current_database()")
    worker = await asyncpg.connect(postgres.url(name, postgres.ports[1]))
    await worker.execute("BEGIN; SELECT txid_current(); PREPARE TRANSACTION 'in doubt'")
    try:
        with pytest.raises(TransactionInDoubtError):
            async with transaction(dashboard_db) as connection:
                await insert_events(connection, MAIN_LEDGER, [booking_event(1)])
    finally:
        await worker.execute("ROLLBACK PREPARED 'in doubt'")
        await worker.close()
    async with transaction(dashboard_db) as connection:
        assert await insert_events(connection, MAIN_LEDGER, [booking_event(1)]) == 1
