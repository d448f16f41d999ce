"""Fixtures of all tests: one embedded PostgreSQL per run, one database per test, cloned from a migrated template."""

import asyncio
import gc
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import asyncpg
import pytest
from hypothesis import HealthCheck, settings

import dashboard.app
import dashboard.config
import dashboard.distribution
import provider.app
import provider.config
import provider.distribution
from common.config import Secret, read_config
from common.db.migrate import migrate
from common.devstack.embedded import UNSAFE_FAST_SETTINGS, Server, attach
from common.telemetry.logging import configure_logging
from common.web.resources import Application
from tests.support import pgbouncer
from tests.support.applications import ApplicationProcess as ApplicationProcess
from tests.support.citus import CitusCluster, cluster_of_environment
from tests.support.compiled_routes import compile_routes_once
from tests.support.databases import DatabaseServer, cloned
from tests.support.waiting import wait_until

MIGRATIONS = {"provider": provider.app.MIGRATIONS, "dashboard": dashboard.app.MIGRATIONS}
DISTRIBUTIONS = {
    "provider": provider.distribution.DISTRIBUTION,
    "dashboard": dashboard.distribution.DISTRIBUTION,
}

TEST_ENVIRONMENT = {
    "PROVIDER_GENERATOR_RATE": "0",
    "PROVIDER_STORES_RATE": "0",
    "DASHBOARD_INGEST_SECONDS": "0",
    "DASHBOARD_AUDIT_SECONDS": "0",
    "DASHBOARD_OFFERS_SECONDS": "0",
    "DASHBOARD_STORES_SECONDS": "0",
    "PROVIDER_OUTBOX_SECONDS": "0",
    "DASHBOARD_OUTBOX_SECONDS": "0",
    "DASHBOARD_ALERT_SECONDS": "0",
    "PROVIDER_ORDERS_PER_HOUR": "0",
    "PROVIDER_KEEP_TRACES_DAYS": "0",
    "PROVIDER_KEEP_GUESTS_DAYS": "0",
    "DASHBOARD_KEEP_REPORTS_DAYS": "0",
    "DASHBOARD_KEEP_POLLS_DAYS": "0",
    "DASHBOARD_KEEP_PRICES_DAYS": "0",
    "DASHBOARD_KEEP_TRACES_DAYS": "0",
    "NIGHTAUDIT_DEMO": "1",
}
"""The demo with all timers off, and old rows kept: a test runs the jobs that it needs.

Orders are limited only in tests of the limit.
"""

settings.register_profile(
    "slow machines",
    settings(),  # which hypothesis makes deterministic in CI
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("slow machines")

collect_ignore = [] if cluster_of_environment() else ["cluster"]
"""Tests of a cluster alone are collected only where there is one."""

POSTGRES_VARIABLE = "NIGHTAUDIT_TEST_POSTGRES"

SHARED_MEMORY = Path("/dev/shm")
SERVER_BYTES = 6 * 1024**3
"""The run's server needs less, with many tests at once and the large tables of some."""


class CurrentStderr:
    """Writes to the current `sys.stderr`, which pytest replaces, so that it shows the log of a failed test."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()

    def isatty(self) -> bool:
        return False


def pytest_configure() -> None:
    """Create the directory of the run's server and name it in the environment of the workers."""
    configure_logging(stream=CurrentStderr())
    compile_routes_once()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell starts background processes so, and the processes of the tests would inherit it and ignore SIGINT.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if "PYTEST_XDIST_WORKER" not in os.environ:
        os.environ[POSTGRES_VARIABLE] = tempfile.mkdtemp(prefix="nightaudit-test-", dir=memory_with_room())


def pytest_xdist_auto_num_workers() -> int:
    """Half a worker more than there are cores: many tests wait, for a process or for a time to pass."""
    return (os.cpu_count() or 1) * 3 // 2


def memory_with_room() -> Path | None:
    """The file system in memory, if it has room for the run's server; None for the usual directory of temporary files.

    Each test clones a database, which is some 300 files: that takes half as long there.
    """
    writable = SHARED_MEMORY.is_dir() and os.access(SHARED_MEMORY, os.W_OK)
    return SHARED_MEMORY if writable and shutil.disk_usage(SHARED_MEMORY).free > SERVER_BYTES else None


def pytest_unconfigure() -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        shutil.rmtree(os.environ[POSTGRES_VARIABLE], ignore_errors=True)


@pytest.fixture(autouse=True)
def collected(request: pytest.FixtureRequest) -> None:
    """Collect what earlier tests left behind before a test that reads standard error.

    asyncio logs the exception of an abandoned future when the future is collected, which may be in any later test.
    """
    if "capsys" in request.fixturenames:
        gc.collect()


@pytest.fixture(scope="session")
def postgres() -> Iterator[DatabaseServer]:
    """The server of the run, which all workers share: embedded, or the cluster that the environment names."""
    if (cluster := cluster_of_environment()) is not None:
        yield cluster
        return
    server_settings = {**UNSAFE_FAST_SETTINGS, "max_connections": "1000"}
    with attach(Path(os.environ[POSTGRES_VARIABLE]), settings=server_settings) as server:
        yield server


@pytest.fixture(scope="session")
def templates(postgres: DatabaseServer) -> Iterator[dict[str, str]]:
    """The names of the migrated, empty databases, by application; each worker has its own."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    names = {}
    for application, folder in MIGRATIONS.items():
        names[application] = f"{application}_template_{worker}"
        if isinstance(postgres, CitusCluster):
            names[application] += f"_{os.getpid()}"  # other runs may use the cluster
        postgres.ensure_database(names[application])
        asyncio.run(migrate(Secret(postgres.url(names[application])), folder))
        if isinstance(postgres, CitusCluster):
            asyncio.run(postgres.distribute(names[application], DISTRIBUTIONS[application]))
            asyncio.run(postgres.seal(names[application]))
    yield names
    if isinstance(postgres, CitusCluster):
        for name in names.values():
            asyncio.run(postgres.drop(name))


@pytest.fixture(scope="session")
def reached(postgres: DatabaseServer) -> Iterator[Callable[[Secret], Secret]]:
    """Turns the URL of a database into the one by which the tests reach it: through PgBouncer if one is named."""
    executable = os.environ.get(pgbouncer.VARIABLE)
    if not executable:
        yield lambda url: url
        return
    assert isinstance(postgres, Server)
    with pgbouncer.running_pgbouncer(executable, postgres) as pooler:
        yield pooler.url


@pytest.fixture
async def provider_url(
    postgres: DatabaseServer, templates: dict[str, str], reached: Callable[[Secret], Secret]
) -> AsyncIterator[Secret]:
    """An empty, migrated database of the provider."""
    async with cloned(postgres, templates["provider"]) as url:
        yield reached(url)


@pytest.fixture
async def dashboard_url(
    postgres: DatabaseServer, templates: dict[str, str], reached: Callable[[Secret], Secret]
) -> AsyncIterator[Secret]:
    """An empty, migrated database of the dashboard."""
    async with cloned(postgres, templates["dashboard"]) as url:
        yield reached(url)


@pytest.fixture
async def provider_db(provider_url: Secret) -> AsyncIterator[asyncpg.Pool]:
    """A pool on the provider's database."""
    async with asyncpg.create_pool(
        provider_url.reveal(), min_size=0, max_size=10, server_settings={"timezone": "UTC"}
    ) as pool:
        yield pool


@pytest.fixture
async def dashboard_db(dashboard_url: Secret) -> AsyncIterator[asyncpg.Pool]:
    """A pool on the dashboard's database."""
    async with asyncpg.create_pool(
        dashboard_url.reveal(), min_size=0, max_size=10, server_settings={"timezone": "UTC"}
    ) as pool:
        yield pool


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of the applications. A test may override this fixture or change it before they start."""
    return {**TEST_ENVIRONMENT, "NIGHTAUDIT_DATA_DIR": str(tmp_path / "data")}


@pytest.fixture
def make_application(tmp_path: Path) -> Iterator[Callable[..., ApplicationProcess]]:
    """Create applications that run as processes. The test starts them; they are killed at its end.

    Pytest shows their output when the test fails.
    """
    made: list[ApplicationProcess] = []

    def make(name: str, url: Secret, **settings: str) -> ApplicationProcess:
        environment = {**TEST_ENVIRONMENT, f"{name.upper()}_DATABASE_URL": url.reveal(), **settings}
        made.append(ApplicationProcess(name, environment, tmp_path))
        return made[-1]

    yield make
    for process in made:
        if process.log.exists():
            process.kill()
            sys.stderr.write(process.output())


@pytest.fixture
async def provider_app(provider_url: Secret, environment: dict[str, str]) -> AsyncIterator[Application]:
    """The provider, started in this process."""
    app = provider.app.create_app(read_config(provider.config.Config, environment), provider_url)
    async with app.test_app():
        lengthen_pool_timeouts(app)
        yield app


@pytest.fixture
async def dashboard_app(dashboard_url: Secret, environment: dict[str, str]) -> AsyncIterator[Application]:
    """The dashboard, started in this process."""
    app = dashboard.app.create_app(read_config(dashboard.config.Config, environment), dashboard_url)
    async with app.test_app():
        lengthen_pool_timeouts(app)
        yield app


def lengthen_pool_timeouts(app: Application) -> None:
    """Allow requests a longer wait for a connection, for slow machines. A test of the time-out sets its own."""
    for pool in app.resources.pools.by_name().values():
        pool.acquire_seconds = 60.0


@pytest.fixture
def today() -> date:
    """The current date in UTC. Shortly before midnight, wait for the next day, so that it stays the same."""
    now = datetime.now(UTC)
    midnight = datetime.combine(now.date() + timedelta(days=1), time(), UTC)
    if midnight - now < timedelta(seconds=30):
        wait_until(lambda: datetime.now(UTC) >= midnight)
    return datetime.now(UTC).date()
