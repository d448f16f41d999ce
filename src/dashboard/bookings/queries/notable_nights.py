"""SQL of the nights of all hotels at which somebody should look first."""

from common.db.pool import Executor
from dashboard.bookings.models.morning import AskedMorning
from dashboard.bookings.models.notable_nights import (
    FULL_SHARE,
    LEAST_CANCELLATIONS,
    LEAST_PICKUP,
    LEAST_RUN,
    NIGHTS_WATCHED,
    PICKUP_SHARE,
    RUN_SHARE,
    NotableNight,
)
from dashboard.bookings.queries.dated_hotels import DATED_HOTELS, has_night_after, night_after, night_before


def _changes(first: str, last: str, as_of: str) -> str:
    """What adds up to rooms on the books, pickup of 7 dates and yesterday's cancellations of each night at a date.

    On the books is the net of all events of the night less those dated after the date, which are fewer: so only the
    newest events of each night are read one by one. Hotel by hotel: PostgreSQL, which cannot know how few nights that
    are, would read the whole table.
    """
    return f"""
    SELECT hotel_id, as_of, day AS night, bookings - cancellations AS net, 0 AS pickup_7, 0 AS cancelled
      FROM ({DATED_HOTELS}) AS hotel
      JOIN day_counter USING (hotel_id)
     WHERE NOT by_event_date AND day BETWEEN {first} AND {last}
     UNION ALL
    SELECT hotel_id, as_of, night_of_stay, net, pickup_7, cancelled
      FROM ({DATED_HOTELS}) AS hotel
     CROSS JOIN LATERAL (
           SELECT night_of_stay,
                  coalesce(sum(cancellations - bookings) FILTER (WHERE event_date > {as_of}), 0)::int AS net,
                  coalesce(sum(bookings - cancellations) FILTER (WHERE event_date <= {as_of}), 0)::int AS pickup_7,
                  coalesce(sum(cancellations) FILTER (WHERE event_date = {as_of} - 1), 0)::int AS cancelled
             FROM night_counter
            WHERE night_counter.hotel_id = hotel.hotel_id
              AND night_of_stay BETWEEN {first} AND {last} AND event_date > {as_of} - 7
            GROUP BY night_counter.hotel_id, night_of_stay) AS newest
    """  # noqa: S608 - built from the pieces above, without input


_FIGURES = f"""
    SELECT hotel_id, ahead, sum(net)::int AS on_the_books, sum(pickup_7)::int AS pickup_7,
           sum(cancelled)::int AS cancelled_yesterday, sum(net_before)::int AS net_before,
           sum(pickup_before)::int AS pickup_before
      FROM (SELECT hotel_id, night - as_of AS ahead, net, pickup_7, cancelled, 0 AS net_before, 0 AS pickup_before
              FROM ({_changes("as_of", "as_of + $4::int - 1", "as_of")}) AS this_year
             UNION ALL
            SELECT hotel_id, {night_after("night")} - as_of, 0, 0, 0, net, pickup_7
              FROM ({_changes("as_of_before", night_before("(as_of + $4::int - 1)"), "as_of_before")}) AS last_year
             WHERE {has_night_after("night")}) AS change
     WHERE ahead >= 0
     GROUP BY hotel_id, ahead
"""  # noqa: S608 - built from the pieces above, without input
"""By the days from as_of to the night; below 0 is the counterpart of 28 February if as_of is 29 February."""

# The number of a soft night among those of its hotel grows with the nights themselves as long as none is left out, so
# their difference is the same within a run.
_SELECT_NOTABLE_NIGHTS = f"""
    WITH figures AS MATERIALIZED (
        SELECT hotel_id, name, rooms, as_of, ahead, on_the_books, pickup_7, cancelled_yesterday,
               CASE WHEN first_event_date <= as_of_before AND has_counterpart THEN net_before
               END AS same_time_last_year,
               CASE WHEN first_event_date <= as_of_before - 6 AND has_counterpart THEN pickup_before END AS usual_7
          FROM (SELECT *, ($2 = 'weekday' OR to_char((as_of + ahead)::timestamp, 'MM-DD') <> '02-29')
                          AND {night_before("(as_of + ahead)")} >= first_night AS has_counterpart
                  FROM ({_FIGURES}) AS figures
                  JOIN ({DATED_HOTELS}) AS hotel USING (hotel_id)) AS compared
    ), run AS (
        SELECT hotel_id, min(ahead) AS ahead, count(*)::int AS nights, sum(difference)::int AS difference
          FROM (SELECT hotel_id, ahead, on_the_books - same_time_last_year AS difference,
                       ahead - row_number() OVER (PARTITION BY hotel_id ORDER BY ahead) AS island
                  FROM figures
                 WHERE same_time_last_year > 0
                   AND on_the_books <= same_time_last_year * (1 - $6::float8)) AS soft
         GROUP BY hotel_id, island
        HAVING count(*) >= $5::int
    )
    SELECT hotel_id, name, rooms, as_of + ahead AS night, on_the_books, same_time_last_year, pickup_7, usual_7,
           cancelled_yesterday, run.nights, run.difference
      FROM figures
      LEFT JOIN run USING (hotel_id, ahead)
     WHERE run.nights IS NOT NULL
        OR usual_7 IS NOT NULL
           AND abs(pickup_7 - CASE WHEN rooms IS NULL THEN usual_7
                                   ELSE least(usual_7, greatest(0, rooms - (on_the_books - pickup_7))) END)
               >= greatest($7::int, $8::float8 * coalesce(rooms, 0))
        OR on_the_books >= $9::float8 * rooms
        OR cancelled_yesterday >= $10::int
"""  # noqa: S608 - built from the pieces above, without input


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
