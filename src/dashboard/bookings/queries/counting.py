"""SQL that adds events of the ledger to the counters, in the transaction that stores the events.

On one node it is one statement. Citus takes no MERGE from a CTE, so on a cluster it is three, each of which the nodes
run for their own hotels. Each MERGE names the hotels in its source, by which Citus finds the nodes that have any;
the INSERT asks all nodes, since with these conditions it took twice as long for 2,000 hotels.
"""

from collections.abc import Sequence
from typing import NamedTuple

from common.db.pool import Executor


async def count_events(db: Executor, feed_number: int, ids: Sequence[int], timezone: str) -> None:
    """Add these events of a feed, all of hotels in one time zone, to the counters."""
    await db.execute(
        """
        WITH night AS MATERIALIZED (
            SELECT hotel_id, night_of_stay, (event_timestamp AT TIME ZONE $3)::date AS event_date,
                   count(*) FILTER (WHERE status = 1) AS bookings,
                   count(*) FILTER (WHERE status = 2) AS cancellations,
                   max(event_timestamp) AS last_event_timestamp
              FROM ledger_event
             WHERE feed_number = $1 AND id = ANY($2::bigint[])
             GROUP BY 1, 2, 3
             ORDER BY 1, 2, 3
        ), into_hotel AS (
            INSERT INTO hotel_summary (hotel_id, timezone, events, first_night, last_night, last_event_timestamp,
                                       first_event_date, last_event_date)
            SELECT hotel_id, $3, sum(bookings + cancellations), min(night_of_stay), max(night_of_stay),
                   max(last_event_timestamp), min(event_date), max(event_date)
              FROM night
             GROUP BY hotel_id
            ON CONFLICT (hotel_id) DO UPDATE
               SET events = hotel_summary.events + excluded.events,
                   first_night = least(hotel_summary.first_night, excluded.first_night),
                   last_night = greatest(hotel_summary.last_night, excluded.last_night),
                   last_event_timestamp = greatest(hotel_summary.last_event_timestamp, excluded.last_event_timestamp),
                   first_event_date = least(hotel_summary.first_event_date, excluded.first_event_date),
                   last_event_date = greatest(hotel_summary.last_event_date, excluded.last_event_date)
        ), into_night AS (
            MERGE INTO night_counter AS kept
            USING night ON kept.hotel_id = night.hotel_id
                       AND kept.night_of_stay = night.night_of_stay
                       AND kept.event_date = night.event_date
             WHEN MATCHED THEN
                  UPDATE SET bookings = kept.bookings + night.bookings,
                             cancellations = kept.cancellations + night.cancellations
             WHEN NOT MATCHED THEN
                  INSERT (hotel_id, night_of_stay, event_date, bookings, cancellations)
                  VALUES (night.hotel_id, night_of_stay, event_date, night.bookings, night.cancellations)
        )
        MERGE INTO day_counter AS kept
        USING (SELECT hotel_id, false AS by_event_date, night_of_stay AS day,
                      sum(bookings) AS bookings, sum(cancellations) AS cancellations
                 FROM night
                GROUP BY hotel_id, night_of_stay
                UNION ALL
               SELECT hotel_id, true, event_date, sum(bookings), sum(cancellations)
                 FROM night
                GROUP BY hotel_id, event_date) AS day
           ON kept.hotel_id = day.hotel_id AND kept.by_event_date = day.by_event_date AND kept.day = day.day
         WHEN MATCHED THEN
              UPDATE SET bookings = kept.bookings + day.bookings,
                         cancellations = kept.cancellations + day.cancellations
         WHEN NOT MATCHED THEN
              INSERT (hotel_id, by_event_date, day, bookings, cancellations)
              VALUES (day.hotel_id, day.by_event_date, day.day, day.bookings, day.cancellations)
        """,
        feed_number,
        ids,
        timezone,
    )


class CountedEvents(NamedTuple):
    """Events of a feed in the ledger. hotel_ids: all of their hotels, so that on a cluster only their nodes work."""

    feed_number: int
    ids: Sequence[int]
    hotel_ids: Sequence[int]


async def count_hotels(db: Executor, counted: CountedEvents, timezone: str) -> None:
    """Add events to the summaries of their hotels, in a distributed ledger. `count_nights` and `count_days` follow.

    timezone: that of new hotels which have no time zone of their own.
    """
    await db.execute(
        """
        INSERT INTO hotel_summary (hotel_id, timezone, events, first_night, last_night, last_event_timestamp,
                                   first_event_date, last_event_date)
        SELECT hotel_id, timezone, count(*), min(night_of_stay), max(night_of_stay), max(event_timestamp),
               min((event_timestamp AT TIME ZONE timezone)::date), max((event_timestamp AT TIME ZONE timezone)::date)
          FROM (SELECT event.hotel_id, night_of_stay, event_timestamp,
                       coalesce(known.timezone, hotel_profile.timezone, $4) AS timezone
                  FROM ledger_event AS event
                  LEFT JOIN hotel_summary AS known ON known.hotel_id = event.hotel_id
                  LEFT JOIN hotel_profile ON hotel_profile.hotel_id = event.hotel_id
                 WHERE feed_number = $1 AND id = ANY($2::bigint[]) AND event.hotel_id = ANY($3::bigint[])) AS event
         GROUP BY hotel_id, timezone
        ON CONFLICT (hotel_id) DO UPDATE
           SET events = hotel_summary.events + excluded.events,
               first_night = least(hotel_summary.first_night, excluded.first_night),
               last_night = greatest(hotel_summary.last_night, excluded.last_night),
               last_event_timestamp = greatest(hotel_summary.last_event_timestamp, excluded.last_event_timestamp),
               first_event_date = least(hotel_summary.first_event_date, excluded.first_event_date),
               last_event_date = greatest(hotel_summary.last_event_date, excluded.last_event_date)
        """,
        *counted,
        timezone,
    )


async def count_nights(db: Executor, counted: CountedEvents) -> None:
    """Add events to the counters per night and date of event, in a distributed ledger."""
    await db.execute(
        """
        MERGE INTO night_counter AS kept
        USING (SELECT event.hotel_id, night_of_stay, (event_timestamp AT TIME ZONE timezone)::date AS event_date,
                      count(*) FILTER (WHERE status = 1) AS bookings,
                      count(*) FILTER (WHERE status = 2) AS cancellations
                 FROM ledger_event AS event
                 JOIN hotel_summary ON hotel_summary.hotel_id = event.hotel_id
                WHERE feed_number = $1 AND id = ANY($2::bigint[])
                  AND event.hotel_id = ANY($3::bigint[]) AND hotel_summary.hotel_id = ANY($3::bigint[])
                GROUP BY 1, 2, 3) AS night
           ON kept.hotel_id = night.hotel_id
          AND kept.night_of_stay = night.night_of_stay
          AND kept.event_date = night.event_date
         WHEN MATCHED THEN
              UPDATE SET bookings = kept.bookings + night.bookings,
                         cancellations = kept.cancellations + night.cancellations
         WHEN NOT MATCHED THEN
              INSERT (hotel_id, night_of_stay, event_date, bookings, cancellations)
              VALUES (night.hotel_id, night.night_of_stay, night.event_date, night.bookings, night.cancellations)
        """,
        *counted,
    )


async def count_days(db: Executor, counted: CountedEvents) -> None:
    """Add events to the counters per day, in a distributed ledger."""
    await db.execute(
        """
        MERGE INTO day_counter AS kept
        USING (SELECT event.hotel_id, by_event_date,
                      CASE WHEN by_event_date THEN (event_timestamp AT TIME ZONE timezone)::date
                           ELSE night_of_stay
                      END AS day,
                      count(*) FILTER (WHERE status = 1) AS bookings,
                      count(*) FILTER (WHERE status = 2) AS cancellations
                 FROM ledger_event AS event
                 JOIN hotel_summary ON hotel_summary.hotel_id = event.hotel_id
                CROSS JOIN (VALUES (false), (true)) AS way (by_event_date)
                WHERE feed_number = $1 AND id = ANY($2::bigint[])
                  AND event.hotel_id = ANY($3::bigint[]) AND hotel_summary.hotel_id = ANY($3::bigint[])
                GROUP BY 1, 2, 3) AS day
           ON kept.hotel_id = day.hotel_id AND kept.by_event_date = day.by_event_date AND kept.day = day.day
         WHEN MATCHED THEN
              UPDATE SET bookings = kept.bookings + day.bookings,
                         cancellations = kept.cancellations + day.cancellations
         WHEN NOT MATCHED THEN
              INSERT (hotel_id, by_event_date, day, bookings, cancellations)
              VALUES (day.hotel_id, day.by_event_date, day.day, day.bookings, day.cancellations)
        """,
        *counted,
    )
