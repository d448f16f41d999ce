"""SQL of imports: staging tables, dropped when the transaction ends, and the statements that merge their rows.

Staged rows are valid: `intake.parse` checks them. Transactions that merge rows hold the lock of `lock_imports`, so
imports commit one after another and in the order of their ids.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from common.csv_import import RejectedLine
from common.db.copy import await_copy
from common.db.locks import STORE_IMPORT_LOCK
from common.db.pool import Connection, Executor
from dashboard.uptime.models.imports import Import, NewImport


class LoadOutcome(NamedTuple):
    """How many of the rows of a file were new, and whether they changed any data."""

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
            closes time NOT NULL,
            valid_from date NOT NULL DEFAULT '-infinity'
        ) ON COMMIT DROP
        """
    )


async def create_timezone_staging(db: Executor) -> None:
    await db.execute(
        """
        CREATE TEMPORARY TABLE staged_timezone (
            line bigint GENERATED ALWAYS AS IDENTITY,
            store_id text COLLATE "C" NOT NULL,
            timezone text COLLATE "C" NOT NULL,
            store_group text COLLATE "C"
        ) ON COMMIT DROP
        """
    )


async def copy_to_staging(
    db: Connection, table: str, columns: Sequence[str], rows: AsyncIterator[bytes], delimiter: str
) -> None:
    """Copy CSV rows to a staging table; columns: those of the rows, in order."""
    copy = db.copy_to_table(table, source=rows, columns=columns, format="csv", delimiter=delimiter)
    await await_copy(db, copy)


async def delete_staged_hours(db: Executor, store_ids: Sequence[str]) -> dict[str, int]:
    """Delete the staged hours of these stores; returns the number of rows of each that had any."""
    rows = await db.fetch(
        """
        WITH deleted AS (
            DELETE FROM staged_hours WHERE store_id = ANY($1::text[]) RETURNING store_id
        )
        SELECT store_id, count(*) AS number FROM deleted GROUP BY store_id
        """,
        store_ids,
    )
    return {row["store_id"]: row["number"] for row in rows}


async def select_timezone_names(db: Executor) -> dict[str, str]:
    """The names of the time zones that the database knows, by their lower case."""
    rows = await db.fetch(
        """
        SELECT name
          FROM pg_timezone_names
         WHERE name !~ '^(posix|right)/' AND name NOT IN ('localtime', 'posixrules', 'Factory')
        """
    )
    return {row["name"].lower(): row["name"] for row in rows}


async def raise_work_memory(db: Executor) -> None:
    """Let this transaction sort a whole file in memory."""
    await db.execute("SELECT set_config('work_mem', '256MB', true), set_config('maintenance_work_mem', '256MB', true)")


async def analyze_staged_polls(db: Executor) -> None:
    """Update the statistics; without them the planner would assume a few rows in a file of millions."""
    await db.execute("ANALYZE staged_poll")


async def analyze_polls(db: Executor) -> None:
    """Update the statistics after a bulk; autovacuum does so after small batches."""
    await db.execute("ANALYZE store_poll, store")


async def has_polls(db: Executor) -> bool:
    return await db.fetchval("SELECT EXISTS (SELECT FROM store_poll)")


async def drop_store_poll_primary_key(db: Executor) -> None:
    """Drop the key until `create_store_poll_primary_key`; readers wait until the end of the transaction."""
    await db.execute("ALTER TABLE store_poll DROP CONSTRAINT store_poll_pkey")


async def create_store_poll_primary_key(db: Executor) -> None:
    """Build the dropped key as a whole, which takes a fifth of the time of maintaining it row by row."""
    await db.execute("SELECT add_store_poll_key()")


async def lock_imports(db: Executor) -> None:
    """Let no other transaction merge an import until this one ends; waits for a merge in progress."""
    await db.execute("SELECT pg_advisory_xact_lock($1)", STORE_IMPORT_LOCK)


async def mark_inactive_on_conflict(db: Executor) -> int:
    """Set stored polls to inactive where the staged poll of the same instant is inactive; returns how many changed."""
    status = await db.execute(
        """
        UPDATE store_poll AS stored
           SET active = FALSE
          FROM staged_poll AS staged
         WHERE stored.store_id = staged.store_id
           AND stored.polled_at = staged.polled_at
           AND stored.active
           AND staged.status = 'inactive'
        """
    )
    return int(status.split()[-1])


async def upsert_poll_spans(db: Executor) -> None:
    """Add the staged polls to the five minutes in which the fleet was polled."""
    await db.execute(
        """
        INSERT INTO poll_span AS stored (span_start, first_polled_at, last_polled_at)
        SELECT date_bin('5 minutes', polled_at, '2000-01-01 00:00:00+00'), min(polled_at), max(polled_at)
          FROM staged_poll
         GROUP BY 1
        ON CONFLICT (span_start) DO UPDATE
           SET first_polled_at = least(stored.first_polled_at, excluded.first_polled_at),
               last_polled_at = greatest(stored.last_polled_at, excluded.last_polled_at)
         WHERE stored.first_polled_at > excluded.first_polled_at
            OR stored.last_polled_at < excluded.last_polled_at
        """
    )


async def delete_staged_polls_of_kept_days(db: Executor) -> None:
    """Delete the staged polls of the days whose polls were deleted: their figures are kept and no longer change."""
    await db.execute(
        """
        DELETE FROM staged_poll AS staged
         USING store
         WHERE store.polls_since IS NOT NULL
           AND staged.store_id = store.store_id
           AND staged.polled_at < store.polls_since
        """
    )


async def delete_staged_polls_deleted_by_hand(db: Executor) -> int:
    """Delete the staged polls that were deleted by hand before; returns how many."""
    status = await db.execute(
        """
        DELETE FROM staged_poll AS staged
         USING store_poll_deletion AS deletion
         WHERE staged.store_id = deletion.store_id
           AND staged.polled_at >= deletion.deleted_from
           AND staged.polled_at < deletion.deleted_until
        """
    )
    return int(status.split()[-1])


async def forget_days_of_staged_polls(db: Executor) -> None:
    """Forget the kept figures of the days that staged polls change; must run before the polls are stored."""
    await db.execute(
        """
        SELECT forget_recent_days(array_agg(late.store_id), array_agg(late.at))
          FROM (
            SELECT staged.store_id, min(staged.polled_at) AS at
              FROM staged_poll AS staged
              JOIN store ON store.store_id = staged.store_id
             WHERE store.days_until IS NOT NULL
               AND staged.polled_at < greatest(store.days_until, store.days_change_until)
               AND NOT EXISTS (
                SELECT
                  FROM store_poll AS stored
                 WHERE stored.store_id = staged.store_id
                   AND stored.polled_at = staged.polled_at
                   AND (NOT stored.active OR staged.status = 'active')
             )
             GROUP BY staged.store_id
          ) AS late
        HAVING count(*) > 0
        """
    )


async def insert_staged_polls(db: Executor) -> int:
    """Insert the staged polls that are new, and update when each store was first and last polled; returns how many.

    Without ON CONFLICT, which would double the time: under the lock of `lock_imports` the anti-join suffices, and the
    key guards against the rest. In the order of the key, so that the index grows at its end.
    """
    status = await db.execute(
        """
        WITH polled_store AS (
            INSERT INTO store AS stored (store_id, first_polled_at, last_polled_at)
            SELECT store_id, min(polled_at), max(polled_at)
              FROM staged_poll
             GROUP BY store_id
            ON CONFLICT (store_id) DO UPDATE
               SET first_polled_at = least(stored.first_polled_at, excluded.first_polled_at),
                   last_polled_at = greatest(stored.last_polled_at, excluded.last_polled_at)
             WHERE stored.last_polled_at IS NULL
                OR stored.first_polled_at > excluded.first_polled_at
                OR stored.last_polled_at < excluded.last_polled_at
        )
        INSERT INTO store_poll (store_id, polled_at, active)
        SELECT DISTINCT ON (staged.store_id, staged.polled_at)
               staged.store_id, staged.polled_at, staged.status = 'active' AS active
          FROM staged_poll AS staged
         WHERE NOT EXISTS (
            SELECT
              FROM store_poll AS stored
             WHERE stored.store_id = staged.store_id AND stored.polled_at = staged.polled_at
         )
         ORDER BY staged.store_id, staged.polled_at, active
        """
    )
    return int(status.split()[-1])


async def replace_staged_hours(db: Executor) -> LoadOutcome:
    """Replace the business hours of each staged store, from the first day on from which its staged rows are valid.

    What was valid before stays; a store without hours was always open before. Other stores keep theirs. The kept
    figures of the stores that change are forgotten. Returns how many staged rows were new.
    """
    row = await db.fetchrow(
        """
        WITH staged_store AS (
            SELECT store_id, min(valid_from) AS first FROM staged_hours GROUP BY store_id
        ), new_store AS (
            INSERT INTO store (store_id)
            SELECT store_id FROM staged_store
            ON CONFLICT (store_id) DO NOTHING
        ), version AS (
            SELECT store_id,
                   valid_from,
                   lead(valid_from, 1, 'infinity') OVER (PARTITION BY store_id ORDER BY valid_from) AS valid_until
              FROM (SELECT DISTINCT store_id, valid_from FROM staged_hours) AS each
        ), wanted AS (
            SELECT DISTINCT staged.store_id, staged.weekday, staged.opens, staged.closes,
                   version.valid_from, version.valid_until
              FROM staged_hours AS staged
              JOIN version USING (store_id, valid_from)
            UNION ALL
            SELECT stored.store_id, stored.weekday, stored.opens, stored.closes,
                   stored.valid_from, least(stored.valid_until, staged_store.first)
              FROM store_hours AS stored
              JOIN staged_store USING (store_id)
             WHERE stored.valid_from < staged_store.first
            UNION ALL
            SELECT staged_store.store_id, weekday, TIME '00:00', TIME '24:00', '-infinity', staged_store.first
              FROM staged_store
             CROSS JOIN generate_series(0, 6) AS weekday
             WHERE staged_store.first > '-infinity'
               AND NOT EXISTS (SELECT FROM store_hours AS stored WHERE stored.store_id = staged_store.store_id)
        ), deleted AS (
            DELETE FROM store_hours AS stored
             USING staged_store
             WHERE stored.store_id = staged_store.store_id
               AND NOT EXISTS (
                SELECT
                  FROM wanted
                 WHERE (wanted.store_id, wanted.weekday, wanted.opens, wanted.closes, wanted.valid_from)
                     = (stored.store_id, stored.weekday, stored.opens, stored.closes, stored.valid_from)
               )
            RETURNING stored.store_id
        ), stored AS (
            INSERT INTO store_hours AS kept (store_id, weekday, opens, closes, valid_from, valid_until)
            SELECT store_id, weekday, opens, closes, valid_from, valid_until
              FROM wanted
             ORDER BY store_id, valid_from, weekday, opens, closes
            ON CONFLICT (store_id, valid_from, weekday, opens, closes) DO UPDATE
               SET valid_until = excluded.valid_until
             WHERE kept.valid_until <> excluded.valid_until
            RETURNING store_id, valid_from, xmax = 0 AS is_new
        ), changed AS MATERIALIZED (
            SELECT store_id FROM deleted
            UNION
            SELECT store_id FROM stored
        ), forgotten AS (
            DELETE FROM store_recent_day AS kept USING changed WHERE kept.store_id = changed.store_id
        ), reset AS (
            UPDATE store
               SET days_until = NULL, days_made_on = NULL
              FROM changed
             WHERE store.store_id = changed.store_id
               AND (store.days_until IS NOT NULL OR store.days_made_on IS NOT NULL)
        )
        SELECT (
                   SELECT count(*)
                     FROM stored
                     JOIN staged_store USING (store_id)
                    WHERE stored.is_new AND stored.valid_from >= staged_store.first
               ) AS inserted,
               (SELECT count(*) FROM changed) AS changed
        """
    )
    assert row is not None
    return LoadOutcome(row["inserted"], row["changed"] > 0)


async def upsert_staged_timezones(db: Executor, *, with_groups: bool) -> int:
    """Set the time zone of each staged store to that of its last line; returns how many stores changed.

    with_groups: set their groups as well. The kept figures of stores with another time zone are forgotten.
    """
    return await db.fetchval(
        """
        WITH wanted AS MATERIALIZED (
            SELECT DISTINCT ON (store_id) store_id, timezone, store_group
              FROM staged_timezone
             ORDER BY store_id, line DESC
        ), moved AS MATERIALIZED (
            SELECT store_id
              FROM wanted
              JOIN store USING (store_id)
             WHERE store.timezone IS DISTINCT FROM wanted.timezone
        ), forgotten AS (
            DELETE FROM store_recent_day AS kept USING moved WHERE kept.store_id = moved.store_id
        ), stored AS (
            INSERT INTO store AS stored (store_id, timezone, store_group)
            SELECT store_id, timezone, store_group FROM wanted
            ON CONFLICT (store_id) DO UPDATE
               SET timezone = excluded.timezone,
                   store_group = CASE WHEN $1 THEN excluded.store_group ELSE stored.store_group END,
                   days_until = CASE WHEN stored.timezone = excluded.timezone THEN stored.days_until END,
                   days_made_on = CASE WHEN stored.timezone = excluded.timezone THEN stored.days_made_on END
             WHERE stored.timezone IS DISTINCT FROM excluded.timezone
                OR ($1 AND stored.store_group IS DISTINCT FROM excluded.store_group)
            RETURNING 1
        )
        SELECT count(*) FROM stored
        """,
        with_groups,
    )


async def insert_import(db: Executor, new_import: NewImport) -> int:
    """Record an import; returns its id, which is the new version of the data if it changed any."""
    return await db.fetchval(
        """
        INSERT INTO store_import (
            kind, source, rows, new, changed, rejected_total, rejected, notices, started_at, made_by
        )
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        RETURNING import_id
        """,
        new_import.kind,
        new_import.source,
        new_import.rows,
        new_import.new,
        new_import.changed,
        new_import.rejected_total,
        msgspec.json.encode(new_import.rejected).decode().replace("\\u0000", "\ufffd"),
        [notice.replace("\0", "\ufffd") for notice in new_import.notices],
        new_import.started_at,
        new_import.made_by,
    )


async def select_imports(db: Executor, before: int | None, limit: int) -> list[Import]:
    """Imports with an id below `before`, if given, latest first."""
    rows = await db.fetch(
        """
        SELECT import_id, kind, source, made_by, started_at, finished_at, rows, new, rejected, rejected_total, notices
          FROM store_import
         WHERE $1::bigint IS NULL OR import_id < $1
         ORDER BY import_id DESC
         LIMIT $2
        """,
        before,
        limit,
    )
    return [Import(**dict(row, rejected=msgspec.json.decode(row["rejected"], type=list[RejectedLine]))) for row in rows]


async def select_data_version(db: Executor) -> int:
    """The id of the last import that changed any data, 0 if there is none."""
    return await db.fetchval("SELECT coalesce(max(import_id), 0) FROM store_import WHERE changed")


async def select_newest_poll(db: Executor, now: datetime) -> datetime | None:
    """The instant of the newest poll up to `now`; None if there are no polls. Stored polls may be dated later."""
    return await db.fetchval("SELECT newest_poll($1)", now)
