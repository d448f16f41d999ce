"""What a report computes, however far from the polls it is."""

from datetime import datetime, timedelta

import asyncpg
import pytest

from tests.dashboard.uptime.fleet import utc

NEWEST = utc("2023-01-31 16:30")


@pytest.fixture
async def fleet(dashboard_db: asyncpg.Pool) -> asyncpg.Pool:
    """Stores that are polled each hour of a month, also at night, when they are closed."""
    await dashboard_db.execute(
        """
        INSERT INTO store (store_id, timezone, first_polled_at, last_polled_at)
        SELECT 'store ' || number, 'UTC', '2023-01-01 00:30+00', '2023-01-31 16:30+00'
          FROM generate_series(1, 100) AS number;
        INSERT INTO store_poll (store_id, polled_at, active)
        SELECT store_id, at, extract(hour FROM at) > 9
          FROM store
         CROSS JOIN generate_series(first_polled_at, last_polled_at, INTERVAL '1 hour') AS at;
        INSERT INTO store_hours
        SELECT store_id, weekday, '09:00', '17:00' FROM store CROSS JOIN generate_series(0, 6) AS weekday
        """
    )
    await dashboard_db.execute("ANALYZE")
    return dashboard_db


async def calls_made(db: asyncpg.Pool, as_of: datetime) -> int:
    """How often the figures of all stores call a function of ours, which compute opening hours."""
    async with db.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL track_functions = 'all'")
        await connection.fetch(
            """
            SELECT *
              FROM store_status(
                       (SELECT array_agg(store_id) FROM store), $1::timestamptz - INTERVAL '168 hours', $1, $1
                   )
            """,
            as_of,
        )
        return await connection.fetchval("SELECT sum(calls)::int FROM pg_stat_xact_user_functions")


@pytest.mark.parametrize("days", [0, 3, 9, 30, 400, 4000, 60_000])
async def test_a_report_computes_opening_hours_of_all_stores_at_once_however_far_from_the_polls(
    fleet: asyncpg.Pool, days: int
) -> None:
    assert 1 <= await calls_made(fleet, NEWEST + timedelta(days=days)) <= 3
