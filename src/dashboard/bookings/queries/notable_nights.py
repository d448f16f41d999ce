"""SQL of the nights of all hotels at which somebody should look first."""

from common.db.pool import Executor
from dashboard.bookings.models.notable_nights import (
    FULL_SHARE,
    LEAST_CANCELLATIONS,
    LEAST_PICKUP,
    LEAST_RUN,
    NIGHTS_WATCHED,
    PICKUP_SHARE,
    RUN_SHARE,
    AskedMorning,
    NotableNight,
)
from dashboard.bookings.queries.dated_hotels import COUNTERPART_NOW, DATED_HOTELS, HAS_COUNTERPART_NOW, night_before

_THIS_YEAR = f"""
    SELECT hotel_id, night_of_stay - as_of AS ahead,
           sum(bookings - cancellations)::int AS on_the_books,
           sum(bookings - cancellations) FILTER (WHERE event_date > as_of - 7)::int AS pickup_7,
           sum(cancellations) FILTER (WHERE event_date = as_of - 1)::int AS cancelled_yesterday
      FROM ({DATED_HOTELS}) AS hotel
      JOIN night_counter USING (hotel_id)
     WHERE night_of_stay BETWEEN as_of AND as_of + $4::int - 1 AND event_date <= as_of
     GROUP BY 1, 2
"""  # noqa: S608 - of constants

_LAST_YEAR = f"""
    SELECT hotel_id, {COUNTERPART_NOW} - as_of AS ahead,
           sum(bookings - cancellations)::int AS on_the_books,
           sum(bookings - cancellations) FILTER (WHERE event_date > as_of_before - 7)::int AS pickup_7
      FROM ({DATED_HOTELS}) AS hotel
      JOIN night_counter USING (hotel_id)
     WHERE night_of_stay BETWEEN as_of_before AND {night_before("(as_of + $4::int - 1)")}
       AND event_date <= as_of_before
       AND {HAS_COUNTERPART_NOW}
     GROUP BY 1, 2
"""  # noqa: S608 - of constants

_NIGHTS = f"""
    SELECT hotel_id, name, rooms, as_of, ahead, coalesce(this_year.on_the_books, 0) AS on_the_books,
           coalesce(this_year.pickup_7, 0) AS pickup_7, coalesce(cancelled_yesterday, 0) AS cancelled_yesterday,
           CASE WHEN first_event_date <= as_of_before AND has_counterpart
                THEN coalesce(before.on_the_books, 0)
           END AS same_time_last_year,
           CASE WHEN first_event_date <= as_of_before - 6 AND has_counterpart THEN coalesce(before.pickup_7, 0)
           END AS usual_7
      FROM (SELECT hotel.*, ahead,
                   $2 = 'weekday' OR to_char((as_of + ahead)::timestamp, 'MM-DD') <> '02-29' AS has_counterpart
              FROM ({DATED_HOTELS}) AS hotel
             CROSS JOIN generate_series(0, $4::int - 1) AS ahead) AS asked
      LEFT JOIN ({_THIS_YEAR}) AS this_year USING (hotel_id, ahead)
      LEFT JOIN ({_LAST_YEAR}) AS before USING (hotel_id, ahead)
"""  # noqa: S608 - of pieces above, no input

# The number of a soft night among those of its hotel grows with the nights themselves as long as none is left out, so
# their difference is the same within a run.
_SELECT_NOTABLE_NIGHTS = f"""
    SELECT hotel_id, name, rooms, as_of + ahead AS night, on_the_books, same_time_last_year, pickup_7, usual_7,
           cancelled_yesterday,
           CASE WHEN begins_run THEN run_nights END AS run_nights,
           CASE WHEN begins_run THEN run_difference END AS run_difference
      FROM (SELECT *, is_soft AND count(*) OVER run >= $5::int AND ahead = min(ahead) OVER run AS begins_run,
                   (count(*) OVER run)::int AS run_nights,
                   (sum(on_the_books - same_time_last_year) OVER run)::int AS run_difference
              FROM (SELECT *, ahead - row_number() OVER (PARTITION BY hotel_id, is_soft ORDER BY ahead) AS island
                      FROM (SELECT *, same_time_last_year > 0
                                      AND on_the_books <= same_time_last_year * (1 - $6::float8) AS is_soft
                              FROM ({_NIGHTS}) AS night) AS judged) AS numbered
            WINDOW run AS (PARTITION BY hotel_id, is_soft, island)) AS found
     WHERE begins_run
        OR abs(pickup_7 - usual_7) >= greatest($7::int, $8::float8 * coalesce(rooms, 0))
        OR on_the_books >= $9::float8 * rooms
        OR cancelled_yesterday >= $10::int
"""  # noqa: S608 - of pieces above, no input


async def select_notable_nights(db: Executor, asked: AskedMorning) -> list[NotableNight]:
    """The notable nights of all hotels, in no order, without hidden hotels."""
    rows = await db.fetch(
        _SELECT_NOTABLE_NIGHTS,
        *asked,
        NIGHTS_WATCHED,
        LEAST_RUN,
        RUN_SHARE,
        LEAST_PICKUP,
        PICKUP_SHARE,
        FULL_SHARE,
        LEAST_CANCELLATIONS,
    )
    return [NotableNight(*row) for row in rows]
