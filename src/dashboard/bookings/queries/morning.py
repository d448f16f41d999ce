"""SQL of the state of the books: what tells one from another, and what changed last."""

from datetime import datetime

from common.db.pool import Executor
from dashboard.bookings.models.morning import LastEvent, MorningMark


async def select_morning_mark(db: Executor, now: datetime) -> MorningMark:
    """The state of the books of all hotels, from one row of each hotel.

    A correction that takes and gives as many events does not change it: see `select_last_correction`.
    """
    row = await db.fetchrow(
        """
        SELECT coalesce(sum(events), 0)::bigint AS events, count(*) AS hotels,
               coalesce(sum(hashtextextended(format('%s %L %s %s', hotel_id, name, rooms, hotel_summary.timezone), 0)),
                        0)::text AS profiles,
               coalesce(array_agg(DISTINCT ($1::timestamptz AT TIME ZONE hotel_summary.timezone)::date), '{}') AS dates,
               min(first_event_date) AS first_event_date
          FROM hotel_summary
          LEFT JOIN hotel_profile USING (hotel_id)
         WHERE hidden IS NOT TRUE
        """,
        now,
    )
    assert row is not None
    return MorningMark(*row)


async def select_last_correction(db: Executor) -> datetime | None:
    """When the ledger was last corrected by what its feed has; None if it never was."""
    return await db.fetchval("SELECT max(applied_at) FROM feed_difference")


async def select_events_since(db: Executor, since: datetime, until: datetime) -> int:
    """How many counted events are dated in the period, without hidden hotels."""
    return await db.fetchval(
        """
        SELECT count(*)
          FROM ledger_event
          LEFT JOIN hotel_profile USING (hotel_id)
         WHERE event_timestamp > $1 AND event_timestamp <= $2 AND hidden IS NOT TRUE
        """,
        since,
        until,
    )


async def select_last_event(db: Executor, now: datetime) -> LastEvent | None:
    """The newest events of the hotel whose last one is the newest of all up to now; None without any."""
    row = await db.fetchrow(
        """
        SELECT hotel.hotel_id, name, last_event_timestamp, min(night_of_stay) AS first_night,
               count(*) FILTER (WHERE status = 1) AS bookings, count(*) FILTER (WHERE status = 2) AS cancellations
          FROM (SELECT hotel_id, name, last_event_timestamp
                  FROM hotel_summary
                  LEFT JOIN hotel_profile USING (hotel_id)
                 WHERE hidden IS NOT TRUE AND last_event_timestamp <= $1
                 ORDER BY last_event_timestamp DESC, hotel_id
                 LIMIT 1) AS hotel
          JOIN ledger_event
            ON ledger_event.hotel_id = hotel.hotel_id AND event_timestamp = last_event_timestamp
         GROUP BY 1, 2, 3
        """,
        now,
    )
    return LastEvent(*row) if row else None
