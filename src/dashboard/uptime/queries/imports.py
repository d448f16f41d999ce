"""SQL of what comes in: staging tables that live as long as their transaction, and what moves them into place.

Staged rows are in form (`parsing` sees to that). Whoever stores them holds the lock of `lock_imports`, so imports go
one after the other and their ids grow in the order of their commits.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from common.db.locks import STORE_IMPORT_LOCK
from common.db.pool import Connection, Executor
from dashboard.uptime.models import Import, Rejection


class Stored(NamedTuple):
    """What storing a file did: rows that were new, and whether anything is different now."""

    new: int
    changed: bool


async def create_poll_staging(db: Executor) -> None:
    await db.execute(
        """
        CREATE TEMPORARY TABLE staged_poll (
            store_id text COLLATE "C" NOT NULL,
            polled_at timestamptz NOT NULL,
            status text COLLATE "C" NOT NULL
        ) ON COMMIT DROP
        """
    )


async def create_hours_staging(db: Executor) -> None:
    await db.execute(
        """
        CREATE TEMPORARY TABLE staged_hours (
            store_id text COLLATE "C" NOT NULL,
            weekday smallint NOT NULL,
            opens time NOT NULL,
            closes time NOT NULL
        ) ON COMMIT DROP
        """
    )


async def create_timezone_staging(db: Executor) -> None:
    await db.execute(
        """
        CREATE TEMPORARY TABLE staged_timezone (
            line bigint GENERATED ALWAYS AS IDENTITY,
            store_id text COLLATE "C" NOT NULL,
            timezone text COLLATE "C" NOT NULL
        ) ON COMMIT DROP
        """
    )


async def copy_to_staging(db: Connection, table: str, columns: Sequence[str], rows: AsyncIterator[bytes]) -> None:
    """Take in CSV rows whose columns stand in the order of `columns`."""
    await db.copy_to_table(table, source=rows, columns=columns, format="csv")


async def select_timezone_names(db: Executor) -> dict[str, str]:
    """The time zones that the database knows, by their lower-case names."""
    rows = await db.fetch(
        """
        SELECT name
          FROM pg_timezone_names
         WHERE name !~ '^(posix|right)/' AND name NOT IN ('localtime', 'posixrules', 'Factory')
        """
    )
    return {row["name"].lower(): row["name"] for row in rows}


async def prepare_bulk(db: Executor) -> None:
    """Room to sort a whole file in memory, for this transaction."""
    await db.execute("SELECT set_config('work_mem', '256MB', true), set_config('maintenance_work_mem', '256MB', true)")


async def analyze_staged_polls(db: Executor) -> None:
    """Without it the planner takes a file of millions of rows for one of a few stores."""
    await db.execute("ANALYZE staged_poll")


async def analyze_polls(db: Executor) -> None:
    """After a bulk; small batches are left to autovacuum."""
    await db.execute("ANALYZE store_poll, store")


async def has_polls(db: Executor) -> bool:
    return await db.fetchval("SELECT EXISTS (SELECT FROM store_poll)")


async def drop_poll_key(db: Executor) -> None:
    """Do without the key until `create_poll_key`, in the same transaction. Readers of the polls wait for its end."""
    await db.execute("ALTER TABLE store_poll DROP CONSTRAINT store_poll_pkey")


async def create_poll_key(db: Executor) -> None:
    """The key of `drop_poll_key` again: built as a whole, in a fifth of the time that row by row takes."""
    await db.execute("SELECT add_store_poll_key()")


async def lock_imports(db: Executor) -> None:
    """Wait for the import that is being stored, and keep others waiting until the transaction ends."""
    await db.execute("SELECT pg_advisory_xact_lock($1)", STORE_IMPORT_LOCK)


async def update_worsened_polls(db: Executor) -> int:
    """Polls that are stored as active and staged as inactive at the same instant: inactive wins. How many changed."""
    status = await db.execute(
        """
        UPDATE store_poll AS known
           SET active = FALSE
          FROM staged_poll AS staged
         WHERE known.store_id = staged.store_id
           AND known.polled_at = staged.polled_at
           AND known.active
           AND staged.status = 'inactive'
        """
    )
    return int(status.split()[-1])


async def insert_staged_polls(db: Executor) -> int:
    """Store what is new among the staged polls, and when each store was first and last polled. How many were new.

    Without ON CONFLICT, which costs as much again as the insertion: under the lock of the imports the anti-join is
    enough, and the key guards the rest. In the order of the key, so that the index grows at its end.
    """
    status = await db.execute(
        """
        WITH seen AS (
            INSERT INTO store AS known (store_id, first_polled_at, last_polled_at)
            SELECT store_id, min(polled_at), max(polled_at)
              FROM staged_poll
             GROUP BY store_id
            ON CONFLICT (store_id) DO UPDATE
               SET first_polled_at = least(known.first_polled_at, excluded.first_polled_at),
                   last_polled_at = greatest(known.last_polled_at, excluded.last_polled_at)
             WHERE known.last_polled_at IS NULL
                OR known.first_polled_at > excluded.first_polled_at
                OR known.last_polled_at < excluded.last_polled_at
        )
        INSERT INTO store_poll (store_id, polled_at, active)
        SELECT DISTINCT ON (staged.store_id, staged.polled_at)
               staged.store_id, staged.polled_at, staged.status = 'active' AS active
          FROM staged_poll AS staged
         WHERE NOT EXISTS (
            SELECT
              FROM store_poll AS known
             WHERE known.store_id = staged.store_id AND known.polled_at = staged.polled_at
         )
         ORDER BY staged.store_id, staged.polled_at, active
        """
    )
    return int(status.split()[-1])


async def replace_staged_hours(db: Executor) -> Stored:
    """The hours of each staged store replace those it had, as a whole; other stores keep theirs."""
    row = await db.fetchrow(
        """
        WITH named AS (
            SELECT DISTINCT store_id FROM staged_hours
        ), seen AS (
            INSERT INTO store (store_id)
            SELECT store_id FROM named
            ON CONFLICT (store_id) DO NOTHING
        ), gone AS (
            DELETE FROM store_hours AS known
             USING named
             WHERE known.store_id = named.store_id
               AND NOT EXISTS (
                SELECT
                  FROM staged_hours AS staged
                 WHERE (staged.store_id, staged.weekday, staged.opens, staged.closes)
                     = (known.store_id, known.weekday, known.opens, known.closes)
               )
            RETURNING 1
        ), added AS (
            INSERT INTO store_hours (store_id, weekday, opens, closes)
            SELECT DISTINCT staged.store_id, staged.weekday, staged.opens, staged.closes
              FROM staged_hours AS staged
             WHERE NOT EXISTS (
                SELECT
                  FROM store_hours AS known
                 WHERE (staged.store_id, staged.weekday, staged.opens, staged.closes)
                     = (known.store_id, known.weekday, known.opens, known.closes)
             )
             ORDER BY staged.store_id, staged.weekday, staged.opens, staged.closes
            RETURNING 1
        )
        SELECT (SELECT count(*) FROM added) AS added, (SELECT count(*) FROM gone) AS gone
        """
    )
    assert row is not None
    return Stored(row["added"], row["added"] + row["gone"] > 0)


async def upsert_staged_timezones(db: Executor) -> int:
    """Each staged store is in the zone that the last of its lines names. How many were not there before."""
    status = await db.execute(
        """
        INSERT INTO store AS known (store_id, timezone)
        SELECT DISTINCT ON (store_id) store_id, timezone
          FROM staged_timezone
         ORDER BY store_id, line DESC
        ON CONFLICT (store_id) DO UPDATE
           SET timezone = excluded.timezone
         WHERE known.timezone IS DISTINCT FROM excluded.timezone
        """
    )
    return int(status.split()[-1])


async def insert_import(
    db: Executor,
    kind: str,
    source: str,
    rows: int,
    stored: Stored,
    rejected_total: int,
    rejected: Sequence[Rejection],
    started_at: datetime,
) -> int:
    """Note what came in; its id is the version of the data from here on, if it changed any."""
    return await db.fetchval(
        """
        INSERT INTO store_import (kind, source, rows, new, changed, rejected_total, rejected, started_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        RETURNING import_id
        """,
        kind,
        source,
        rows,
        stored.new,
        stored.changed,
        rejected_total,
        msgspec.json.encode(rejected).decode(),
        started_at,
    )


async def select_imports(db: Executor, before: int | None, limit: int) -> list[Import]:
    """What came in, the latest first; those with an id below `before`, if given."""
    rows = await db.fetch(
        """
        SELECT import_id, kind, source, started_at, finished_at, rows, new, rejected, rejected_total
          FROM store_import
         WHERE $1::bigint IS NULL OR import_id < $1
         ORDER BY import_id DESC
         LIMIT $2
        """,
        before,
        limit,
    )
    return [Import(**dict(row, rejected=msgspec.json.decode(row["rejected"], type=list[Rejection]))) for row in rows]


async def select_data_version(db: Executor) -> int:
    """The id of the last import that changed anything, 0 before the first."""
    return await db.fetchval("SELECT coalesce(max(import_id) FILTER (WHERE changed), 0) FROM store_import")


async def select_newest_poll(db: Executor) -> datetime | None:
    """The instant of the newest poll, None while there is none: where the next pull goes on."""
    return await db.fetchval("SELECT max(last_polled_at) FROM store")
