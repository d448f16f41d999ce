"""Reading a feed that is not ours: one that knows the source's parameters and nothing else."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from common.jobs.lease import Lease
from dashboard.bookings import ingestion as module
from dashboard.bookings.ingestion import Ingestion
from tests.dashboard.bookings.conftest import Ingest
from tests.support.feeds import ForeignFeed, event, serve_feed

Agree = Callable[[int], Awaitable[None]]
IngestionOf = Callable[[str], Ingestion]


async def test_a_feed_that_knows_only_the_source_is_read_whole(
    ingestion_of: IngestionOf, ingest: Ingest, counters_agree: Agree
) -> None:
    start = datetime(1999, 6, 1, tzinfo=UTC)
    events = [event(number, (start + timedelta(days=37 * number)).isoformat()) for number in range(1, 250)]
    async with serve_feed(ForeignFeed(events)) as feed:
        ingestion = ingestion_of(feed.url)
        did = await ingest(ingestion)
        assert did["new"] == 249
        await counters_agree(249)
        feed.events.append(event(9001, datetime.now(UTC).isoformat()))
        assert (await ingest(ingestion))["new"] == 1
        assert {name for query in feed.requests for name in query} <= {"updated__gte", "updated__lte"}


@pytest.mark.parametrize("cap", [10, 17, 100])
async def test_a_feed_that_cuts_its_answers_off_without_a_word_is_read_whole(
    ingestion_of: IngestionOf, ingest: Ingest, counters_agree: Agree, cap: int
) -> None:
    dice = random.Random(cap)
    start = datetime(2019, 1, 1, tzinfo=UTC)
    events = []
    for number in range(1, 800):
        at = start + timedelta(hours=dice.choice([0, 1, 1, 5, 900, 901]) + number // 100)
        night = (at + timedelta(days=dice.randrange(300))).date().isoformat()
        events.append(event(number, at.isoformat(), status=dice.choice([1, 1, 2]), night=night))
    async with serve_feed(ForeignFeed(events, cap=cap)) as feed:
        await ingest(ingestion_of(feed.url))
    await counters_agree(799)


async def test_a_foreign_feed_out_of_order_is_read_whole(
    ingestion_of: IngestionOf, ingest: Ingest, counters_agree: Agree
) -> None:
    start = datetime(2024, 1, 1, tzinfo=UTC)
    events = [event(number, (start + timedelta(hours=number)).isoformat()) for number in range(1, 300)]
    async with serve_feed(ForeignFeed(events, shuffled=True)) as feed:
        await ingest(ingestion_of(feed.url))
    await counters_agree(299)


async def test_the_night_audit_repairs_what_a_foreign_feed_dated_back(
    ingestion_of: IngestionOf, ingest: Ingest, audit: Ingest, counters_agree: Agree, dashboard_db: asyncpg.Pool
) -> None:
    async with serve_feed(ForeignFeed([event(1, "2024-05-01T00:00:00Z")])) as feed:
        ingestion = ingestion_of(feed.url)
        await ingest(ingestion)
        feed.events += [event(2, "2023-01-01T00:00:00Z"), event(3, "1998-01-01T00:00:00Z")]
        feed.events[0] = {**feed.events[0], "room_id": 2}
        assert (await ingest(ingestion))["new"] == 0

        did = await audit(ingestion)

    assert (did["repaired"], did["changed_upstream"] > 0) == (2, True)
    await counters_agree(3)
    assert "counted with other content" in await dashboard_db.fetchval("SELECT reason FROM quarantined_event")
    assert await dashboard_db.fetchval("SELECT audited_through FROM feed_progress") is None


async def test_two_dashboards_ingesting_at_once_stay_right(
    dashboard_db: asyncpg.Pool, ingestion_of: IngestionOf, counters_agree: Agree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even without the lease: the ledger alone makes it once."""

    async def always_ours(self: Lease, connection: Any) -> None:
        """The lease that this test takes away."""

    monkeypatch.setattr(Lease, "guard", always_ours)
    monkeypatch.setattr(module, "PAGE", 50)
    start = datetime(2024, 1, 1, tzinfo=UTC)
    events = [
        event(
            number,
            (start + timedelta(minutes=number)).isoformat(),
            hotel_id=1 + number % 7,
            night=f"2024-03-{1 + number % 28:02}",
        )
        for number in range(1, 1500)
    ]
    async with serve_feed(ForeignFeed(events)) as feed:
        lease = Lease("ingest_booking_events", "nobody", 1)
        now = datetime.now(UTC)
        await asyncio.gather(*(ingestion_of(feed.url).run(lease, now) for _ in range(3)))
    await counters_agree(1499)


@pytest.mark.parametrize("cap", [10, 100])
async def test_a_row_of_bad_events_longer_than_the_cap_does_not_hide_what_follows(
    ingestion_of: IngestionOf, ingest: Ingest, counters_agree: Agree, cap: int
) -> None:
    start = datetime(2024, 1, 1, tzinfo=UTC)
    events = [event(number, (start + timedelta(minutes=number)).isoformat()) for number in range(1, 400)]
    for each in events[100:350]:
        each["room_id"] = None
    async with serve_feed(ForeignFeed(events, cap=cap)) as feed:
        await ingest(ingestion_of(feed.url))
    await counters_agree(399 - 250)
