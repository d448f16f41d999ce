"""SQL of single stores and of the collector: timeline, incidents, coverage, gaps."""

from datetime import datetime, timedelta

from common.db.pool import Executor
from dashboard.uptime.models import Coverage, Gap, Incident, Poll, Span, Stretch, Timeline

POLL_COVERAGE = timedelta(minutes=90)
"""How long a poll covers the time after it; polls are about an hour apart."""


async def select_timezone(db: Executor, store_id: str) -> str | None:
    """The time zone of a store; None if the store is unknown."""
    return await db.fetchval(
        "SELECT coalesce(timezone, 'America/Chicago') FROM store WHERE store_id = $1",
        store_id,
    )


async def select_timeline(db: Executor, store_id: str, start: datetime, end: datetime) -> Timeline | None:
    """A store in `[start, end)`; None if the store is unknown. end: not after the newest poll of the fleet.

    It agrees with a report as of `end`. The polls are those in the window and the last one before it.
    """
    row = await db.fetchrow(
        """
        SELECT store.store_id,
               coalesce(store.timezone, 'America/Chicago') AS timezone,
               array(SELECT unnest(status.open)) AS open,
               array(SELECT unnest(status.up)) AS up,
               array(SELECT unnest(status.open - status.up)) AS down,
               array(
                   SELECT (poll.polled_at, poll.active, poll.polled_at <@ hours.open)
                     FROM (
                        SELECT coalesce(max(polled_at), $2) AS at
                          FROM store_poll
                         WHERE store_id = $1 AND polled_at < $2
                     ) AS first
                    CROSS JOIN LATERAL open_time($1, first.at, $3 + INTERVAL '1 microsecond') AS hours
                     JOIN store_poll AS poll
                       ON poll.store_id = $1 AND poll.polled_at >= first.at AND poll.polled_at <= $3
                    ORDER BY poll.polled_at
               ) AS polls
          FROM store
          LEFT JOIN LATERAL store_status($1, $2, $3) AS status ON TRUE
         WHERE store.store_id = $1
        """,
        store_id,
        start,
        end,
    )
    if row is None:
        return None
    stretches = [Stretch(s.lower, s.upper, "active") for s in row["up"]]
    stretches += [Stretch(s.lower, s.upper, "inactive") for s in row["down"]]
    return Timeline(
        store_id=row["store_id"],
        timezone=row["timezone"],
        start=start,
        end=end,
        uptime_seconds=sum((s.upper - s.lower for s in row["up"]), timedelta()).total_seconds(),
        downtime_seconds=sum((s.upper - s.lower for s in row["down"]), timedelta()).total_seconds(),
        open=[Span(s.lower, s.upper) for s in row["open"]],
        stretches=sorted(stretches, key=lambda stretch: stretch.start),
        polls=[Poll(at, "active" if active else "inactive", is_open) for at, active, is_open in row["polls"]],
    )


async def select_incidents(db: Executor, store_id: str, start: datetime, end: datetime) -> list[Incident]:
    """When a store was down in `[start, end)`, in order; spans with only closed time between them are one incident."""
    rows = await db.fetch(
        """
        WITH status AS MATERIALIZED (
            SELECT open, up FROM store_status($1, $2, $3)
        ), down AS (
            SELECT part, (SELECT count(*) FROM unnest(status.up) AS up WHERE upper(up) <= lower(part)) AS recoveries
              FROM status
             CROSS JOIN LATERAL unnest(status.open - status.up) AS part
        ), incident AS (
            SELECT min(lower(part)) AS start, max(upper(part)) AS "end", range_agg(part) AS parts
              FROM down
             GROUP BY recoveries
        )
        SELECT incident.start, incident.end,
               length.down AS duration_seconds,
               unobserved.seconds AS unobserved_seconds,
               incident.end = (SELECT max(upper(part)) FROM status CROSS JOIN LATERAL unnest(status.open) AS part)
                   AND incident.end = $3 AS ongoing
          FROM incident
         CROSS JOIN LATERAL (
            SELECT extract(epoch FROM sum(upper(part) - lower(part)))::float8 AS down
              FROM unnest(incident.parts) AS part
         ) AS length
         CROSS JOIN LATERAL (
            SELECT coalesce(extract(epoch FROM sum(upper(part) - lower(part))), 0)::float8 AS seconds
              FROM unnest(incident.parts - coalesce((
                SELECT range_agg(tstzrange(poll.polled_at, poll.polled_at + $4::interval))
                  FROM store_poll AS poll
                 WHERE poll.store_id = $1
                   AND poll.polled_at > incident.start - $4::interval
                   AND poll.polled_at < incident.end
              ), '{}')) AS part
         ) AS unobserved
         ORDER BY incident.start
        """,
        store_id,
        start,
        end,
        POLL_COVERAGE,
    )
    return [Incident(**row, collector_gap=False) for row in rows]


async def select_coverage(db: Executor, store_id: str, start: datetime, end: datetime) -> Coverage:
    """How much of a store's open time in `[start, end)` is within 90 minutes after a poll, and its other parts."""
    row = await db.fetchrow(
        """
        WITH hours AS MATERIALIZED (
            SELECT open * tstzmultirange(tstzrange($2, $3)) AS open FROM open_time($1, $2, $3)
        ), observed AS (
            SELECT coalesce(range_agg(tstzrange(poll.polled_at, poll.polled_at + $4::interval)), '{}') AS ranges
              FROM store_poll AS poll
             WHERE poll.store_id = $1 AND poll.polled_at > $2::timestamptz - $4::interval AND poll.polled_at < $3
        )
        SELECT array(SELECT unnest(hours.open)) AS open,
               array(SELECT unnest(hours.open - observed.ranges)) AS no_data
          FROM hours
         CROSS JOIN observed
        """,
        store_id,
        start,
        end,
        POLL_COVERAGE,
    )
    is_open = [Span(s.lower, s.upper) for s in row["open"]] if row else []
    no_data = [Span(s.lower, s.upper) for s in row["no_data"]] if row else []
    open_for = sum((s.end - s.start for s in is_open), timedelta())
    covered = open_for - sum((s.end - s.start for s in no_data), timedelta())
    return Coverage(
        store_id=store_id,
        start=start,
        end=end,
        open_seconds=open_for.total_seconds(),
        covered_seconds=covered.total_seconds(),
        share=covered / open_for if open_for else None,
        no_data=no_data,
    )


async def select_gaps(db: Executor, start: datetime, end: datetime, min_length: timedelta) -> list[Gap]:
    """When no store was polled for at least `min_length` within `[start, end)`, in order.

    Polls within one minute count as one span without gaps.
    """
    rows = await db.fetch(
        """
        WITH polled AS (
            SELECT min(polled_at) AS first, max(polled_at) AS last
              FROM store_poll
             WHERE polled_at >= $1 AND polled_at < $2
             GROUP BY date_bin('1 minute', polled_at, '2000-01-01 00:00:00+00')
            UNION ALL
            SELECT NULL, $1
            UNION ALL
            SELECT $2, NULL
        ), gap AS (
            SELECT lag(last) OVER in_order AS start, first AS "end"
              FROM polled
            WINDOW in_order AS (ORDER BY coalesce(first, last), first NULLS FIRST)
        )
        SELECT gap.start, gap.end, extract(epoch FROM gap.end - gap.start)::float8 AS duration_seconds
          FROM gap
         WHERE gap.end - gap.start >= $3
         ORDER BY gap.start
        """,
        start,
        end,
        min_length,
    )
    return [Gap(**row) for row in rows]
