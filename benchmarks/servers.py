"""What benchmarks run against: a durable PostgreSQL and real processes of both applications and of a bare one."""

import asyncio
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import msgspec

import dashboard.app
import provider.app
from benchmarks.load import Measured, Plan, Request
from common.config import Secret
from common.db.migrate import migrate
from common.devstack.embedded import Server

ROOT = Path(__file__).resolve().parents[1]
MIGRATIONS = {"provider": provider.app.MIGRATIONS, "dashboard": dashboard.app.MIGRATIONS}
START_SECONDS = 60.0
LOOKS_EVERY_SECONDS = 0.05

QUIET = {
    "PROVIDER_LOG_LEVEL": "warning",
    "PROVIDER_GENERATOR_RATE": "0",
    "PROVIDER_STORES_RATE": "0",
    "DASHBOARD_LOG_LEVEL": "warning",
    "DASHBOARD_INGEST_SECONDS": "0",
    "DASHBOARD_AUDIT_SECONDS": "0",
    "DASHBOARD_OFFERS_SECONDS": "0",
    "DASHBOARD_STORES_SECONDS": "0",
    "NIGHTAUDIT_DEMO": "1",
}
"""No timer runs unless a benchmark asks for it."""


@dataclass(frozen=True)
class Process:
    """A server under test."""

    url: str
    pid: int


@dataclass(frozen=True)
class Context:
    """What a benchmark is given. `rows`: how large the large tables are to be (1, 10 or 100 million)."""

    rows: int
    directory: Path
    postgres: Server
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    @asynccontextmanager
    async def database(self, application: str) -> AsyncIterator[Secret]:
        """An empty, migrated database of "provider" or "dashboard", with fsync on; dropped at the end."""
        name = f"{application}_{next(self._numbers)}"
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
    async def bare(self) -> AsyncIterator[Process]:
        """The framework without us: `POST /` takes a body, `GET /ready/{size}` answers so many bytes."""
        port = free_port()
        async with running(["-m", "benchmarks.bare", str(port)], {}, port, "/ready/1") as process:
            yield process

    @asynccontextmanager
    async def _application(self, name: str, url: Secret, environment: Mapping[str, str]) -> AsyncIterator[Process]:
        port = free_port()
        settings = QUIET | {
            "NIGHTAUDIT_DATA_DIR": str(self.directory / "state"),
            f"{name.upper()}_PORT": str(port),
            f"{name.upper()}_DATABASE_URL": url.reveal(),
        }
        async with running(["-m", name, "serve"], {**settings, **environment}, port, "/readyz") as process:
            yield process

    async def load(
        self,
        base_url: str,
        requests: Sequence[Request],
        *,
        connections: int,
        seconds: float,
        requests_in_all: int | None = None,
    ) -> Measured:
        """Send the requests in turn, over and over, on keep-alive connections, from a process of its own."""
        target = urlsplit(base_url)
        assert target.hostname is not None
        assert target.port is not None
        plan = Plan(target.hostname, target.port, list(requests), connections, seconds, requests_in_all)
        return await measure(plan)


async def measure(plan: Plan) -> Measured:
    """Carry out a plan in a process of its own."""
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
        raise RuntimeError("the load generator failed")
    return msgspec.json.decode(output, type=Measured)


@asynccontextmanager
async def running(
    arguments: Sequence[str], environment: Mapping[str, str], port: int, ready: str
) -> AsyncIterator[Process]:
    """A Python program that serves on a port, from its first answer to `ready` on; ended with SIGTERM."""
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=ROOT, env=_environment(environment))
    try:
        await _answers(process, port, ready)
        yield Process(f"http://127.0.0.1:{port}", process.pid)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def until_counts(url: Secret, counting: str, count: int) -> None:
    """Look at a database until a query counts so many; what another process stores cannot be awaited itself."""
    connection = await asyncpg.connect(url.reveal())
    try:
        while await connection.fetchval(counting) < count:
            await asyncio.sleep(LOOKS_EVERY_SECONDS)
    finally:
        await connection.close()


async def _answers(process: asyncio.subprocess.Process, port: int, path: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.returncode is not None:
            raise RuntimeError(f"the server ended with status {process.returncode}")
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(LOOKS_EVERY_SECONDS)
            continue
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read(12)
        writer.close()
        if answer.endswith(b" 200"):
            return
        await asyncio.sleep(LOOKS_EVERY_SECONDS)
    raise RuntimeError(f"the server does not answer on port {port}")


def free_port() -> int:
    """A port of the loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment(changes: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PROVIDER_", "DASHBOARD_"))}
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    return {**kept, **changes, "PYTHONPATH": path}
