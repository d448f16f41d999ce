"""SQL of the free stretches: their recount, and the segments of ids in which a search finds them."""

from typing import Any

import asyncpg

from common.db.pool import Connection, Executor


async def select_recount(db: Executor, after: str, limit: int) -> list[asyncpg.Record]:
    """The free stretches of up to `limit` properties by id, after the id `after`: as kept, and computed anew.

    property_id, kept, due, and in_segment: whether the kept ones have the segment of the id. From one snapshot, so that
    changes at the same moment make no difference.
    """
    return await db.fetch(
        """
        SELECT property_id, kept, due, in_segment
          FROM (SELECT property_id FROM property WHERE property_id > $1 ORDER BY property_id LIMIT $2) AS checked
         CROSS JOIN LATERAL (
                   SELECT coalesce(array_agg(nights ORDER BY first_night), '{}') AS kept,
                          coalesce(bool_and(segment = segment_of(checked.property_id)), true) AS in_segment
                     FROM free_stretch
                    WHERE free_stretch.property_id = checked.property_id
               ) AS stored
         CROSS JOIN LATERAL (
                   SELECT ARRAY(SELECT unnest(computed_free_nights(checked.property_id))) AS due
               ) AS recounted
         ORDER BY property_id
        """,
        after, limit,
    )  # fmt: skip


async def select_without_property(db: Executor) -> list[str]:
    """The ids that have free stretches and are no property."""
    rows = await db.fetch(
        """
        SELECT DISTINCT property_id
          FROM free_stretch
         WHERE NOT EXISTS (SELECT FROM property WHERE property.property_id = free_stretch.property_id)
         ORDER BY property_id
        """
    )
    return [row["property_id"] for row in rows]


async def recompute(connection: Connection, property_id: str) -> None:
    """Replace the free stretches of a property by computed ones; of an id that is no property, delete them."""
    await connection.execute("SELECT recompute_free_stretches($1)", property_id)


async def select_large_segments(db: Executor, size: int) -> list[tuple[int, int]]:
    """The segments with more properties than `size`, each with their number."""
    rows = await db.fetch(
        """
        SELECT segment, properties
          FROM (SELECT segment, first_id, lead(first_id) OVER (ORDER BY first_id) AS end_id
                  FROM property_segment) AS each
         CROSS JOIN LATERAL (
                   SELECT count(*) AS properties
                     FROM property
                    WHERE property_id >= first_id
                      AND (end_id IS NULL OR property_id < end_id)
               ) AS counted
         WHERE properties > $1
         ORDER BY segment
        """,
        size,
    )
    return [tuple[Any, ...](row) for row in rows]


async def select_new_segment(db: Executor) -> int:
    """A number that no segment has."""
    return await db.fetchval("SELECT max(segment) + 1 FROM property_segment")


async def move_to_segment(connection: Connection, source: int, target: int, properties: int) -> int:
    """Move the last `properties` of a segment to the beginning of the next one, or to a new one.

    Returns how many moved: none while somebody creates properties.
    """
    return await connection.fetchval("SELECT move_to_segment($1, $2, $3)", source, target, properties)
