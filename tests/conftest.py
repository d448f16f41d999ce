"""PostgreSQL for every test: one embedded server for the run, databases cloned from a migrated template."""

import asyncio
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
import provider.app
import provider.config
from common.config import Secret, read_config
from common.db.migrate import migrate
from common.devstack.embedded import UNSAFE_FAST_SETTINGS, Server, attach
from common.telemetry.logging import configure_logging
from common.web.resources import Application
from tests.support.applications import ApplicationProcess as ApplicationProcess
from tests.support.databases import cloned
from tests.support.waiting import wait_until

MIGRATIONS = {"provider": provider.app.MIGRATIONS, "dashboard": dashboard.app.MIGRATIONS}

TEST_ENVIRONMENT = {
    "PROVIDER_GENERATOR_RATE": "0",
    "PROVIDER_STORES_RATE": "0",
    "DASHBOARD_INGEST_SECONDS": "0",
    "DASHBOARD_AUDIT_SECONDS": "0",
    "DASHBOARD_OFFERS_SECONDS": "0",
    "DASHBOARD_STORES_SECONDS": "0",
    "PROVIDER_OUTBOX_SECONDS": "0",
    "DASHBOARD_OUTBOX_SECONDS": "0",
    "NIGHTAUDIT_DEMO": "1",
}
"""Timers are off: a test says itself when time passes."""

settings.register_profile(
    "slow machines",
    settings(),  # in CI hypothesis has a profile of its own, that repeats itself
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("slow machines")

POSTGRES_VARIABLE = "NIGHTAUDIT_TEST_POSTGRES"


class CurrentStderr:
    """Standard error as it is at the moment, so that pytest shows the log of a test beside its failure."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()

    def isatty(self) -> bool:
        return False


def pytest_configure() -> None:
    """One directory for the server of the whole run; the workers of a parallel run find it in their environment."""
    configure_logging(stream=CurrentStderr())
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # Started in the background of a shell. Every process that a test starts, and interrupts, would ignore it too.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if "PYTEST_XDIST_WORKER" not in os.environ:
        os.environ[POSTGRES_VARIABLE] = tempfile.mkdtemp(prefix="nightaudit-test-")


def pytest_unconfigure() -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        shutil.rmtree(os.environ[POSTGRES_VARIABLE], ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """The run's server; the workers of a parallel run share it, be they ever so many."""
    many = {**UNSAFE_FAST_SETTINGS, "max_connections": "1000"}
    with attach(Path(os.environ[POSTGRES_VARIABLE]), settings=many) as server:
        yield server


@pytest.fixture(scope="session")
def templates(postgres: Server) -> dict[str, str]:
    """The name of a migrated, empty database of each application; one set for each worker."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    names = {}
    for application, folder in MIGRATIONS.items():
        names[application] = f"{application}_template_{worker}"
        postgres.ensure_database(names[application])
        asyncio.run(migrate(Secret(postgres.url(names[application])), folder))
    return names


@pytest.fixture
async def provider_url(postgres: Server, templates: dict[str, str]) -> AsyncIterator[Secret]:
    """An empty, migrated database of the provider."""
    async with cloned(postgres, templates["provider"]) as url:
        yield url


@pytest.fixture
async def dashboard_url(postgres: Server, templates: dict[str, str]) -> AsyncIterator[Secret]:
    """An empty, migrated database of the dashboard."""
    async with cloned(postgres, templates["dashboard"]) as url:
        yield url


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
    """The environment that the applications of a test read; a test changes it before it asks for them."""
    return {**TEST_ENVIRONMENT, "NIGHTAUDIT_DATA_DIR": str(tmp_path / "data")}


@pytest.fixture
def make_application(tmp_path: Path) -> Iterator[Callable[..., ApplicationProcess]]:
    """Makes applications, each on a database and as a process that the test starts; none of them outlives it.

    Pytest shows what they said beside a failure.
    """
    made: list[ApplicationProcess] = []

    def make(name: str, url: Secret, **settings: str) -> ApplicationProcess:
        environment = {**TEST_ENVIRONMENT, f"{name.upper()}_DATABASE_URL": url.reveal(), **settings}
        made.append(ApplicationProcess(name, environment, tmp_path))
        return made[-1]

    yield make
    for each in made:
        if each.log.exists():
            each.kill()
            sys.stderr.write(each.output())


@pytest.fixture
async def provider_app(provider_url: Secret, environment: dict[str, str]) -> AsyncIterator[Application]:
    """The provider, started, in this process; `provider_app.test_client()` speaks to it."""
    app = provider.app.create_app(read_config(provider.config.Config, environment), provider_url)
    async with app.test_app():
        lengthen_pool_timeouts(app)
        yield app


@pytest.fixture
async def dashboard_app(dashboard_url: Secret, environment: dict[str, str]) -> AsyncIterator[Application]:
    """The dashboard, started, in this process."""
    app = dashboard.app.create_app(read_config(dashboard.config.Config, environment), dashboard_url)
    async with app.test_app():
        lengthen_pool_timeouts(app)
        yield app


def lengthen_pool_timeouts(app: Application) -> None:
    """Requests wait for a connection for as long as a slow machine needs. A test of the limit sets one of its own."""
    for pool in app.resources.pools.by_name().values():
        pool.acquire_seconds = 60.0


@pytest.fixture
def today() -> date:
    """The date, in UTC, which is the same for as long as a test takes."""
    now = datetime.now(UTC)
    midnight = datetime.combine(now.date() + timedelta(days=1), time(), UTC)
    if midnight - now < timedelta(seconds=30):
        wait_until(lambda: datetime.now(UTC) >= midnight)
    return datetime.now(UTC).date()
