"""SQL of the simulated fleet and of its three files."""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from common.db.pool import Connection, Executor
from provider.store_polls.simulation import SimulatedPoll, SimulatedStore

Sink = Callable[[bytes], Coroutine[Any, Any, None]]


class Round(NamedTuple):
    """Which fleet is polled, and how far it has been."""

    seed: int
    stores: int
    polled_until: datetime


async def insert_round(db: Executor, seed: int, stores: int, polled_until: datetime) -> bool:
    """Begin with a fleet, unless one is there; whether there was none."""
    status = await db.execute(
        """
        INSERT INTO store_poll_progress (seed, stores, polled_until)
        VALUES ($1, $2, $3)
        ON CONFLICT (fleet) DO NOTHING
        """,
        seed,
        stores,
        polled_until,
    )
    return status.endswith(" 1")


async def select_round_for_update(db: Connection) -> Round | None:
    """The fleet and how far it has been polled; others wait until the transaction ends."""
    row = await db.fetchrow("SELECT seed, stores, polled_until FROM store_poll_progress FOR UPDATE")
    return Round(**row) if row else None


async def update_round(db: Executor, polled_until: datetime) -> None:
    await db.execute("UPDATE store_poll_progress SET polled_until = $1", polled_until)


async def copy_stores(db: Connection, stores: Sequence[SimulatedStore]) -> None:
    await db.copy_records_to_table(
        "polled_store", records=[(store.store_id, store.timezone) for store in stores], columns=["store_id", "timezone"]
    )


async def copy_hours(db: Connection, stores: Sequence[SimulatedStore]) -> None:
    await db.copy_records_to_table(
        "polled_store_hours",
        records=[(store.store_id, row.weekday, row.opens, row.closes) for store in stores for row in store.hours],
        columns=["store_id", "weekday", "opens", "closes"],
    )


async def copy_polls(db: Connection, polls: Iterable[SimulatedPoll]) -> int:
    """Store the polls of a round; how many."""
    status = await db.copy_records_to_table(
        "store_poll",
        records=((poll.store_id, poll.polled_at, poll.active) for poll in polls),
        columns=["store_id", "polled_at", "active"],
    )
    return int(status.split()[-1])


async def select_polled_until(db: Executor) -> datetime | None:
    """How far the fleet has been polled: what makes one answer of the growing file another. None without a fleet."""
    return await db.fetchval("SELECT polled_until FROM store_poll_progress")


async def copy_status_file(db: Connection, since: datetime | None, until: datetime, output: Sink) -> None:
    """The polls in `[since, until]` as CSV, in the order of time."""
    await db.copy_from_query(
        """
        SELECT store_id,
               CASE WHEN active THEN 'active' ELSE 'inactive' END AS status,
               to_char(polled_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || ' UTC' AS timestamp_utc
          FROM store_poll
         WHERE ($1::timestamptz IS NULL OR polled_at >= $1) AND polled_at <= $2
         ORDER BY polled_at, store_id
        """,
        since,
        until,
        output=output,
        format="csv",
        header=True,
    )


async def copy_hours_file(db: Connection, output: Sink) -> None:
    await db.copy_from_query(
        """
        SELECT store_id, weekday AS "dayOfWeek", opens AS start_time_local, closes AS end_time_local
          FROM polled_store_hours
         ORDER BY store_id, weekday, opens
        """,
        output=output,
        format="csv",
        header=True,
    )


async def copy_timezones_file(db: Connection, output: Sink) -> None:
    await db.copy_from_query(
        """
        SELECT store_id, timezone AS timezone_str
          FROM polled_store
         WHERE timezone IS NOT NULL
         ORDER BY store_id
        """,
        output=output,
        format="csv",
        header=True,
    )
