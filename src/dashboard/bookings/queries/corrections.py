"""SQL that corrects the ledger: take events off the counters, and summarise their hotels anew."""

from collections.abc import Sequence

from common.db.pool import Executor
from dashboard.bookings.queries.counting import CountedEvents


async def uncount_events(db: Executor, counted: CountedEvents, *, is_distributed: bool) -> None:
    """Take events off the counters per night and per day. `update_hotel_summaries` must follow."""
    if is_distributed:
        await uncount_nights(db, counted)
        await uncount_days(db, counted)
    else:
        await uncount_at_once(db, counted.feed_number, counted.ids)


async def uncount_at_once(db: Executor, feed_number: int, ids: Sequence[int]) -> None:
    """Take these events of a feed off the counters per night and per day, where the ledger is on one node."""
    await db.execute(
        """
        WITH night AS MATERIALIZED (
            SELECT hotel_id, night_of_stay, (event_timestamp AT TIME ZONE timezone)::date AS event_date,
                   count(*) FILTER (WHERE status = 1) AS bookings,
                   count(*) FILTER (WHERE status = 2) AS cancellations
              FROM ledger_event
              JOIN hotel_summary USING (hotel_id)
             WHERE feed_number = $1 AND id = ANY($2::bigint[])
             GROUP BY 1, 2, 3
        ), from_night AS (
            MERGE INTO night_counter AS kept
            USING night ON kept.hotel_id = night.hotel_id
                       AND kept.night_of_stay = night.night_of_stay
                       AND kept.event_date = night.event_date
             WHEN MATCHED AND kept.bookings + kept.cancellations = night.bookings + night.cancellations THEN DELETE
             WHEN MATCHED THEN
                  UPDATE SET bookings = kept.bookings - night.bookings,
                             cancellations = kept.cancellations - night.cancellations
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
         WHEN MATCHED AND kept.bookings + kept.cancellations = day.bookings + day.cancellations THEN DELETE
         WHEN MATCHED THEN
              UPDATE SET bookings = kept.bookings - day.bookings,
                         cancellations = kept.cancellations - day.cancellations
        """,
        feed_number,
        ids,
    )


async def uncount_nights(db: Executor, counted: CountedEvents) -> None:
    """Take events of a distributed ledger off the counters per night. `uncount_days` must follow."""
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
           ON kept.hotel_id = night.hotel_id AND kept.hotel_id = ANY($3::bigint[])
          AND kept.night_of_stay = night.night_of_stay
          AND kept.event_date = night.event_date
         WHEN MATCHED AND kept.bookings + kept.cancellations = night.bookings + night.cancellations THEN DELETE
         WHEN MATCHED THEN
              UPDATE SET bookings = kept.bookings - night.bookings,
                         cancellations = kept.cancellations - night.cancellations
        """,
        *counted,
    )


async def uncount_days(db: Executor, counted: CountedEvents) -> None:
    """Take events of a distributed ledger off the counters per day. `update_hotel_summaries` must follow."""
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
           ON kept.hotel_id = day.hotel_id AND kept.hotel_id = ANY($3::bigint[])
          AND kept.by_event_date = day.by_event_date AND kept.day = day.day
         WHEN MATCHED AND kept.bookings + kept.cancellations = day.bookings + day.cancellations THEN DELETE
         WHEN MATCHED THEN
              UPDATE SET bookings = kept.bookings - day.bookings,
                         cancellations = kept.cancellations - day.cancellations
        """,
        *counted,
    )


async def delete_events(db: Executor, feed_number: int, ids: Sequence[int]) -> None:
    """Delete events of a feed from the ledger. They must have been uncounted."""
    await db.execute("DELETE FROM ledger_event WHERE feed_number = $1 AND id = ANY($2::bigint[])", feed_number, ids)


async def update_hotel_summaries(db: Executor, hotel_ids: Sequence[int]) -> None:
    """Summarise these hotels from the counters per night and the ledger.

    The latest event is looked for from two days before the last date of an event: clocks may be set back over midnight,
    and a zone may skip a day.
    """
    await db.execute(
        """
        UPDATE hotel_summary
           SET events = counted.events,
               first_night = counted.first_night,
               last_night = counted.last_night,
               first_event_date = counted.first_event_date,
               last_event_date = counted.last_event_date,
               last_event_timestamp =
                   (SELECT max(event_timestamp)
                      FROM ledger_event
                     WHERE ledger_event.hotel_id = counted.hotel_id
                       AND ledger_event.hotel_id = ANY($1::bigint[])
                       AND event_timestamp >= (counted.last_event_date - 2)::timestamp AT TIME ZONE timezone)
          FROM (SELECT hotel_id, sum(bookings + cancellations) AS events, min(night_of_stay) AS first_night,
                       max(night_of_stay) AS last_night, min(event_date) AS first_event_date,
                       max(event_date) AS last_event_date
                  FROM night_counter
                 WHERE hotel_id = ANY($1::bigint[])
                 GROUP BY hotel_id) AS counted
         WHERE hotel_summary.hotel_id = counted.hotel_id AND hotel_summary.hotel_id = ANY($1::bigint[])
        """,
        hotel_ids,
    )


async def delete_empty_hotels(db: Executor, hotel_ids: Sequence[int]) -> None:
    """Delete the summaries of those of these hotels that have no events left."""
    await db.execute(
        """
        DELETE FROM hotel_summary
         WHERE hotel_id = ANY($1::bigint[])
           AND NOT EXISTS (SELECT FROM night_counter WHERE night_counter.hotel_id = hotel_summary.hotel_id)
        """,
        hotel_ids,
    )
