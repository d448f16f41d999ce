"""SQL of what the pages of a hotel show at their top."""

from datetime import date, datetime

from common.db.pool import Executor
from dashboard.bookings.models.hotel_head import DayCounts, HotelHead


async def select_hotel_head(db: Executor, hotel_id: int, now: datetime) -> HotelHead | None:
    """A hotel with the date there; None for one without an event in the feeds."""
    row = await db.fetchrow(
        """
        SELECT hotel_id, name, rooms, hotel_summary.timezone, events, first_event_date, last_event_timestamp,
               first_night, last_night, ($2::timestamptz AT TIME ZONE hotel_summary.timezone)::date AS today
          FROM hotel_summary
          LEFT JOIN hotel_profile USING (hotel_id)
         WHERE hotel_id = $1
        """,
        hotel_id,
        now,
    )
    return HotelHead(*row) if row else None


async def select_day_counts(db: Executor, hotel_id: int, first: date, last: date) -> dict[date, DayCounts]:
    """What the events of each date were, of all nights; a date without events is absent."""
    rows = await db.fetch(
        """
        SELECT day, bookings, cancellations
          FROM day_counter
         WHERE hotel_id = $1 AND by_event_date AND day BETWEEN $2 AND $3
        """,
        hotel_id,
        first,
        last,
    )
    return {row["day"]: DayCounts(row["bookings"], row["cancellations"]) for row in rows}


async def select_last_booked_night(db: Executor, hotel_id: int, as_of: date) -> date | None:
    """The latest night that is on the books by the events dated on or before `as_of`; None if there is none."""
    return await db.fetchval(
        """
        SELECT night_of_stay
          FROM night_counter
         WHERE hotel_id = $1 AND event_date <= $2
         GROUP BY night_of_stay
        HAVING sum(bookings - cancellations) > 0
         ORDER BY night_of_stay DESC
         LIMIT 1
        """,
        hotel_id,
        as_of,
    )
