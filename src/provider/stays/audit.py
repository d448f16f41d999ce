"""The recount of the free stretches: whether they are what the stays, the blocks and the feed leave of the nights."""

import asyncpg

from provider.stays.queries import free_stretches as queries

PROPERTIES_AT_ONCE = 1_000


async def find_differences(db: asyncpg.Pool) -> tuple[int, list[str]]:
    """How many properties there are, and the ids of those whose free stretches differ from the recount."""
    different = await queries.select_without_property(db)
    checked = 0
    after = ""
    while rows := await queries.select_recount(db, after, PROPERTIES_AT_ONCE):
        different += [row["property_id"] for row in rows if row["kept"] != row["due"] or not row["is_found"]]
        checked += len(rows)
        after = rows[-1]["property_id"]
    return checked, different
