"""SQL of the nights of a hotel beside those of the year before."""

from common.db.pool import Executor
from dashboard.bookings.models.nights import AskedNights, KnownHotel, NightFigures

NEAR_NIGHTS = 60
"""Nights ahead by which about half of the events of a night have come; any number gives the same figures."""


async def select_known_hotel(db: Executor, hotel_id: int) -> KnownHotel | None:
    """The rooms of a hotel, the date of its first event, and its first night; None for an unknown hotel."""
    row = await db.fetchrow(
        """
        SELECT rooms, first_event_date, first_night
          FROM hotel_summary
          LEFT JOIN hotel_profile USING (hotel_id)
         WHERE hotel_id = $1
        """,
        hotel_id,
    )
    return KnownHotel(*row) if row else None


async def select_nights(db: Executor, asked: AskedNights) -> list[NightFigures]:
    """The figures of each night, in order; empty for an unknown hotel.

    match "weekday": the counterpart of a night, and of `as_of`, is 364 days before. "date": it is the same calendar
    date a year before; 29 February has none, but as `as_of` it looks back to 28 February. Of a counterpart before the
    hotel's first night with an event nothing is known.

    The net up to a date is that of all events of the night less those after the date, if these are fewer: there are
    none after today, and few a year before it for near nights. Of nights further ahead, those up to the date are fewer.
    """
    rows = await db.fetch(
        """
        SELECT night, on_the_books, today, yesterday, pickup_3, pickup_7, pickup_14, pickup_30,
               same_time_last_year, on_the_books - same_time_last_year AS difference, usual_7, last_year
          FROM (SELECT night, this_year.*,
                       total.net - this_year.later AS on_the_books,
                       CASE WHEN first_event_date <= as_of_before AND counterpart IS NOT NULL
                            THEN CASE WHEN is_near THEN total_before.net - before.later ELSE before.earlier END
                       END AS same_time_last_year,
                       CASE WHEN first_event_date <= as_of_before - 6 AND counterpart IS NOT NULL THEN before.pickup_7
                       END AS usual_7,
                       CASE WHEN first_event_date <= counterpart AND counterpart < $4::date
                            THEN total_before.net - after_as_of.net
                       END AS last_year
                  FROM (SELECT first_event_date, night, is_near, as_of_before,
                               CASE WHEN night_before >= first_night THEN night_before END AS counterpart
                          FROM (SELECT first_event_date, first_night, $2::date + ahead AS night,
                                       $2::date + ahead < $4::date + $6::int AS is_near,
                                       CASE WHEN $5::text = 'weekday' THEN $2::date + ahead - 364
                                            WHEN to_char(($2::date + ahead)::timestamp, 'MM-DD') <> '02-29'
                                            THEN ($2::date + ahead - interval '1 year')::date
                                       END AS night_before,
                                       CASE WHEN $5::text = 'weekday' THEN $4::date - 364
                                            ELSE ($4::date - interval '1 year')::date
                                       END AS as_of_before
                                  FROM hotel_summary
                                 CROSS JOIN generate_series(0, $3::date - $2::date) AS ahead
                                 WHERE hotel_id = $1) AS dated) AS asked
                 CROSS JOIN LATERAL (
                        SELECT coalesce(sum(bookings - cancellations), 0)::int AS net
                          FROM day_counter
                         WHERE hotel_id = $1 AND NOT by_event_date AND day = night
                       ) AS total
                 CROSS JOIN LATERAL (
                        SELECT coalesce(sum(bookings - cancellations), 0)::int AS net
                          FROM day_counter
                         WHERE hotel_id = $1 AND NOT by_event_date AND day = counterpart
                       ) AS total_before
                 CROSS JOIN LATERAL (
                        SELECT coalesce(sum(net) FILTER (WHERE event_date > $4), 0)::int AS later,
                               coalesce(sum(net) FILTER (WHERE event_date = $4), 0)::int AS today,
                               coalesce(sum(net) FILTER (WHERE event_date = $4 - 1), 0)::int AS yesterday,
                               coalesce(sum(net) FILTER (WHERE event_date BETWEEN $4 - 2 AND $4), 0)::int AS pickup_3,
                               coalesce(sum(net) FILTER (WHERE event_date BETWEEN $4 - 6 AND $4), 0)::int AS pickup_7,
                               coalesce(sum(net) FILTER (WHERE event_date BETWEEN $4 - 13 AND $4), 0)::int AS pickup_14,
                               coalesce(sum(net) FILTER (WHERE event_date <= $4), 0)::int AS pickup_30
                          FROM (SELECT event_date, bookings - cancellations AS net
                                  FROM night_counter
                                 WHERE hotel_id = $1 AND night_of_stay = night AND event_date > $4::date - 30) AS change
                       ) AS this_year
                 CROSS JOIN LATERAL (
                        SELECT coalesce(sum(net) FILTER (WHERE event_date <= as_of_before), 0)::int AS earlier,
                               coalesce(sum(net) FILTER (WHERE event_date > as_of_before), 0)::int AS later,
                               coalesce(sum(net) FILTER (WHERE event_date BETWEEN as_of_before - 6 AND as_of_before), 0
                               )::int AS pickup_7
                          FROM (SELECT event_date, bookings - cancellations AS net
                                  FROM night_counter
                                 WHERE hotel_id = $1 AND night_of_stay = counterpart
                                   AND event_date BETWEEN CASE WHEN is_near THEN as_of_before - 6 ELSE '-infinity' END
                                                      AND CASE WHEN is_near THEN 'infinity' ELSE as_of_before END
                               ) AS change
                       ) AS before
                 CROSS JOIN LATERAL (
                        SELECT coalesce(sum(bookings - cancellations), 0)::int AS net
                          FROM night_counter
                         WHERE hotel_id = $1 AND night_of_stay = counterpart AND event_date > $4
                       ) AS after_as_of
               ) AS found
         ORDER BY night
        """,
        *asked,
        NEAR_NIGHTS,
    )
    return [NightFigures(*row) for row in rows]
