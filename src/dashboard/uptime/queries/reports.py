"""SQL of the reports. The function `store_status` (migrations/functions/uptime.sql) defines uptime."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from common.db.locks import UPTIME_REPORT_LOCK
from common.db.pool import Connection, Executor
from dashboard.uptime.models.reports import ALL_STORES, ChosenStores, Report
from dashboard.uptime.queries.stores import POLL_COVERAGE

MAX_RUNNING_PROGRESS = 0.99
"""A report whose stores are all done is not complete before its transaction has ended."""


async def upsert_report(
    db: Executor,
    report_id: UUID,
    as_of: datetime | None,
    *,
    for_lists: bool = False,
    chosen: ChosenStores = ALL_STORES,
    with_details: bool = False,
) -> UUID:
    """Request a report; returns `report_id`, or the id of a running one of the same stores, `as_of` and data version.

    for_lists: it is for the lists of stores, which replace it. with_details: also make the details, which full columns
    need. Does not wait for the transaction that makes the running report. Repeated when another request was inserted at
    the same time, which the statement's snapshot does not show.
    """
    requested_id = None
    while requested_id is None:
        requested_id = await db.fetchval(
            """
            WITH data AS (
                SELECT coalesce(max(import_id), 0) AS version FROM store_import WHERE changed
            ), made AS (
                INSERT INTO uptime_report (
                    report_id, requested_as_of, requested_version, for_lists, store_ids, store_group, selection,
                    with_details
                )
                SELECT $1, $2, version, $3, $4, $5, $6, $7 FROM data
                ON CONFLICT (
                    requested_version, (coalesce(requested_as_of, '-infinity'::timestamptz)), for_lists, selection,
                    with_details
                ) WHERE status = 'running'
                DO NOTHING
                RETURNING report_id
            )
            SELECT report_id FROM made
             UNION ALL
            SELECT report_id
              FROM uptime_report
              JOIN data ON version = requested_version
             WHERE status = 'running'
               AND for_lists = $3
               AND selection = $6
               AND with_details = $7
               AND coalesce(requested_as_of, '-infinity'::timestamptz) = coalesce($2, '-infinity'::timestamptz)
            """,
            report_id,
            as_of,
            for_lists,
            chosen.store_ids,
            chosen.group,
            chosen.key,
            with_details,
        )
    return requested_id


async def select_earliest_as_of(db: Executor, as_of: datetime, period: timedelta) -> datetime | None:
    """None if all polls of a report on the last `period` are kept, else the earliest `as_of` for which they are.

    Stores that were first polled after `as_of` are not in the report.
    """
    return await db.fetchval(
        """
        SELECT max(polls_since) + $2::interval
          FROM store
         WHERE first_polled_at <= $1::timestamptz
        HAVING max(polls_since) > $1::timestamptz - $2::interval
        """,
        as_of,
        period,
    )


async def select_running_reports(db: Executor) -> list[UUID]:
    """The reports that are neither complete nor failed, oldest request first."""
    rows = await db.fetch("SELECT report_id FROM uptime_report WHERE status = 'running' ORDER BY requested_at")
    return [row["report_id"] for row in rows]


async def claim_report(db: Connection, report_id: UUID) -> bool:
    """Claim a report until the transaction ends; False if another process is making it.

    PostgreSQL ends the claim when the process dies, and the report can be made again.
    """
    return await db.fetchval("SELECT pg_try_advisory_xact_lock($1, uuid_hash($2))", UPTIME_REPORT_LOCK, report_id)


async def upsert_report_attempt(db: Executor, report_id: UUID) -> int | None:
    """Count an attempt at a report, whose claim the caller has; returns the number, or None if it is not running."""
    return await db.fetchval(
        """
        INSERT INTO uptime_report_progress AS progress (report_id, attempts)
        SELECT report_id, 1
          FROM uptime_report
         WHERE report_id = $1 AND status = 'running'
        ON CONFLICT (report_id) DO UPDATE
           SET attempts = progress.attempts + 1, stores_done = 0, stores = NULL
        RETURNING attempts
        """,
        report_id,
    )


async def update_report_progress(db: Executor, report_id: UUID, stores_done: int, stores: int) -> None:
    await db.execute(
        "UPDATE uptime_report_progress SET stores_done = $2, stores = $3 WHERE report_id = $1",
        report_id,
        stores_done,
        stores,
    )


async def raise_work_memory(db: Executor) -> None:
    """Let this transaction keep the open time of many stores in memory."""
    await db.execute("SELECT set_config('work_mem', '64MB', true)")


def window_lengths(ranges: str) -> str:
    """SQL for the lengths of a multirange in the last hour, day and week. ranges: a column, within the week."""
    return f"""
                SELECT coalesce(sum(upper(part) - lower(part)), '0') AS last_week,
                       coalesce(sum(upper(part) - greatest(lower(part), since.day))
                           FILTER (WHERE upper(part) > since.day), '0') AS last_day,
                       coalesce(sum(upper(part) - greatest(lower(part), since.hour))
                           FILTER (WHERE upper(part) > since.hour), '0') AS last_hour
                  FROM unnest({ranges}) AS part
    """  # noqa: S608 - the name of a column


async def select_report_as_of(db: Executor, report_id: UUID, now: datetime) -> datetime | None:
    """The end of a report's windows: as requested, else the newest poll up to `now`; None without any poll."""
    return await db.fetchval(
        """
        SELECT coalesce(requested_as_of, newest_poll($2))
          FROM uptime_report
         WHERE report_id = $1
        """,
        report_id,
        now,
    )


async def select_polled_stores(db: Executor, report_id: UUID, as_of: datetime) -> list[str]:
    """The ids of the stores of a report, which have a poll at or before `as_of`, in order."""
    rows = await db.fetch(
        """
        SELECT store.store_id
          FROM uptime_report AS report
          JOIN store
            ON (report.store_ids IS NULL OR store.store_id = ANY(report.store_ids))
               AND (report.store_group IS NULL OR store.store_group = report.store_group)
         WHERE report.report_id = $1 AND store.first_polled_at <= $2
         ORDER BY store.store_id
        """,
        report_id,
        as_of,
    )
    return [row["store_id"] for row in rows]


async def select_unknown_stores(db: Executor, store_ids: Sequence[str]) -> list[str]:
    """Those of the ids that no store has, in their order."""
    rows = await db.fetch(
        """
        SELECT wanted.store_id
          FROM unnest($1::text[]) WITH ORDINALITY AS wanted (store_id, place)
         WHERE NOT EXISTS (SELECT FROM store WHERE store.store_id = wanted.store_id)
         ORDER BY wanted.place
        """,
        store_ids,
    )
    return [row["store_id"] for row in rows]


async def select_group_exists(db: Executor, group: str) -> bool:
    """Whether any store has this group."""
    return await db.fetchval("SELECT EXISTS (SELECT FROM store WHERE store_group = $1)", group)


async def insert_report_rows(
    db: Executor, report_id: UUID, as_of: datetime, known: datetime, stores: Sequence[str]
) -> None:
    """Insert the rows of a report on some of the stores. known: polls after it are ignored. Hours are elapsed time."""
    await db.execute(
        f"""
        INSERT INTO uptime_report_row (
            report_id, store_id,
            uptime_last_hour, uptime_last_day, uptime_last_week,
            downtime_last_hour, downtime_last_day, downtime_last_week,
            observed_until
        )
        SELECT $1, status.store_id,
               up.last_hour, up.last_day, up.last_week,
               open.last_hour - up.last_hour, open.last_day - up.last_day, open.last_week - up.last_week,
               (
                   SELECT upper(status.open * tstzmultirange(covered))
                     FROM store_poll AS poll
                    CROSS JOIN LATERAL tstzrange(poll.polled_at, poll.polled_at + since.coverage) AS covered
                    WHERE poll.store_id = status.store_id
                      AND poll.polled_at > since.week - since.coverage
                      AND poll.polled_at <= $3
                      AND status.open && covered
                    ORDER BY poll.polled_at DESC
                    LIMIT 1
               )
          FROM (
            SELECT $2::timestamptz - INTERVAL '1 hour' AS hour,
                   $2::timestamptz - INTERVAL '24 hours' AS day,
                   $2::timestamptz - INTERVAL '168 hours' AS week,
                   $5::interval AS coverage
          ) AS since
         CROSS JOIN LATERAL store_status($4, since.week, $2, $3) AS status
         CROSS JOIN LATERAL ({window_lengths("status.open")}) AS open
         CROSS JOIN LATERAL ({window_lengths("status.up")}) AS up
         ORDER BY status.store_id
        """,  # noqa: S608 - names of columns
        report_id,
        as_of,
        known,
        stores,
        POLL_COVERAGE,
    )


async def update_report_complete(db: Executor, report_id: UUID, as_of: datetime | None, known: datetime | None) -> int:
    """Mark a report complete, with the version of the data that its transaction sees; returns the number of stores.

    known: the instant after which polls were ignored. Both are None for a report without any poll.
    """
    return await db.fetchval(
        """
        UPDATE uptime_report
           SET status = 'complete',
               as_of = $2,
               known_until = $3,
               data_version = (SELECT coalesce(max(import_id), 0) FROM store_import WHERE changed),
               stores = (SELECT count(*) FROM uptime_report_row WHERE report_id = $1),
               finished_at = clock_timestamp(),
               detailed_at = CASE WHEN with_details THEN clock_timestamp() END
         WHERE report_id = $1
        RETURNING stores
        """,
        report_id,
        as_of,
        known,
    )


async def update_report_failed(db: Executor, report_id: UUID, reason: str) -> None:
    await db.execute(
        """
        UPDATE uptime_report
           SET status = 'failed', reason = $2, finished_at = clock_timestamp()
         WHERE report_id = $1 AND status = 'running'
        """,
        report_id,
        reason,
    )


async def select_report(db: Executor, report_id: UUID) -> Report | None:
    """A report without its rows; None if there is none."""
    reports = await select_reports(db, report_id, None, 1)
    return next(iter(reports), None)


async def select_reports(
    db: Executor,
    report_id: UUID | None,
    before: tuple[datetime, UUID] | None,
    limit: int,
    *,
    without_lists: bool = False,
) -> list[Report]:
    """Reports, latest first: one, or those before a position of (requested_at, report_id).

    without_lists: without those that lists of stores have made for themselves.
    """
    rows = await db.fetch(
        """
        SELECT report.report_id::text AS report_id,
               initcap(report.status) AS status,
               CASE WHEN report.status = 'running'
                        THEN least(
                            $5::float8, coalesce(progress.stores_done::float8 / nullif(progress.stores, 0)::float8, 0)
                        )
                    ELSE 1
               END AS progress,
               report.requested_at, report.finished_at, report.requested_as_of, report.as_of, report.data_version,
               report.stores, report.reason, report.store_ids, report.store_group AS "group"
          FROM uptime_report AS report
          LEFT JOIN uptime_report_progress AS progress ON progress.report_id = report.report_id
         WHERE ($1::uuid IS NULL OR report.report_id = $1)
           AND ($2::timestamptz IS NULL OR (report.requested_at, report.report_id) < ($2, $3::uuid))
           AND NOT ($6 AND report.for_lists)
         ORDER BY report.requested_at DESC, report.report_id DESC
         LIMIT $4
        """,
        report_id,
        before[0] if before else None,
        before[1] if before else None,
        limit,
        MAX_RUNNING_PROGRESS,
        without_lists,
    )
    return [Report(**row) for row in rows]
