"""Both applications behind PgBouncer in transaction mode, where transactions share sessions.

Collected where a PgBouncer is installed. Set NIGHTAUDIT_TEST_PGBOUNCER to its path, and all other tests go through it
too.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import asyncpg
import pytest

import dashboard.app
import dashboard.config
import provider.app
import provider.config
from common.config import Secret, read_config
from common.db.pool import transaction
from common.db.time_limits import Timeouts
from common.devstack.embedded import Server
from common.jobs.lease import Job, JobResult, Lease, LeaseLostError, claim_lease
from common.web.resources import Application
from provider.resources import resources_of
from tests.conftest import TEST_ENVIRONMENT
from tests.end_to_end.conftest import get, start
from tests.support import pgbouncer
from tests.support.applications import ApplicationProcess, run_process
from tests.support.databases import cloned
from tests.support.feeds import event
from tests.support.storefront import Guest
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SHORT = Timeouts(statement=0.05)


@pytest.fixture(scope="module")
def pooler(postgres: Server) -> Iterator[pgbouncer.PgBouncer]:
    executable = pgbouncer.installed()
    assert executable is not None
    with pgbouncer.running_pgbouncer(executable, postgres) as running:
        yield running


@pytest.fixture
def reached(pooler: pgbouncer.PgBouncer) -> Callable[[Secret], Secret]:
    return pooler.url


@pytest.fixture
async def new_urls(postgres: Server, pooler: pgbouncer.PgBouncer) -> AsyncIterator[list[Secret]]:
    """Two databases that have not been migrated, by way of the pooler."""
    async with cloned(postgres, "template1") as one, cloned(postgres, "template1") as other:
        yield [pooler.url(one), pooler.url(other)]


async def test_the_pooler_has_clients_share_a_session(provider_url: Secret) -> None:
    """In session mode, which these tests are not about, each would have its own."""
    clients = [await asyncpg.connect(provider_url.reveal()) for _ in range(5)]
    sessions = {await client.fetchval("SELECT pg_backend_pid()") for client in clients}
    assert len(sessions) == 1
    for client in clients:
        await client.close()


async def test_the_applications_migrate_serve_and_count_through_the_pooler(
    new_urls: list[Secret], make_application: Callable[..., ApplicationProcess]
) -> None:
    feed_url, ledger_url = new_urls
    environment = {"PROVIDER_GENERATOR_RATE": "6000", "PROVIDER_STORES_RATE": "1", "PROVIDER_OUTBOX_SECONDS": "1"}
    feed = make_application("provider", feed_url, **environment)
    counting = {"DASHBOARD_PROVIDER_URL": feed.url, "DASHBOARD_INGEST_SECONDS": "1", "DASHBOARD_AUDIT_SECONDS": "1"}
    stores = {"DASHBOARD_STORES_URL": f"{feed.url}/stores", "DASHBOARD_STORES_SECONDS": "1"}
    board = make_application("dashboard", ledger_url, **counting, **stores)
    await start(feed, board)

    async def has_counted() -> bool:
        hotels = (await get(board, "/hotels"))["hotels"]
        return sum(hotel["events"] for hotel in hotels) > 500

    await eventually(has_counted)
    for application, names in (
        (feed, {"simulate_hotels", "poll_stores", "send_guest_messages"}),
        (board, {"ingest_booking_events", "night_audit", "pull_stores"}),
    ):
        await eventually(partial(have_succeeded, application, names))
        checks = (await get(application, "/readyz?verbose"))["checks"]
        assert {check["name"]: check["ok"] for check in checks} == {
            "database": True, "migrations": True, "settings": True
        }  # fmt: skip
    environment = {**TEST_ENVIRONMENT, "DASHBOARD_DATABASE_URL": ledger_url.reveal()}
    audited = await asyncio.to_thread(run_process, "dashboard", "audit", environment=environment)
    assert audited.returncode == 0, audited.stdout + audited.stderr
    assert "equal to the recount" in audited.stdout


async def have_succeeded(application: ApplicationProcess, names: set[str]) -> bool:
    """Return whether the last runs of the jobs succeeded."""
    outcomes = {job["name"]: job["last_outcome"] for job in (await get(application, "/jobs"))["jobs"]}
    return {outcomes[name] for name in names} == {"ok"}


async def test_of_many_guests_one_gets_the_night(provider_app: Application, provider_db: asyncpg.Pool) -> None:
    soon = datetime.now(UTC).date() + timedelta(days=30)
    await Guest(provider_app).create_property("hut")
    answers = await asyncio.gather(*(Guest(provider_app).reserve("hut", soon, 2) for _ in range(50)))
    assert Counter(answer.status_code for answer, _ in answers) == {200: 1, 409: 49}
    assert await provider_db.fetchval("SELECT count(*) FROM reservation") == 1


async def test_a_repeated_request_gets_the_first_answer(provider_app: Application, provider_db: asyncpg.Pool) -> None:
    guest = Guest(provider_app)
    await guest.create_property("hut")
    soon = datetime.now(UTC).date() + timedelta(days=30)
    answers = await asyncio.gather(*(guest.reserve("hut", soon, 1, key="once") for _ in range(10)))
    assert {answer.status_code for answer, _ in answers} == {200}
    assert len({body["reservation_id"] for _, body in answers}) == 1
    assert await provider_db.fetchval("SELECT count(*) FROM reservation") == 1


async def test_the_feed_is_streamed_as_a_whole_also_after_a_reader_has_left(
    provider_app: Application, provider_db: asyncpg.Pool
) -> None:
    await provider_db.execute(
        """
        INSERT INTO booking_event (id, hotel_id, event_timestamp, status, room_id, night_of_stay)
        SELECT i, 1, '2020-01-01'::timestamptz + i * interval '1 second', 1, i, '2020-06-01'
          FROM generate_series(1, 50000) AS i
        """
    )
    client = provider_app.test_client()
    for _ in range(10):  # more often than there are connections for streams
        async with client.request("/events") as leaving:
            await leaving.send_complete()
            await leaving.receive()
            await leaving.disconnect()
    answer = await client.get("/events", headers={"Accept": "application/x-ndjson"})
    assert len((await answer.get_data()).splitlines()) == 50_000
    assert not resources_of(provider_app).pools.streams.in_turn


async def test_events_of_many_senders_are_stored_once(provider_app: Application, provider_db: asyncpg.Pool) -> None:
    client = provider_app.test_client()
    answers = await asyncio.gather(*(client.post("/events", json=event(1 + number % 20)) for number in range(100)))
    assert Counter(answer.status_code for answer in answers) == {201: 20, 200: 80}
    assert await provider_db.fetchval("SELECT count(*) FROM booking_event") == 20


async def test_one_replica_gets_a_lease_and_loses_it_to_another(provider_app: Application) -> None:
    db = resources_of(provider_app).pools.jobs

    async def nothing(_: Lease) -> JobResult:
        return {}

    job = Job("a_job", 1, nothing)
    epochs = await asyncio.gather(*(claim_lease(db, job, f"owner {number}") for number in range(20)))
    assert sum(epoch is not None for epoch in epochs) == 1
    owner = next(number for number, epoch in enumerate(epochs) if epoch is not None)
    await db.execute("UPDATE job SET expires_at = clock_timestamp() - interval '1 second'")
    assert await claim_lease(db, job, "another owner") == 2
    with pytest.raises(LeaseLostError):
        async with transaction(db) as connection:
            await Lease(job.name, f"owner {owner}", 1).guard(connection)


async def test_a_statement_that_is_too_long_is_ended_in_every_pool(
    provider_url: Secret, dashboard_url: Secret, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limits of requests and of the provider's jobs are those of the role; streams have none."""
    for url in (provider_url, dashboard_url):
        await shorten_statements(url)
    monkeypatch.setattr(dashboard.app, "JOB_TIMEOUTS", SHORT)
    monkeypatch.setattr(dashboard.app, "UPTIME_TIMEOUTS", SHORT)
    pools: dict[str, Any] = {
        **named("provider", provider.app.create_pools(read_config(provider.config.Config, {}), provider_url)),
        **named("dashboard", dashboard.app.create_pools(read_config(dashboard.config.Config, {}), dashboard_url)),
    }
    streams = pools.pop("provider.streams")
    assert set(pools) == {
        "provider.requests", "provider.jobs", "dashboard.requests", "dashboard.jobs", "dashboard.uptime"
    }  # fmt: skip
    for pool in pools.values():
        async with pool:
            for _ in range(3):
                with pytest.raises(asyncpg.QueryCanceledError):  # 57014
                    await pool.fetchval("SELECT pg_sleep(60)")
                with pytest.raises(asyncpg.QueryCanceledError):
                    async with transaction(pool) as connection:
                        await connection.fetchval("SELECT pg_sleep(60)")
    async with streams:
        assert await streams.fetchval("SELECT pg_sleep(0.2) IS NULL") is False


def named(application: str, pools: Any) -> dict[str, Any]:
    return {f"{application}.{name}": pool for name, pool in pools.by_name().items()}


async def shorten_statements(url: Secret) -> None:
    """Give the role another limit of statements in the database; its sessions that begin later have it."""
    connection = await asyncpg.connect(url.reveal())
    try:
        name = await connection.fetchval("SELECT quote_ident(current_database())")
        await connection.execute(f"ALTER ROLE SESSION_USER IN DATABASE {name} SET statement_timeout = 50")
        await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    except asyncpg.PostgresConnectionError:
        pass  # the pooler says that its session is gone
    finally:
        await connection.close()
