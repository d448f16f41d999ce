"""SQL of the counters: the figures, and a recount of the ledger to compare them with."""

from datetime import date, datetime

import asyncpg

from common.db.pool import Executor
from dashboard.bookings.models.figures import (
    CountedDays,
    CountsByPeriod,
    CurvePoint,
    HotelSummary,
    NightPickup,
)

_AS_OF = "coalesce($4::date, hotel.today)"

_NO_EVENT_AFTER_AS_OF = f"hotel.last_event_date <= {_AS_OF}"
"""The hotel has no event dated after `as_of`."""

_FROM_DAY_COUNTER = f"""
      FROM day_counter
     WHERE hotel_id = $1
       AND by_event_date = $5::boolean
       AND day BETWEEN $2::date AND CASE WHEN $5 THEN least($3::date, {_AS_OF}) ELSE $3::date END
       AND ($5 OR {_NO_EVENT_AFTER_AS_OF})
"""
"""Read by event date, and by night of stay when no event is dated after `as_of`."""

_FROM_NIGHT_COUNTER = f"""
      FROM night_counter
     WHERE hotel_id = $1
       AND night_of_stay BETWEEN $2::date AND $3::date
       AND event_date <= {_AS_OF}
       AND NOT ($5 OR {_NO_EVENT_AFTER_AS_OF})
"""
"""Read in all other cases."""

_COUNTS_BY_MONTH = f"""
    SELECT extract(month FROM day)::int AS period, sum(bookings)::int AS bookings,
           sum(cancellations)::int AS cancellations
      {_FROM_DAY_COUNTER}
     GROUP BY 1
    UNION ALL
    SELECT extract(month FROM night_of_stay)::int, sum(bookings)::int, sum(cancellations)::int
      {_FROM_NIGHT_COUNTER}
     GROUP BY 1
"""  # noqa: S608 - built from the pieces above, without input

# Without GROUP BY for day_counter, which has one row a day: grouping a year again costs a fifth of the statement.
_COUNTS_BY_DAY = f"""
    SELECT day - $2::date AS period, bookings, cancellations
      {_FROM_DAY_COUNTER}
    UNION ALL
    SELECT night_of_stay - $2::date, sum(bookings)::int, sum(cancellations)::int
      {_FROM_NIGHT_COUNTER}
     GROUP BY 1
"""


_DATA_THROUGH = """
    (SELECT CASE WHEN count(data_through) = cardinality($7::text[]) THEN min(data_through) END
       FROM feed_progress
      WHERE feed = ANY($7::text[]))
"""
"""The oldest of the feeds' times; null while one of them has not been read."""


def _counts_of_a_hotel(counts_by_period: str, data_through: str = "NULL") -> str:
    """The statement that reads counts as arrays, the date at the hotel, and the time up to which all feeds are counted.

    Without that time it reads rows of the hotel alone, which are on one node of a cluster.
    """
    return f"""
    SELECT hotel.today, counted.periods, counted.bookings, counted.cancellations, {data_through} AS data_through
      FROM (SELECT last_event_date, ($6::timestamptz AT TIME ZONE timezone)::date AS today
              FROM hotel_summary
             WHERE hotel_id = $1) AS hotel
     CROSS JOIN LATERAL (
            SELECT coalesce(array_agg(period), '{{}}') AS periods,
                   coalesce(array_agg(bookings), '{{}}') AS bookings,
                   coalesce(array_agg(cancellations), '{{}}') AS cancellations
              FROM ({counts_by_period}) AS found
           ) AS counted
    """  # noqa: S608 - built from the pieces above, without input


_SELECT_COUNTS_BY_MONTH = _counts_of_a_hotel(_COUNTS_BY_MONTH, _DATA_THROUGH)
_SELECT_COUNTS_BY_DAY = _counts_of_a_hotel(_COUNTS_BY_DAY, _DATA_THROUGH)
_SELECT_COUNTS_BY_MONTH_ALONE = _counts_of_a_hotel(_COUNTS_BY_MONTH)
_SELECT_COUNTS_BY_DAY_ALONE = _counts_of_a_hotel(_COUNTS_BY_DAY)


async def select_counts_by_month(db: Executor, days: CountedDays) -> CountsByPeriod | None:
    """Counts by month, 1 to 12; months without events are absent. None for an unknown hotel."""
    if days.feeds is None:
        return _counts_by_period(await db.fetchrow(_SELECT_COUNTS_BY_MONTH_ALONE, *days[:-1]))
    return _counts_by_period(await db.fetchrow(_SELECT_COUNTS_BY_MONTH, *days))


async def select_counts_by_day(db: Executor, days: CountedDays) -> CountsByPeriod | None:
    """Counts by day, numbered from 0 at `days.first`; days without events are absent. None for an unknown hotel."""
    if days.feeds is None:
        return _counts_by_period(await db.fetchrow(_SELECT_COUNTS_BY_DAY_ALONE, *days[:-1]))
    return _counts_by_period(await db.fetchrow(_SELECT_COUNTS_BY_DAY, *days))


def _counts_by_period(row: asyncpg.Record | None) -> CountsByPeriod | None:
    if row is None:
        return None
    counts = zip(row["bookings"], row["cancellations"], strict=True)
    return CountsByPeriod(row["today"], row["data_through"], dict(zip(row["periods"], counts, strict=True)))


async def select_hotel_today(db: Executor, hotel_id: int, now: datetime) -> date | None:
    """The date at a hotel now; None for an unknown hotel."""
    return await db.fetchval(
        "SELECT ($2::timestamptz AT TIME ZONE timezone)::date FROM hotel_summary WHERE hotel_id = $1", hotel_id, now
    )


def has_searched_name_or_id(search: str) -> str:
    """Whether the id of the hotel begins with a parameter, or its name contains it in any case; an expression."""
    return f"""
    (starts_with(hotel_id::text, {search})
     OR strpos(lower(name COLLATE pg_c_utf8), lower({search}::text COLLATE pg_c_utf8)) > 0)
"""


async def select_hotels(db: Executor, search: str, after: int, limit: int, *, hidden: bool) -> list[HotelSummary]:
    """Up to `limit` hotels with ids above `after`, by id, whose id begins with `search` or whose name contains it.

    hidden: also the hotels that are hidden.
    """
    rows = await db.fetch(
        f"""
        SELECT hotel_id, name, rooms, hotel_summary.timezone, events, first_night, last_night, last_event_timestamp,
               coalesce(hidden, false) AS hidden
          FROM hotel_summary
          LEFT JOIN hotel_profile USING (hotel_id)
         WHERE hotel_id > $2
           AND {has_searched_name_or_id("$1")}
           AND ($4 OR hidden IS NOT TRUE)
         ORDER BY hotel_id
         LIMIT $3
        """,  # noqa: S608 - built from a constant, without input
        search,
        after,
        limit,
        hidden,
    )
    return [HotelSummary(**row) for row in rows]


async def select_pickup(db: Executor, hotel_id: int, as_of: date, days: int, nights: int) -> list[NightPickup]:
    """Net bookings per night from `as_of` on: of all events up to `as_of`, and of the last `days` event dates."""
    rows = await db.fetch(
        """
        SELECT $2::date + ahead AS night,
               coalesce(sum(bookings - cancellations), 0)::int AS on_the_books,
               coalesce(sum(bookings - cancellations) FILTER (WHERE event_date > $2::date - $3::int), 0)::int AS pickup
          FROM generate_series(0, $4::int - 1) AS ahead
          LEFT JOIN night_counter
            ON hotel_id = $1 AND night_of_stay = $2::date + ahead AND event_date <= $2::date
         GROUP BY ahead
         ORDER BY ahead
        """,
        hotel_id,
        as_of,
        days,
        nights,
    )
    return [NightPickup(**row) for row in rows]


async def select_net_by_night(db: Executor, hotel_id: int, first: date, last: date, as_of: date) -> dict[date, int]:
    """Net bookings per night, `first` to `last`, of events dated on or before `as_of`; other nights are absent."""
    rows = await db.fetch(
        """
        SELECT night_of_stay, sum(bookings - cancellations)::int AS net
          FROM night_counter
         WHERE hotel_id = $1 AND night_of_stay BETWEEN $2 AND $3 AND event_date <= $4
         GROUP BY night_of_stay
        """,
        hotel_id,
        first,
        last,
        as_of,
    )
    return {row["night_of_stay"]: row["net"] for row in rows}


async def select_curve(db: Executor, hotel_id: int, night: date, as_of: date, max_days: int) -> list[CurvePoint]:
    """Cumulative net bookings per day before the night, of events up to `as_of`, from the first event's day to 0.

    Events after the night count at 0, and events more than `max_days` before it at `max_days`.
    """
    rows = await db.fetch(
        """
        WITH change AS (
            SELECT least(greatest(night_of_stay - event_date, 0), $4::int) AS days_before,
                   sum(bookings - cancellations) AS net
              FROM night_counter
             WHERE hotel_id = $1 AND night_of_stay = $2 AND event_date <= $3
             GROUP BY 1
        )
        SELECT day AS days_before,
               sum(coalesce(net, 0)) OVER (ORDER BY day DESC)::int AS on_the_books
          FROM generate_series((SELECT max(days_before) FROM change), 0, -1) AS day
          LEFT JOIN change ON days_before = day
         ORDER BY day DESC
        """,
        hotel_id,
        night,
        as_of,
        max_days,
    )
    return [CurvePoint(**row) for row in rows]


LEAD_TIME_FROM = (0, 1, 4, 8, 15, 31, 61, 91, 181)
"""Days ahead at which each bucket of lead times begins."""


async def select_lead_time(db: Executor, hotel_id: int, first: date, last: date, as_of: date) -> asyncpg.Record | None:
    """Bookings per bucket, and mean and median of the days ahead, for the nights from `first` to `last`.

    Events after `as_of` do not count. A booking made after its night counts as 0 days ahead.
    """
    return await db.fetchrow(
        """
        WITH ahead AS (
            SELECT greatest(night_of_stay - event_date, 0) AS days, sum(bookings) AS bookings
              FROM night_counter
             WHERE hotel_id = $1 AND night_of_stay BETWEEN $2 AND $3 AND event_date <= $4 AND bookings > 0
             GROUP BY 1
        ), ranked AS (
            SELECT days, bookings,
                   sum(bookings) OVER (ORDER BY days) AS through,
                   sum(bookings) OVER () AS total
              FROM ahead
        )
        SELECT (SELECT array_agg(coalesce(found.bookings, 0)::int ORDER BY bucket)
                  FROM generate_series(1, array_length($5::int[], 1)) AS bucket
                  LEFT JOIN (SELECT width_bucket(days, $5::int[]) AS bucket, sum(bookings) AS bookings
                               FROM ahead
                              GROUP BY 1) AS found USING (bucket)) AS buckets,
               round(sum(days * bookings) / sum(bookings), 2)::float8 AS mean,
               ((min(days) FILTER (WHERE through >= div(total + 1, 2))
                 + min(days) FILTER (WHERE through >= div(total + 2, 2))) / 2.0)::float8 AS median
          FROM ranked
        """,
        hotel_id,
        first,
        last,
        as_of,
        LEAD_TIME_FROM,
    )


def _recount(materialized: str) -> str:
    return f"""
    WITH recount AS {materialized} (
        SELECT hotel_id, night_of_stay,
               (event_timestamp AT TIME ZONE coalesce(timezone, 'UTC'))::date AS event_date,
               count(*) FILTER (WHERE status = 1)::int AS bookings,
               count(*) FILTER (WHERE status = 2)::int AS cancellations
          FROM ledger_event
          LEFT JOIN hotel_summary USING (hotel_id)
         GROUP BY 1, 2, 3
    ), recount_day AS {materialized} (
        SELECT hotel_id, by_event_date, CASE WHEN by_event_date THEN event_date ELSE night_of_stay END AS day,
               sum(bookings)::int AS bookings, sum(cancellations)::int AS cancellations
          FROM recount CROSS JOIN (VALUES (false), (true)) AS way (by_event_date)
         GROUP BY 1, 2, 3
    ), recount_hotel AS {materialized} (
        SELECT hotel_id, count(*) AS events, min(night_of_stay) AS first_night, max(night_of_stay) AS last_night,
               max(event_timestamp) AS last_event_timestamp,
               min((event_timestamp AT TIME ZONE coalesce(timezone, 'UTC'))::date) AS first_event_date,
               max((event_timestamp AT TIME ZONE coalesce(timezone, 'UTC'))::date) AS last_event_date
          FROM ledger_event
          LEFT JOIN hotel_summary USING (hotel_id)
         GROUP BY hotel_id
    )
    SELECT (SELECT count(*) FROM ledger_event) AS events,
           (SELECT count(*)
              FROM recount
              FULL JOIN night_counter AS kept USING (hotel_id, night_of_stay, event_date)
             WHERE (recount.bookings, recount.cancellations)
                   IS DISTINCT FROM (kept.bookings, kept.cancellations)) AS night_counters,
           (SELECT count(*)
              FROM recount_day AS recount
              FULL JOIN day_counter AS kept USING (hotel_id, by_event_date, day)
             WHERE (recount.bookings, recount.cancellations)
                   IS DISTINCT FROM (kept.bookings, kept.cancellations)) AS day_counters,
           (SELECT count(*)
              FROM recount_hotel AS recount
              FULL JOIN hotel_summary AS kept USING (hotel_id)
             WHERE (recount.events, recount.first_night, recount.last_night, recount.last_event_timestamp,
                    recount.first_event_date, recount.last_event_date)
                   IS DISTINCT FROM
                   (kept.events, kept.first_night, kept.last_night, kept.last_event_timestamp,
                    kept.first_event_date, kept.last_event_date)) AS hotels
    """  # noqa: S608 - of constants


_SELECT_DIFFERENCES = _recount("MATERIALIZED")
"""On one node, so that the ledger is recounted once for two comparisons."""

_SELECT_DIFFERENCES_ON_NODES = _recount("NOT MATERIALIZED")
"""On a cluster, so that each node compares its own hotels, and no recount is sent to the coordinator."""


async def select_differences(db: Executor, *, is_distributed: bool = False) -> asyncpg.Record:
    """Recount the ledger and compare: the number of events, and of wrong counters of each kind.

    One statement, so both sides of a hotel are of one state of the database. The dates are those in the time zone in
    which each hotel is counted.
    """
    row = await db.fetchrow(_SELECT_DIFFERENCES_ON_NODES if is_distributed else _SELECT_DIFFERENCES)
    assert row is not None
    return row
