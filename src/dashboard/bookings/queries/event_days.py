"""SQL of what the events of each date changed of one night."""

from datetime import date

from common.db.pool import Executor
from dashboard.bookings.models.event_days import EventDay


async def select_event_days(db: Executor, hotel_id: int, night: date, as_of: date) -> list[EventDay]:
    """The dates up to `as_of` that have events of the night, newest first."""
    rows = await db.fetch(
        """
        SELECT event_date, $2::date - event_date, bookings, cancellations,
               sum(bookings - cancellations) OVER (ORDER BY event_date)::int
          FROM night_counter
         WHERE hotel_id = $1 AND night_of_stay = $2 AND event_date <= $3
         ORDER BY event_date DESC
        """,
        hotel_id,
        night,
        as_of,
    )
    return [EventDay(*row) for row in rows]
