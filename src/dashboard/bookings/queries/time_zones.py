"""SQL of the time zones by which the dates of events are counted: a hotel's own, or else a default."""

from collections.abc import Collection, Sequence

from common.db.pool import Executor


async def select_is_known_time_zone(db: Executor, name: str) -> bool:
    """Whether PostgreSQL knows the time zone."""
    return await db.fetchval("SELECT EXISTS (SELECT FROM pg_timezone_names WHERE name = $1)", name)


async def select_known_time_zones(db: Executor) -> set[str]:
    """The names of all time zones that PostgreSQL knows."""
    return {row["name"] for row in await db.fetch("SELECT name FROM pg_timezone_names")}


async def select_time_zones(db: Executor, hotel_ids: Collection[int], default: str) -> dict[str, list[int]]:
    """The hotels by the time zone in which they are counted; a new hotel gets that of its profile, or `default`."""
    rows = await db.fetch(
        """
        SELECT coalesce(hotel_summary.timezone, hotel_profile.timezone, $2) AS timezone, array_agg(hotel_id) AS hotels
          FROM unnest($1::bigint[]) AS page (hotel_id)
          LEFT JOIN hotel_summary USING (hotel_id)
          LEFT JOIN hotel_profile USING (hotel_id)
         GROUP BY 1
        """,
        list(hotel_ids),
        default,
    )
    return {row["timezone"]: row["hotels"] for row in rows}


async def select_hotels_to_recount(db: Executor, default: str, limit: int) -> list[int]:
    """Up to `limit` hotels that are counted in another time zone than that of their profile, or `default`."""
    rows = await db.fetch(
        """
        SELECT hotel_id
          FROM hotel_summary
          LEFT JOIN hotel_profile USING (hotel_id)
         WHERE hotel_summary.timezone <> coalesce(hotel_profile.timezone, $1)
         ORDER BY hotel_id
         LIMIT $2
        """,
        default,
        limit,
    )
    return [row["hotel_id"] for row in rows]


async def update_time_zones(db: Executor, hotel_ids: Sequence[int], default: str) -> list[int]:
    """Give these hotels the time zone of their profile, or `default`; returns those whose zone that changes.

    Their counters by date of event must be recounted in the same transaction.
    """
    rows = await db.fetch(
        """
        UPDATE hotel_summary
           SET timezone = due.timezone
          FROM (SELECT hotel.hotel_id, coalesce(hotel_profile.timezone, $2) AS timezone
                  FROM hotel_summary AS hotel
                  LEFT JOIN hotel_profile ON hotel_profile.hotel_id = hotel.hotel_id
                 WHERE hotel.hotel_id = ANY($1::bigint[])) AS due
         WHERE hotel_summary.hotel_id = ANY($1::bigint[])
           AND hotel_summary.hotel_id = due.hotel_id
           AND hotel_summary.timezone <> due.timezone
        RETURNING hotel_summary.hotel_id
        """,
        hotel_ids,
        default,
    )
    return [row["hotel_id"] for row in rows]


async def delete_counters_by_event_date(db: Executor, hotel_ids: Sequence[int]) -> None:
    """Delete the counters of these hotels that depend on the dates of their events."""
    await db.execute(
        """
        WITH deleted AS (
            DELETE FROM night_counter WHERE hotel_id = ANY($1::bigint[])
        )
        DELETE FROM day_counter WHERE hotel_id = ANY($1::bigint[]) AND by_event_date
        """,
        hotel_ids,
    )


async def insert_night_counters(db: Executor, hotel_ids: Sequence[int]) -> None:
    """Count the ledger's events of these hotels by night and by their dates in the time zone of each hotel.

    `insert_event_date_counters` and `update_event_dates` follow, which read what this function stores.
    """
    await db.execute(
        """
        INSERT INTO night_counter (hotel_id, night_of_stay, event_date, bookings, cancellations)
        SELECT event.hotel_id, night_of_stay, (event_timestamp AT TIME ZONE timezone)::date,
               count(*) FILTER (WHERE status = 1), count(*) FILTER (WHERE status = 2)
          FROM ledger_event AS event
          JOIN hotel_summary ON hotel_summary.hotel_id = event.hotel_id
         WHERE event.hotel_id = ANY($1::bigint[]) AND hotel_summary.hotel_id = ANY($1::bigint[])
         GROUP BY 1, 2, 3
        """,
        hotel_ids,
    )


async def insert_event_date_counters(db: Executor, hotel_ids: Sequence[int]) -> None:
    """Sum the counters per night of these hotels by date of event."""
    await db.execute(
        """
        INSERT INTO day_counter (hotel_id, by_event_date, day, bookings, cancellations)
        SELECT hotel_id, true, event_date, sum(bookings), sum(cancellations)
          FROM night_counter
         WHERE hotel_id = ANY($1::bigint[])
         GROUP BY hotel_id, event_date
        """,
        hotel_ids,
    )


async def update_event_dates(db: Executor, hotel_ids: Sequence[int]) -> None:
    """Set the first and the last date of an event of these hotels from their counters per night."""
    await db.execute(
        """
        UPDATE hotel_summary
           SET first_event_date = counted.first_event_date, last_event_date = counted.last_event_date
          FROM (SELECT hotel_id, min(event_date) AS first_event_date, max(event_date) AS last_event_date
                  FROM night_counter
                 WHERE hotel_id = ANY($1::bigint[])
                 GROUP BY hotel_id) AS counted
         WHERE hotel_summary.hotel_id = counted.hotel_id AND hotel_summary.hotel_id = ANY($1::bigint[])
        """,
        hotel_ids,
    )
