"""SQL of the latest report on the fleet: the stores by downtime or share of uptime, and those that miss a target.

A target is compared with the exact durations, never with a share, which is rounded.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from common.db.pool import Executor
from dashboard.uptime.models.fleet import FleetMark, Period, SlaSummary, StoreUptime, WantedStores
from dashboard.uptime.models.reports import Report
from dashboard.uptime.queries.reports import select_report


async def select_latest_report(db: Executor) -> Report | None:
    """The complete report of the newest data as of its newest poll; if there are several, the one requested last."""
    report_id = await db.fetchval(
        """
        SELECT report_id
          FROM uptime_report
         WHERE status = 'complete' AND as_of IS NOT NULL AND requested_as_of IS NULL AND selection = ''
         ORDER BY data_version DESC, as_of DESC, requested_at DESC
         LIMIT 1
        """
    )
    return await select_report(db, report_id) if report_id else None


async def delete_replaced_reports(db: Executor, keep: timedelta) -> None:
    """Delete the reports for lists but the latest complete one, if they ended longer than `keep` ago.

    Until then the pages that follow a first one can be fetched.
    """
    await db.execute(
        """
        DELETE FROM uptime_report
         WHERE for_lists
           AND finished_at < statement_timestamp() - $1::interval
           AND report_id <> coalesce(
               (
                   SELECT report_id
                     FROM uptime_report
                    WHERE for_lists AND status = 'complete'
                    ORDER BY data_version DESC, as_of DESC, requested_at DESC
                    LIMIT 1
               ),
               '00000000-0000-0000-0000-000000000000'
           )
        """,
        keep,
    )


async def select_store_uptimes(
    db: Executor,
    report_id: UUID,
    period: Period,
    wanted: WantedStores,
    after: tuple[float | None, str] | None,
    limit: int,
    now: datetime,
) -> list[StoreUptime]:
    """A page of the stores of a report, each with its state now.

    after: the position of the last store of the previous page: its sort value (seconds of downtime, or share of uptime;
    any number when ordered by id) and its id.
    """
    rows = await db.fetch(
        """
        WITH measured AS (
            SELECT store_id,
                   extract(epoch FROM CASE $2 WHEN 'hour' THEN uptime_last_hour WHEN 'day' THEN uptime_last_day
                                              ELSE uptime_last_week END) AS up,
                   extract(epoch FROM CASE $2 WHEN 'hour' THEN downtime_last_hour WHEN 'day' THEN downtime_last_day
                                              ELSE downtime_last_week END) AS down
              FROM uptime_report_row
             WHERE report_id = $1
        ), ranked AS (
            SELECT store_id, up::float8 AS up, down::float8 AS down, share,
                   CASE $3 WHEN 'downtime' THEN -down::float8 WHEN 'uptime' THEN coalesce(share, 2) ELSE 0 END AS rank
              FROM measured
             CROSS JOIN LATERAL (SELECT up::float8 / nullif(up + down, 0)::float8 AS share) AS quotient
             WHERE $4::numeric IS NULL OR up < (up + down) * $4
        ), page AS MATERIALIZED (
            SELECT *
              FROM ranked
             WHERE ($8::text[] IS NULL OR store_id = ANY($8))
               AND ($6::text IS NULL OR (rank, store_id) > (
                   CASE $3 WHEN 'downtime' THEN -$5::float8 WHEN 'uptime' THEN coalesce($5::float8, 2) ELSE 0 END, $6
               ))
             ORDER BY rank, store_id
             LIMIT $7
        )
        SELECT page.store_id,
               zone_of(store.timezone) AS timezone,
               up AS uptime_seconds,
               down AS downtime_seconds,
               share AS uptime_share,
               states.state
          FROM page
          JOIN store ON store.store_id = page.store_id
          JOIN store_states(array(SELECT page.store_id FROM page), $9) AS states ON states.store_id = page.store_id
         ORDER BY rank, page.store_id
        """,
        report_id,
        period,
        wanted.order,
        wanted.below,
        after[0] if after else None,
        after[1] if after else None,
        limit,
        wanted.among,
        now,
    )
    return [StoreUptime(**row) for row in rows]


async def select_sla_summary(db: Executor, report_id: UUID, period: Period, target: Decimal) -> SlaSummary:
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


async def select_fleet_mark(db: Executor) -> FleetMark:
    """The stores that were ever polled, and the imports and the report that what is known of them depends on."""
    row = await db.fetchrow(
        """
        SELECT (SELECT count(*) FROM store WHERE first_polled_at IS NOT NULL) AS stores,
               (SELECT max(import_id) FROM store_import WHERE changed) AS version,
               (SELECT max(finished_at) FROM uptime_report WHERE status = 'complete' AND selection = '') AS reported_at
        """
    )
    assert row is not None
    return FleetMark(*row)
