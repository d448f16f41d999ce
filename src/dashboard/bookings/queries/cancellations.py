"""SQL of what was booked and cancelled, by days ahead and by month of stay."""

from datetime import date

from common.db.pool import Executor
from dashboard.bookings.models.cancellations import CountedGroup
from dashboard.bookings.queries.counters import LEAD_TIME_FROM


async def select_cancellations(db: Executor, hotel_id: int, first: date, last: date, as_of: date) -> list[CountedGroup]:
    """Count the nights from `first` to `last`, which are of one year, by month and by days ahead.

    Events after `as_of` do not count, and an event after its night counts as 0 days ahead. Groups without events are
    absent.
    """
    # Month and bucket are computed of the nights and days ahead, not of each row: that takes a third off the time.
    rows = await db.fetch(
        """
        WITH counted AS (
            SELECT night_of_stay AS night, night_of_stay - event_date AS days,
                   sum(bookings)::int AS bookings, sum(cancellations)::int AS cancellations
              FROM night_counter
             WHERE hotel_id = $1 AND night_of_stay BETWEEN $2 AND $3 AND event_date <= $4
             GROUP BY GROUPING SETS ((night_of_stay), (night_of_stay - event_date))
        )
        SELECT extract(month FROM night)::int AS month,
               width_bucket(CASE WHEN days < 0 THEN 0 ELSE days END, $5::int[]) AS bucket,
               sum(bookings)::int AS bookings, sum(cancellations)::int AS cancellations
          FROM counted
         GROUP BY 1, 2
        """,
        hotel_id,
        first,
        last,
        as_of,
        LEAD_TIME_FROM,
    )
    return [CountedGroup(*row) for row in rows]
