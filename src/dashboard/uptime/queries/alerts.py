"""SQL of the alerts about stores that are down, and about a collector that is silent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from asyncpg import Record

from common.alerts import Firing
from common.db.pool import Executor
from common.instants import format_minute
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
            SELECT suspected.store_id, suspected.fires, recent.number, recent.active, recent.first_at, recent.last_at
              FROM suspected
              JOIN open_time(
                       array(SELECT store_id FROM suspected),
                       $1::timestamptz - INTERVAL '48 hours',
                       $1::timestamptz + INTERVAL '1 microsecond'
                   ) AS hours
                ON hours.store_id = suspected.store_id
             CROSS JOIN LATERAL (
                SELECT count(*) AS number, count(*) FILTER (WHERE counted.active) AS active,
                       min(polled_at) AS first_at, max(polled_at) AS last_at
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
        SELECT store_id, number, active, first_at, last_at
          FROM judged
         WHERE CASE WHEN number = $3 AND active IN (0, $3) THEN active = 0
                    WHEN NOT fires AND active > 0 THEN FALSE
                    ELSE is_down_by_runs(store_id, $1, $3::integer)
               END
         UNION ALL
        SELECT store_id, NULL, NULL, NULL, NULL
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
        else Firing(row["store_id"], _store_detail(row))
        for row in rows
    ]


def _store_detail(row: Record) -> str:
    if row["number"] == 0:
        return "It was down, and was not polled in open time in the last two days."
    if row["number"] == 1:
        state = "up again" if row["active"] else "down"
        return f"Its last poll in open time, at {format_minute(row['last_at'])}, found it {state}."
    if row["active"]:
        return f"{row['active']} of its last {row['number']} polls in open time found it up again."
    return (
        f"Its last {row['number']} polls in open time found it down, the first of them at "
        f"{format_minute(row['first_at'])}."
    )


async def select_ends_down(db: Executor, now: datetime, stores: Sequence[str], polls: int) -> dict[str, str]:
    """How the alerts about stores that were down ended, by store: what its last poll in open time found.

    Later polls, or a correction of polls, hours or closures, may have ended an alert: what is said is true of both.
    polls: how many in a row an alert needs.
    """
    rows = await db.fetch(
        """
        WITH last AS MATERIALIZED (
            SELECT hours.store_id,
                   coalesce(
                       -- For all stores at once; those without such a poll in two days are searched one by one.
                       (
                           SELECT max(poll.polled_at)
                             FROM store_poll AS poll
                            WHERE poll.store_id = hours.store_id
                              AND poll.polled_at <= $1
                              AND poll.polled_at > $1::timestamptz - INTERVAL '48 hours'
                              AND poll.polled_at <@ hours.open
                       ),
                       last_counted_poll(hours.store_id, $1::timestamptz + INTERVAL '1 microsecond')
                   ) AS polled_at
              FROM open_time(
                       $2::text[],
                       $1::timestamptz - INTERVAL '48 hours',
                       $1::timestamptz + INTERVAL '1 microsecond'
                   ) AS hours
        )
        SELECT store_id, polled_at, poll.active
          FROM last
          JOIN store_poll AS poll USING (store_id, polled_at)
        """,
        now,
        stores,
    )
    found = {row["store_id"]: _end_of_store(row["polled_at"], polls, is_up=row["active"]) for row in rows}
    return dict.fromkeys(stores, "None of its polls is in its open time any more.") | found


def _end_of_store(polled_at: datetime, polls: int, *, is_up: bool) -> str:
    last = f"Its last poll in open time, at {format_minute(polled_at)}, found it"
    return f"{last} up." if is_up else f"{last} down; an alert needs {polls} in a row."


SILENCE_MAY_BEGIN = timedelta(hours=48)
"""A silence that is already longer than this does not begin to fire: the polls come from an old file."""


async def select_silent_collector(
    db: Executor, now: datetime, firing: Sequence[str], pull_interval: timedelta
) -> list[Firing]:
    """Whether no store at all has been polled for so long that it is a gap.

    pull_interval: how often polls are pulled, and so how much older the newest poll may be; zero if none are pulled.
    firing: the collector, if it was silent at the last look. The alert begins within SILENCE_MAY_BEGIN. It ends with
    the next poll of any store; where none are pulled, also after SILENCE_MAY_BEGIN, for nobody sends polls any more.
    Nothing fires before the first poll of the fleet.
    """
    newest = await _select_newest_poll(db, now)
    if newest is None:
        return []
    silent_for = _silent_for(newest, now, pull_interval)
    goes_on = bool(firing) and pull_interval > timedelta()
    if silent_for < timedelta() or (silent_for >= SILENCE_MAY_BEGIN and not goes_on):
        return []
    return [Firing(COLLECTOR, f"No store has been polled since {format_minute(newest)}.")]


async def select_end_of_silence(db: Executor, now: datetime, pull_interval: timedelta) -> str:
    """How the alert about a silent collector ended; pull_interval as in `select_silent_collector`."""
    newest = await _select_newest_poll(db, now)
    if newest is None:
        return "No polls are stored any more."
    if _silent_for(newest, now, pull_interval) < timedelta():
        return f"The newest poll of all stores is from {format_minute(newest)}."
    return (
        f"No store has been polled since {format_minute(newest)}. While no polls are pulled, the alert ends after two "
        "days."
    )


async def _select_newest_poll(db: Executor, now: datetime) -> datetime | None:
    return await db.fetchval(
        """
        SELECT least(last_polled_at, $1)
          FROM poll_span
         WHERE first_polled_at <= $1
         ORDER BY span_start DESC
         LIMIT 1
        """,
        now,
    )


def _silent_for(newest: datetime, now: datetime, pull_interval: timedelta) -> timedelta:
    """For how long stores have not been polled, beyond the time for which that is no gap; negative within it."""
    return now - newest - POLL_COVERAGE - pull_interval
