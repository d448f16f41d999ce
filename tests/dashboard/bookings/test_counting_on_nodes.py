"""The statements that count on a cluster, here on one node: they count as the one statement does."""

from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest

from common.db.pool import transaction
from dashboard.bookings.decoding import BookingEvent
from dashboard.bookings.models.figures import CountedDays, HotelProfile
from dashboard.bookings.queries import corrections, counters, counting, ledger, profiles
from dashboard.bookings.queries.counting import CountedEvents
from dashboard.bookings.queries.feed_progress import select_data_through
from tests.dashboard.bookings.conftest import AssertCountersAgree
from tests.support.feeds import MAIN_LEDGER

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
HOTELS = [7001, 7002, 7003, 7004]


def booking_event(number: int) -> BookingEvent:
    at = datetime(2024, 1, 1, 20, tzinfo=UTC) + timedelta(hours=number % 9)
    return BookingEvent(number, HOTELS[number % 4], at, 2 if number % 5 == 0 else 1, 1, date(2024, 2, 1 + number % 3))


async def count_on_nodes(db: asyncpg.Pool, numbers: range) -> None:
    rows = ledger.copy_rows_of(MAIN_LEDGER, map(booking_event, numbers))
    counted = CountedEvents(1, list(rows), HOTELS)
    async with transaction(db) as connection:
        await ledger.copy_rows(connection, rows)
        await counting.count_hotels(connection, counted, "America/New_York")
        await counting.count_nights(connection, counted)
        await counting.count_days(connection, counted)


@pytest.fixture
async def counted(dashboard_db: asyncpg.Pool) -> asyncpg.Pool:
    """Two pages of hotels in four time zones."""
    for hotel, zone in zip(HOTELS, ("Asia/Kolkata", "Europe/Berlin", "UTC", None), strict=True):
        await profiles.upsert_profile(dashboard_db, HotelProfile(hotel, None, None, zone, False))
    await count_on_nodes(dashboard_db, range(1, 101))
    await count_on_nodes(dashboard_db, range(101, 161))
    return dashboard_db


async def test_pages_are_added_in_the_time_zone_of_each_hotel(
    counted: asyncpg.Pool, counters_agree: AssertCountersAgree
) -> None:
    await counters_agree(160)
    zones = await counted.fetch("SELECT timezone FROM hotel_summary ORDER BY hotel_id")
    assert [row["timezone"] for row in zones] == ["Asia/Kolkata", "Europe/Berlin", "UTC", "America/New_York"]


async def test_events_are_taken_off_again(counted: asyncpg.Pool, counters_agree: AssertCountersAgree) -> None:
    removed = [number for number in range(1, 161) if number % 3 == 0 or number % 4 == 1]
    async with transaction(counted) as connection:
        await corrections.uncount_events(connection, CountedEvents(1, removed, HOTELS), is_distributed=True)
        await corrections.delete_events(connection, 1, removed)
        await corrections.delete_empty_hotels(connection, HOTELS)
        await corrections.update_hotel_summaries(connection, HOTELS)
    await counters_agree(160 - len(removed))


async def test_counts_without_the_time_of_the_feeds_are_the_same(counted: asyncpg.Pool) -> None:
    await counted.execute("UPDATE feed_progress SET data_through = $1", NOW)
    days = CountedDays(7002, date(2024, 1, 1), date(2024, 12, 31), None, False, NOW, ["main"])
    for select in (counters.select_counts_by_month, counters.select_counts_by_day):
        whole = await select(counted, days)
        assert whole is not None
        assert await select(counted, days._replace(feeds=None)) == whole._replace(data_through=None)
    assert await select_data_through(counted, ["main"]) == NOW
    assert await select_data_through(counted, ["main", "another"]) is None
