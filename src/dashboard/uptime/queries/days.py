"""SQL of the kept figures of local days: they are made by a job, and added up for months and quarters."""

from datetime import datetime, timedelta
from decimal import Decimal

from common.db.locks import STORE_IMPORT_LOCK
from common.db.pool import Executor
from dashboard.uptime.models.fleet import DaySpan, SlaSummary, StoreUptime, WantedStores
from dashboard.uptime.queries.stores import POLL_COVERAGE

DAYS_SETTLE = timedelta(hours=6)
"""A local day is counted so long after its end, when late polls have usually come."""
DAYS_AFTER_POLLS = timedelta(hours=48)
"""Days are counted until so long after the newest poll of the fleet; nobody knows anything of later ones."""


async def select_settled(db: Executor, now: datetime) -> datetime | None:
    """The instant before which days are counted; None without any poll."""
    return await db.fetchval(
        "SELECT least($1::timestamptz - $2::interval, newest_poll($1) + $3::interval)",
        now,
        DAYS_SETTLE,
        DAYS_AFTER_POLLS,
    )


async def make_recent_days(db: Executor, stores: int, settled: datetime, now: datetime) -> int:
    """Make the figures of the days that are over by `settled`, of up to so many stores that lack them.

    Returns of how many.
    """
    return await db.fetchval(
        "SELECT make_recent_days($1, $2, $3, $4, $5)", stores, POLL_COVERAGE, STORE_IMPORT_LOCK, settled, now
    )


async def select_has_days_to_make(db: Executor, settled: datetime) -> bool:
    """Whether a store lacks figures of days that are over by `settled`."""
    return await db.fetchval("SELECT EXISTS (SELECT FROM stores_with_days_to_make($1))", settled)


async def select_sla_of_days(db: Executor, span: DaySpan, target: Decimal, now: datetime) -> SlaSummary:
    """How many stores were open on local days, and how many of them were up for less than the target."""
    row = await db.fetchrow(
        """
        SELECT count(*) FILTER (WHERE open > 0) AS stores,
               count(*) FILTER (WHERE up < open * $3::numeric) AS breaches,
               coalesce(sum(incidents), 0)::bigint AS incidents,
               CASE WHEN min(through) >= $1::date THEN min(through) END AS through
          FROM (
            SELECT extract(epoch FROM open_time) AS open, extract(epoch FROM uptime) AS up, incidents, through
              FROM fleet_days($1, $2, $4, $5)
          ) AS measured
        """,
        span.first,
        span.last,
        target,
        POLL_COVERAGE,
        now,
    )
    assert row is not None
    return SlaSummary(target=target, start=span.first, end=span.last, **row)


async def select_store_uptimes_of_days(
    db: Executor, span: DaySpan, wanted: WantedStores, after: tuple[float | None, str] | None, limit: int, now: datetime
) -> list[StoreUptime]:
    """A page of the stores polled so far, with their uptime on local days; as `select_store_uptimes` of a report."""
    rows = await db.fetch(
        """
        WITH measured AS (
            SELECT store_id, extract(epoch FROM open_time) AS open, extract(epoch FROM uptime) AS up
              FROM fleet_days($1, $2, $8, $9)
        ), ranked AS (
            SELECT store_id, up::float8 AS up, (open - up)::float8 AS down, share,
                   CASE $3 WHEN 'downtime' THEN -(open - up)::float8 WHEN 'uptime' THEN coalesce(share, 2) ELSE 0
                   END AS rank
              FROM measured
             CROSS JOIN LATERAL (SELECT up::float8 / nullif(open, 0)::float8 AS share) AS quotient
             WHERE $4::numeric IS NULL OR up < open * $4
        ), page AS MATERIALIZED (
            SELECT *
              FROM ranked
             WHERE ($10::text[] IS NULL OR store_id = ANY($10))
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
        span.first,
        span.last,
        wanted.order,
        wanted.below,
        after[0] if after else None,
        after[1] if after else None,
        limit,
        POLL_COVERAGE,
        now,
        wanted.among,
    )
    return [StoreUptime(**row) for row in rows]
