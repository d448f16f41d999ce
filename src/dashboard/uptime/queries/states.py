"""SQL of the states of stores now. The rules are functions of the database: uptime_views_states.sql."""

from datetime import date, datetime

from common.db.pool import Executor
from dashboard.uptime.models.fleet import StoreUptime
from dashboard.uptime.models.stores import HoursRow, Incident, LastPoll, StoreNow, StoreState


async def select_states(db: Executor, now: datetime) -> dict[str, StoreState]:
    """The state of every store, by its id in order."""
    rows = await db.fetch(
        """
        SELECT store_id, state
          FROM store_states(array(SELECT store_id FROM store), $1)
         ORDER BY store_id
        """,
        now,
    )
    return {row["store_id"]: row["state"] for row in rows}


async def select_never_polled(db: Executor, after: str | None, limit: int, now: datetime) -> list[StoreUptime]:
    """A page of the stores without any poll up to now, by id; without figures."""
    rows = await db.fetch(
        """
        SELECT store_id, zone_of(timezone) AS timezone
          FROM store
         WHERE (first_polled_at IS NULL OR first_polled_at > $3) AND ($1::text IS NULL OR store_id > $1)
         ORDER BY store_id
         LIMIT $2
        """,
        after,
        limit,
        now,
    )
    return [StoreUptime(row["store_id"], row["timezone"], None, None, None, "never_polled") for row in rows]


async def select_store_now(db: Executor, store_id: str, now: datetime, incident: Incident | None) -> StoreNow | None:
    """A store now; None if it is unknown. incident: the one that is not over."""
    row = await db.fetchrow(
        """
        SELECT store.store_id,
               states.state,
               state_since(store.store_id, states.state, states.polled_at, $2) AS since,
               store.store_group AS "group",
               zone_of(store.timezone) AS timezone,
               store.timezone IS NULL AS timezone_is_default,
               array(
                   SELECT (weekday, opens::text, closes::text, valid_from, valid_until)
                     FROM store_hours
                    WHERE store_id = $1
                    ORDER BY valid_from, weekday, opens, closes
               ) AS hours,
               states.polled_at,
               (SELECT active FROM store_poll WHERE store_id = $1 AND polled_at = states.polled_at) AS active,
               (
                   SELECT closure.reason
                     FROM store_closure AS closure
                    CROSS JOIN LATERAL (SELECT zone_of(store.timezone) AS zone) AS local
                    WHERE closure.store_id = $1
                      AND (
                          ($2 >= closure.starts_at AND $2 < closure.ends_at)
                          OR (
                              $2 >= opening_instant(closure.first_day::timestamp, local.zone)
                              AND $2 < opening_instant((closure.last_day + 1)::timestamp, local.zone)
                          )
                      )
                    ORDER BY closure.position
                    LIMIT 1
               ) AS closed_because
          FROM store
          JOIN store_states(ARRAY[$1], $2) AS states ON states.store_id = store.store_id
         WHERE store.store_id = $1
        """,
        store_id,
        now,
    )
    if row is None:
        return None
    return StoreNow(
        store_id=row["store_id"],
        state=row["state"],
        since=row["since"],
        group=row["group"],
        timezone=row["timezone"],
        timezone_is_default=row["timezone_is_default"],
        always_open=not row["hours"],
        hours=[_hours_row(*each) for each in row["hours"]],
        last_poll=LastPoll(row["polled_at"], "active" if row["active"] else "inactive") if row["polled_at"] else None,
        incident=incident,
        closed_because=row["closed_because"],
    )


def _hours_row(weekday: int, opens: str, closes: str, first: date, until: date) -> HoursRow:
    return HoursRow(
        weekday,
        opens,
        closes,
        None if first == date.min else first,
        None if until == date.max else date.fromordinal(until.toordinal() - 1),
    )
