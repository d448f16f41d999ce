"""SQL of the latest report on the fleet: the stores by downtime or share of uptime, and those that miss a target."""

from dataclasses import dataclass
from uuid import UUID

from common.db.pool import Executor
from dashboard.uptime.models import Period, Report, SlaSummary, StoreOrder, StoreUptime
from dashboard.uptime.queries.reports import select_report


async def select_latest_report(db: Executor) -> Report | None:
    """The complete report of the newest data as of its newest poll; if there are several, the one requested last."""
    report_id = await db.fetchval(
        """
        SELECT report_id
          FROM uptime_report
         WHERE status = 'complete' AND as_of IS NOT NULL AND requested_as_of IS NULL
         ORDER BY data_version DESC, requested_at DESC
         LIMIT 1
        """
    )
    return await select_report(db, report_id) if report_id else None


@dataclass(frozen=True)
class StoreSelection:
    """Stores of a report, ordered by id, by most downtime or by least share of uptime; then by id.

    below: only stores whose share of uptime in the period is less.
    """

    report_id: UUID
    period: Period
    order: StoreOrder
    below: float | None = None


async def select_store_uptimes(
    db: Executor, selection: StoreSelection, after: tuple[float | None, str] | None, limit: int
) -> list[StoreUptime]:
    """A page of the selected stores.

    after: the position of the last store of the previous page: its sort value (seconds of downtime, or share of uptime;
    any number when ordered by id) and its id.
    """
    rows = await db.fetch(
        """
        WITH measured AS (
            SELECT store_id,
                   extract(epoch FROM CASE $2 WHEN 'hour' THEN uptime_last_hour WHEN 'day' THEN uptime_last_day
                                              ELSE uptime_last_week END)::float8 AS up,
                   extract(epoch FROM CASE $2 WHEN 'hour' THEN downtime_last_hour WHEN 'day' THEN downtime_last_day
                                              ELSE downtime_last_week END)::float8 AS down
              FROM uptime_report_row
             WHERE report_id = $1
        ), ranked AS (
            SELECT store_id, up, down, up / nullif(up + down, 0) AS share,
                   CASE $3 WHEN 'downtime' THEN -down WHEN 'uptime' THEN coalesce(up / nullif(up + down, 0), 2) ELSE 0
                   END AS rank
              FROM measured
        )
        SELECT ranked.store_id,
               coalesce(store.timezone, 'America/Chicago') AS timezone,
               up AS uptime_seconds,
               down AS downtime_seconds,
               share AS uptime_share
          FROM ranked
          JOIN store ON store.store_id = ranked.store_id
         WHERE ($4::float8 IS NULL OR share < $4)
           AND ($6::text IS NULL OR (rank, ranked.store_id) > (
               CASE $3 WHEN 'downtime' THEN -$5::float8 WHEN 'uptime' THEN coalesce($5::float8, 2) ELSE 0 END, $6
           ))
         ORDER BY rank, ranked.store_id
         LIMIT $7
        """,
        selection.report_id,
        selection.period,
        selection.order,
        selection.below,
        after[0] if after else None,
        after[1] if after else None,
        limit,
    )
    return [StoreUptime(**row) for row in rows]


async def select_sla_summary(db: Executor, report_id: UUID, period: Period, target: float) -> SlaSummary:
    """How many stores of a report were open in the period, and how many of them were up for less than the target."""
    row = await db.fetchrow(
        """
        WITH measured AS (
            SELECT extract(epoch FROM CASE $2 WHEN 'hour' THEN uptime_last_hour WHEN 'day' THEN uptime_last_day
                                              ELSE uptime_last_week END) AS up,
                   extract(epoch FROM CASE $2 WHEN 'hour' THEN downtime_last_hour WHEN 'day' THEN downtime_last_day
                                              ELSE downtime_last_week END) AS down
              FROM uptime_report_row
             WHERE report_id = $1
        )
        SELECT report.report_id::text AS report_id,
               report.as_of,
               count(measured.up) FILTER (WHERE up + down > 0) AS stores,
               count(measured.up) FILTER (WHERE up < (up + down) * $3::numeric) AS breaches
          FROM uptime_report AS report
          LEFT JOIN measured ON TRUE
         WHERE report.report_id = $1
         GROUP BY report.report_id, report.as_of
        """,
        report_id,
        period,
        target,
    )
    assert row is not None
    return SlaSummary(**row, period=period, target=target)
