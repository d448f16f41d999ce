"""SQL of the months ahead of several hotels, beside the same time last year."""

from collections.abc import Sequence

from common.db.pool import Executor
from dashboard.bookings.models.months_ahead import MonthAhead
from dashboard.bookings.models.morning import AskedMorning
from dashboard.bookings.queries.dated_hotels import DATED_HOTELS, has_night_after, night_after, night_before
from dashboard.bookings.queries.nights import NEAR_NIGHTS

_HOTELS = f"""
    SELECT *, date_trunc('month', as_of::timestamp)::date AS first_listed,
           (date_trunc('month', as_of::timestamp) + $5::int * interval '1 month')::date - 1 AS last_listed
      FROM ({DATED_HOTELS}) AS dated
     WHERE hotel_id = ANY($4::bigint[])
"""  # noqa: S608 - built from a constant, without input


def _nets_by_month(first: str, last: str, as_of: str, *, last_near: str, month: str, condition: str) -> str:
    """The net of the nights of the hotels at a date, by month.

    That of a near night is the net of all its events less those dated after the date; of later nights, the events up to
    the date are fewer. last_near: the last near night; month: of a night; condition: on it.
    """
    return f"""
    SELECT hotel_id, {month} AS month, sum(net)::int AS net
      FROM (SELECT hotel_id, day AS night, bookings - cancellations AS net
              FROM ({_HOTELS}) AS hotel
              JOIN day_counter USING (hotel_id)
             WHERE NOT by_event_date AND day BETWEEN {first} AND least({last}, {last_near})
             UNION ALL
            SELECT hotel_id, night_of_stay, net
              FROM ({_HOTELS}) AS hotel
             CROSS JOIN LATERAL (
                   SELECT night_of_stay, sum(cancellations - bookings) AS net
                     FROM night_counter
                    WHERE night_counter.hotel_id = hotel.hotel_id
                      AND night_of_stay BETWEEN {first} AND least({last}, {last_near}) AND event_date > {as_of}
                    GROUP BY night_counter.hotel_id, night_of_stay) AS later
             UNION ALL
            SELECT hotel_id, night_of_stay, net
              FROM ({_HOTELS}) AS hotel
             CROSS JOIN LATERAL (
                   SELECT night_of_stay, sum(bookings - cancellations) AS net
                     FROM night_counter
                    WHERE night_counter.hotel_id = hotel.hotel_id
                      AND night_of_stay BETWEEN {last_near} + 1 AND {last} AND event_date <= {as_of}
                    GROUP BY night_counter.hotel_id, night_of_stay) AS earlier) AS change
     WHERE {condition}
     GROUP BY 1, 2
    """  # noqa: S608 - built from the pieces above, without input


_THIS_YEAR = _nets_by_month(
    "first_listed",
    "last_listed",
    "as_of",
    # As long as no event is dated after as_of, the net of all events is right for every night.
    last_near=f"CASE WHEN last_event_date <= as_of THEN last_listed ELSE as_of + {NEAR_NIGHTS} END",
    month="date_trunc('month', night::timestamp)",
    condition="true",
)
_LAST_YEAR = _nets_by_month(
    night_before("first_listed"),
    night_before("last_listed"),
    "as_of_before",
    last_near=f"as_of_before + {NEAR_NIGHTS}",
    month=f"date_trunc('month', ({night_after('night')})::timestamp)",
    condition=has_night_after("night"),
)

_SELECT_MONTHS_AHEAD = f"""
    SELECT hotel_id, month::date, coalesce(this_year.net, 0) AS on_the_books,
           CASE WHEN first_event_date <= as_of_before AND {night_before("month::date")} >= first_night
                THEN coalesce(before.net, 0)
           END AS same_time_last_year
      FROM ({_HOTELS}) AS hotel
     CROSS JOIN generate_series(first_listed::timestamp, last_listed::timestamp, interval '1 month') AS month
      LEFT JOIN ({_THIS_YEAR}) AS this_year USING (hotel_id, month)
      LEFT JOIN ({_LAST_YEAR}) AS before USING (hotel_id, month)
     ORDER BY hotel_id, month
"""  # noqa: S608 - built from the pieces above, without input


async def select_months_ahead(
    db: Executor, asked: AskedMorning, hotel_ids: Sequence[int], months: int
) -> list[MonthAhead]:
    """Each of so many months of these hotels, the current one first, by id and month."""
    rows = await db.fetch(_SELECT_MONTHS_AHEAD, *asked, hotel_ids, months)
    return [MonthAhead(*row) for row in rows]
