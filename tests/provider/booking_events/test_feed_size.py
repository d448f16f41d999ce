"""About how many events the feed has."""

from datetime import UTC, date, datetime

import asyncpg

from common.db.pool import rolled_back
from provider.booking_events.queries import MAX_COUNTED_EVENTS, analyze_feed, select_about_events
from provider.booking_events.service import append_in_bulk
from provider.hotel_rooms import NightEvent


async def test_few_events_are_counted_and_many_are_estimated_once_there_are_statistics(
    provider_db: asyncpg.Pool,
) -> None:
    event = NightEvent(1, datetime(2026, 1, 1, tzinfo=UTC), 1, "1", date(2026, 2, 1))
    # One transaction: PostgreSQL makes no statistics of its own meanwhile.
    async with provider_db.acquire() as connection, rolled_back(connection):
        assert await select_about_events(connection) == 0

        await append_in_bulk(connection, [event] * 5)
        assert await select_about_events(connection) == 5

        await append_in_bulk(connection, [event] * MAX_COUNTED_EVENTS)
        assert await select_about_events(connection) is None

        await analyze_feed(connection)
        assert await select_about_events(connection) == MAX_COUNTED_EVENTS + 5
