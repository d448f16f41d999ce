"""SQL that deletes old reports, polls and imports. Each call deletes a batch; zero means that nothing is left."""

from datetime import timedelta

from common.db.locks import STORE_IMPORT_LOCK
from common.db.pool import Executor
from dashboard.uptime.queries.stores import POLL_COVERAGE

KEPT_REPORTS = 10
"""So many of the newest reports are kept, however old they are."""


async def delete_old_reports(db: Executor, keep: timedelta, limit: int) -> int:
    """Delete reports that were requested longer than `keep` ago, the oldest first, but not the newest ten.

    limit: the rows to delete at the most, except that one report is deleted as a whole. Returns how many rows were
    deleted, each report counting as one more. Running reports stay.
    """
    return await db.fetchval(
        """
        WITH ranked AS (
            SELECT report_id, status, requested_at, coalesce(stores, 0) + 1 AS rows,
                   row_number() OVER (ORDER BY requested_at DESC, report_id DESC) AS age
              FROM uptime_report
        ), old AS (
            SELECT report_id, rows, sum(rows) OVER (ORDER BY requested_at, report_id) AS rows_so_far
              FROM ranked
             WHERE age > $3 AND status <> 'running' AND requested_at < statement_timestamp() - $1::interval
        ), deleted AS (
            DELETE FROM uptime_report
             USING old
             WHERE uptime_report.report_id = old.report_id AND (rows_so_far <= $2 OR rows_so_far = rows)
            RETURNING rows
        )
        SELECT coalesce(sum(rows), 0)::bigint FROM deleted
        """,
        keep,
        limit,
        KEPT_REPORTS,
    )


async def delete_old_polls(db: Executor, keep: timedelta, limit: int) -> int:
    """Delete polls that are older than `keep` before the newest poll of their store; returns how many were deleted.

    Before that, the figures of their days are stored in store_day. limit: no further store is begun after so many.
    """
    return await db.fetchval(
        "SELECT roll_up_polls($1, $2, $3, $4, statement_timestamp())", keep, limit, POLL_COVERAGE, STORE_IMPORT_LOCK
    )


async def delete_old_imports(db: Executor, keep: timedelta, limit: int) -> int:
    """Delete up to `limit` records of imports that ended longer than `keep` ago; returns how many were deleted.

    The last one that changed any data stays: it is the version of the data.
    """
    status = await db.execute(
        """
        DELETE FROM store_import
         WHERE import_id IN (
            SELECT import_id
              FROM store_import
             WHERE finished_at < statement_timestamp() - $1::interval
               AND import_id <> coalesce((SELECT max(import_id) FROM store_import WHERE changed), 0)
             ORDER BY import_id
             LIMIT $2
         )
        """,
        keep,
        limit,
    )
    return int(status.split()[-1])
