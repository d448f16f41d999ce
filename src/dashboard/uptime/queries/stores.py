"""SQL of single stores and of the collector: timeline, incidents, coverage, days, gaps.

The rules are functions of the database: migrations/functions/uptime.sql.
"""

from datetime import date, datetime, timedelta

from common.db.pool import Executor
from dashboard.uptime.models.fleet import Gap
from dashboard.uptime.models.stores import Coverage, Incident, Poll, Span, StoreDay, Stretch, Timeline, Window

POLL_COVERAGE = timedelta(minutes=90)
"""How long a poll covers the time after it; polls are about an hour apart."""


async def select_timezone(db: Executor, store_id: str) -> str | None:
    """The time zone of a store; None if the store is unknown."""
    return await db.fetchval(
        "SELECT zone_of(timezone) FROM store WHERE store_id = $1",
        store_id,
    )


async def select_polls_since(db: Executor, store_id: str) -> datetime | None:
    """The time before which the polls of a store were deleted; None if none were."""
    return await db.fetchval("SELECT polls_since FROM store WHERE store_id = $1", store_id)


async def select_has_more_polls(db: Executor, store_id: str, window: Window, number: int) -> bool:
    """Whether a store has more than so many polls in a window."""
    return await db.fetchval(
        """
        SELECT count(*) > $4
          FROM (
            SELECT
              FROM store_poll
             WHERE store_id = $1 AND polled_at >= $2 AND polled_at <= $3
             LIMIT $4::bigint + 1
          ) AS poll
        """,
        store_id,
        window.start,
        window.end,
        number,
    )


async def select_timeline(db: Executor, store_id: str, window: Window) -> Timeline | None:
    """A store in a window; None if the store is unknown. The polls are those in the window and the last one before."""
    row = await db.fetchrow(
        """
        SELECT store.store_id,
               zone_of(store.timezone) AS timezone,
               array(SELECT unnest(history.open)) AS open,
               array(SELECT unnest(history.up)) AS up,
               array(SELECT unnest(history.open - history.up)) AS down,
               history.up IS NOT NULL AS polled,
               array(
                   SELECT (poll.polled_at, poll.active, poll.polled_at <@ hours.open)
                     FROM (
                        SELECT max(polled_at) AS since, max(polled_at) + INTERVAL '1 microsecond' AS until
                          FROM store_poll
                         WHERE store_id = $1 AND polled_at < $2
                        HAVING max(polled_at) IS NOT NULL
                        UNION ALL
                        SELECT $2, $3 + INTERVAL '1 microsecond'
                     ) AS span
                    CROSS JOIN LATERAL open_time(ARRAY[$1], span.since, span.until) AS hours
                     JOIN store_poll AS poll
                       ON poll.store_id = $1 AND poll.polled_at >= span.since AND poll.polled_at < span.until
                    ORDER BY poll.polled_at
               ) AS polls
          FROM store
         CROSS JOIN LATERAL store_history($1, $2, $3, $4) AS history
         WHERE store.store_id = $1
        """,
        store_id,
        window.start,
        window.end,
        window.known,
    )
    if row is None:
        return None
    stretches = [Stretch(s.lower, s.upper, "active") for s in row["up"]]
    stretches += [Stretch(s.lower, s.upper, "inactive") for s in row["down"]]
    up, down = (sum((s.upper - s.lower for s in row[part]), timedelta()).total_seconds() for part in ("up", "down"))
    return Timeline(
        store_id=row["store_id"],
        timezone=row["timezone"],
        start=window.start,
        end=window.end,
        uptime_seconds=up if row["polled"] else None,
        downtime_seconds=down if row["polled"] else None,
        open=[Span(s.lower, s.upper) for s in row["open"]],
        stretches=sorted(stretches, key=lambda stretch: stretch.start),
        polls=[Poll(at, "active" if active else "inactive", is_open) for at, active, is_open in row["polls"]],
    )


async def select_incidents(
    db: Executor, store_id: str, window: Window, after: datetime | None, limit: int, *, newest_first: bool = False
) -> list[Incident]:
    """The incidents of a store that overlap a window, in order; those that start after `after`, if given."""
    rows = await db.fetch(
        """
        WITH incident AS MATERIALIZED (
            SELECT started_at, ended_at, ongoing, down
              FROM store_incidents($1, $2, $3, $4)
             WHERE $6::timestamptz IS NULL OR started_at > $6
             ORDER BY CASE WHEN NOT $9 THEN started_at END, started_at DESC
             LIMIT $7
        ), gap AS MATERIALIZED (
            SELECT gap.started_at, gap.ended_at
              FROM (SELECT min(started_at) AS since, max(ended_at) AS until FROM incident) AS span
             CROSS JOIN LATERAL collector_gaps(span.since, span.until, $8, $5) AS gap
        )
        SELECT started_at AS start,
               ended_at AS "end",
               CASE WHEN started_at < $2 THEN $2 END AS cut_start,
               CASE WHEN ended_at > $3 THEN $3 END AS cut_end,
               extract(epoch FROM length_of(down))::float8 AS duration_seconds,
               extract(epoch FROM length_of(down * tstzmultirange(tstzrange($2, $3))))::float8 AS downtime_seconds,
               extract(epoch FROM length_of(unobserved($1, down, $8, $5)))::float8 AS unobserved_seconds,
               ongoing,
               EXISTS (
                   SELECT
                     FROM gap
                    WHERE gap.started_at < incident.ended_at AND gap.ended_at > incident.started_at
               ) AS collector_gap
          FROM incident
         ORDER BY CASE WHEN NOT $9 THEN started_at END, started_at DESC
        """,
        store_id,
        window.start,
        window.end,
        window.known,
        window.now,
        after,
        limit,
        POLL_COVERAGE,
        newest_first,
    )
    return [Incident(**row) for row in rows]


async def select_coverage(db: Executor, store_id: str, window: Window) -> Coverage:
    """How much of a store's open time in a window is within 90 minutes after a poll, and its other parts."""
    row = await db.fetchrow(
        """
        SELECT array(SELECT unnest(hours.open)) AS open,
               array(SELECT unnest(unobserved($1, hours.open, $5, $4))) AS no_data
          FROM (
            SELECT open * tstzmultirange(tstzrange($2, $3)) AS open
              FROM open_time(ARRAY[$1], $2, $3)
            OFFSET 0
          ) AS hours
        """,
        store_id,
        window.start,
        window.end,
        window.known,
        POLL_COVERAGE,
    )
    is_open = [Span(s.lower, s.upper) for s in row["open"]] if row else []
    no_data = [Span(s.lower, s.upper) for s in row["no_data"]] if row else []
    open_for = sum((s.end - s.start for s in is_open), timedelta())
    covered = open_for - sum((s.end - s.start for s in no_data), timedelta())
    return Coverage(
        store_id=store_id,
        start=window.start,
        end=window.end,
        open_seconds=open_for.total_seconds(),
        covered_seconds=covered.total_seconds(),
        share=covered / open_for if open_for else None,
        no_data=no_data,
    )


async def select_days(db: Executor, store_id: str, days: int, to: date | None, now: datetime) -> list[StoreDay]:
    """The last `days` local days of a store up to `to`, by default its current day; none before its first poll.

    Days whose polls were deleted have the figures that were kept.
    """
    rows = await db.fetch(
        """
        WITH store_local AS (
            SELECT store.polls_since,
                   store.days_until,
                   span.last,
                   greatest(span.last - $2::int + 1, (store.first_polled_at AT TIME ZONE local.zone)::date) AS first,
                   local.zone
              FROM store
             CROSS JOIN LATERAL (SELECT zone_of(store.timezone) AS zone) AS local
             CROSS JOIN LATERAL (
                SELECT least(coalesce($3::date, 'infinity'), ($4::timestamptz AT TIME ZONE local.zone)::date) AS last
             ) AS span
             WHERE store.store_id = $1 AND store.first_polled_at <= $4
        ), figures AS (
            SELECT kept.day, kept.open_time, kept.uptime, kept.observed_time, kept.observed_uptime, kept.incidents
              FROM store_local
              JOIN store_day AS kept ON kept.store_id = $1 AND kept.day BETWEEN store_local.first AND store_local.last
            UNION ALL
            SELECT kept.day, kept.open_time, kept.uptime, kept.observed_time, kept.observed_uptime, kept.incidents
              FROM store_local
              JOIN store_recent_day AS kept
                ON kept.store_id = $1 AND kept.day BETWEEN store_local.first AND store_local.last
            UNION ALL
            SELECT made.day, made.open_time, made.uptime, made.observed_time, made.observed_uptime, made.incidents
              FROM store_local
             CROSS JOIN LATERAL (
                SELECT greatest(opening_instant(first::timestamp, zone), polls_since, days_until) AS since,
                       least(opening_instant((last + 1)::timestamp, zone), $4) AS until
             ) AS span
             CROSS JOIN LATERAL store_days($1, span.since, span.until, $5, $4) AS made
             WHERE span.since < span.until
        )
        SELECT day,
               extract(epoch FROM sum(open_time))::float8 AS open_seconds,
               extract(epoch FROM sum(uptime))::float8 AS up_seconds,
               extract(epoch FROM sum(open_time - uptime))::float8 AS down_seconds,
               extract(epoch FROM sum(observed_time))::float8 AS observed_seconds,
               extract(epoch FROM sum(observed_uptime))::float8 AS observed_up_seconds,
               sum(incidents)::bigint AS incidents
          FROM figures
         GROUP BY day
         ORDER BY day
        """,
        store_id,
        days,
        to,
        now,
        POLL_COVERAGE,
    )
    return [StoreDay(**row) for row in rows]


async def select_gaps(
    db: Executor, window: Window, min_length: timedelta, after: datetime | None, limit: int
) -> list[Gap]:
    """The gaps of at least `min_length` that overlap a window, in order; those that start after `after`, if given."""
    rows = await db.fetch(
        """
        SELECT started_at AS start,
               ended_at AS "end",
               CASE WHEN started_at < $1 THEN $1 END AS cut_start,
               CASE WHEN ended_at > $2 THEN $2 END AS cut_end,
               extract(epoch FROM ended_at - started_at)::float8 AS duration_seconds,
               ongoing
          FROM collector_gaps($1, $2, $3, $4)
         WHERE $5::timestamptz IS NULL OR started_at > $5
         ORDER BY started_at
         LIMIT $6
        """,
        window.start,
        window.end,
        min_length,
        window.now,
        after,
        limit,
    )
    return [Gap(**row) for row in rows]
