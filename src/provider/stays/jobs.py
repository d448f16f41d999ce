"""The jobs of the storefront; this one keeps the segments of property ids small."""

import asyncpg

from common.db.distribution import is_distributed, select_nodes_in_doubt
from common.db.pool import transaction
from common.jobs.lease import JobResult, Lease
from provider.stays.queries import free_stretches as queries

READ_CALENDARS = "read_calendars"
"""The name of the job that reads the calendars of other sites, see calendars/sources.py."""

SPLIT_SECONDS = 300.0
SEGMENT_PROPERTIES = 512
"""A search reads the free properties of one segment after the other, and sorts them."""

MOVED_AT_ONCE = 100
"""Properties that one transaction moves, which waits for the lock of each and makes reservations wait."""


async def split_segments(
    db: asyncpg.Pool, lease: Lease, *, size: int = SEGMENT_PROPERTIES, at_once: int = MOVED_AT_ONCE
) -> JobResult:
    """Split each segment of more than twice `size` properties into segments of `size`.

    It ends early while somebody creates properties, and while a node of a cluster has not finished a transaction: a
    search expects what that node has not moved yet in the segment before. The next run goes on.
    """
    moved = 0
    is_on_cluster = await is_distributed(db, "free_stretch")
    for segment, properties in await queries.select_large_segments(db, 2 * size):
        for _ in range((properties - 1) // size - 1):
            target = await queries.select_new_segment(db)
            left = size
            while left:
                if is_on_cluster and await select_nodes_in_doubt(db):
                    return {"moved": moved}
                async with transaction(db) as connection:
                    await lease.guard(connection)
                    count = await queries.move_to_segment(connection, segment, target, min(left, at_once))
                if not count:
                    return {"moved": moved}
                moved += count
                left -= count
    return {"moved": moved}
