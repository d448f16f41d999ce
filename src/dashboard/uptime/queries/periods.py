"""SQL of the last 24 hours of a store, of its recoveries, and of when it opens next."""

from collections.abc import Sequence
from datetime import date, datetime

from common.db.pool import Executor
from dashboard.uptime.models.periods import KeptPolls, Recoveries
from dashboard.uptime.models.stores import Span, StoreDay, Window
from dashboard.uptime.queries.stores import POLL_COVERAGE


async def select_sums(db: Executor, store_id: str, window: Window, day: date) -> StoreDay | None:
    """The figures of a store in a window, as those of one day; None if it was not polled before the end of the window.

    What was before the local day of its first poll, or is older than the polls that are kept, does not count.
    """
    row = await db.fetchrow(
        """
        SELECT extract(epoch FROM sum(made.open_time))::float8 AS open_seconds,
               extract(epoch FROM sum(made.uptime))::float8 AS up_seconds,
               extract(epoch FROM sum(made.open_time - made.uptime))::float8 AS down_seconds,
               extract(epoch FROM sum(made.observed_time))::float8 AS observed_seconds,
               extract(epoch FROM sum(made.observed_uptime))::float8 AS observed_up_seconds,
               sum(made.incidents)::bigint AS incidents
          FROM store
         CROSS JOIN LATERAL (
            SELECT greatest(
                       $2,
                       store.polls_since,
                       midnight_before(store.first_polled_at, zone_of(store.timezone))
                   ) AS at
         ) AS since
         CROSS JOIN LATERAL store_days($1, since.at, $3, $5, $4) AS made
         WHERE store.store_id = $1 AND store.first_polled_at <= $4 AND since.at < $3
        """,
        store_id,
        window.start,
        window.end,
        window.now,
        POLL_COVERAGE,
    )
    assert row is not None
    return None if row["open_seconds"] is None else StoreDay(day, **row)


async def select_recoveries(db: Executor, store_id: str, window: Window, since: Sequence[datetime]) -> list[Recoveries]:
    """The incidents that ended after each of these instants and in the window, and their mean open time."""
    rows = await db.fetch(
        """
        WITH ended AS MATERIALIZED (
            SELECT incident.ended_at, length_of(incident.down) AS length
              FROM store_incidents($1, $2, $3, $4) AS incident
             WHERE NOT incident.ongoing AND incident.ended_at <= $3
        )
        SELECT count(ended.length) AS number,
               extract(epoch FROM avg(ended.length))::float8 AS mean_seconds
          FROM unnest($5::timestamptz[]) WITH ORDINALITY AS period (since, place)
          LEFT JOIN ended ON ended.ended_at > period.since
         GROUP BY period.place
         ORDER BY period.place
        """,
        store_id,
        window.start,
        window.end,
        window.known,
        since,
    )
    return [Recoveries(*row) for row in rows]


async def select_open_spans(db: Executor, store_id: str, since: datetime, until: datetime) -> list[Span]:
    """When a store is open between two instants, which may be in the future."""
    rows = await db.fetch(
        """
        SELECT unnest(hours.open * tstzmultirange(tstzrange($2, $3))) AS span
          FROM open_time(ARRAY[$1], $2, $3) AS hours
        """,
        store_id,
        since,
        until,
    )
    return [Span(row["span"].lower, row["span"].upper) for row in rows]


async def select_kept_polls(db: Executor, store_id: str) -> KeptPolls:
    """Which polls of a store there are, of one that is known."""
    row = await db.fetchrow("SELECT first_polled_at, polls_since FROM store WHERE store_id = $1", store_id)
    return KeptPolls(*row) if row else KeptPolls(None, None)
