"""SQL of the nights of a hotel beside those of the year before."""

from common.db.pool import Executor
from dashboard.bookings.models.nights import AskedNights, KnownHotel, NightFigures


async def select_known_hotel(db: Executor, hotel_id: int) -> KnownHotel | None:
    """The rooms of a hotel and the date of its first event; None for an unknown hotel."""
    row = await db.fetchrow(
        """
        SELECT rooms, first_event_date
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
    date a year before; 29 February has none, but as `as_of` it looks back to 28 February.
    """
    rows = await db.fetch(
        """
        SELECT night, on_the_books, today, yesterday, pickup_3, pickup_7, pickup_14, pickup_30,
               same_time_last_year, on_the_books - same_time_last_year AS difference, usual_7, last_year
          FROM (SELECT night, this_year.*,
                       CASE WHEN first_event_date <= as_of_before THEN before.same_time END AS same_time_last_year,
                       CASE WHEN first_event_date <= as_of_before - 6 THEN before.pickup_7 END AS usual_7,
                       CASE WHEN first_event_date <= counterpart AND counterpart < $4::date THEN before.slept
                       END AS last_year
                  FROM (SELECT first_event_date, $2::date + ahead AS night,
                               CASE WHEN $5::text = 'weekday' THEN $2::date + ahead - 364
                                    WHEN to_char($2::date + ahead, 'MM-DD') <> '02-29'
                                    THEN ($2::date + ahead - interval '1 year')::date
                               END AS counterpart,
                               CASE WHEN $5::text = 'weekday' THEN $4::date - 364
                                    ELSE ($4::date - interval '1 year')::date
                               END AS as_of_before
                          FROM hotel_summary
                         CROSS JOIN generate_series(0, $3::date - $2::date) AS ahead
                         WHERE hotel_id = $1) AS asked
                 CROSS JOIN LATERAL (
                        SELECT coalesce(sum(net), 0)::int AS on_the_books,
                               coalesce(sum(net) FILTER (WHERE event_date = $4::date), 0)::int AS today,
                               coalesce(sum(net) FILTER (WHERE event_date = $4::date - 1), 0)::int AS yesterday,
                               coalesce(sum(net) FILTER (WHERE event_date > $4::date - 3), 0)::int AS pickup_3,
                               coalesce(sum(net) FILTER (WHERE event_date > $4::date - 7), 0)::int AS pickup_7,
                               coalesce(sum(net) FILTER (WHERE event_date > $4::date - 14), 0)::int AS pickup_14,
                               coalesce(sum(net) FILTER (WHERE event_date > $4::date - 30), 0)::int AS pickup_30
                          FROM (SELECT event_date, bookings - cancellations AS net
                                  FROM night_counter
                                 WHERE hotel_id = $1 AND night_of_stay = night AND event_date <= $4) AS change
                       ) AS this_year
                 CROSS JOIN LATERAL (
                        SELECT CASE WHEN counterpart IS NOT NULL
                                    THEN coalesce(sum(net) FILTER (WHERE event_date <= as_of_before), 0)::int
                               END AS same_time,
                               CASE WHEN counterpart IS NOT NULL
                                    THEN coalesce(sum(net) FILTER (WHERE event_date > as_of_before - 7
                                                                     AND event_date <= as_of_before), 0)::int
                               END AS pickup_7,
                               coalesce(sum(net), 0)::int AS slept
                          FROM (SELECT event_date, bookings - cancellations AS net
                                  FROM night_counter
                                 WHERE hotel_id = $1 AND night_of_stay = counterpart AND event_date <= $4) AS change
                       ) AS before
               ) AS found
         ORDER BY night
        """,
        *asked,
    )
    return [NightFigures(*row) for row in rows]
