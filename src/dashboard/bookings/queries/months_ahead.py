"""SQL of the months ahead of several hotels, beside the same time last year."""

from collections.abc import Sequence

from common.db.pool import Executor
from dashboard.bookings.models.notable_nights import AskedMorning, MonthAhead
from dashboard.bookings.queries.dated_hotels import COUNTERPART_NOW, DATED_HOTELS, HAS_COUNTERPART_NOW, night_before

_HOTELS = f"""
    SELECT *, date_trunc('month', as_of::timestamp)::date AS first_night,
           (date_trunc('month', as_of::timestamp) + $5::int * interval '1 month')::date - 1 AS last_night
      FROM ({DATED_HOTELS}) AS dated
     WHERE hotel_id = ANY($4::bigint[])
"""  # noqa: S608 - of a constant

_SELECT_MONTHS_AHEAD = f"""
    SELECT hotel_id, month::date, coalesce(this_year.net, 0) AS on_the_books,
           CASE WHEN first_event_date <= as_of_before THEN coalesce(before.net, 0) END AS same_time_last_year
      FROM ({_HOTELS}) AS hotel
     CROSS JOIN generate_series(first_night::timestamp, last_night::timestamp, interval '1 month') AS month
      LEFT JOIN (SELECT hotel_id, date_trunc('month', night_of_stay::timestamp) AS month,
                        sum(bookings - cancellations)::int AS net
                   FROM ({_HOTELS}) AS hotel
                   JOIN night_counter USING (hotel_id)
                  WHERE night_of_stay BETWEEN first_night AND last_night AND event_date <= as_of
                  GROUP BY 1, 2) AS this_year USING (hotel_id, month)
      LEFT JOIN (SELECT hotel_id, date_trunc('month', ({COUNTERPART_NOW})::timestamp) AS month,
                        sum(bookings - cancellations)::int AS net
                   FROM ({_HOTELS}) AS hotel
                   JOIN night_counter USING (hotel_id)
                  WHERE night_of_stay BETWEEN {night_before("first_night")} AND {night_before("last_night")}
                    AND event_date <= as_of_before
                    AND {HAS_COUNTERPART_NOW}
                  GROUP BY 1, 2) AS before USING (hotel_id, month)
     ORDER BY hotel_id, month
"""  # noqa: S608 - of pieces above, no input


async def select_months_ahead(
    db: Executor, asked: AskedMorning, hotel_ids: Sequence[int], months: int
) -> list[MonthAhead]:
    """Each of so many months of these hotels, the current one first, by id and month."""
    rows = await db.fetch(_SELECT_MONTHS_AHEAD, *asked, hotel_ids, months)
    return [MonthAhead(*row) for row in rows]
