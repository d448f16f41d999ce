"""The dates of events are those in the time zone of their hotel, whenever that zone was set."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.db.pool import transaction
from common.devstack.embedded import Server
from common.jobs.lease import Job, JobResult, Lease
from common.jobs.scheduler import run_now
from dashboard.bookings import service, time_zones
from dashboard.bookings.decoding import BookingEvent
from dashboard.bookings.models.figures import HotelProfile
from dashboard.bookings.queries import corrections, ledger, profiles
from dashboard.bookings.queries.counters import select_differences
from dashboard.bookings.queries.counting import CountedEvents
from dashboard.bookings.queries.ledger import LedgerFeed, insert_events
from dashboard.bookings.queries.time_zones import select_hotels_to_recount
from dashboard.bookings.time_zones import recount_due_hotels, recount_hotels
from tests.support.databases import cloned

Db = asyncpg.Connection | asyncpg.Pool

CLOCK_CHANGES = {
    "UTC": [datetime(2024, 3, 1, tzinfo=UTC)],
    "Europe/Berlin": [datetime(2024, 3, 31, 1, tzinfo=UTC), datetime(2024, 10, 27, 1, tzinfo=UTC)],
    "America/New_York": [datetime(2024, 3, 10, 7, tzinfo=UTC), datetime(2024, 11, 3, 6, tzinfo=UTC)],
    "Pacific/Apia": [datetime(2011, 12, 30, 10, tzinfo=UTC)],  # 30 December 2011 did not exist
    "Asia/Kolkata": [datetime(2024, 3, 31, 18, 30, tzinfo=UTC)],
    "America/St_Johns": [datetime(2010, 11, 7, 2, 31, tzinfo=UTC)],  # clocks were set back over midnight
}
"""An instant (UTC) at which the date or the clock changes in each zone, which the tests count around."""

NIGHT = date(2024, 5, 1)


def utc_instants(zone: str) -> list[datetime]:
    """Instants around the changes of a zone, and around its midnights of two days on both sides."""
    found = set()
    for change in CLOCK_CHANGES[zone]:
        found |= {change + timedelta(minutes=minutes) for minutes in range(-3 * 1440, 3 * 1440, 30)}
        found |= {change + timedelta(microseconds=step) for step in (-1, 0, 1)}
    return sorted(found)


def booking_event(number: int, hotel_id: int, at: datetime, status: int = 1, night: date = NIGHT) -> BookingEvent:
    return BookingEvent(number, hotel_id, at, status, 9, night)  # type: ignore[arg-type]  # status is 1 or 2


async def check_counters(db: Db, events: Iterable[BookingEvent], zones: Mapping[int, str]) -> None:
    """The counters equal a count of the events by another library's time zones."""
    night_counters: Counter[tuple[int, date, date, int]] = Counter()
    hotels = defaultdict(list)
    for each in events:
        local = each.event_timestamp.astimezone(ZoneInfo(zones[each.hotel_id])).date()
        night_counters[each.hotel_id, each.night_of_stay, local, each.status] += 1
        hotels[each.hotel_id].append((each, local))
    kept: Counter[tuple[int, date, date, int]] = Counter()
    for row in await db.fetch("SELECT * FROM night_counter"):
        for status, count in ((1, row["bookings"]), (2, row["cancellations"])):
            if count:
                kept[row["hotel_id"], row["night_of_stay"], row["event_date"], status] = count
    assert kept == night_counters
    days: Counter[tuple[int, bool, date]] = Counter()
    for (hotel_id, night, day, _), count in night_counters.items():
        days[hotel_id, False, night] += count
        days[hotel_id, True, day] += count
    rows = await db.fetch("SELECT hotel_id, by_event_date, day, bookings + cancellations AS events FROM day_counter")
    assert {tuple(row)[:3]: row["events"] for row in rows} == days
    rows = await db.fetch("SELECT hotel_id, timezone, events, last_event_timestamp, last_event_date FROM hotel_summary")
    assert {tuple(row) for row in rows} == {
        (
            hotel_id,
            zones[hotel_id],
            len(counted),
            max(each.event_timestamp for each, _ in counted),
            max(day for _, day in counted),
        )
        for hotel_id, counted in hotels.items()
    }
    differences = dict(await select_differences(db))
    assert differences == {"events": sum(night_counters.values()), "night_counters": 0, "day_counters": 0, "hotels": 0}


@pytest.mark.parametrize("zone", CLOCK_CHANGES)
async def test_events_around_a_change_of_the_clock_are_counted_on_the_date_at_the_hotel(
    dashboard_db: asyncpg.Pool, zone: str
) -> None:
    events = [booking_event(number, 7001, at) for number, at in enumerate(utc_instants(zone), start=1)]
    async with transaction(dashboard_db) as connection:
        await insert_events(connection, LedgerFeed(1, zone), events)

    await check_counters(dashboard_db, events, {7001: zone})


@pytest.mark.parametrize("zone", CLOCK_CHANGES)
async def test_a_changed_time_zone_recounts_the_hotel_alone(dashboard_db: asyncpg.Pool, zone: str) -> None:
    events = [
        booking_event(number, 7001 + number % 2, at, 1 + number % 3 % 2)
        for number, at in enumerate(utc_instants(zone), start=1)
    ]
    async with transaction(dashboard_db) as connection:
        await insert_events(connection, LedgerFeed(1, "UTC"), events)

    await service.replace_profile(dashboard_db, HotelProfile(7001, None, None, zone, False), "UTC")
    await check_counters(dashboard_db, events, {7001: zone, 7002: "UTC"})

    await service.replace_profile(dashboard_db, HotelProfile(7001, "Renamed", 4, None, False), "UTC")
    await check_counters(dashboard_db, events, {7001: "UTC", 7002: "UTC"})


async def test_hotels_of_one_page_are_counted_in_their_own_time_zones(dashboard_db: asyncpg.Pool) -> None:
    zones = {7001 + number: zone for number, zone in enumerate(CLOCK_CHANGES)}
    for hotel_id, zone in zones.items():
        if hotel_id != 7001:
            await service.replace_profile(dashboard_db, HotelProfile(hotel_id, None, None, zone, False), "UTC")
    at = datetime(2024, 3, 31, tzinfo=UTC)
    events = [
        booking_event(number, 7001 + number % len(zones), at + timedelta(minutes=17 * number))
        for number in range(1, 600)
    ]
    async with transaction(dashboard_db) as connection:
        await insert_events(connection, LedgerFeed(1, "UTC"), events)

    await check_counters(dashboard_db, events, zones)


async def test_a_changed_default_recounts_the_hotels_without_a_zone_of_their_own(
    dashboard_db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time_zones, "HOTELS_PER_TRANSACTION", 2)
    await service.replace_profile(dashboard_db, HotelProfile(7003, None, None, "Asia/Kolkata", False), "UTC")
    instants = utc_instants("Europe/Berlin")
    events = [booking_event(number, 7001 + number % 6, at) for number, at in enumerate(instants, start=1)]
    async with transaction(dashboard_db) as connection:
        await insert_events(connection, LedgerFeed(1, "UTC"), events)

    async def recount(lease: Lease) -> JobResult:
        return {"recounted": await recount_due_hotels(dashboard_db, lease, "Europe/Berlin")}

    job = Job("recount_hotels", 3600, recount)
    assert await run_now(dashboard_db, job) == {"recounted": 5}
    assert await run_now(dashboard_db, job) == {"recounted": 0}

    berlin = dict.fromkeys(range(7001, 7007), "Europe/Berlin")
    await check_counters(dashboard_db, events, {**berlin, 7003: "Asia/Kolkata"})


Step = tuple[str, Any]


@dataclass
class Model:
    """What the counters must show: the events stored, and the zone in which each hotel is counted."""

    default: str = "UTC"
    own: dict[int, str | None] = field(default_factory=dict)
    zones: dict[int, str] = field(default_factory=dict)
    events: dict[int, BookingEvent] = field(default_factory=dict)

    def due(self, hotel_id: int) -> str:
        return self.own.get(hotel_id) or self.default

    def store(self, events: Iterable[BookingEvent]) -> None:
        for each in events:
            self.events.setdefault(each.id, each)
            self.zones.setdefault(self.events[each.id].hotel_id, self.due(each.hotel_id))

    def remove(self, ids: Iterable[int]) -> list[int]:
        removed = [self.events.pop(event_id) for event_id in set(ids) if event_id in self.events]
        left = {each.hotel_id for each in self.events.values()}
        self.zones = {hotel_id: zone for hotel_id, zone in self.zones.items() if hotel_id in left}
        return [each.hotel_id for each in removed]


zone_names = st.sampled_from(sorted(CLOCK_CHANGES))
hotels = st.sampled_from([7001, 7002, 7003])
instants = zone_names.flatmap(lambda zone: st.sampled_from(utc_instants(zone)))
some_events = st.lists(
    st.builds(
        booking_event,
        st.integers(1, 60),
        hotels,
        instants,
        st.sampled_from([1, 1, 2]),
        st.dates(date(2024, 5, 1), date(2024, 5, 3)),
    ),
    max_size=15,
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("events"), some_events),
        st.tuples(st.just("profile"), st.tuples(hotels, st.none() | zone_names)),
        st.tuples(st.just("default"), zone_names),
        st.tuples(st.just("recount"), st.none()),
        st.tuples(st.just("remove"), st.lists(st.integers(1, 60), max_size=10)),
    ),
    max_size=12,
)


async def take_step(db: asyncpg.Connection, model: Model, step: Step) -> None:
    match step:
        case "events", events:
            model.store(events)
            await insert_events(db, LedgerFeed(1, model.default), events)
        case "profile", (hotel_id, zone):
            model.own[hotel_id] = zone
            if hotel_id in model.zones:
                model.zones[hotel_id] = model.due(hotel_id)
            await profiles.upsert_profile(db, HotelProfile(hotel_id, None, None, zone, False))
            await recount_hotels(db, [hotel_id], model.default)
        case "default", zone:
            model.default = zone
        case "recount", _:
            model.zones = {hotel_id: model.due(hotel_id) for hotel_id in model.zones}
            due = await select_hotels_to_recount(db, model.default, 100)
            assert await recount_hotels(db, due, model.default) == len(due)
        case "remove", ids:
            changed = model.remove(ids)
            is_distributed = await ledger.lock_ledger(db)
            await corrections.uncount_events(db, CountedEvents(1, ids, changed), is_distributed=is_distributed)
            await corrections.delete_events(db, 1, ids)
            await corrections.delete_empty_hotels(db, changed)
            await corrections.update_hotel_summaries(db, changed)


@given(steps)
@settings(max_examples=60, deadline=None)
def check_steps_on(runner: asyncio.Runner, db: asyncpg.Connection, taken: list[Step]) -> None:
    async def check() -> None:
        model, attempt = Model(), db.transaction()
        await attempt.start()
        try:
            for step in taken:
                await take_step(db, model, step)
                await check_counters(db, model.events.values(), model.zones)
        finally:
            await attempt.rollback()

    runner.run(check())


def test_the_counters_equal_the_recount_after_every_change_of_zones_and_events(
    postgres: Server, templates: dict[str, str]
) -> None:
    with asyncio.Runner() as runner:
        clone = cloned(postgres, templates["dashboard"])
        url = runner.run(clone.__aenter__())
        try:
            db = runner.run(asyncpg.connect(url.reveal()))
            check_steps_on(runner, db)
            runner.run(db.close())
        finally:
            runner.run(clone.__aexit__(None, None, None))
