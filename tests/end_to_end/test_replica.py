"""Both applications with a read replica: a real standby, whose replay the tests pause so that it is behind."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
from quart.typing import TestClientProtocol as Client

import provider.app
import provider.config
from common.config import Secret, read_config
from common.db import replica as replicas
from common.db.migrate import migrate
from common.db.replica import ReadReplica
from common.devstack.embedded import UNSAFE_FAST_SETTINGS, Server, attach
from common.instants import parse_instant
from common.jobs.lease import Job
from common.jobs.scheduler import run_now
from common.upstream import Upstream
from common.web.resources import Application
from dashboard.bookings.ingestion import Ingestion
from dashboard.bookings.night_audit import NightAudit
from dashboard.feed_client import BookingFeed
from provider.booking_events import feed
from provider.booking_events.queries import LineReader
from provider.stays.cli.audit import run_audit
from tests.conftest import MIGRATIONS
from tests.dashboard.uptime.fleet import Store, load
from tests.support.applications import free_port
from tests.support.databases import cloned
from tests.support.feeds import event
from tests.support.served import served, without_lifespan
from tests.support.standby import Standby, running_standby
from tests.support.storefront import Guest
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

FRESH = {"Cache-Control": "no-cache"}


@pytest.fixture(scope="module")
def primary() -> Iterator[Server]:
    """A server of its own, so that its standby has nothing to replay but what these tests do."""
    with (
        tempfile.TemporaryDirectory(prefix="nightaudit-primary-") as data,
        attach(Path(data), settings=UNSAFE_FAST_SETTINGS) as server,
    ):
        for application, folder in MIGRATIONS.items():
            server.ensure_database(application)
            asyncio.run(migrate(Secret(server.url(application)), folder))
        yield server


@pytest.fixture(scope="module")
def running(primary: Server) -> Iterator[Standby]:
    with tempfile.TemporaryDirectory(prefix="nightaudit-standby-") as made:
        Path(made).chmod(0o755)
        with running_standby(primary, Path(made) / "data") as standby:
            yield standby


@pytest.fixture
async def standby(running: Standby) -> AsyncIterator[Standby]:
    """The standby, which replays again after each test."""
    yield running
    await running.catch_up()


@pytest.fixture(autouse=True)
def no_check_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests decide when a replica is checked."""

    async def wait(_: ReadReplica) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(ReadReplica, "watch", wait)


@pytest.fixture
async def provider_url(primary: Server) -> AsyncIterator[Secret]:
    async with cloned(primary, "provider") as url:
        yield url


@pytest.fixture
async def dashboard_url(primary: Server) -> AsyncIterator[Secret]:
    async with cloned(primary, "dashboard") as url:
        yield url


@pytest.fixture
async def environment(
    environment: dict[str, str], standby: Standby, provider_url: Secret, dashboard_url: Secret
) -> dict[str, str]:
    await standby.catch_up()
    urls = {"PROVIDER": provider_url, "DASHBOARD": dashboard_url}
    return environment | {f"{name}_READ_DATABASE_URL": standby.url_like(url).reveal() for name, url in urls.items()}


async def test_a_check_survives_a_primary_that_is_itself_in_recovery(
    provider_app: Application, standby: Standby, provider_url: Secret
) -> None:
    """As while a standby takes over: the watch must go on."""
    pools = provider_app.resources.pools.replica
    assert pools is not None
    replica = ReadReplica(pools.requests, pools)
    await replica.check()
    assert not replica.is_readable
    assert replica.state.problem is not None
    assert "has not answered" in replica.state.problem


@pytest.fixture
def client(provider_app: Application) -> Client:
    return provider_app.test_client()


async def replica_of(app: Application) -> ReadReplica:
    """The replica of an application, just checked."""
    replica = app.resources.replica
    assert replica is not None
    await replica.check()
    return replica


async def ids_of(client: Client, path: str = "/events?limit=100", **options: Any) -> list[int]:
    answer = await client.get(path, **options)
    assert answer.status_code == 200
    return [each["id"] for each in await answer.get_json()]


async def post(client: Client, event_id: int, at: str = "2020-01-01T00:00:00Z") -> datetime:
    """Store an event; returns the time at which it is stored, or later."""
    assert (await client.post("/events", json=event(event_id, at))).status_code == 201
    return datetime.now(UTC)


async def test_the_feed_is_read_from_the_replica_which_says_up_to_when_it_is_complete(
    provider_app: Application, client: Client, standby: Standby
) -> None:
    await post(client, 1)
    await standby.pause()
    replica = await replica_of(provider_app)
    assert replica.is_readable
    began = datetime.now(UTC)
    await post(client, 2)

    answer = await client.get("/events")
    assert [each["id"] for each in await answer.get_json()] == [1]
    assert parse_instant(answer.headers["X-Recorded-Through"]) <= began
    assert await ids_of(client) == [1]

    fresh = await client.get("/events", headers=FRESH)
    assert [each["id"] for each in await fresh.get_json()] == [1, 2]
    assert "X-Recorded-Through" not in fresh.headers
    assert (await client.get("/events/2")).status_code == 200, "what was just stored can be read"

    await standby.catch_up()
    assert await ids_of(client) == [1, 2]


async def test_a_feed_that_is_streamed_comes_from_one_server(
    provider_app: Application, client: Client, provider_url: Secret, standby: Standby
) -> None:
    await fill(provider_url, 1, 3000)
    await standby.pause()
    await replica_of(provider_app)
    await fill(provider_url, 3001, 3010)
    assert len(await ids_of(client, "/events")) == 3000
    assert len(await ids_of(client, "/events", headers=FRESH)) == 3010


async def fill(url: Secret, first: int, last: int) -> None:
    connection = await asyncpg.connect(url.reveal())
    await connection.execute(
        """
        INSERT INTO booking_event (id, hotel_id, event_timestamp, status, room_id, night_of_stay)
        SELECT i, 1, '2020-01-01'::timestamptz + i * interval '1 second', 1, i, '2020-06-01'
          FROM generate_series($1::int, $2::int) AS i
        """,
        first, last,
    )  # fmt: skip
    await connection.close()


async def test_lag_shows_in_the_readiness_and_the_metrics_and_is_limited(
    provider_app: Application, client: Client, standby: Standby, monkeypatch: pytest.MonkeyPatch
) -> None:
    await post(client, 1)
    await standby.pause()
    await post(client, 2)
    replica = await replica_of(provider_app)
    assert replica.is_readable
    assert replica.state.lag_seconds is not None
    assert replica.state.lag_seconds > 0
    assert (await check_of(client))["ok"]
    assert (await check_of(client))["detail"].endswith("s behind")
    assert 'db_replica_readable{replica="read"} 1.0' in await metrics_of(client)
    assert f'db_replica_lag_seconds{{replica="read"}} {replica.state.lag_seconds}' in await metrics_of(client)

    monkeypatch.setattr(replicas, "MAX_LAG_SECONDS", 0.0)
    replica = await replica_of(provider_app)
    assert replica.state.problem is not None
    assert "s behind; reads go to the primary" in (await check_of(client))["detail"]
    assert await ids_of(client) == [1, 2]


async def check_of(client: Client) -> dict[str, Any]:
    """What /readyz?verbose, which always succeeds here, says of the replica."""
    answer = await client.get("/readyz?verbose")
    assert answer.status_code == 200
    checks = {check["name"]: check for check in (await answer.get_json())["checks"]}
    found: dict[str, Any] = checks["replica"]
    return found


async def metrics_of(client: Client) -> str:
    return str(await (await client.get("/metrics")).get_data(as_text=True))


async def test_while_the_replica_is_down_the_primary_is_read(
    provider_app: Application, client: Client, standby: Standby
) -> None:
    await post(client, 1)
    await standby.catch_up()
    replica = await replica_of(provider_app)
    assert await ids_of(client) == [1]
    standby.stop()
    try:
        assert await ids_of(client) == [1], "the first request finds out"
        assert replica.state.problem is not None
        assert await ids_of(client) == [1]
        await replica.check()
        assert not (await check_of(client))["ok"]
        assert "not reachable" in (await check_of(client))["detail"]
        assert 'db_replica_readable{replica="read"} 0.0' in await metrics_of(client)
    finally:
        standby.start()
    await standby.catch_up()
    assert (await replica_of(provider_app)).is_readable


@pytest.mark.parametrize(
    ("error", "status", "remains_readable"),
    [
        (asyncpg.SerializationError("canceling statement due to conflict with recovery"), 200, True),
        (asyncpg.ReadOnlySQLTransactionError("cannot execute nextval() in a read-only transaction"), 200, True),
        (asyncpg.UndefinedTableError("a table of the newest migration"), 200, False),
        (asyncpg.ConnectionDoesNotExistError("connection was closed"), 200, False),
        (asyncpg.QueryCanceledError("canceling statement due to statement timeout"), 503, True),
    ],
)
async def test_what_the_replica_cannot_answer_the_primary_answers(
    provider_app: Application,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    status: int,
    remains_readable: bool,
) -> None:
    replica = await replica_of(provider_app)
    assert replica.is_readable
    read_page = feed.read_page

    async def fail_on_replica(reader: LineReader, *arguments: Any) -> Any:
        if reader.db is replica.pools.requests:
            raise error
        return await read_page(reader, *arguments)

    monkeypatch.setattr(feed, "read_page", fail_on_replica)
    assert (await client.get("/events")).status_code == status
    assert replica.is_readable == remains_readable


async def test_a_server_that_is_no_replica_is_not_read_and_the_primary_itself_is(
    environment: dict[str, str], provider_url: Secret, postgres: Server, templates: dict[str, str]
) -> None:
    async with cloned(postgres, templates["provider"]) as stranger:
        for url, readable in ((stranger, False), (provider_url, True)):
            config = read_config(provider.config.Config, environment | {"PROVIDER_READ_DATABASE_URL": url.reveal()})
            app = provider.app.create_app(config, provider_url)
            async with app.test_app():
                replica = await replica_of(app)
                assert replica.is_readable == readable
                assert readable or "not a replica" in str(replica.state.problem)
                answer = await app.test_client().get("/events")
                assert "X-Recorded-Through" not in answer.headers


async def test_the_ingestion_misses_nothing_of_a_replica_that_is_behind(
    provider_app: Application, client: Client, dashboard_app: Application, dashboard_db: asyncpg.Pool, standby: Standby
) -> None:
    """The counters say that they are as old as the replica; an event that was stored meanwhile is found later."""
    jobs = dashboard_app.resources.pools.jobs
    async with (
        served(without_lifespan(provider_app), free_port()) as url,
        aiohttp.ClientSession() as http,
    ):
        source = BookingFeed(Upstream(http, "booking_feed", url))
        ingestion = Ingestion(jobs, source, lookback=timedelta(0), timezone="UTC")

        async def ingest() -> None:
            await run_now(jobs, Job("ingest_booking_events", 1, lambda lease: ingestion.run(lease, datetime.now(UTC))))

        await post(client, 1, "2020-03-01T00:00:00Z")
        await standby.pause()
        await replica_of(provider_app)
        began = datetime.now(UTC)
        await post(client, 2, "2020-01-01T00:00:00Z")  # of a time before that of the last event
        for _ in range(2):
            await ingest()
            progress = await dashboard_db.fetchrow("SELECT recorded_through, data_through FROM feed_progress")
            assert progress is not None
            assert progress["recorded_through"] <= began
            assert progress["data_through"] <= began
            assert await dashboard_db.fetchval("SELECT array_agg(id ORDER BY id) FROM ledger_event") == [1]

        # The ledger gets the event from the primary; the audit must not take it for one that the feed has deleted.
        ingestion.feed = source.without_copies()
        await ingest()
        assert await dashboard_db.fetchval("SELECT array_agg(id ORDER BY id) FROM ledger_event") == [1, 2]
        audit = NightAudit(jobs, source, timedelta(0), "UTC")
        result = await run_now(jobs, Job("night_audit", 1, audit.run))
        assert (result["read"], result["missing_upstream"]) == (2, 0)


async def test_the_figures_of_the_replica_say_how_old_they_are(
    provider_app: Application, client: Client, dashboard_app: Application, standby: Standby
) -> None:
    jobs, board = dashboard_app.resources.pools.jobs, dashboard_app.test_client()
    path = "/dashboard?hotel_id=1&period=year&year=2020"
    async with (
        served(without_lifespan(provider_app), free_port()) as url,
        aiohttp.ClientSession() as http,
    ):
        source = BookingFeed(Upstream(http, "booking_feed", url)).without_copies()
        ingestion = Ingestion(jobs, source, lookback=timedelta(0), timezone="UTC")
        through = []
        for event_id in (1, 2):
            await post(client, event_id)
            await run_now(jobs, Job("ingest_booking_events", 1, lambda lease: ingestion.run(lease, datetime.now(UTC))))
            if event_id == 1:
                unknown_yet = await board.get(path)
                assert unknown_yet.status_code == 200, "what the replica does not know yet, the primary may"
                await standby.pause()
                await replica_of(dashboard_app)
            answer = await board.get(path)
            assert (await answer.get_json())["totals"]["bookings"] == 1
            through.append(answer.headers["X-Data-Through"])
        assert through[0] == through[1]
        fresh = await board.get(path, headers=FRESH)
        assert (await fresh.get_json())["totals"]["bookings"] == 2
        assert parse_instant(fresh.headers["X-Data-Through"]) >= parse_instant(through[0])


async def test_a_recount_reads_the_replica_or_the_primary_if_that_fails(
    provider_app: Application, provider_db: asyncpg.Pool, provider_url: Secret, standby: Standby
) -> None:
    await Guest(provider_app).create_property("hut")
    await standby.pause()
    await provider_db.execute("DELETE FROM free_stretch")
    assert await run_audit(provider_url, repair=False, read_url=standby.url_like(provider_url)) == 0
    assert await run_audit(provider_url, repair=False, read_url=standby.url("nowhere")) == 1
    assert await run_audit(provider_url, repair=True, read_url=standby.url_like(provider_url)) == 1
    assert await run_audit(provider_url, repair=False) == 0


async def test_a_report_is_never_read_from_a_replica_that_has_a_part_of_it(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, standby: Standby
) -> None:
    board = dashboard_app.test_client()
    polled_at = datetime.now(UTC) - timedelta(hours=1)
    await load(dashboard_db, {"one": Store(polls=[(polled_at, True)])})
    await standby.pause()
    replica = await replica_of(dashboard_app)
    assert replica.is_readable
    report_id = (await (await board.post("/trigger_report")).get_json())["report_id"]

    async def complete() -> bool:
        answer = await board.get(f"/get_report?report_id={report_id}")
        assert answer.status_code == 200
        return answer.headers["X-Report-Status"] == "Complete"

    await eventually(complete)
    before = await (await board.get(f"/get_report?report_id={report_id}")).get_data()
    await standby.catch_up()
    after = await (await board.get(f"/get_report?report_id={report_id}")).get_data()
    assert before == after
    assert b"one" in before
