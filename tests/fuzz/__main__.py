"""`make fuzz`: send hostile requests to both applications on a PostgreSQL of its own, and print what breaks a rule."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

import dashboard.app
import dashboard.config
import provider.app
import provider.config
from common.config import Secret, read_config
from common.db.migrate import migrate
from common.devstack.embedded import UNSAFE_FAST_SETTINGS, Server, attach
from common.telemetry.logging import configure_logging
from common.web.resources import Application
from tests.conftest import MIGRATIONS, TEST_ENVIRONMENT
from tests.fuzz.requests import fuzz_requests


@asynccontextmanager
async def started(name: str, server: Server, folder: Path) -> AsyncIterator[tuple[Application, asyncpg.Pool]]:
    """An application in this process, on an empty database, and a pool on that database."""
    server.ensure_database(name)
    url = Secret(server.url(name))
    await migrate(url, MIGRATIONS[name])
    environment = {**TEST_ENVIRONMENT, "NIGHTAUDIT_DATA_DIR": str(folder / "state")}
    if name == "provider":
        app = provider.app.create_app(read_config(provider.config.Config, environment), url)
    else:
        app = dashboard.app.create_app(read_config(dashboard.config.Config, environment), url)
    async with app.test_app(), asyncpg.create_pool(url.reveal(), min_size=0, max_size=4) as db:
        yield app, db


async def fuzz(server: Server, folder: Path, number: int, seed: int) -> list[str]:
    """Send `number` requests to each application; returns a line for each answer that breaks a rule."""
    faults = []
    for name in ("provider", "dashboard"):
        async with started(name, server, folder) as (app, db):
            found = await fuzz_requests(app, db, number, seed)
        statuses = ", ".join(f"{status}: {count:,}" for status, count in sorted(found.statuses.items()))
        print(f"{name}: {number:,} requests, {len(found.faults)} faults ({statuses})", flush=True)
        faults += found.faults
    return faults


def main() -> int:
    """Return the exit status: 1 if an answer broke a rule, else 0."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--number", type=int, default=20_000, help="requests to each application")
    parser.add_argument("--seed", type=int, default=1, help="the same seed sends the same requests")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nightaudit-fuzz-") as folder:
        settings = {**UNSAFE_FAST_SETTINGS, "max_connections": "200"}
        with attach(Path(folder), settings=settings) as server:
            faults = asyncio.run(fuzz(server, Path(folder), options.number, options.seed))
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    configure_logging(level="error")
    sys.exit(main())
