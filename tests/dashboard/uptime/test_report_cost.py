"""What a report computes, however far from the polls it is."""

from datetime import datetime, timedelta

import asyncpg
import pytest

from tests.dashboard.uptime.fleet import utc

NEWEST = utc("2023-01-31 20:30")


@pytest.fixture
async def fleet(dashboard_db: asyncpg.Pool) -> asyncpg.Pool:
    """Stores that are polled each hour of a month; when they were polled last, they were closed."""
    await dashboard_db.execute(
        """
        INSERT INTO store (store_id, timezone, first_polled_at, last_polled_at)
        SELECT 'store ' || number, 'UTC', '2023-01-01 00:30+00', '2023-01-31 20:30+00'
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


async def functions_called(db: asyncpg.Pool, as_of: datetime) -> set[str]:
    """The functions of the database that compute the figures of all stores."""
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
        rows = await connection.fetch("SELECT funcname FROM pg_stat_xact_user_functions")
        return {row["funcname"] for row in rows}


@pytest.mark.parametrize("days", [0, 3, 9, 30, 400, 4000, 60_000])
async def test_a_report_searches_the_last_polls_of_all_stores_at_once_however_far_from_them(
    fleet: asyncpg.Pool, days: int
) -> None:
    """To search them store by store, each in steps back into the past, costs fourteen times as much."""
    called = await functions_called(fleet, NEWEST + timedelta(days=days))

    assert "store_status" in called
    assert "last_counted_poll" not in called
