"""Reading a foreign feed, which supports only the parameters of the source."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from common.jobs.lease import Lease
from dashboard.bookings import feed_reader
from tests.dashboard.bookings.conftest import AssertCountersAgree, IngestionOf, RunOnce
from tests.support.feeds import ForeignFeed, event, serve_feed


async def test_a_feed_with_only_the_parameters_of_the_source_is_read_completely(
    ingestion_of: IngestionOf, ingest: RunOnce, counters_agree: AssertCountersAgree
) -> None:
    start = datetime(1999, 6, 1, tzinfo=UTC)
    events = [event(number, (start + timedelta(days=37 * number)).isoformat()) for number in range(1, 250)]
    async with serve_feed(ForeignFeed(events)) as feed:
        reader = ingestion_of(feed.url)
        result = await ingest(reader)
        assert result["new"] == 249
        await counters_agree(249)
        feed.events.append(event(9001, datetime.now(UTC).isoformat()))
        assert (await ingest(reader))["new"] == 1
        assert {name for query in feed.requests for name in query} <= {"updated__gte", "updated__lte"}


@pytest.mark.parametrize("cap", [10, 17, 100])
async def test_a_feed_that_truncates_responses_silently_is_read_completely(
    ingestion_of: IngestionOf, ingest: RunOnce, counters_agree: AssertCountersAgree, cap: int
) -> None:
    chance = random.Random(cap)
    start = datetime(2019, 1, 1, tzinfo=UTC)
    events = []
    for number in range(1, 800):
        at = start + timedelta(hours=chance.choice([0, 1, 1, 5, 900, 901]) + number // 100)
        night = (at + timedelta(days=chance.randrange(300))).date().isoformat()
        events.append(event(number, at.isoformat(), status=chance.choice([1, 1, 2]), night=night))
    async with serve_feed(ForeignFeed(events, cap=cap)) as feed:
        await ingest(ingestion_of(feed.url))
    await counters_agree(799)


async def test_a_foreign_feed_out_of_order_is_read_completely(
    ingestion_of: IngestionOf, ingest: RunOnce, counters_agree: AssertCountersAgree
) -> None:
    start = datetime(2024, 1, 1, tzinfo=UTC)
    events = [event(number, (start + timedelta(hours=number)).isoformat()) for number in range(1, 300)]
    async with serve_feed(ForeignFeed(events, shuffled=True)) as feed:
        await ingest(ingestion_of(feed.url))
    await counters_agree(299)


async def test_several_dashboards_ingesting_at_once_count_every_event_once(
    dashboard_db: asyncpg.Pool,
    ingestion_of: IngestionOf,
    counters_agree: AssertCountersAgree,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Even without the lease: the lock on the ledger suffices."""

    async def always_held(self: Lease, connection: Any) -> None:
        """A guard that never raises."""

    monkeypatch.setattr(Lease, "guard", always_held)
    monkeypatch.setattr(feed_reader, "EVENTS_PER_PAGE", 50)
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
        lease = Lease("ingest_booking_events", "any owner", 1)
        now = datetime.now(UTC)
        await asyncio.gather(*(ingestion_of(feed.url).run(lease, now) for _ in range(3)))
    await counters_agree(1499)


@pytest.mark.parametrize("cap", [10, 100])
async def test_more_invalid_events_in_a_row_than_the_cap_do_not_hide_later_events(
    ingestion_of: IngestionOf, ingest: RunOnce, counters_agree: AssertCountersAgree, cap: int
) -> None:
    start = datetime(2024, 1, 1, tzinfo=UTC)
    events = [event(number, (start + timedelta(minutes=number)).isoformat()) for number in range(1, 400)]
    for each in events[100:350]:
        each["room_id"] = None
    async with serve_feed(ForeignFeed(events, cap=cap)) as feed:
        await ingest(ingestion_of(feed.url))
    await counters_agree(399 - 250)
