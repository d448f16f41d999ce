"""SQL of the free stretches: their recount, and the segments of ids in which a search finds them."""

from typing import Any

import asyncpg

from common.db.pool import Connection, Executor


async def select_recount(db: Executor, after: str, limit: int) -> list[asyncpg.Record]:
    """The free stretches of up to `limit` properties by id, after the id `after`: as kept, and computed anew.

    property_id, kept, due, and is_found: whether the kept ones have the segment of the id, and what else the search
    needs to know of the property. From one snapshot, so that
    changes at the same moment make no difference.
    """
    return await db.fetch(
        """
        SELECT property_id,
               ARRAY(
                   SELECT nights
                     FROM free_stretch
                    WHERE free_stretch.property_id = property.property_id
                    ORDER BY first_night
               ) AS kept,
               CASE WHEN on_sale THEN datemultirange(daterange('1900-01-01', '2200-01-01')) ELSE '{}' END
               - (
                   SELECT coalesce(range_agg(daterange(arrival - turnover_days, free_from)), '{}')
                     FROM reservation
                    WHERE reservation.property_id = property.property_id
                      AND cancelled_at IS NULL
               ) - (
                   SELECT coalesce(range_agg(daterange(first_night, end_date)), '{}')
                     FROM property_block
                    WHERE property_block.property_id = property.property_id
               ) - (
                   SELECT coalesce(range_agg(daterange(first_night, end_date)), '{}')
                     FROM held_nights
                    WHERE held_nights.property_id = property.property_id
               ) - (
                   SELECT coalesce(range_agg(daterange(night_of_stay, night_of_stay + 1)), '{}')
                     FROM (
                         SELECT DISTINCT ON (night_of_stay, by_storefront) night_of_stay, status
                           FROM watched_event
                          WHERE watched_event.hotel_id = property.hotel_id
                            AND room_key = lower(property.room_id COLLATE "C")
                          ORDER BY night_of_stay, by_storefront, event_timestamp DESC, id DESC
                     ) AS latest
                    WHERE status = 1
               ) AS due,
               NOT EXISTS (
                   SELECT 1
                     FROM free_stretch
                    WHERE free_stretch.property_id = property.property_id
                      AND (
                          segment <> (
                              SELECT property_segment.segment
                                FROM property_segment
                               WHERE first_id <= property.property_id
                               ORDER BY first_id DESC
                               LIMIT 1
                          )
                          OR free_stretch.min_nights <> property.min_nights
                          OR free_stretch.max_guests <> coalesce(property.max_guests, 1000)
                          OR free_stretch.timezone IS DISTINCT FROM property.timezone
                      )
               ) AS is_found
          FROM property
         WHERE property_id > $1
         ORDER BY property_id
         LIMIT $2
        """,
        after, limit,
    )  # fmt: skip


async def select_without_property(db: Executor) -> list[str]:
    """The ids that have free stretches and are no property."""
    rows = await db.fetch(
        """
        SELECT DISTINCT property_id
          FROM free_stretch
         WHERE NOT EXISTS (SELECT 1 FROM property WHERE property.property_id = free_stretch.property_id)
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
        SELECT segment, count(*) AS properties
          FROM (SELECT segment, first_id, lead(first_id) OVER (ORDER BY first_id) AS end_id
                  FROM property_segment) AS each
          JOIN property
            ON property_id >= first_id
           AND (end_id IS NULL OR property_id < end_id)
         GROUP BY segment
        HAVING count(*) > $1
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
