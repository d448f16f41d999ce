"""The provider on a Citus cluster: the nodes that each statement asks, and what the triggers of one node do there."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

import asyncpg
import pytest
from quart.typing import TestClientProtocol as Client

from common.config import Secret
from common.db.distribution import distribute
from common.db.migrate import migrate
from common.db.pool import transaction
from common.jobs.lease import Job, JobResult, Lease
from common.jobs.scheduler import run_now
from common.web.resources import Application
from provider.booking_events.inputs import EventInput
from provider.booking_events.service import draw_new_ids, store_events
from provider.stays.audit import find_differences
from provider.stays.jobs import split_segments
from provider.stays.queries import free_stretches, properties, storefront
from tests.cluster.provider_statements import AT, HOLDER, NIGHT, STAY, create_property, statements, store
from tests.conftest import DISTRIBUTIONS, MIGRATIONS
from tests.support.applications import free_port
from tests.support.citus import CitusCluster
from tests.support.databases import DatabaseServer

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "scaling.md"
ONE, ALL = "one", "all"


def documented_nodes() -> dict[str, str]:
    """The nodes that each statement of the provider asks, by the document."""
    rows = re.findall(r"^\| provider \| `(\w+)` \| .+ \| (one|all) \|$", DOCUMENT.read_text(), re.MULTILINE)
    return dict(rows)


@pytest.fixture
async def connection(provider_url: Secret) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(provider_url.reveal(), server_settings={"timezone": "UTC"})
    try:
        yield opened
    finally:
        await opened.close()


async def test_each_statement_asks_the_nodes_that_the_document_names(connection: asyncpg.Connection) -> None:
    stored = await store(connection)
    nodes: set[str] = set()
    connection.add_log_listener(lambda _, message: nodes.update(SERVER.findall(message.detail or "")))
    await connection.execute("SET citus.log_remote_commands TO on")

    found = {}
    for name, call in statements(stored).items():
        nodes.clear()
        await call(connection)
        await connection.fetchval("SELECT 1")  # the listener is called a little later
        assert nodes, name
        found[name] = ONE if len(nodes) == 1 else ALL
    assert found == documented_nodes()


SERVER = re.compile(r"on server \S+@(\S+)")


async def test_distribute_leaves_a_distributed_database_as_it_is(provider_url: Secret) -> None:
    assert await distribute(provider_url, DISTRIBUTIONS["provider"], 4) == []


@pytest.fixture
async def migrated(provider_url: Secret) -> None:
    """The functions are created again. It ends the sessions that began before."""
    connection = await asyncpg.connect(provider_url.reveal())
    await connection.execute("DELETE FROM migration WHERE name LIKE 'functions/%'")
    await connection.close()
    assert await migrate(provider_url, MIGRATIONS["provider"]) != []


@pytest.mark.usefixtures("migrated")
async def test_a_distributed_database_is_migrated(connection: asyncpg.Connection) -> None:
    triggers = await connection.fetch("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal")
    assert DISTRIBUTIONS["provider"].node_triggers.isdisjoint(row["tgname"] for row in triggers)
    await create_property(connection, "p1")
    outcome = await storefront.insert_reservation(connection, STAY, HOLDER, rooms=False)
    assert outcome is not None
    assert outcome.reservation_id is not None


async def test_events_of_a_linked_room_take_nights_however_they_are_stored(provider_db: asyncpg.Pool) -> None:
    await create_property(provider_db, "room", 7)
    nights = [date(2030, 1, day) for day in range(1, 31)]

    async def store_nights(*stored: date) -> None:
        given = [
            EventInput.model_construct(
                id=None, hotel_id=7, event_timestamp=AT, status=1, room_id="1", night_of_stay=night
            )
            for night in stored
        ]
        async with provider_db.acquire() as connection, connection.transaction():
            await store_events(connection, given, lambda count: draw_new_ids(connection, count))

    await store_nights(nights[0])
    await store_nights(*nights[2:])

    calendar = await storefront.select_calendar(provider_db, "room", nights[0], date(2030, 2, 1))
    assert calendar is not None
    assert [night.night for night in calendar.nights if night.status == "free"] == [nights[1], date(2030, 1, 31)]
    assert await find_differences(provider_db) == (1, [])


async def test_a_room_that_belongs_to_another_property_is_refused(provider_db: asyncpg.Pool) -> None:
    await create_property(provider_db, "first", 7)
    with pytest.raises(asyncpg.UniqueViolationError):
        await create_property(provider_db, "second", 7)
    assert await properties.select_property(provider_db, "second") is None


@asynccontextmanager
async def in_doubt(postgres: DatabaseServer, db: asyncpg.Pool) -> AsyncIterator[None]:
    """A node of the cluster has a transaction that is prepared, and is not finished before the end of the block."""
    assert isinstance(postgres, CitusCluster)
    name = await db.fetchval("SELECT current_database()")
    worker = await asyncpg.connect(postgres.url(name, postgres.ports[1]))
    await worker.execute(f"BEGIN; SELECT txid_current(); PREPARE TRANSACTION '{name}'")
    try:
        yield
    finally:
        await worker.execute(f"ROLLBACK PREPARED '{name}'")
        await worker.close()


async def test_no_room_is_linked_while_a_node_has_a_transaction_in_doubt(
    postgres: DatabaseServer, provider_db: asyncpg.Pool, client: Client
) -> None:
    body = {"description": "A room", "property_id": "suite", "hotel_id": 3, "room_id": 17}
    headers = {"Authorization": f"Bearer {HOLDER}"}
    async with in_doubt(postgres, provider_db):
        refused = await client.post("/properties", json=body, headers=headers)
        assert refused.status_code == 503
        assert "Retry-After" in refused.headers
    assert (await client.post("/properties", json=body, headers=headers)).status_code == 201


async def search_all(db: asyncpg.Pool) -> list[str]:
    """The properties of all pages of a search."""
    found: list[str] = []
    while page := await storefront.select_available(db, NIGHT, 2, found[-1] if found else "", 7):
        found += [each.property_id for each in page]
    return found


async def test_a_search_finds_every_property_while_segments_are_split(provider_db: asyncpg.Pool) -> None:
    names = [f"p{number:03}" for number in range(1, 61)]
    for name in names:
        await create_property(provider_db, name)

    async def split() -> None:
        for size in (30, 15, 7, 3):
            for segment, count in await free_stretches.select_large_segments(provider_db, 2 * size):
                target = await free_stretches.select_new_segment(provider_db)
                for _ in range(count - size):
                    async with transaction(provider_db) as connection:
                        await free_stretches.move_to_segment(connection, segment, target, 1)

    splitting = asyncio.create_task(split())
    searches = 0
    while not splitting.done():
        assert await search_all(provider_db) == names
        searches += 1
    await splitting
    assert searches > 1
    assert await search_all(provider_db) == names


async def test_a_search_finds_properties_whose_node_has_not_committed_their_move_yet(
    provider_db: asyncpg.Pool,
) -> None:
    names = [f"p{number:03}" for number in range(1, 41)]
    for name in names:
        await create_property(provider_db, name)
    await provider_db.execute("INSERT INTO property_segment VALUES (1, 'p020', clock_timestamp())")

    assert await search_all(provider_db) == names


async def test_no_property_moves_while_a_node_has_a_transaction_in_doubt(
    postgres: DatabaseServer, provider_db: asyncpg.Pool
) -> None:
    for number in range(1, 21):
        await create_property(provider_db, f"p{number:03}")

    async def split(lease: Lease) -> JobResult:
        return await split_segments(provider_db, lease, size=4)

    async with in_doubt(postgres, provider_db):
        assert await run_now(provider_db, Job("split_segments", 300, split)) == {"moved": 0}
    assert await run_now(provider_db, Job("split_segments", 300, split)) == {"moved": 12}


@pytest.fixture
async def lost_worker(provider_db: asyncpg.Pool) -> str:
    """A worker that the coordinator looks for at a port where nobody listens."""
    port = free_port()
    await provider_db.execute(
        "UPDATE pg_dist_node SET nodeport = $1 WHERE nodeid = (SELECT max(nodeid) FROM pg_dist_node)", port
    )
    return f"127.0.0.1:{port}"


async def test_a_worker_that_is_down_is_answered_503_and_named(
    provider_app: Application, client: Client, lost_worker: str
) -> None:
    answer = await client.get("/events?limit=10")
    assert answer.status_code == 503
    assert (await answer.get_json())["code"] == "unavailable"

    readiness = await client.get("/readyz?verbose")
    assert readiness.status_code == 200
    (workers,) = [check for check in (await readiness.get_json())["checks"] if check["name"] == "workers"]
    assert not workers["ok"]
    assert lost_worker in workers["detail"]


async def test_events_of_the_other_nodes_are_stored_while_a_worker_is_down(
    client: Client, provider_db: asyncpg.Pool, lost_worker: str
) -> None:
    statuses = set()
    for number in range(1, 41):
        event = {
            "id": number,
            "hotel_id": 1,
            "event_timestamp": "2020-01-01T00:00:00Z",
            "status": 1,
            "room_id": 1,
            "night_of_stay": "2020-01-01",
        }
        statuses.add((await client.post("/events", json=event)).status_code)
    assert statuses == {201, 503}
