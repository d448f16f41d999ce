"""SQL of the usual booking curve."""

from datetime import date

import asyncpg

from common.db.pool import Executor

USUAL_CURVE_DAYS = 365
"""Days before the night at which the usual curve begins."""


async def select_usual_quartiles(
    db: Executor, hotel_id: int, last: date, count: int, as_of: date
) -> list[asyncpg.Record]:
    """`days_before` and `quartiles` of the rooms on the books of `count` nights, from 365 days before them to 0.

    The nights are `last` and those 7, 14, … days before it. Events after a night count at 0, and those more than 365
    days before it at 365. A night counts at a distance if the hotel had its first event by that day, and if it is not
    before the hotel's first night with an event; without such a night the quartiles are null.
    """
    return await db.fetch(
        """
        WITH night AS (
            SELECT $2::date - 7 * number AS night
              FROM generate_series(0, $3::int - 1) AS number
        ), change AS (
            SELECT night_of_stay AS night, least(greatest(night_of_stay - event_date, 0), $5::int) AS days_before,
                   sum(bookings - cancellations)::int AS net
              FROM night_counter
             WHERE hotel_id = $1 AND night_of_stay = ANY(ARRAY(SELECT night FROM night)) AND event_date <= $4
             GROUP BY 1, 2
        ), curve AS (
            SELECT night, days_before,
                   sum(coalesce(net, 0)) OVER (PARTITION BY night ORDER BY days_before DESC)::float8 AS on_the_books
              FROM night
             CROSS JOIN generate_series(0, $5::int) AS days_before
              LEFT JOIN change USING (night, days_before)
        )
        SELECT days_before,
               percentile_cont(ARRAY[0.25, 0.5, 0.75]) WITHIN GROUP (ORDER BY on_the_books)
                   FILTER (WHERE night >= first_night AND night - days_before >= first_event_date) AS quartiles
          FROM curve
         CROSS JOIN (SELECT first_event_date, first_night FROM hotel_summary WHERE hotel_id = $1) AS hotel
         GROUP BY days_before
         ORDER BY days_before DESC
        """,
        hotel_id,
        last,
        count,
        as_of,
        USUAL_CURVE_DAYS,
    )
