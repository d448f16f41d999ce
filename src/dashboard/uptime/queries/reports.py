"""SQL of the reports. The function `store_status` (migrations/functions/uptime.sql) defines uptime."""

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any
from uuid import UUID

from common.db.locks import UPTIME_REPORT_LOCK
from common.db.pool import Connection, Executor
from dashboard.uptime.models import Report

Sink = Callable[[bytes], Coroutine[Any, Any, None]]

EXPECTED_SECONDS = 3.0
"""The usual duration of a report, from which its progress is estimated."""


async def upsert_report(db: Executor, report_id: UUID, as_of: datetime | None) -> UUID:
    """Request a report; returns `report_id`, or the id of a running report with the same `as_of` and data version.

    Repeated when another request was inserted at the same time, which the statement's snapshot does not show.
    """
    requested_id = None
    while requested_id is None:
        requested_id = await db.fetchval(
            """
            WITH data AS (
                SELECT coalesce(max(import_id) FILTER (WHERE changed), 0) AS version FROM store_import
            ), made AS (
                INSERT INTO uptime_report (report_id, requested_as_of, requested_version)
                SELECT $1, $2, version FROM data
                ON CONFLICT (requested_version, (coalesce(requested_as_of, '-infinity'::timestamptz)))
                      WHERE status = 'running'
                DO NOTHING
                RETURNING report_id
            )
            SELECT report_id FROM made
             UNION ALL
            SELECT report_id
              FROM uptime_report
              JOIN data ON version = requested_version
             WHERE status = 'running'
               AND coalesce(requested_as_of, '-infinity'::timestamptz) = coalesce($2, '-infinity'::timestamptz)
            """,
            report_id,
            as_of,
        )
    return requested_id


async def select_running_reports(db: Executor) -> list[UUID]:
    """The reports that are neither complete nor failed, oldest request first."""
    rows = await db.fetch("SELECT report_id FROM uptime_report WHERE status = 'running' ORDER BY requested_at")
    return [row["report_id"] for row in rows]


async def claim_report(db: Connection, report_id: UUID) -> bool:
    """Claim a report until the transaction ends; False if another process is making it.

    PostgreSQL ends the claim when the process dies, and the report can be made again.
    """
    return await db.fetchval("SELECT pg_try_advisory_xact_lock($1, uuid_hash($2))", UPTIME_REPORT_LOCK, report_id)


async def update_report_attempt(db: Executor, report_id: UUID) -> int | None:
    """Count an attempt at a report and return the number; None if the report is not running."""
    return await db.fetchval(
        """
        UPDATE uptime_report
           SET attempts = attempts + 1
         WHERE report_id = $1 AND status = 'running'
        RETURNING attempts
        """,
        report_id,
    )


async def raise_work_memory(db: Executor) -> None:
    """Let this transaction keep the open time of all stores in memory."""
    await db.execute("SELECT set_config('work_mem', '64MB', true)")


def _window_lengths(ranges: str) -> str:
    """SQL for the lengths of a multirange in the last hour, day and week. ranges: a column, within the week."""
    return f"""
                SELECT coalesce(sum(upper(part) - lower(part)), '0') AS last_week,
                       coalesce(sum(upper(part) - greatest(lower(part), since.day))
                           FILTER (WHERE upper(part) > since.day), '0') AS last_day,
                       coalesce(sum(upper(part) - greatest(lower(part), since.hour))
                           FILTER (WHERE upper(part) > since.hour), '0') AS last_hour
                  FROM unnest({ranges}) AS part
    """  # noqa: S608 - the name of a column


async def complete_report(db: Executor, report_id: UUID) -> int:
    """Insert the rows of a report and mark it complete; returns the number of stores.

    One statement is one snapshot, so the rows and `data_version` are of one state of the data. Hours are elapsed time.
    Without a requested `as_of` it is the newest poll; without any poll there are no rows.
    """
    return await db.fetchval(
        f"""
        WITH state AS MATERIALIZED (
            SELECT coalesce(
                       (SELECT requested_as_of FROM uptime_report WHERE report_id = $1),
                       (SELECT max(last_polled_at) FROM store)
                   ) AS as_of,
                   (SELECT coalesce(max(import_id) FILTER (WHERE changed), 0) FROM store_import) AS data_version
        ), made AS (
            INSERT INTO uptime_report_row (
                report_id, store_id,
                uptime_last_hour, uptime_last_day, uptime_last_week,
                downtime_last_hour, downtime_last_day, downtime_last_week
            )
            SELECT $1, status.store_id,
                   up.last_hour, up.last_day, up.last_week,
                   open.last_hour - up.last_hour, open.last_day - up.last_day, open.last_week - up.last_week
              FROM (
                SELECT as_of,
                       as_of - INTERVAL '1 hour' AS hour,
                       as_of - INTERVAL '24 hours' AS day,
                       as_of - INTERVAL '168 hours' AS week
                  FROM state
              ) AS since
             CROSS JOIN LATERAL store_status(NULL, since.week, since.as_of) AS status
             CROSS JOIN LATERAL ({_window_lengths("status.open")}) AS open
             CROSS JOIN LATERAL ({_window_lengths("status.up")}) AS up
             ORDER BY status.store_id
            RETURNING 1
        )
        UPDATE uptime_report
           SET status = 'complete',
               as_of = state.as_of,
               data_version = state.data_version,
               stores = (SELECT count(*) FROM made),
               finished_at = clock_timestamp()
          FROM state
         WHERE report_id = $1
        RETURNING stores
        """,  # noqa: S608 - names of columns
        report_id,
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
    return reports[0] if reports else None


async def select_reports(
    db: Executor, report_id: UUID | None, before: tuple[datetime, UUID] | None, limit: int
) -> list[Report]:
    """Reports, latest first: one, or those before a position of (requested_at, report_id)."""
    rows = await db.fetch(
        """
        SELECT report_id::text AS report_id,
               initcap(status) AS status,
               CASE WHEN status = 'running' THEN round(least(
                        0.95, extract(epoch FROM clock_timestamp() - requested_at) / $5::float8
                    )::numeric, 2)::float8
                    ELSE 1
               END AS progress,
               requested_at, finished_at, requested_as_of, as_of, data_version, stores, reason
          FROM uptime_report
         WHERE ($1::uuid IS NULL OR report_id = $1)
           AND ($2::timestamptz IS NULL OR (requested_at, uptime_report.report_id) < ($2, $3::uuid))
         ORDER BY requested_at DESC, uptime_report.report_id DESC
         LIMIT $4
        """,
        report_id,
        before[0] if before else None,
        before[1] if before else None,
        limit,
        EXPECTED_SECONDS,
    )
    return [Report(**row) for row in rows]


_REPORT_ROWS = """
    SELECT store_id,
           round(extract(epoch FROM uptime_last_hour) / 60, 2) AS uptime_last_hour,
           round(extract(epoch FROM uptime_last_day) / 3600, 2) AS uptime_last_day,
           round(extract(epoch FROM uptime_last_week) / 3600, 2) AS uptime_last_week,
           round(extract(epoch FROM downtime_last_hour) / 60, 2) AS downtime_last_hour,
           round(extract(epoch FROM downtime_last_day) / 3600, 2) AS downtime_last_day,
           round(extract(epoch FROM downtime_last_week) / 3600, 2) AS downtime_last_week
      FROM uptime_report_row
     WHERE report_id = $1
     ORDER BY store_id
"""
"""The rows of a report as `ReportRow` has them, in the byte order of `store_id`; halves are rounded away from zero."""


async def copy_report_rows(db: Connection, report_id: UUID, output: Sink) -> None:
    """Copy the rows of a report to `output` as CSV without a header."""
    await db.copy_from_query(_REPORT_ROWS, report_id, output=output, format="csv")


async def copy_report_objects(db: Connection, report_id: UUID, output: Sink) -> None:
    """Copy the rows of a report as JSON objects, one per line, in COPY's text format, which doubles backslashes."""
    statement = f"SELECT row_to_json(line) FROM ({_REPORT_ROWS}) AS line"  # noqa: S608 - both parts are constants
    await db.copy_from_query(statement, report_id, output=output)
