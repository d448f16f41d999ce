"""The servers that benchmarks run against: a durable PostgreSQL, and processes of both applications and a bare one."""

import asyncio
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import msgspec

import dashboard.app
import provider.app
from benchmarks.bare import HOOKS
from benchmarks.load import LoadResult, Plan, Request
from benchmarks.table import Row
from common.config import Secret
from common.db.migrate import migrate
from common.db.time_limits import UNLIMITED
from common.devstack.embedded import Server

ROOT = Path(__file__).resolve().parents[1]
MIGRATIONS = {"provider": provider.app.MIGRATIONS, "dashboard": dashboard.app.MIGRATIONS}
START_SECONDS = 60.0
POLL_SECONDS = 0.05

QUIET = {
    "PROVIDER_LOG_LEVEL": "warning",
    "PROVIDER_GENERATOR_RATE": "0",
    "PROVIDER_STORES_RATE": "0",
    "PROVIDER_ORDERS_PER_HOUR": "0",
    "DASHBOARD_LOG_LEVEL": "warning",
    "DASHBOARD_INGEST_SECONDS": "0",
    "DASHBOARD_AUDIT_SECONDS": "0",
    "DASHBOARD_OFFERS_SECONDS": "0",
    "DASHBOARD_STORES_SECONDS": "0",
    "NIGHTAUDIT_DEMO": "1",
}
"""Timers and limits are off unless a benchmark sets them."""


@dataclass(frozen=True)
class Process:
    """A server under test."""

    url: str
    pid: int


@dataclass(frozen=True)
class Context:
    """The resources of a benchmark.

    rows: size of the large tables (1, 10 or 100 million). add_row: print a row of the table at once.
    """

    rows: int
    directory: Path
    postgres: Server
    add_row: Callable[[Row], None]
    _database_numbers: "count[int]" = field(default_factory=lambda: count(1))

    @asynccontextmanager
    async def database(self, application: str) -> AsyncIterator[Secret]:
        """An empty, migrated database of "provider" or "dashboard", with fsync on; dropped on exit."""
        name = f"{application}_{next(self._database_numbers)}"
        self.postgres.ensure_database(name)
        url = Secret(self.postgres.url(name))
        await migrate(url, MIGRATIONS[application])
        try:
            yield url
        finally:
            admin = await asyncpg.connect(self.postgres.url("postgres"))
            await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
            await admin.close()

    @asynccontextmanager
    async def provider(self, url: Secret, **environment: str) -> AsyncIterator[Process]:
        """The provider on a database, as `python -m provider serve` runs it."""
        async with self._application("provider", url, environment) as process:
            yield process

    @asynccontextmanager
    async def dashboard(self, url: Secret, **environment: str) -> AsyncIterator[Process]:
        """The dashboard on a database."""
        async with self._application("dashboard", url, environment) as process:
            yield process

    @asynccontextmanager
    async def bare(self, *, hooks: bool = False) -> AsyncIterator[Process]:
        """The framework alone: `POST /` reads a body, `GET /ready/{size}` returns `size` bytes.

        hooks: with what our applications add to every request.
        """
        port = free_port()
        arguments = ["-m", "benchmarks.bare", str(port), *([HOOKS] if hooks else [])]
        async with running(arguments, {}, port, "/ready/1") as process:
            yield process

    @asynccontextmanager
    async def _application(self, name: str, url: Secret, environment: Mapping[str, str]) -> AsyncIterator[Process]:
        port_variable = f"{name.upper()}_PORT"
        settings = {
            **QUIET,
            "NIGHTAUDIT_DATA_DIR": str(self.directory / "state"),
            port_variable: str(free_port()),
            f"{name.upper()}_DATABASE_URL": url.reveal(),
            **environment,
        }
        async with running(["-m", name, "serve"], settings, int(settings[port_variable]), "/readyz") as process:
            yield process

    async def load(
        self,
        base_url: str,
        requests: Sequence[Request],
        *,
        connections: int,
        seconds: float,
        max_requests: int | None = None,
    ) -> LoadResult:
        """Send the requests in order, repeatedly, over keep-alive connections, from a separate process."""
        target = urlsplit(base_url)
        assert target.hostname is not None
        assert target.port is not None
        plan = Plan(target.hostname, target.port, list(requests), connections, seconds, max_requests)
        return await _run_load_generator(plan)


async def _run_load_generator(plan: Plan) -> LoadResult:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.load",
        cwd=ROOT,
        env=_environment({}),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate(msgspec.json.encode(plan))
    if process.returncode != 0:
        raise RuntimeError(f"the load generator ended with status {process.returncode}")
    return msgspec.json.decode(output, type=LoadResult)


@asynccontextmanager
async def running(
    arguments: Sequence[str], environment: Mapping[str, str], port: int, ready_path: str
) -> AsyncIterator[Process]:
    """A Python program that listens on a port and has answered `ready_path` with 200; ended with SIGTERM."""
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=ROOT, env=_environment(environment))
    try:
        await _wait_until_ready(process, port, ready_path)
        yield Process(f"http://127.0.0.1:{port}", process.pid)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def connect(url: Secret) -> asyncpg.Connection:
    """A connection without limits of time: statements of a benchmark fill and read tables of any size."""
    return await asyncpg.connect(url.reveal(), server_settings=dict(UNLIMITED.as_settings()))


async def wait_for_count(url: Secret, query: str, count: int) -> None:
    """Poll a query until it returns at least `count`: work of another process cannot be awaited directly."""
    connection = await connect(url)
    try:
        while await connection.fetchval(query) < count:
            await asyncio.sleep(POLL_SECONDS)
    finally:
        await connection.close()


async def _wait_until_ready(process: asyncio.subprocess.Process, port: int, path: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.returncode is not None:
            raise RuntimeError(f"the server ended with status {process.returncode}")
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(POLL_SECONDS)
            continue
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        status_line = await reader.read(12)
        writer.close()
        if status_line.endswith(b" 200"):
            return
        await asyncio.sleep(POLL_SECONDS)
    raise RuntimeError(f"the server on port {port} was not ready within {START_SECONDS:.0f} s")


def free_port() -> int:
    """Return a port of the loopback interface that is free at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment(changes: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PROVIDER_", "DASHBOARD_"))}
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    return {**kept, **changes, "PYTHONPATH": path}
