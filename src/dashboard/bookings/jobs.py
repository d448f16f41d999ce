"""The timed work of the bookings: the ingestion, and the night audit."""

from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
from prometheus_client import Gauge

from common.db.pool import transaction
from common.jobs.lease import JobResult, Lease
from dashboard.bookings import ledger
from dashboard.bookings.decoding import Refused
from dashboard.bookings.ingestion import Ingestion, Page

FEED_LAG = Gauge("feed_lag_seconds", "How far the counters are behind now", multiprocess_mode="mostrecent")


async def audit(db: asyncpg.Pool, ingestion: Ingestion, lease: Lease, lookback: timedelta) -> JobResult:
    """The night audit: read the whole history again, repair what is missing, and say what it was.

    An event that the feed now tells otherwise than it was counted goes into quarantine: an event never changes. Goes on
    where an audit that was interrupted stopped; leaves a feed that was not read once to the ingestion. Raises
    UpstreamError.
    """
    now = datetime.now(UTC)
    progress = await ledger.select_progress(db)
    if progress.data_through is None:
        return {"read": 0, "repaired": 0, "changed_upstream": 0, "refused": 0}
    changed = 0

    async def store(page: Page) -> int:
        nonlocal changed
        async with transaction(db) as connection:
            await lease.guard(connection)
            differing = set(await ledger.select_changed(connection, page.events)) if page.events else set()
            refused = list(page.refused) + [
                Refused(msgspec.json.encode(event).decode(), f"event {event.id} was counted with other content")
                for event in page.events
                if event.id in differing
            ]
            new = await ledger.insert_page(connection, page.events) if page.events else 0
            if refused:
                await ledger.upsert_quarantine(connection, refused)
            if page.through is not None:
                await ledger.update_audited_through(connection, min(page.through, now))
            changed += len(differing)
            return new

    since = progress.audited_through - lookback if progress.audited_through else None
    answer = await ingestion.walk(store, since, now, progress.window_seconds)
    await ledger.update_audited_through(db, None)
    return {"read": answer.rows, "repaired": answer.new, "changed_upstream": changed, "refused": answer.refused}
