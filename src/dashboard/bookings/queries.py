"""SQL behind the numbers."""

from datetime import date, datetime

import asyncpg

from common.db.pool import Executor
from dashboard.bookings.models import CurvePoint, Hotel, NightPickup, QuarantinedEvent

Counted = tuple[datetime | None, dict[int, tuple[int, int]]]
"""How far the feed is counted, and by period the bookings and the cancellations where there are any."""


_COUNTED = """
    SELECT progress.data_through, counted.periods, counted.bookings, counted.cancellations
      FROM hotel_summary
     CROSS JOIN feed_progress AS progress
     CROSS JOIN LATERAL (
            SELECT coalesce(array_agg(period), '{{}}') AS periods,
                   coalesce(array_agg(bookings), '{{}}') AS bookings,
                   coalesce(array_agg(cancellations), '{{}}') AS cancellations
              FROM (SELECT {day_counters}
                      FROM day_counter
                     WHERE hotel_id = $1
                       AND by_event_date = $5::boolean
                       AND day BETWEEN $2::date AND CASE WHEN $5 THEN least($3::date, $4::date) ELSE $3::date END
                       AND ($5 OR hotel_summary.last_event_timestamp < ($4::date + 1)::timestamp AT TIME ZONE 'UTC')
                     {grouped}
                    UNION ALL
                    SELECT {period_of_night}, sum(bookings)::int, sum(cancellations)::int
                      FROM night_counter
                     WHERE hotel_id = $1
                       AND night_of_stay BETWEEN $2::date AND $3::date
                       AND event_date <= $4::date
                       AND NOT ($5 OR hotel_summary.last_event_timestamp < ($4::date + 1)::timestamp AT TIME ZONE 'UTC')
                     GROUP BY 1) AS found
           ) AS counted
     WHERE hotel_summary.hotel_id = $1
"""
_BY_MONTH = _COUNTED.format(
    day_counters="extract(month FROM day)::int AS period, sum(bookings)::int AS bookings, "
    "sum(cancellations)::int AS cancellations",
    grouped="GROUP BY 1",
    period_of_night="extract(month FROM night_of_stay)::int",
)
_BY_DAY = _COUNTED.format(
    day_counters="day - $2::date AS period, bookings, cancellations",
    grouped="",  # there is one row a day: to group a year of them again costs a fifth of the statement
    period_of_night="night_of_stay - $2::date",
)


async def select_counted(
    db: Executor, hotel_id: int, first: date, last: date, as_of: date, *, by_event_date: bool, by_day: bool
) -> Counted | None:
    """Bookings and cancellations of the days from first to last, both included; only events dated `as_of` or before.

    by_day: per day, the period being its number from `first` on, counted from 0; else per month, 1 to 12. None for a
    hotel never heard of. Where all of the hotel's events are that old, the counters per day say it; else those per
    night and event date do.
    """
    row = await db.fetchrow(_BY_DAY if by_day else _BY_MONTH, hotel_id, first, last, as_of, by_event_date)
    if row is None:
        return None
    through, *columns = row
    return through, {
        period: (bookings, cancellations) for period, bookings, cancellations in zip(*columns, strict=True)
    }


async def hotel_exists(db: Executor, hotel_id: int) -> bool:
    return await db.fetchval("SELECT true FROM hotel_summary WHERE hotel_id = $1", hotel_id) is not None


async def select_hotels(db: Executor) -> list[Hotel]:
    """All hotels by id."""
    rows = await db.fetch(
        """
        SELECT hotel_id, events, first_night, last_night, last_event_timestamp
          FROM hotel_summary
         ORDER BY hotel_id
        """
    )
    return [Hotel(**row) for row in rows]


async def select_data_through(db: Executor) -> datetime | None:
    """The moment whose feed the counters show."""
    return await db.fetchval("SELECT data_through FROM feed_progress")


async def select_pickup(db: Executor, hotel_id: int, as_of: date, days: int, nights: int) -> list[NightPickup]:
    """Per night from `as_of` on: net of all events up to then, and of those of the last `days` event dates."""
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
    """Net of the events dated `as_of` or before, per night from first to last that has any."""
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


async def select_curve(db: Executor, hotel_id: int, night: date) -> list[CurvePoint]:
    """Cumulative net per day before the night, from the first event's day down to 0; later events count at 0."""
    rows = await db.fetch(
        """
        WITH change AS (
            SELECT greatest(night_of_stay - event_date, 0) AS days_before,
                   sum(bookings - cancellations) AS net
              FROM night_counter
             WHERE hotel_id = $1 AND night_of_stay = $2
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
    )
    return [CurvePoint(**row) for row in rows]


LEAD_TIME_FROM = (0, 1, 4, 8, 15, 31, 61, 91, 181)


async def select_lead_time(db: Executor, hotel_id: int, first: date, last: date) -> asyncpg.Record | None:
    """Of the bookings of the nights from first to last: how many per bucket, the mean and the median of days ahead.

    A booking made after its night counts as made on the day.
    """
    return await db.fetchrow(
        """
        WITH ahead AS (
            SELECT greatest(night_of_stay - event_date, 0) AS days, sum(bookings) AS bookings
              FROM night_counter
             WHERE hotel_id = $1 AND night_of_stay BETWEEN $2 AND $3 AND bookings > 0
             GROUP BY 1
        ), ranked AS (
            SELECT days, bookings,
                   sum(bookings) OVER (ORDER BY days) AS through,
                   sum(bookings) OVER () AS total
              FROM ahead
        )
        SELECT (SELECT array_agg(coalesce(found.bookings, 0)::int ORDER BY bucket)
                  FROM generate_series(1, array_length($4::int[], 1)) AS bucket
                  LEFT JOIN (SELECT width_bucket(days, $4::int[]) AS bucket, sum(bookings) AS bookings
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
        LEAD_TIME_FROM,
    )


async def select_quarantine(
    db: Executor, after: tuple[datetime, bytes] | None, limit: int
) -> list[tuple[bytes, QuarantinedEvent]]:
    """Up to `limit` of what was set aside after a position, oldest first, each with its fingerprint."""
    rows = await db.fetch(
        """
        SELECT fingerprint, reason, raw, first_seen, last_seen, times
          FROM quarantined_event
         WHERE $1::timestamptz IS NULL OR (first_seen, fingerprint) > ($1, $2::bytea)
         ORDER BY first_seen, fingerprint
         LIMIT $3
        """,
        *(after or (None, None)),
        limit,
    )
    return [(row["fingerprint"], QuarantinedEvent(*tuple(row)[1:])) for row in rows]


async def select_differences(db: Executor) -> asyncpg.Record:
    """A full recount of the ledger beside the counters: how many events there are, and how many counters are wrong.

    One statement, so of one state of the database.
    """
    row = await db.fetchrow(
        """
        WITH recount AS (
            SELECT hotel_id, night_of_stay, (event_timestamp AT TIME ZONE 'UTC')::date AS event_date,
                   count(*) FILTER (WHERE status = 1)::int AS bookings,
                   count(*) FILTER (WHERE status = 2)::int AS cancellations
              FROM ledger_event
             GROUP BY 1, 2, 3
        ), recount_day AS (
            SELECT hotel_id, by_event_date, CASE WHEN by_event_date THEN event_date ELSE night_of_stay END AS day,
                   sum(bookings)::int AS bookings, sum(cancellations)::int AS cancellations
              FROM recount CROSS JOIN (VALUES (false), (true)) AS way (by_event_date)
             GROUP BY 1, 2, 3
        ), recount_hotel AS (
            SELECT hotel_id, count(*) AS events, min(night_of_stay) AS first_night, max(night_of_stay) AS last_night,
                   max(event_timestamp) AS last_event_timestamp
              FROM ledger_event
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
                 WHERE (recount.events, recount.first_night, recount.last_night, recount.last_event_timestamp)
                       IS DISTINCT FROM
                       (kept.events, kept.first_night, kept.last_night, kept.last_event_timestamp)) AS hotels
        """
    )
    assert row is not None
    return row


async def select_next_nights(db: Executor, today: date, nights: int) -> list[tuple[int, int, int]]:
    """Per hotel: on the books for the next nights, and what of it was booked today. For the landing page."""
    rows = await db.fetch(
        """
        SELECT hotel_id,
               sum(bookings - cancellations)::int AS on_the_books,
               coalesce(sum(bookings - cancellations) FILTER (WHERE event_date = $1::date), 0)::int AS today
          FROM night_counter
         WHERE hotel_id IN (SELECT hotel_id FROM hotel_summary ORDER BY last_event_timestamp DESC LIMIT 20)
           AND night_of_stay BETWEEN $1::date AND $1::date + $2::int - 1
         GROUP BY hotel_id
         ORDER BY hotel_id
        """,
        today,
        nights,
    )
    return [tuple(row) for row in rows]
