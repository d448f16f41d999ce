"""After any failure the counters equal the ledger, and the ledger equals the feed."""

import asyncio
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from common.config import Secret
from common.db.migrate import migrate
from common.devstack.embedded import UNSAFE_FAST_SETTINGS, Server, attach
from dashboard.bookings.queries.counters import select_differences
from provider.app import MIGRATIONS
from provider.cli import HISTORY_FEED
from provider.simulated_hotels.cli import HistoryOptions, generate_history
from tests.end_to_end.conftest import get, start
from tests.support.applications import ApplicationProcess
from tests.support.feeds import ForeignFeed, event, serve_feed
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SECONDS = 120.0


async def fill(url: Secret, *, hotels: int = 3, rooms: int = 20) -> int:
    """Fill the feed with a year of simulated hotels; return the number of events."""
    await migrate(url, MIGRATIONS)
    assert await generate_history(url, HistoryOptions(hotels, 1, rooms, seed=11), HISTORY_FEED) == 0
    return await count(url)


async def count(url: Secret, table: str = "booking_event") -> int:
    connection = await asyncpg.connect(url.reveal())
    try:
        return await connection.fetchval(f"SELECT count(*) FROM {table}")
    finally:
        await connection.close()


async def until_counted(url: Secret, events: int, *, seconds: float = SECONDS) -> None:
    """Wait until the ledger has at least `events` events."""

    async def are_counted() -> bool:
        return await count(url, "ledger_event") >= events

    await eventually(are_counted, seconds)


async def assert_equal(feed: Secret, ledger: Secret) -> None:
    """Assert that the counters equal a recount of the ledger, and that the ledger has exactly the feed's events."""
    connection = await asyncpg.connect(ledger.reveal())
    differences = dict(await select_differences(connection))
    counted = await connection.fetch(
        "SELECT id, hotel_id, event_timestamp, status, room_id, night_of_stay FROM ledger_event ORDER BY id"
    )
    await connection.close()
    connection = await asyncpg.connect(feed.reveal())
    sent = await connection.fetch(
        "SELECT id, hotel_id, event_timestamp, status, room_id, night_of_stay FROM booking_event ORDER BY id"
    )
    await connection.close()
    assert differences == {"events": len(sent), "night_counters": 0, "day_counters": 0, "hotels": 0}
    assert [tuple(row) for row in counted] == [tuple(row) for row in sent]


async def test_a_dashboard_killed_at_ten_random_moments_counts_every_event_once(
    provider: ApplicationProcess, dashboard: ApplicationProcess, provider_url: Secret, dashboard_url: Secret
) -> None:
    events = await fill(provider_url)
    generator = random.Random(20)
    await start(provider)
    for _ in range(10):
        await start(dashboard)
        await asyncio.sleep(generator.uniform(0, 0.8))  # kill at a random moment
        dashboard.kill()
        assert dict(await differences(dashboard_url)) | {"events": 0} == {
            "events": 0,
            "night_counters": 0,
            "day_counters": 0,
            "hotels": 0,
        }
    await start(dashboard)
    await until_counted(dashboard_url, events)
    await assert_equal(provider_url, dashboard_url)


async def differences(url: Secret) -> asyncpg.Record:
    connection = await asyncpg.connect(url.reveal())
    try:
        return await select_differences(connection)
    finally:
        await connection.close()


async def test_two_dashboards_count_every_event_once_when_one_is_killed(
    make_application: Callable[..., ApplicationProcess],
    provider: ApplicationProcess,
    dashboard: ApplicationProcess,
    provider_url: Secret,
    dashboard_url: Secret,
) -> None:
    events = await fill(provider_url)
    second = make_application(
        "dashboard", dashboard_url, DASHBOARD_PROVIDER_URL=provider.url, DASHBOARD_INGEST_SECONDS="1"
    )
    await start(provider, dashboard, second)
    await until_counted(dashboard_url, 1)
    dashboard.kill()
    await until_counted(dashboard_url, events)
    await assert_equal(provider_url, dashboard_url)


async def test_reading_continues_after_a_restart_of_the_provider(
    provider: ApplicationProcess, dashboard: ApplicationProcess, provider_url: Secret, dashboard_url: Secret
) -> None:
    events = await fill(provider_url, hotels=2)
    await start(provider, dashboard)
    provider.kill()
    await eventually(lambda: ingestion_ended(dashboard, "failed"))
    await start(provider)
    await until_counted(dashboard_url, events)
    await eventually(lambda: ingestion_ended(dashboard, "ok"))
    await assert_equal(provider_url, dashboard_url)


async def has_status(application: ApplicationProcess, path: str, expected: int) -> bool:
    """Return whether the application answers with a status."""
    async with aiohttp.ClientSession() as client, client.get(application.url + path) as answer:
        return answer.status == expected


async def ingestion_ended(dashboard: ApplicationProcess, outcome: str) -> bool:
    """Return whether the last run of the ingestion ended with an outcome."""
    (job,) = (job for job in (await get(dashboard, "/jobs"))["jobs"] if job["name"] == "ingest_booking_events")
    return bool(job["last_outcome"] == outcome)


class TestOwnServer:
    """Tests that stop the database server."""

    @pytest.fixture
    def server(self) -> Iterator[Server]:
        folder = Path(tempfile.mkdtemp(prefix="nightaudit-test-"))
        try:
            with attach(folder, settings=UNSAFE_FAST_SETTINGS) as server:
                yield server
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @pytest.fixture
    def provider_url(self, server: Server) -> Secret:
        server.ensure_database("provider")
        return Secret(server.url("provider"))

    @pytest.fixture
    def dashboard_url(self, server: Server) -> Secret:
        server.ensure_database("dashboard")
        return Secret(server.url("dashboard"))

    async def test_no_event_is_lost_when_postgresql_is_stopped_during_ingestion(
        self,
        server: Server,
        provider: ApplicationProcess,
        dashboard: ApplicationProcess,
        provider_url: Secret,
        dashboard_url: Secret,
    ) -> None:
        events = await fill(provider_url, hotels=2)
        await start(provider, dashboard)
        await until_counted(dashboard_url, 1)
        await asyncio.to_thread(server.cluster.stop)
        await eventually(lambda: has_status(dashboard, "/readyz", 503))
        assert await asyncio.to_thread(server.ensure_running)
        await until_counted(dashboard_url, events)
        # The applications have not been restarted.
        assert provider.is_running()
        assert dashboard.is_running()
        await assert_equal(provider_url, dashboard_url)


async def test_late_and_backdated_events_are_counted_by_the_next_run(
    provider: ApplicationProcess, dashboard: ApplicationProcess, provider_url: Secret, dashboard_url: Secret
) -> None:
    await start(provider, dashboard)
    async with aiohttp.ClientSession() as client:
        for number, at in enumerate(["2024-05-01T00:00:00Z", "2011-01-01T00:00:00Z", "1999-12-31T23:59:59Z"], start=1):
            async with client.post(f"{provider.url}/events", json=event(number, at)) as answer:
                assert answer.status == 201
            await until_counted(dashboard_url, number)
    await assert_equal(provider_url, dashboard_url)


async def test_a_provider_with_only_the_parameters_of_the_source_is_read_completely(
    make_application: Callable[..., ApplicationProcess], dashboard_url: Secret
) -> None:
    at = datetime(2023, 12, 1, tzinfo=UTC)
    events = [event(number, (at + timedelta(hours=number)).isoformat(), night="2024-02-29") for number in range(1, 400)]
    async with serve_feed(ForeignFeed(events, cap=100)) as feed:
        dashboard = make_application(
            "dashboard", dashboard_url, DASHBOARD_PROVIDER_URL=feed.url, DASHBOARD_INGEST_SECONDS="1"
        )
        await start(dashboard)
        await until_counted(dashboard_url, 399)
        months = await get(dashboard, "/dashboard?hotel_id=1&period=month&year=2024")
        days = await get(dashboard, "/dashboard?hotel_id=1&period=day&year=2024")
        dashboard.kill()
    assert months["items"][1]["bookings"] == 399
    assert days["items"][59] == {
        "period": "2024-02-29",
        "bookings": 399,
        "cancellations": 0,
        "net": 399,
        "cancellation_rate": 0.0,
    }


async def test_sigterm_ends_both_applications_with_status_0(
    provider: ApplicationProcess, dashboard: ApplicationProcess
) -> None:
    await start(provider, dashboard)
    assert [dashboard.stop(), provider.stop()] == [0, 0]
