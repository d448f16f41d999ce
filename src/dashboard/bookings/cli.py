"""`python -m dashboard audit`: compare the counters with the ledger, and the ledger with the feed."""

import sys
from datetime import timedelta

import asyncpg

from common.config import Secret
from common.db.pool import UNLIMITED, create_pool
from common.jobs.lease import Job, JobResult, Lease
from common.jobs.scheduler import run_now
from common.upstream import Upstream, UpstreamError, create_client_session
from dashboard.bookings import jobs
from dashboard.bookings.ingestion import Ingestion
from dashboard.bookings.queries.counters import select_differences
from dashboard.bookings.queries.feed_progress import select_data_through
from dashboard.config import Config
from dashboard.feed_client import BookingFeed


async def run_audit(config: Config, url: Secret, *, feed: bool) -> int:
    """Recount the ledger and print the differences; returns the exit status, 1 if there are any.

    feed: first read the whole feed again and add missing events; returns 1 when the feed cannot be read, or the
    ingestion has not read it yet.
    """
    async with create_pool(url, application="dashboard-audit", size=3, timeouts=UNLIMITED) as db:
        if feed and not await _audit_feed(config, db):
            return 1
        found = dict(await select_differences(db))
    events = found.pop("events")
    differences = ", ".join(f"{count} {name} differ" for name, count in found.items() if count).replace("_", " ")
    print(f"ledger: {events} events")
    print(f"counters: {differences or 'equal to the recount'}")
    return 1 if differences else 0


async def _audit_feed(config: Config, db: asyncpg.Pool) -> bool:
    """Run the night audit now and print its result; False when the feed cannot be read, or has not been read yet."""
    if await select_data_through(db) is None:
        print("nightaudit: the feed has not been read yet; run `serve` first", file=sys.stderr)
        return False
    lookback = timedelta(seconds=config.ingest_lookback_seconds)
    async with create_client_session() as client:
        ingestion = Ingestion(db, BookingFeed(Upstream(client, "booking_feed", config.provider_url)), lookback=lookback)

        async def night_audit(lease: Lease) -> JobResult:
            return await jobs.audit(db, ingestion, lease, lookback)

        try:
            result = await run_now(db, Job("night_audit", config.audit_seconds, night_audit))
        except UpstreamError as error:
            print(
                f"nightaudit: the feed at {config.provider_url} cannot be read: {error}; start the provider, or set "
                "DASHBOARD_PROVIDER_URL to its address",
                file=sys.stderr,
            )
            return False
    print(f"feed: {', '.join(f'{count} {name}' for name, count in result.items())}".replace("_", " "))
    return True
