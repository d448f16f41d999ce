"""Timed work of the bookings: the night audit. The ingestion is in ingestion.py."""

from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec

from common.db.pool import transaction
from common.jobs.lease import JobResult, Lease
from dashboard.bookings.decoding import RejectedEvent
from dashboard.bookings.ingestion import Ingestion, Page
from dashboard.bookings.queries import feed_progress, ledger
from dashboard.bookings.queries.quarantine import upsert_quarantine


async def audit(db: asyncpg.Pool, ingestion: Ingestion, lease: Lease, lookback: timedelta) -> JobResult:
    """The night audit: read the whole feed again, add missing events, and return how many events of each kind it found.

    An event that differs from the one counted under its id goes into quarantine, since events must not change.
    Continues where an interrupted audit stopped. Does nothing until the ingestion has read the feed once. Raises
    UpstreamError.
    """
    now = datetime.now(UTC)
    progress = await feed_progress.select_progress(db)
    if progress.data_through is None:
        return {"read": 0, "repaired": 0, "changed_upstream": 0, "rejected": 0}
    changed = 0

    async def store(page: Page) -> int:
        nonlocal changed
        async with transaction(db) as connection:
            await lease.guard(connection)
            changed_ids = set(await ledger.select_changed_ids(connection, page.events)) if page.events else set()
            rejected = list(page.rejected) + [
                RejectedEvent(
                    msgspec.json.encode(event).decode(), f"event {event.id} was counted with different content"
                )
                for event in page.events
                if event.id in changed_ids
            ]
            new = await ledger.insert_events(connection, page.events) if page.events else 0
            if rejected:
                await upsert_quarantine(connection, rejected)
            if page.through is not None:
                await feed_progress.update_audited_through(connection, min(page.through, now))
            changed += len(changed_ids)
            return new

    since = progress.audited_through - lookback if progress.audited_through else None
    total = await ingestion.walk(store, since, now, progress.window_seconds)
    await feed_progress.update_audited_through(db, None)
    return {"read": total.rows, "repaired": total.new, "changed_upstream": changed, "rejected": total.rejected}
