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
from dashboard.bookings.queries.dated_hotels import DATED_HOTELS, has_night_after, night_after, night_before


def _figures_by_night(first: str, last: str, as_of: str) -> str:
    """On the books, pickup of 7 dates, and cancellations of the date before, per night of the hotels at a date.

    On the books is the net of all events of the night less those dated after it, which are fewer: so only the newest
    events of each night are read one by one.
    """
    return f"""
    SELECT hotel_id, today, night, sum(net)::int AS on_the_books, sum(pickup_7)::int AS pickup_7,
           sum(cancelled)::int AS cancelled_yesterday
      FROM (SELECT hotel_id, as_of AS today, day AS night, bookings - cancellations AS net,
                   0 AS pickup_7, 0 AS cancelled
              FROM ({DATED_HOTELS}) AS hotel
              JOIN day_counter USING (hotel_id)
             WHERE NOT by_event_date AND day BETWEEN {first} AND {last}
             UNION ALL
            SELECT hotel_id, as_of, night_of_stay,
                   CASE WHEN event_date > {as_of} THEN cancellations - bookings ELSE 0 END,
                   CASE WHEN event_date > {as_of} THEN 0 ELSE bookings - cancellations END,
                   CASE WHEN event_date = {as_of} - 1 THEN cancellations ELSE 0 END
              FROM ({DATED_HOTELS}) AS hotel
              JOIN night_counter USING (hotel_id)
             WHERE night_of_stay BETWEEN {first} AND {last} AND event_date > {as_of} - 7) AS change
     GROUP BY 1, 2, 3
    """  # noqa: S608 - of pieces above, no input


_THIS_YEAR = f"""
    SELECT *, night - today AS ahead FROM ({_figures_by_night("as_of", "as_of + $4::int - 1", "as_of")}) AS found
"""  # noqa: S608 - of pieces above, no input

_LAST_YEAR = f"""
    SELECT *, {night_after("night")} - today AS ahead
      FROM ({_figures_by_night("as_of_before", night_before("(as_of + $4::int - 1)"), "as_of_before")}) AS found
     WHERE {has_night_after("night")}
"""  # noqa: S608 - of pieces above, no input

_NIGHTS = f"""
    SELECT hotel_id, name, rooms, as_of, ahead, coalesce(this_year.on_the_books, 0) AS on_the_books,
           coalesce(this_year.pickup_7, 0) AS pickup_7,
           coalesce(this_year.cancelled_yesterday, 0) AS cancelled_yesterday,
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
