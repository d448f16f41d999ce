"""Pull the cable anywhere: the counters equal the ledger, and the ledger equals the feed."""

import asyncio
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from common.config import Secret
from common.embedded import FORGETFUL, Server, attach
from common.migrate import migrate
from dashboard.bookings.queries import select_differences
from feeds import ForeignFeed, event, serving
from provider.app import MIGRATIONS
from provider.booking_events.importing import generate_history
from waiting import eventually

from .conftest import Application, running

pytestmark = pytest.mark.slow

SECONDS = 120.0


async def fill(url: Secret, *, hotels: int = 3, rooms: int = 20) -> int:
    """A year of simulated hotels in the feed; returns how many events that is."""
    await migrate(url, MIGRATIONS)
    assert await generate_history(url, hotels, 1, rooms, seed=11) == 0
    return await count(url)


async def count(url: Secret) -> int:
    connection = await asyncpg.connect(url.reveal())
    try:
        return await connection.fetchval("SELECT count(*) FROM booking_event")
    finally:
        await connection.close()


async def until_counted(url: Secret, events: int, *, seconds: float = SECONDS) -> None:
    """Wait until the ledger holds so many events."""

    async def counted() -> bool:
        return await count(url) >= events

    await eventually(counted, seconds)


async def assert_equal(feed: Secret, ledger: Secret) -> None:
    """The counters are the recount of the ledger, and the ledger holds the feed's events, no more and no less."""
    connection = await asyncpg.connect(ledger.reveal())
    differences = dict(await select_differences(connection))
    ours = await connection.fetch(
        "SELECT id, hotel_id, event_timestamp, status, room_id, night_of_stay FROM booking_event ORDER BY id"
    )
    await connection.close()
    connection = await asyncpg.connect(feed.reveal())
    theirs = await connection.fetch(
        "SELECT id, hotel_id, event_timestamp, status, room_id, night_of_stay FROM booking_event ORDER BY id"
    )
    await connection.close()
    assert differences == {"events": len(theirs), "night_counters": 0, "day_counters": 0, "hotels": 0}
    assert [tuple(row) for row in ours] == [tuple(row) for row in theirs]


async def test_a_dashboard_killed_at_ten_random_moments_counts_every_event_once(
    provider_url: Secret, dashboard_url: Secret
) -> None:
    events = await fill(provider_url)
    provider = Application("provider", provider_url)
    dashboard = Application(
        "dashboard", dashboard_url, {"DASHBOARD_PROVIDER_URL": provider.base, "DASHBOARD_INGEST_SECONDS": "1"}
    )
    dice = random.Random(20)
    async with running(provider):
        try:
            for _ in range(10):
                await dashboard.start()
                await asyncio.sleep(dice.uniform(0, 0.8))  # not for anything: the moment is to be any
                await dashboard.kill()
                assert dict(await differences(dashboard_url)) | {"events": 0} == {
                    "events": 0,
                    "night_counters": 0,
                    "day_counters": 0,
                    "hotels": 0,
                }
            await dashboard.start()
            await until_counted(dashboard_url, events)
        finally:
            await dashboard.kill()
    await assert_equal(provider_url, dashboard_url)


async def differences(url: Secret) -> asyncpg.Record:
    connection = await asyncpg.connect(url.reveal())
    try:
        return await select_differences(connection)
    finally:
        await connection.close()


async def test_two_dashboards_count_every_event_once_while_one_of_them_dies(
    provider_url: Secret, dashboard_url: Secret
) -> None:
    events = await fill(provider_url)
    provider = Application("provider", provider_url)
    settings = {"DASHBOARD_PROVIDER_URL": provider.base, "DASHBOARD_INGEST_SECONDS": "1"}
    first, second = Application("dashboard", dashboard_url, settings), Application("dashboard", dashboard_url, settings)
    async with running(provider, first, second):
        await until_counted(dashboard_url, 1)
        await first.kill()
        await until_counted(dashboard_url, events)
    await assert_equal(provider_url, dashboard_url)


async def test_a_provider_that_comes_back_is_read_on(provider_url: Secret, dashboard_url: Secret) -> None:
    events = await fill(provider_url, hotels=2)
    provider = Application("provider", provider_url)
    dashboard = Application(
        "dashboard", dashboard_url, {"DASHBOARD_PROVIDER_URL": provider.base, "DASHBOARD_INGEST_SECONDS": "1"}
    )
    async with running(provider, dashboard):
        await provider.kill()
        await eventually(lambda: outcome(dashboard, "failed"))
        await provider.start()
        await until_counted(dashboard_url, events)
        await eventually(lambda: outcome(dashboard, "ok"))
    await assert_equal(provider_url, dashboard_url)


async def status_of(application: Application, path: str, wanted: int) -> bool:
    """Whether the application answers so."""
    async with aiohttp.ClientSession() as client, client.get(application.base + path) as answer:
        return answer.status == wanted


async def outcome(dashboard: Application, wanted: str) -> bool:
    """Whether the ingestion's last run ended so."""
    (job,) = (job for job in (await dashboard.get("/jobs"))["jobs"] if job["name"] == "ingest_booking_events")
    return bool(job["last_outcome"] == wanted)


@pytest.fixture
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A PostgreSQL that this test may restart."""
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="nightaudit-test-"))
    try:
        with attach(folder, settings=FORGETFUL) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def own_urls(own_server: Server) -> tuple[Secret, Secret]:
    for name in ("provider", "dashboard"):
        own_server.ensure_database(name)
    return Secret(own_server.url("provider")), Secret(own_server.url("dashboard"))


async def test_postgresql_killed_in_the_middle_loses_nothing(
    own_server: Server, own_urls: tuple[Secret, Secret]
) -> None:
    provider_url, dashboard_url = own_urls
    events = await fill(provider_url, hotels=2)
    provider = Application("provider", provider_url)
    dashboard = Application(
        "dashboard", dashboard_url, {"DASHBOARD_PROVIDER_URL": provider.base, "DASHBOARD_INGEST_SECONDS": "1"}
    )
    async with running(provider, dashboard):
        await until_counted(dashboard_url, 1)
        await asyncio.to_thread(own_server.cluster.stop)
        await eventually(lambda: status_of(dashboard, "/readyz", 503))
        assert await asyncio.to_thread(own_server.ensure_running)
        await until_counted(dashboard_url, events)
        # nobody restarted the applications
        assert provider.process is not None
        assert dashboard.process is not None
        assert (provider.process.returncode, dashboard.process.returncode) == (None, None)
    await assert_equal(provider_url, dashboard_url)


async def test_late_and_back_dated_events_are_counted_at_the_next_tick(
    provider_url: Secret, dashboard_url: Secret
) -> None:
    provider = Application("provider", provider_url)
    dashboard = Application(
        "dashboard", dashboard_url, {"DASHBOARD_PROVIDER_URL": provider.base, "DASHBOARD_INGEST_SECONDS": "1"}
    )
    async with running(provider, dashboard), aiohttp.ClientSession() as client:
        for number, at in enumerate(["2024-05-01T00:00:00Z", "2011-01-01T00:00:00Z", "1999-12-31T23:59:59Z"], start=1):
            await client.post(f"{provider.base}/events", json=event(number, at))
            await until_counted(dashboard_url, number, seconds=30)
    await assert_equal(provider_url, dashboard_url)


async def test_a_dashboard_over_a_provider_that_knows_only_the_source(dashboard_url: Secret) -> None:
    start = datetime(2023, 12, 1, tzinfo=UTC)
    events = [
        event(number, (start + timedelta(hours=number)).isoformat(), night="2024-02-29") for number in range(1, 400)
    ]
    async with serving(ForeignFeed(events, cap=100)) as feed:
        dashboard = Application(
            "dashboard", dashboard_url, {"DASHBOARD_PROVIDER_URL": feed.url, "DASHBOARD_INGEST_SECONDS": "1"}
        )
        async with running(dashboard):
            await until_counted(dashboard_url, 399)
            months = await dashboard.get("/dashboard?hotel_id=1&period=month&year=2024")
            days = await dashboard.get("/dashboard?hotel_id=1&period=day&year=2024")
    assert months["items"][1]["bookings"] == 399
    assert days["items"][59] == {
        "period": "2024-02-29",
        "bookings": 399,
        "cancellations": 0,
        "net": 399,
        "cancellation_rate": 0.0,
    }


async def test_sigterm_ends_both_applications_in_order(provider_url: Secret, dashboard_url: Secret) -> None:
    provider = Application("provider", provider_url)
    dashboard = Application("dashboard", dashboard_url, {"DASHBOARD_PROVIDER_URL": provider.base})
    async with running(provider, dashboard):
        assert [await dashboard.stop(), await provider.stop()] == [0, 0]
