"""SQL of `import-stays`."""

from collections.abc import Sequence
from typing import Any

from common.db.pool import Connection, Executor
from provider.stays.models import ImportedStay, Refusal


async def insert_properties(db: Executor, rows: Sequence[tuple[Any, ...]]) -> int:
    """Store the properties whose ids are new; returns how many. rows: line, property_id, description."""
    _, ids, descriptions = zip(*rows, strict=True)
    return await db.fetchval(
        """
        WITH stored AS (
            INSERT INTO property (property_id, description)
            SELECT * FROM unnest($1::text[], $2::text[])
            ON CONFLICT (property_id) DO NOTHING
            RETURNING 1
        )
        SELECT count(*) FROM stored
        """,
        ids, descriptions,
    )  # fmt: skip


async def insert_reservations(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> list[ImportedStay]:
    """Store the reservations whose nights are free, and return them. rows: line, property_id, arrival, nights.

    Ordered by property, so that concurrent imports do not deadlock, and by line, so that the first of two overlapping
    rows is stored. Raises SerializationError when a property was linked to another room meanwhile.
    """
    found = await connection.fetch(
        """
        WITH given AS (
            SELECT line, property_id, arrival, arrival + nights AS departure
              FROM unnest($1::bigint[], $2::text[], $3::date[], $4::integer[])
                AS row (line, property_id, arrival, nights)
        ), stored AS (
            INSERT INTO reservation (property_id, arrival, departure, hotel_id, room_id)
            SELECT property_id, arrival, departure, hotel_id, room_id
              FROM given
              JOIN property USING (property_id)
             WHERE hotel_id IS NULL
                OR NOT EXISTS (SELECT FROM nights_booked_in_feed(hotel_id, room_id, arrival, departure))
             ORDER BY property_id COLLATE "C", line
            ON CONFLICT DO NOTHING
            RETURNING reservation_id, property_id, arrival, departure, hotel_id, room_id
        ), noted AS (
            SELECT reservation_id, min(line) AS line
              FROM stored
              JOIN given USING (property_id, arrival, departure)
             GROUP BY reservation_id
        )
        SELECT line, reservation_id, arrival, departure, hotel_id, room_id, clock_timestamp()
          FROM noted
          JOIN stored USING (reservation_id)
         ORDER BY line
        """,
        *(zip(*rows, strict=True) if rows else ((), (), (), ())),
    )
    return [ImportedStay(*row) for row in found]


async def select_refusals(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> list[Refusal]:
    """Why each of the rows was not stored, by line. rows: line, property_id, arrival, nights."""
    found = await connection.fetch(
        """
        SELECT given.line, property.property_id IS NOT NULL, booked_night,
               stay.arrival, stay.departure, stay.holder IS NOT NULL,
               (stay.arrival, stay.departure) = (given.arrival, given.departure),
               daterange(stay.arrival, stay.departure) && daterange(given.arrival, given.departure),
               turnover_days, stay.reservation_id
          FROM (SELECT line, property_id, arrival, arrival + nights AS departure
                  FROM unnest($1::bigint[], $2::text[], $3::date[], $4::integer[])
                    AS row (line, property_id, arrival, nights)) AS given
          LEFT JOIN property USING (property_id)
          LEFT JOIN LATERAL (
                   SELECT reservation_id, arrival, departure, holder
                     FROM reservation AS each
                    WHERE each.property_id = property.property_id
                      AND cancelled_at IS NULL
                      AND each.arrival < given.departure + turnover_days
                      AND each.free_from > given.arrival
                    ORDER BY (each.arrival, each.departure) = (given.arrival, given.departure) DESC,
                             daterange(each.arrival, each.departure) && daterange(given.arrival, given.departure) DESC,
                             each.arrival
                    LIMIT 1
               ) AS stay ON true
          LEFT JOIN LATERAL (
                   SELECT min(night) AS booked_night
                     FROM nights_booked_in_feed(property.hotel_id, property.room_id, given.arrival, given.departure)
               ) AS in_feed ON true
         ORDER BY given.line
        """,
        *zip(*rows, strict=True),
    )
    return [Refusal(*row) for row in found]
