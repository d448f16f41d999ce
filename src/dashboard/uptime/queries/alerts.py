"""SQL of what somebody must hear of: stores that are down, and a collector that is silent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from asyncpg import Record

from common.alerts import Firing
from common.db.pool import Executor
from common.instants import format_instant
from dashboard.uptime.queries.stores import POLL_COVERAGE

COLLECTOR = "collector"
"""The subject of a silent collector."""


@dataclass(frozen=True)
class Look:
    """When the stores were looked at, and those that were down, by their ids."""

    at: datetime
    found: Mapping[str, Firing]


async def select_stores_down(
    db: Executor, now: datetime, firing: Sequence[str], polls: int, *, before: Look | None = None
) -> list[Firing]:
    """The stores that went down by `polls` polls in a row, and have not come up since by as many; in open time.

    firing: those that fired at the last look; they fire until their polls, or a correction of these, say otherwise.
    Others only fire if they are open now, not stale, and were down in all of their last polls, so that business hours,
    which take most of the time, are computed for few stores. before: a look at the same data, which found all that
    fire; those without a later poll go on.
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
        ), suspected AS MATERIALIZED (
            SELECT looked_at.store_id, looked_at.polled_at, looked_at.fires
              FROM looked_at
              JOIN store_poll AS poll ON poll.store_id = looked_at.store_id AND poll.polled_at = looked_at.polled_at
             WHERE (looked_at.fires AND ($4::timestamptz IS NULL OR looked_at.polled_at > $4))
                OR (
                    NOT looked_at.fires
                    AND NOT poll.active
                    AND looked_at.polled_at > $1::timestamptz - INTERVAL '48 hours'
                )
        ), judged AS MATERIALIZED (
            SELECT suspected.store_id, suspected.polled_at, suspected.fires, recent.number, recent.active, recent.since
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
             WHERE suspected.fires
                OR (
                    hours.open @> $1::timestamptz
                    AND NOT is_stale(suspected.store_id, suspected.polled_at, hours.open, $1)
                )
        )
        SELECT store_id, polled_at, number, active, since
          FROM judged
         WHERE CASE WHEN number = $3 AND active IN (0, $3) THEN active = 0
                    WHEN NOT fires AND active > 0 THEN FALSE
                    ELSE is_down_by_runs(store_id, $1, $3::integer)
               END
         UNION ALL
        SELECT store_id, polled_at, NULL, NULL, NULL
          FROM looked_at
         WHERE fires AND polled_at <= $4
         ORDER BY store_id
        """,
        now,
        firing,
        polls,
        before.at if before else None,
    )
    return [
        before.found[row["store_id"]]
        if before is not None and row["number"] is None
        else Firing(row["store_id"], _store_detail(row, polls))
        for row in rows
    ]


def _store_detail(row: Record, polls: int) -> str:
    if row["active"]:
        return f"{row['active']} of its last {row['number']} polls in open time found it up again."
    if row["number"] < polls:
        return f"It is down; its last poll was at {format_instant(row['polled_at'])}."
    return (
        f"Its last {row['number']} polls in open time found it down, the first of them at "
        f"{format_instant(row['since'])}."
    )


SILENCE_MAY_BEGIN = timedelta(hours=48)
"""How long after a silence becomes one it may begin to fire; later the polls are those of an old file."""


async def select_silent_collector(
    db: Executor, now: datetime, firing: Sequence[str], pull_interval: timedelta
) -> list[Firing]:
    """Whether no store at all was polled for so long that it is a gap; the next poll of any store ends it.

    pull_interval: how often polls are pulled, and by how much the newest one may be older for that; zero if none are.
    firing: the collector, if it was silent at the last look. It begins to be silent within SILENCE_MAY_BEGIN, and where
    nothing is pulled it is not silent for longer either: nobody sends polls any more. Nothing fires before the first
    poll of the fleet.
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
    if newest is None:
        return []
    silent_for = now - newest - POLL_COVERAGE - pull_interval
    goes_on = firing and pull_interval
    if silent_for < timedelta() or (silent_for >= SILENCE_MAY_BEGIN and not goes_on):
        return []
    return [Firing(COLLECTOR, f"No store has been polled since {format_instant(newest)}.")]
