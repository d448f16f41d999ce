"""Fixtures that run the ingestion and the night audit once, and compare the counters with the ledger."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from common.jobs.lease import Job, JobResult, Lease
from common.jobs.scheduler import run_now
from common.upstream import Upstream, create_client_session
from dashboard.bookings.ingestion import Ingestion
from dashboard.bookings.night_audit import NightAudit
from dashboard.bookings.queries.counters import select_differences
from dashboard.feed_client import BookingFeed

FEED_URL = "http://feed.test"
LOOKBACK = timedelta(minutes=5)

RunOnce = Callable[..., Awaitable[JobResult]]
FeedAt = Callable[[str], BookingFeed]
IngestionOf = Callable[[str], Ingestion]
AssertCountersAgree = Callable[[int], Awaitable[None]]


@pytest.fixture
async def feed_at() -> AsyncIterator[FeedAt]:
    """Creates a client of the feed at a URL."""
    async with create_client_session() as client:
        yield lambda url: BookingFeed(Upstream(client, "booking_feed", url))


@pytest.fixture
def ingestion_of(dashboard_db: asyncpg.Pool, feed_at: FeedAt) -> IngestionOf:
    """Creates an ingestion of the feed at a URL."""
    return lambda url: Ingestion(dashboard_db, feed_at(url), lookback=LOOKBACK, timezone="UTC")


@pytest.fixture
def ingest(dashboard_db: asyncpg.Pool) -> RunOnce:
    """Runs the job `ingest_booking_events` once."""

    async def run(ingestion: Ingestion, now: datetime | None = None) -> JobResult:
        async def work(lease: Lease) -> JobResult:
            return await ingestion.run(lease, now or datetime.now(UTC))

        return await run_now(dashboard_db, Job("ingest_booking_events", 5, work))

    return run


@pytest.fixture
def audit(dashboard_db: asyncpg.Pool, feed_at: FeedAt) -> RunOnce:
    """Runs the job `night_audit` once, of the feed at a URL."""

    async def run(url: str) -> JobResult:
        night_audit = NightAudit(dashboard_db, feed_at(url), LOOKBACK, "UTC")
        return await run_now(dashboard_db, Job("night_audit", 86_400, night_audit.run))

    return run


@pytest.fixture
def counters_agree(dashboard_db: asyncpg.Pool) -> AssertCountersAgree:
    """Asserts that the ledger has a number of events, and that the counters equal a full recount of them."""

    async def check(events: int) -> None:
        assert dict(await select_differences(dashboard_db)) == {
            "events": events,
            "night_counters": 0,
            "day_counters": 0,
            "hotels": 0,
        }

    return check
