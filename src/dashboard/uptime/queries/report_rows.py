"""SQL of the content of reports: their rows, as the source has them, and the details that full columns need."""

from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from common.db.locks import UPTIME_REPORT_LOCK
from common.db.pool import Connection, Executor
from common.tables import FORMULA_BEGINS, NUMBER
from dashboard.uptime.models.reports import ReportColumns
from dashboard.uptime.queries.reports import window_lengths
from dashboard.uptime.queries.stores import POLL_COVERAGE

Sink = Callable[[bytes], Coroutine[Any, Any, None]]


_FIGURES = """round(extract(epoch FROM exact.uptime_last_hour) / 60, 2) AS uptime_last_hour,
           round(extract(epoch FROM exact.uptime_last_day) / 3600, 2) AS uptime_last_day,
           round(extract(epoch FROM exact.uptime_last_week) / 3600, 2) AS uptime_last_week,
           round(extract(epoch FROM exact.downtime_last_hour) / 60, 2) AS downtime_last_hour,
           round(extract(epoch FROM exact.downtime_last_day) / 3600, 2) AS downtime_last_day,
           round(extract(epoch FROM exact.downtime_last_week) / 3600, 2) AS downtime_last_week"""
"""The figures of a report as `ReportRow` has them; halves are rounded away from zero."""


def _share(period: str) -> str:
    """SQL for the share of the open time of a period in which a store was up, in per cent."""
    return f"""round(
               100 * extract(epoch FROM exact.uptime_last_{period})
               / nullif(extract(epoch FROM exact.uptime_last_{period} + exact.downtime_last_{period}), 0), 2
           ) AS uptime_percent_last_{period}"""


def _source_rows(store_id: str = "exact.store_id") -> str:
    """SQL for the rows of a report, in the byte order of the ids. store_id: the expression for the id."""
    return f"""
    SELECT {store_id} AS store_id,
           {_FIGURES}
      FROM uptime_report_row AS exact
     WHERE exact.report_id = $1
     ORDER BY exact.store_id
"""  # noqa: S608 - expressions of this module


def _full_rows(
    store_id: str = "exact.store_id",
    group: str = "detail.store_group",
    timezone_is_default: str = "detail.timezone IS NULL",
) -> str:
    """SQL for the rows of a report with all columns, in the byte order of the ids; the arguments are expressions."""
    return f"""
    SELECT {store_id} AS store_id,
           {_FIGURES},
           {_share("hour")},
           {_share("day")},
           {_share("week")},
           round(detail.coverage_last_hour * 100, 2) AS coverage_percent_last_hour,
           round(detail.coverage_last_day * 100, 2) AS coverage_percent_last_day,
           round(detail.coverage_last_week * 100, 2) AS coverage_percent_last_week,
           zone_of(detail.timezone) AS timezone,
           {timezone_is_default} AS timezone_is_default,
           {group} AS "group",
           detail.state
      FROM uptime_report_row AS exact
      JOIN uptime_report_detail AS detail ON detail.report_id = $1 AND detail.store_id = exact.store_id
     WHERE exact.report_id = $1
     ORDER BY exact.store_id
"""  # noqa: S608 - expressions of this module


def neutralised_sql(expression: str) -> str:
    """SQL for a text as `common.tables.neutralised` makes it."""
    begins = ", ".join(f"chr({ord(character)})" for character in FORMULA_BEGINS)
    return f"""CASE WHEN left({expression}, 1) IN ({begins}) AND {expression} !~ '^({NUMBER.pattern})$'
                    THEN '''' || {expression}
                ELSE {expression}
           END"""


def _safe_rows_of(columns: ReportColumns) -> str:
    """The rows for spreadsheets: ids and groups are not taken for formulas, and booleans are words."""
    store_id = neutralised_sql("exact.store_id")
    if columns == "source":
        return _source_rows(store_id)
    return _full_rows(store_id, neutralised_sql("detail.store_group"), "(detail.timezone IS NULL)::text")


def _rows_of(columns: ReportColumns) -> str:
    return _full_rows() if columns == "full" else _source_rows()


async def copy_report_rows(db: Connection, report_id: UUID, columns: ReportColumns, output: Sink) -> None:
    """Copy the rows of a report to `output` as CSV without a header, safe to open in a spreadsheet."""
    await db.copy_from_query(_safe_rows_of(columns), report_id, output=output, format="csv")


async def copy_exact_report_rows(db: Connection, report_id: UUID, columns: ReportColumns, output: Sink) -> None:
    """Copy the rows of a report to `output` as CSV without a header, with the ids as they are."""
    await db.copy_from_query(_rows_of(columns), report_id, output=output, format="csv")


async def copy_report_objects(db: Connection, report_id: UUID, columns: ReportColumns, output: Sink) -> None:
    """Copy the rows of a report as JSON objects, one per line, in COPY's text format, which doubles backslashes."""
    statement = f"SELECT row_to_json(line) FROM ({_rows_of(columns)}) AS line"  # noqa: S608 - both parts are constants
    await db.copy_from_query(statement, report_id, output=output)


async def select_has_details(db: Executor, report_id: UUID) -> bool:
    """Whether the details of a report are there."""
    return bool(await db.fetchval("SELECT detailed_at IS NOT NULL FROM uptime_report WHERE report_id = $1", report_id))


async def select_wants_details(db: Executor, report_id: UUID) -> bool:
    """Whether a report was requested with its details."""
    return bool(await db.fetchval("SELECT with_details FROM uptime_report WHERE report_id = $1", report_id))


async def lock_report_details(db: Connection, report_id: UUID) -> None:
    """Let no other transaction fill the details of a report until this one ends; waits while another does."""
    await db.execute("SELECT pg_advisory_xact_lock($1, uuid_hash($2))", UPTIME_REPORT_LOCK, report_id)


async def insert_report_details(
    db: Executor, report_id: UUID, as_of: datetime, known: datetime, stores: Sequence[str]
) -> None:
    """Insert the details of a report on some of its stores: coverage, state, time zone and group, for full columns.

    known: polls after it are ignored, as in the rows; the state is the one at that instant.
    """
    await db.execute(
        f"""
        INSERT INTO uptime_report_detail (
            report_id, store_id, timezone, store_group, state,
            coverage_last_hour, coverage_last_day, coverage_last_week
        )
        SELECT $1, store.store_id, store.timezone, store.store_group, states.state,
               extract(epoch FROM seen.last_hour) / nullif(extract(epoch FROM whole.last_hour), 0),
               extract(epoch FROM seen.last_day) / nullif(extract(epoch FROM whole.last_day), 0),
               extract(epoch FROM seen.last_week) / nullif(extract(epoch FROM whole.last_week), 0)
          FROM (
            SELECT $2::timestamptz - INTERVAL '1 hour' AS hour,
                   $2::timestamptz - INTERVAL '24 hours' AS day,
                   $2::timestamptz - INTERVAL '168 hours' AS week
          ) AS since
         CROSS JOIN LATERAL open_time($3, since.week, $2) AS hours
          JOIN store ON store.store_id = hours.store_id
          JOIN store_states($3, $5) AS states ON states.store_id = hours.store_id
         CROSS JOIN LATERAL (
            SELECT hours.open * tstzmultirange(tstzrange(since.week, $2)) AS open OFFSET 0
          ) AS cut
         CROSS JOIN LATERAL (
            SELECT cut.open - unobserved(hours.store_id, cut.open, $4, $5) AS covered OFFSET 0
          ) AS observed
         CROSS JOIN LATERAL ({window_lengths("observed.covered")}) AS seen
         CROSS JOIN LATERAL ({window_lengths("cut.open")}) AS whole
         ORDER BY store.store_id
        """,  # noqa: S608 - names of columns
        report_id,
        as_of,
        stores,
        POLL_COVERAGE,
        known,
    )


async def select_report_known(db: Executor, report_id: UUID) -> datetime:
    """The instant after which the rows of a complete report ignore polls."""
    return await db.fetchval("SELECT known_until FROM uptime_report WHERE report_id = $1", report_id)


async def select_report_stores(db: Executor, report_id: UUID) -> list[str]:
    """The ids of the stores that have a row in a report, in order."""
    rows = await db.fetch("SELECT store_id FROM uptime_report_row WHERE report_id = $1 ORDER BY store_id", report_id)
    return [row["store_id"] for row in rows]


async def update_report_detailed(db: Executor, report_id: UUID) -> None:
    await db.execute("UPDATE uptime_report SET detailed_at = clock_timestamp() WHERE report_id = $1", report_id)
