"""SQL of what somebody must hear of: stores that are down, and a collector that is silent."""

from collections.abc import Sequence
from datetime import datetime

from common.alerts import Firing
from common.db.pool import Executor
from common.instants import format_instant
from dashboard.uptime.queries.stores import POLL_COVERAGE

COLLECTOR = "collector"
"""The subject of a silent collector."""


async def select_stores_down(db: Executor, now: datetime, firing: Sequence[str], polls: int) -> list[Firing]:
    """The stores of which the last `polls` polls in open time were all inactive.

    firing: those that fired at the last look; they fire until as many polls in a row were active. A store that is
    closed or stale now goes on as it was. Only stores whose last poll could change anything are looked at closely: a
    poll in closed time does not count.
    """
    rows = await db.fetch(
        """
        WITH suspected AS MATERIALIZED (
            SELECT store.store_id, store.store_id = ANY($2::text[]) AS fires
              FROM store
             CROSS JOIN LATERAL (
                SELECT last.active
                  FROM store_poll AS last
                 WHERE last.store_id = store.store_id AND last.polled_at <= $1
                 ORDER BY last.polled_at DESC
                 LIMIT 1
              ) AS newest
             WHERE store.last_polled_at > $1::timestamptz - INTERVAL '48 hours'
               AND (NOT newest.active OR store.store_id = ANY($2::text[]))
        ), judged AS MATERIALIZED (
            SELECT suspected.store_id, suspected.fires, states.state, recent.number, recent.active, recent.since
              FROM suspected
              JOIN store_states(array(SELECT store_id FROM suspected), $1) AS states
                ON states.store_id = suspected.store_id
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
        SELECT store_id, state, number, active, since
          FROM judged
         WHERE CASE WHEN fires THEN state NOT IN ('up', 'down') OR number < $3 OR active < $3
                    ELSE state = 'down' AND number = $3 AND active = 0
               END
         UNION ALL
        SELECT firing.store_id, 'stale', 0, 0, NULL
          FROM unnest($2::text[]) AS firing (store_id)
          JOIN store ON store.store_id = firing.store_id
         WHERE firing.store_id NOT IN (SELECT store_id FROM suspected)
         ORDER BY store_id
        """,
        now,
        firing,
        polls,
    )
    return [Firing(row["store_id"], _store_detail(row["active"], row["number"], row["since"])) for row in rows]


def _store_detail(active: int, number: int, since: datetime | None) -> str:
    if since is None:
        return "It was down when it was last polled."
    if active:
        return f"{active} of its last {number} polls found it up again, the earliest at {format_instant(since)}."
    return f"Its last {number} polls in open time found it down, the first of them at {format_instant(since)}."


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
