"""Recounts hotels whose time zone has changed: by it the dates of their events are reckoned."""

from collections.abc import Sequence

import asyncpg

from common.db.pool import Connection
from common.jobs.lease import Lease
from dashboard.bookings.ingestion import guarded
from dashboard.bookings.queries import ledger, time_zones

HOTELS_PER_TRANSACTION = 100
"""Hotels recounted at once: each transaction reads the whole ledger, and no event is counted meanwhile."""


async def recount_hotels(connection: Connection, hotel_ids: Sequence[int], default: str) -> int:
    """Count these hotels in the time zone of their profile, or `default`; returns how many were in another.

    Needs a transaction; readers see the hotels as they were until it ends.
    """
    await ledger.lock_ledger(connection)
    changed = await time_zones.update_time_zones(connection, hotel_ids, default)
    if changed:
        await time_zones.delete_counters_by_event_date(connection, changed)
        await time_zones.insert_night_counters(connection, changed)
        await time_zones.insert_event_date_counters(connection, changed)
        await time_zones.update_event_dates(connection, changed)
    return len(changed)


async def recount_due_hotels(db: asyncpg.Pool, lease: Lease, default: str) -> int:
    """Recount all hotels that are not counted in the time zone of their profile, or `default`; returns how many.

    That are those without a time zone of their own, after DASHBOARD_HOTEL_TIMEZONE has changed.
    """
    recounted = 0
    while due := await time_zones.select_hotels_to_recount(db, default, HOTELS_PER_TRANSACTION):
        async with guarded(db, lease) as connection:
            recounted += await recount_hotels(connection, due, default)
    return recounted
