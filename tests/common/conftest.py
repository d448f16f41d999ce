"""An application with a few routes for tests of `common` alone."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import asyncpg
import msgspec
import pytest
from aioresponses import aioresponses
from pydantic import Field
from quart import Blueprint, Response, request
from quart_schema import document_response, tag_blueprint

from common.config import Secret
from common.db.pool import BoundedPool, Connection, create_pool
from common.db.time_limits import Timeouts
from common.devstack.embedded import Server
from common.jobs import routes as job_routes
from common.upstream import create_client_session
from common.web import application, health
from common.web.errors import Unavailable
from common.web.idempotency import StoredResponse, run_once_per_key
from common.web.input_types import Input, QueryInteger
from common.web.openapi.document import operation
from common.web.query_string import validate_querystring
from common.web.request_body import body_limit, json_body, raw_body, require_media_type
from common.web.resources import Application, CommonResources, Pools, pool
from common.web.responses import encode_json, json_response
from provider.app import MIGRATIONS
from tests.support.databases import cloned
from tests.support.processes import processes_of


class ThingInput(Input):
    """A thing as it is sent."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    size: Annotated[int, Field(ge=1, le=10)] = 1


class Thing(msgspec.Struct, frozen=True):
    """A thing as it is stored."""

    id: int
    name: str


class ThingsQuery(Input):
    limit: Annotated[QueryInteger, Field(ge=1, le=10)] = 5
    name: str | None = None


def routes() -> Blueprint:
    things = Blueprint("things", __name__)
    tag_blueprint(things, ["test"])

    async def insert_thing(db: Connection, name: str) -> Thing:
        number = await db.fetchval("INSERT INTO thing (name) VALUES ($1) RETURNING id", name)
        if name == "impossible":
            raise Unavailable("Not now.")
        return Thing(number, name)

    @things.post("/things")
    @operation(idempotent=True)
    @document_response(Thing, 201)
    @json_body(ThingInput)
    async def create_thing(data: ThingInput) -> Response:
        """Store a thing."""

        async def create(connection: Connection) -> StoredResponse:
            thing = await insert_thing(connection, data.name)
            return StoredResponse(201, encode_json(thing), {"Location": f"/things/{thing.id}"})

        return await run_once_per_key(pool(), "POST /things", create)

    @things.get("/things")
    @operation()
    @validate_querystring(ThingsQuery)
    @document_response(list[Thing])
    async def list_things(query_args: ThingsQuery) -> Response:
        """All things."""
        rows = await pool().fetch("SELECT id, name FROM thing WHERE $1::text IS NULL OR name = $1", query_args.name)
        return json_response([Thing(**row) for row in rows[: query_args.limit]])

    @things.get("/things/<int(min=1, max=9223372036854775807):thing_id>")
    @operation()
    @document_response(Thing)
    async def get_thing(thing_id: int) -> Response:
        """A thing."""
        row = await pool().fetchrow("SELECT id, name FROM thing WHERE id = $1", thing_id)
        return json_response(Thing(**row) if row else None)

    @things.post("/maybe")
    @operation()
    @document_response(Thing)
    @json_body(ThingsQuery, empty=True)
    async def maybe(data: ThingsQuery) -> Response:
        """Accept a request with or without a body."""
        return json_response(data.limit)

    @things.post("/upload")
    @operation()
    @body_limit(8 * 1024 * 1024)
    async def upload() -> Response:
        """Read a body slowly, in parts."""
        require_media_type("application/octet-stream")
        sizes = []
        async for part in request.body:
            sizes.append(len(part))
            await asyncio.sleep(0)
        return json_response({"total": sum(sizes), "largest": max(sizes, default=0)})

    @things.post("/whole")
    @operation()
    @body_limit(8 * 1024 * 1024)
    async def whole() -> Response:
        """Read a body at once."""
        return json_response({"total": len(await raw_body())})

    @things.get("/boom")
    @operation()
    async def boom() -> Response:
        """Fail."""
        raise RuntimeError("SELECT password FROM secrets")

    @things.get("/database/<string:what>")
    @operation()
    async def database(what: str) -> Response:
        """Make PostgreSQL fail in several ways."""
        statements: dict[str, Any] = {
            "syntax": ("SELEKT password FROM secrets",),
            "argument": ("SELECT $1::bigint", 2**70),
            "slow": ("SELECT pg_sleep(600)",),
        }
        return json_response(await pool().fetchval(*statements.get(what, ("SELECT $1::text", what))))

    @things.get("/wait")
    @operation()
    async def wait() -> Response:
        """Never answer."""
        await asyncio.Event().wait()
        return json_response(None)

    return things


@pytest.fixture(scope="module")
def module_url(postgres: Server, templates: dict[str, str]) -> Iterator[Secret]:
    """A database with the tables of the platform and one of things; the tests of a module share it."""
    with asyncio.Runner() as runner:
        database = cloned(postgres, templates["provider"])
        url = runner.run(database.__aenter__())
        runner.run(create_things(url))
        yield url
        runner.run(database.__aexit__(None, None, None))


async def create_things(url: Secret) -> None:
    connection = await asyncpg.connect(url.reveal())
    await connection.execute(
        "CREATE TABLE thing (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL)"
    )
    await connection.close()


@pytest.fixture
async def ground_pool(module_url: Secret) -> AsyncIterator[BoundedPool]:
    """A small pool on the database of the module, whose tables are empty."""
    async with create_pool(module_url, application="test", size=4, timeouts=Timeouts(statement=5, acquire=30)) as pool:
        await pool.execute("TRUNCATE thing, job, idempotency_key")
        yield pool


def provide(app: Application, pool: BoundedPool) -> None:
    """Set the resources of an application: one pool and no HTTP client."""
    app.resources = CommonResources(pools=Pools(requests=pool, jobs=pool), http=None)  # type: ignore[arg-type]  # not used


@pytest.fixture
async def bare() -> AsyncIterator[Application]:
    """The application, started, without jobs and with an unreachable database."""
    app = application.create("ground", title="Ground", description="For tests", tags={"test": "Test"})
    app.register_blueprint(routes())
    app.register_blueprint(health.blueprint(MIGRATIONS))
    app.register_blueprint(job_routes.blueprint(list))
    nowhere = create_pool(
        Secret("postgresql://nobody@127.0.0.1:1/nowhere"), application="test", timeouts=Timeouts(acquire=5)
    )
    async with nowhere:
        provide(app, nowhere)
        async with app.test_app():
            yield app


@pytest.fixture
def ground(bare: Application, ground_pool: BoundedPool) -> Application:
    """The same with a database."""
    provide(bare, ground_pool)
    return bare


@pytest.fixture
def public_dir() -> Iterator[Path]:
    """A directory that every user can reach, unlike `tmp_path`, which pytest closes to other users."""
    with tempfile.TemporaryDirectory(prefix="nightaudit-test-") as path:
        Path(path).chmod(0o711)
        yield Path(path)


@pytest.fixture
def data_dir(public_dir: Path) -> Iterator[Path]:
    """A data directory. Its server and watchdog are killed after the test."""
    path = public_dir / "data"
    yield path
    for process in processes_of(path):
        process.kill()


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with create_client_session() as client:
        yield client


@pytest.fixture
def mocked() -> Iterator[aioresponses]:
    with aioresponses() as responses:
        yield responses
