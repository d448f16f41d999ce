"""SQL of `import-stays`."""

from collections.abc import Sequence
from typing import Any

from common.db.pool import Executor
from provider.stays.models import Stay


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


async def insert_reservations(db: Executor, rows: Sequence[tuple[Any, ...]]) -> set[int]:
    """Store the reservations whose nights are free; returns their lines. rows: line, property_id, arrival, nights.

    Ordered by property, so that concurrent imports do not deadlock, and by line, so that the first of two overlapping
    rows is stored.
    """
    lines, ids, arrivals, nights = zip(*rows, strict=True) if rows else ((), (), (), ())
    stored = await db.fetch(
        """
        WITH given AS (
            SELECT line, property_id, arrival, arrival + nights AS departure
              FROM unnest($1::bigint[], $2::text[], $3::date[], $4::integer[])
                AS row (line, property_id, arrival, nights)
        ), stored AS (
            INSERT INTO reservation (property_id, arrival, departure)
            SELECT property_id, arrival, departure
              FROM given
             WHERE property_id IN (SELECT property_id FROM property)
             ORDER BY property_id COLLATE "C", line
            ON CONFLICT DO NOTHING
            RETURNING property_id, arrival, departure
        )
        SELECT min(line) AS line
          FROM stored
          JOIN given USING (property_id, arrival, departure)
         GROUP BY property_id, arrival, departure
        """,
        lines, ids, arrivals, nights,
    )  # fmt: skip
    return {row["line"] for row in stored}


async def select_conflicts(db: Executor, rows: Sequence[tuple[Any, ...]]) -> list[tuple[int, bool, Stay | None]]:
    """For each row that was not stored: its line, whether the property is known, and the stay that conflicts.

    The stay is None when the very same reservation is stored.
    """
    found = await db.fetch(
        """
        SELECT line, property.property_id IS NOT NULL AS known, conflict.*
          FROM unnest($1::bigint[], $2::text[], $3::date[], $4::integer[]) AS given (line, property_id, arrival, nights)
          LEFT JOIN property USING (property_id)
          LEFT JOIN LATERAL (
                   SELECT reservation_id, stay.arrival, stay.departure
                     FROM reservation AS stay
                    WHERE stay.property_id = property.property_id
                      AND cancelled_at IS NULL
                      AND stay.arrival < given.arrival + nights + turnover_days
                      AND stay.free_from > given.arrival
                    ORDER BY (stay.arrival, stay.departure) = (given.arrival, given.arrival + nights) DESC, stay.arrival
                    LIMIT 1
               ) AS conflict ON (conflict.arrival, conflict.departure) <> (given.arrival, given.arrival + nights)
         ORDER BY line
        """,
        *zip(*rows, strict=True),
    )
    return [
        (row["line"], row["known"], None if row["reservation_id"] is None else Stay(*tuple(row)[2:])) for row in found
    ]
