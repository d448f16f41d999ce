"""SQL of the build-up: what was on the books of a range of nights at the end of many days."""

from collections.abc import Sequence
from datetime import date

from common.db.pool import Executor


async def select_net_through(db: Executor, hotel_id: int, first: date, last: date, days: Sequence[date]) -> list[int]:
    """Net bookings of the nights `first` to `last`, of events dated on or before each of the days, in their order."""
    rows = await db.fetch(
        """
        SELECT net
          FROM (SELECT place, sum(change) OVER (ORDER BY day)::int AS net
                  FROM (SELECT event_date AS day, NULL AS place, sum(bookings - cancellations)::int AS change
                          FROM night_counter
                         WHERE hotel_id = $1 AND night_of_stay BETWEEN $2 AND $3
                         GROUP BY event_date
                        UNION ALL
                        SELECT day, place, 0
                          FROM unnest($4::date[]) WITH ORDINALITY AS asked (day, place)) AS step) AS line
         WHERE place IS NOT NULL
         ORDER BY place
        """,
        hotel_id,
        first,
        last,
        days,
    )
    return [row["net"] for row in rows]
