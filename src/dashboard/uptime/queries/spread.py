"""SQL of the page of the fleet: how its shares of uptime are spread, and its stores, worst first.

The bands and the weeks of stores are functions of the database: uptime_views_fleet.sql.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from common.db.pool import Executor
from dashboard.uptime.models.fleet import (
    BANDS,
    BandCount,
    FleetDay,
    FleetPosition,
    FleetStore,
    LastIncident,
    MeasuredShares,
    Period,
    WantedFleet,
)
from dashboard.uptime.models.stores import StoreState
from dashboard.uptime.queries.stores import POLL_COVERAGE

DAY = timedelta(hours=24)


async def select_measured_shares(
    db: Executor, report_id: UUID | None, period: Period, target: Decimal
) -> MeasuredShares:
    """How the shares of a report are spread; nothing is measured without one."""
    row = await db.fetchrow(
        """
        WITH measured AS MATERIALIZED (
            SELECT band, up, open, CASE WHEN band <> 'no_data' THEN up / nullif(open, 0) END AS share
              FROM report_bands($1, $2)
        )
        SELECT count(share) AS measured,
               count(share) FILTER (WHERE up::numeric < open::numeric * $3::numeric) AS breaches,
               percentile_cont(ARRAY[0.05, 0.5]) WITHIN GROUP (ORDER BY share) AS quantiles,
               array(SELECT (band, count(*)) FROM measured GROUP BY band) AS bands
          FROM measured
        """,
        report_id,
        period,
        target,
    )
    assert row is not None
    stores = dict(tuple(each) for each in row["bands"])
    bands = [
        BandCount(band, ends[0] if ends else None, ends[1] if ends else None, stores.get(band, 0))
        for band, ends in BANDS.items()
    ]
    p5, p50 = row["quantiles"] or (None, None)
    return MeasuredShares(row["measured"], row["breaches"], p5, p50, bands)


async def select_fleet_stores(
    db: Executor,
    period: Period,
    wanted: WantedFleet,
    start: FleetPosition,
    limit: int,
    now: datetime,
    states: Mapping[str, StoreState],
) -> tuple[list[tuple[FleetStore, FleetPosition]], int]:
    """A page of the fleet, each store with its position, and how many stores there are from its first one on.

    The least share is first, then the most downtime, then by id.

    Stores without a share follow: those that nobody observed in the period, those that were not open, and last those
    that are not in the report. The share and the days of a store are of one computation, which reads the polls of the
    page alone.
    """
    rows = await db.fetch(
        """
        WITH measured AS MATERIALIZED ( -- joined as a whole, whatever the filters let the planner expect
            SELECT * FROM report_bands($1, $2)
        ), ranked AS (
            SELECT store.store_id,
                   measured.band,
                   measured.up,
                   measured.open,
                   CASE WHEN measured.band IS NULL THEN 4
                        WHEN measured.band = 'not_open' THEN 3
                        WHEN measured.band = 'no_data' THEN 2
                        ELSE measured.up / measured.open
                   END AS rank,
                   CASE WHEN measured.band NOT IN ('no_data', 'not_open') THEN measured.open - measured.up ELSE 0
                   END AS downtime
              FROM store
              LEFT JOIN measured ON measured.store_id = store.store_id
             WHERE ($6::text[] IS NULL OR store.store_id = ANY($6))
               AND ($7::text IS NULL
                    OR strpos(lower(store.store_id COLLATE pg_c_utf8), lower($7 COLLATE pg_c_utf8)) > 0
                    OR strpos(lower(zone_of(store.timezone) COLLATE pg_c_utf8), lower($7 COLLATE pg_c_utf8)) > 0
                    OR strpos(lower(store.store_group COLLATE pg_c_utf8), lower($7 COLLATE pg_c_utf8)) > 0)
        ), page AS MATERIALIZED (
            SELECT *, count(*) OVER () AS left_over
              FROM ranked
             WHERE CASE WHEN $5::text IS NULL THEN TRUE
                        WHEN $5 = 'missed' THEN rank <= 1 AND up::numeric < open::numeric * $4::numeric
                        ELSE band = $5
                   END
               AND ($8::float8 IS NULL OR (rank, -downtime, store_id) > ($8, -$9::float8, $10::text))
             ORDER BY rank, downtime DESC, store_id
             LIMIT $11
        )
        SELECT page.store_id,
               page.band,
               page.rank,
               page.downtime,
               page.left_over,
               page.rank <= 1 AND page.up::numeric < page.open::numeric * $4::numeric AS misses_target,
               zone_of(store.timezone) AS timezone, store.store_group, weeks.*,
               CASE WHEN store.last_polled_at <= $12 THEN store.last_polled_at
                    ELSE (SELECT max(polled_at) FROM store_poll WHERE store_id = page.store_id AND polled_at <= $12)
               END AS last_polled_at,
               report.as_of
          FROM page
          JOIN store ON store.store_id = page.store_id
          LEFT JOIN uptime_report AS report ON report.report_id = $1
          LEFT JOIN store_weeks(
                 array(
                     SELECT page.store_id
                       FROM page
                       JOIN uptime_report AS report ON report.report_id = $1 AND report.as_of IS NOT NULL
                 ),
                 (SELECT as_of FROM uptime_report WHERE report_id = $1),
                 $3,
                 $12
               ) AS weeks (
                 week_of, open, up, observed, hour_open, hour_up, hour_observed,
                 incident_start, incident_end, incident_down, is_cut, is_ongoing
               )
            ON weeks.week_of = page.store_id
         ORDER BY rank, downtime DESC, page.store_id
        """,
        start.report_id,
        period,
        POLL_COVERAGE,
        wanted.target,
        wanted.band,
        wanted.among,
        wanted.search,
        start.rank,
        start.downtime,
        start.store_id,
        limit,
        now,
    )
    found = [
        (_store(row, period, states), FleetPosition(start.report_id, row["rank"], row["downtime"], row["store_id"]))
        for row in rows
    ]
    return found, rows[0]["left_over"] if rows else 0


def _store(row: Any, period: Period, states: Mapping[str, StoreState]) -> FleetStore:
    """A row as the page shows it."""
    days = []
    up = down = observed = None
    if row["week_of"] is not None:
        parts = zip(row["open"], row["up"], row["observed"], strict=True)
        days = [FleetDay(row["as_of"] - (7 - number) * DAY, *part) for number, part in enumerate(parts)]
        if row["band"] not in (None, "no_data"):
            chosen = [(day.open_seconds, day.up_seconds, day.observed_seconds) for day in days]
            chosen = {
                "hour": [(row["hour_open"], row["hour_up"], row["hour_observed"])],
                "day": chosen[-1:],
                "week": chosen,
            }[period]
            opened, up, observed = (sum(each) for each in zip(*chosen, strict=True))
            down = opened - up
    incident = None
    if row["incident_start"] is not None:
        incident = LastIncident(
            row["incident_start"],
            None if row["is_ongoing"] else row["incident_end"],
            row["incident_down"],
            row["is_cut"],
        )
    return FleetStore(
        store_id=row["store_id"],
        timezone=row["timezone"],
        group=row["store_group"],
        state=states.get(row["store_id"], "never_polled"),
        last_polled_at=row["last_polled_at"],
        uptime_seconds=up,
        downtime_seconds=down,
        observed_seconds=observed,
        uptime_share=up / (up + down) if up is not None and down is not None and up + down > 0 else None,
        band=row["band"],
        misses_target=row["misses_target"],
        last_incident=incident,
        days=days,
    )
