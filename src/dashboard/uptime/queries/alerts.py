"""SQL of what somebody must hear of: stores that are down, and a collector that is silent."""

from collections.abc import Sequence
from datetime import datetime

from asyncpg import Record

from common.alerts import Firing
from common.db.pool import Executor
from common.instants import format_instant
from dashboard.uptime.queries.stores import POLL_COVERAGE

COLLECTOR = "collector"
"""The subject of a silent collector."""


async def select_stores_down(db: Executor, now: datetime, firing: Sequence[str], polls: int) -> list[Firing]:
    """The stores of which the last `polls` polls in open time were all inactive.

    firing: those that fired at the last look; they fire until as many polls in a row were active. A store that is
    closed or stale now goes on as it was. Business hours, which take most of the time, are only computed for stores
    whose newest poll says that something may have changed.
    """
    rows = await db.fetch(
        """
        WITH looked_at AS MATERIALIZED (
            SELECT store.store_id,
                   CASE WHEN store.last_polled_at <= $1 THEN store.last_polled_at
                        ELSE (
                            SELECT max(polled_at)
                              FROM store_poll
                             WHERE store_poll.store_id = store.store_id AND polled_at <= $1
                        )
                   END AS polled_at,
                   wanted.store_id IS NOT NULL AS fires
              FROM store
              LEFT JOIN unnest($2::text[]) AS wanted (store_id) ON wanted.store_id = store.store_id
             WHERE store.last_polled_at > $1::timestamptz - INTERVAL '48 hours' OR wanted.store_id IS NOT NULL
        ), newest AS MATERIALIZED (
            SELECT looked_at.store_id, poll.active, looked_at.polled_at, looked_at.fires
              FROM looked_at
              JOIN store_poll AS poll ON poll.store_id = looked_at.store_id AND poll.polled_at = looked_at.polled_at
        ), suspected AS MATERIALIZED (
            SELECT store_id, fires, polled_at
              FROM newest
             WHERE active = fires AND polled_at > $1::timestamptz - INTERVAL '48 hours'
        ), judged AS MATERIALIZED (
            SELECT suspected.store_id, suspected.fires, suspected.polled_at, recent.number, recent.active, recent.since,
                   hours.open @> $1::timestamptz AND (
                       suspected.polled_at > $1::timestamptz - INTERVAL '3 hours'
                       OR length_of(hours.open * tstzmultirange(tstzrange(suspected.polled_at, $1)))
                           < INTERVAL '3 hours'
                   ) AS is_seen
              FROM suspected
              JOIN open_time(
                       array(SELECT store_id FROM suspected),
                       $1::timestamptz - INTERVAL '48 hours',
                       $1::timestamptz + INTERVAL '1 microsecond'
                   ) AS hours
                ON hours.store_id = suspected.store_id
             CROSS JOIN LATERAL (
                SELECT count(*) AS number, count(*) FILTER (WHERE counted.active) AS active, min(polled_at) AS since
                  FROM (
                    SELECT poll.active, poll.polled_at
                      FROM store_poll AS poll
                     WHERE poll.store_id = suspected.store_id
                       AND poll.polled_at <= $1
                       AND poll.polled_at > $1::timestamptz - INTERVAL '48 hours'
                       AND poll.polled_at <@ hours.open
                     ORDER BY poll.polled_at DESC
                     LIMIT $3
                  ) AS counted
              ) AS recent
        )
        SELECT store_id, polled_at, number, active, since
          FROM judged
         WHERE CASE WHEN fires THEN NOT is_seen OR number < $3 OR active < $3
                    ELSE is_seen AND number = $3 AND active = 0
               END
         UNION ALL
        SELECT store_id, polled_at, 0, 0, NULL
          FROM newest
         WHERE fires AND store_id NOT IN (SELECT store_id FROM suspected)
         ORDER BY store_id
        """,
        now,
        firing,
        polls,
    )
    return [Firing(row["store_id"], _store_detail(row)) for row in rows]


def _store_detail(row: Record) -> str:
    if row["since"] is None:
        return f"It is down; its last poll was at {format_instant(row['polled_at'])}."
    if row["active"]:
        return f"{row['active']} of its last {row['number']} polls in open time found it up again."
    return (
        f"Its last {row['number']} polls in open time found it down, the first of them at "
        f"{format_instant(row['since'])}."
    )


async def select_silent_collector(db: Executor, now: datetime, firing: Sequence[str]) -> list[Firing]:
    """Whether no store at all was polled for so long that it is a gap; the next poll of any store ends it.

    firing: not needed, since a single poll ends the silence. Nothing fires before the first poll of the fleet.
    """
    newest: datetime | None = await db.fetchval(
        """
        SELECT least(last_polled_at, $1)
          FROM poll_span
         WHERE first_polled_at <= $1
         ORDER BY span_start DESC
         LIMIT 1
        """,
        now,
    )
    if newest is None or now - newest < POLL_COVERAGE:
        return []
    return [Firing(COLLECTOR, f"No store has been polled since {format_instant(newest)}.")]
