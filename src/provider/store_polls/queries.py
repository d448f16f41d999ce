"""SQL of the simulated fleet and of the three CSV files."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from common.db.copy import await_copy
from common.db.pool import Connection, Executor
from common.web.streaming import Sink
from provider.store_polls.models import PollProgress, SimulatedPoll, SimulatedStore


async def insert_progress(db: Executor, seed: int, stores: int, began_at: datetime, polled_until: datetime) -> bool:
    """Insert the progress of a new fleet; False when there is a fleet already. began_at: when it is first polled."""
    status = await db.execute(
        """
        INSERT INTO store_poll_progress (seed, stores, began_at, polled_until)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (fleet) DO NOTHING
        """,
        seed, stores, began_at, polled_until,
    )  # fmt: skip
    return status.endswith(" 1")


async def select_progress_for_update(db: Connection) -> PollProgress | None:
    """Return the progress of the polling, locked until the transaction ends."""
    row = await db.fetchrow("SELECT seed, stores, began_at, polled_until FROM store_poll_progress FOR UPDATE")
    return PollProgress(**row) if row else None


async def update_progress(db: Executor, polled_until: datetime) -> None:
    await db.execute("UPDATE store_poll_progress SET polled_until = $1", polled_until)


async def copy_stores(db: Connection, stores: Sequence[SimulatedStore]) -> None:
    rows = [(store.store_id, store.timezone) for store in stores]
    await await_copy(db, db.copy_records_to_table("polled_store", records=rows, columns=["store_id", "timezone"]))


async def copy_hours(db: Connection, stores: Sequence[SimulatedStore]) -> None:
    rows = [(store.store_id, row.weekday, row.opens, row.closes) for store in stores for row in store.hours]
    columns = ["store_id", "weekday", "opens", "closes"]
    await await_copy(db, db.copy_records_to_table("polled_store_hours", records=rows, columns=columns))


async def copy_polls(db: Connection, polls: Iterable[SimulatedPoll]) -> int:
    """Insert polls; returns how many."""
    rows = ((poll.store_id, poll.polled_at, poll.active) for poll in polls)
    columns = ["store_id", "polled_at", "active"]
    status = await await_copy(db, db.copy_records_to_table("store_poll", records=rows, columns=columns))
    return int(status.split()[-1])


async def select_polled_until(db: Executor) -> datetime | None:
    """Return the time until which the fleet has been polled; None without a fleet."""
    return await db.fetchval("SELECT polled_until FROM store_poll_progress")


async def copy_status_file(db: Connection, since: datetime | None, until: datetime, output: Sink) -> None:
    """Write the polls in `[since, until]` as CSV, oldest first."""
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


async def delete_old_polls(db: Executor, keep: timedelta, limit: int) -> int:
    """Delete up to `limit` polls that are older than `keep`; returns how many."""
    return await db.fetchval(
        """
        WITH deleted AS (
            DELETE FROM store_poll
             WHERE (store_id, polled_at) IN (
                SELECT store_id, polled_at
                  FROM store_poll
                 WHERE polled_at < now() - $1::interval
                 ORDER BY polled_at
                 LIMIT $2
             )
            RETURNING 1
        )
        SELECT count(*) FROM deleted
        """,
        keep, limit,
    )  # fmt: skip
