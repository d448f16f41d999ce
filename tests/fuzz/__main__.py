"""`make fuzz`: send hostile files and requests to both applications, on a PostgreSQL of its own.

Prints what breaks a rule.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
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
from tests.conftest import MIGRATIONS, TEST_ENVIRONMENT
from tests.fuzz.file_readers import Place
from tests.fuzz.file_service import file_service
from tests.fuzz.files import fuzz_files
from tests.fuzz.requests import fuzz_requests

FILE_SHARES = {"provider": 0.4, "dashboard": 0.6}


@asynccontextmanager
async def started(name: str, server: Server, folder: Path) -> AsyncIterator[Place]:
    """An application in this process, on an empty database."""
    server.ensure_database(name)
    url = Secret(server.url(name))
    await migrate(url, MIGRATIONS[name])
    environment = {**TEST_ENVIRONMENT, "NIGHTAUDIT_DATA_DIR": str(folder / "state")}
    if name == "provider":
        app = provider.app.create_app(read_config(provider.config.Config, environment), url)
    else:
        app = dashboard.app.create_app(read_config(dashboard.config.Config, environment), url)
    async with (
        app.test_app(),
        asyncpg.create_pool(url.reveal(), min_size=0, max_size=4, server_settings={"timezone": "UTC"}) as db,
        file_service() as service,
    ):
        yield Place(app, db, url, folder, service)


async def fuzz(server: Server, folder: Path, number: int, seed: int, only: str | None) -> list[str]:
    """Send `number` files in all, and `number` requests to each application; returns a line for each broken rule."""
    faults = []
    for name in ("provider", "dashboard"):
        async with started(name, server, folder) as place:
            if only != "requests":
                share = round(number * FILE_SHARES[name])
                files = await fuzz_files(place, share, seed)
                print_result(f"{name}: {share:,} files", files.faults, files.outcomes)
                faults += files.faults
            if only != "files":
                requests = await fuzz_requests(place.app, place.db, number, seed)
                print_result(f"{name}: {number:,} requests", requests.faults, requests.statuses)
                faults += requests.faults
    return faults


def print_result(what: str, faults: list[str], outcomes: Mapping[str, int] | Mapping[int, int]) -> None:
    counts = ", ".join(f"{outcome}: {count:,}" for outcome, count in sorted(outcomes.items()))
    print(f"{what}, {len(faults)} faults ({counts})", flush=True)


def main() -> int:
    """Return the exit status: 1 if an answer broke a rule, else 0."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--number", type=int, default=20_000, help="files in all, and requests to each application")
    parser.add_argument("--seed", type=int, default=1, help="the same seed sends the same files and requests")
    parser.add_argument("--only", choices=("files", "requests"), help="by default both")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nightaudit-fuzz-") as folder:
        settings = {**UNSAFE_FAST_SETTINGS, "max_connections": "200"}
        with attach(Path(folder), settings=settings) as server:
            faults = asyncio.run(fuzz(server, Path(folder), options.number, options.seed, options.only))
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    configure_logging(level="error")
    sys.exit(main())
