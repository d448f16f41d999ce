"""Too many requests, or no PostgreSQL: 503 with Retry-After, and everything works again afterwards."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import date
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import provider.app
import provider.config
from common.config import Secret, read_config
from common.web.resources import Application
from tests.support.citus import CitusCluster
from tests.support.databases import DatabaseServer
from tests.support.storefront import Guest


class Wire:
    """A proxy of the PostgreSQL server that can be cut."""

    def __init__(self, server: DatabaseServer) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="nightaudit-wire-"))
        self._open_far_end = (
            partial(asyncio.open_connection, "127.0.0.1", server.ports[0])
            if isinstance(server, CitusCluster)
            else partial(asyncio.open_unix_connection, server.cluster.socket_dir / ".s.PGSQL.5432")
        )
        self._pipes: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def join(self) -> None:
        self._server = await asyncio.start_unix_server(self._connect, self.directory / ".s.PGSQL.5432")

    async def cut(self) -> None:
        """Refuse new connections and close the existing ones."""
        assert self._server is not None
        self._server.close()
        for pipe in self._pipes:
            pipe.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)
        await self._server.wait_closed()
        (self.directory / ".s.PGSQL.5432").unlink(missing_ok=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await self._open_far_end()
        for source, target in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.create_task(self._pipe(source, target))
            self._pipes.add(task)
            task.add_done_callback(self._pipes.discard)

    async def _pipe(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
        finally:
            target.close()
            with suppress(ConnectionError):
                await target.wait_closed()


@pytest.fixture
async def wire(postgres: DatabaseServer) -> AsyncIterator[Wire]:
    made = Wire(postgres)
    await made.join()
    yield made
    await made.cut()
    shutil.rmtree(made.directory)


@pytest.fixture
async def wired_app(wire: Wire, provider_url: Secret, environment: dict[str, str]) -> AsyncIterator[Application]:
    """The provider, whose connections to PostgreSQL can be cut."""
    server = urlsplit(provider_url.reveal())
    url = Secret(f"postgresql://{server.username}@{server.path}?host={wire.directory}&port=5432")
    app = provider.app.create_app(read_config(provider.config.Config, environment), url)
    async with app.test_app():
        yield app


async def test_without_postgresql_requests_are_answered_503_until_it_is_back(
    wired_app: Application, wire: Wire, soon: date
) -> None:
    guest = Guest(wired_app)
    await guest.create_property("hut")
    await wire.cut()

    answers = [
        await guest.get(f"/properties/available?start_date={soon}&nights=1"),
        await guest.reserve("hut", soon, 1),
        await guest.reserve("hut", soon, 1, key="k"),
        await guest.call("DELETE", "/reservations/0197a2b4-5c6d-7e8f-9a0b-1c2d3e4f5a6b"),
    ]

    for answer, problem in answers:
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert problem["code"] == "unavailable"
    await wire.join()
    assert (await guest.reserve("hut", soon, 1, key="k"))[0].status_code == 200
    assert await guest.available(soon, 1) == []


class TestOneConnection:
    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        return {**environment, "PROVIDER_POOL_SIZE": "1"}

    async def test_a_pool_that_is_used_up_answers_503_within_its_time(
        self, provider_app: Application, guest: Guest, soon: date
    ) -> None:
        await guest.create_property("hut")
        pool = provider_app.resources.pools.requests
        pool.acquire_seconds = 0.1

        async with pool.acquire():
            answers = await asyncio.gather(*(guest.reserve("hut", soon, 1) for _ in range(20)))

        assert [answer.status_code for answer, _ in answers] == [503] * 20
        assert all("Retry-After" in answer.headers for answer, _ in answers)
        pool.acquire_seconds = 60
        assert (await guest.reserve("hut", soon, 1))[0].status_code == 200

    async def test_one_connection_serves_a_hundred_requests(self, guest: Guest, soon: date) -> None:
        await guest.create_property("hut")

        answers = await asyncio.gather(*(guest.reserve("hut", soon, 1) for _ in range(100)))

        assert sorted(answer.status_code for answer, _ in answers) == [200, *[409] * 99]
