"""`python -m dashboard audit`: do the counters say what the ledger says, and the ledger what the feed says?"""

import sys
from datetime import timedelta

import asyncpg

from common.config import Secret
from common.db.pool import create_pool
from common.jobs.lease import Job, Lease
from common.jobs.scheduler import run_now
from common.upstream import Upstream, UpstreamError, create_client_session
from dashboard.bookings import jobs, queries
from dashboard.bookings.ingestion import Ingestion
from dashboard.config import Config
from dashboard.feed_client import BookingFeed


async def run_audit(config: Config, url: Secret, *, feed: bool) -> int:
    """Recount and print what was found, one line each; returns the exit status, 1 when anything differs.

    feed: first read the whole feed again and repair what is missing; 1 too when it cannot be read, or never was.
    """
    async with create_pool(
        url, application="dashboard-audit", size=3, statement_seconds=0, transaction_seconds=0
    ) as db:
        if feed and not await _audit_feed(config, db):
            return 1
        found = await queries.select_differences(db)
    wrong = {name: count for name, count in dict(found).items() if name != "events" and count}
    words = ", ".join(f"{count} {name} differ" for name, count in wrong.items()).replace("_", " ")
    print(f"ledger: {found['events']} events")
    print(f"counters: {words or 'equal to the recount'}")
    return 1 if wrong else 0


async def _audit_feed(config: Config, db: asyncpg.Pool) -> bool:
    """Run the night audit now and print what it did; False when the feed cannot be read, or never was."""
    if await queries.select_data_through(db) is None:
        print("nightaudit: the feed was never read to its end, which `serve` does first", file=sys.stderr)
        return False
    lookback = timedelta(seconds=config.ingest_lookback_seconds)
    async with create_client_session() as client:
        ingestion = Ingestion(db, BookingFeed(Upstream(client, "booking_feed", config.provider_url)), lookback=lookback)

        async def work(lease: Lease) -> dict[str, int | float]:
            return dict(await jobs.audit(db, ingestion, lease, lookback))

        try:
            did = await run_now(db, Job("night_audit", config.audit_seconds, work))
        except UpstreamError as error:
            print(f"nightaudit: the feed cannot be read: {error}", file=sys.stderr)
            return False
    print(f"feed: {', '.join(f'{count} {name}' for name, count in did.items())}".replace("_", " "))
    return True
