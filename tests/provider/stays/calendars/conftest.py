"""A provider that may read calendars on loopback, another site there, and a way to read its calendars at once."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from common.jobs.lease import Job, JobResult, Lease
from common.jobs.scheduler import run_now
from common.web.resources import Application
from provider.resources import resources_of
from tests.support.calendar_site import CalendarSite, calendar_site

ADMIN = "an-administrators-token-of-32-chars"

Read = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return {
        **environment,
        "PROVIDER_CALENDAR_HOSTS": "127.0.0.1, localhost",
        "PROVIDER_CALENDAR_SECONDS": "0",
        "PROVIDER_STAYS_ADMIN_TOKEN": ADMIN,
        "PROVIDER_PUBLIC_URL": "https://stays.example.org",
    }


@pytest.fixture
async def site() -> AsyncIterator[CalendarSite]:
    async with calendar_site() as made:
        yield made


@pytest.fixture
def read(provider_app: Application) -> Read:
    """Runs the job that reads calendars; returns its numbers.

    Each run is as of a second later than the one before, unless told otherwise: since the interval is 0, all sources
    are due again.
    """
    runs = 0

    async def read_calendars(now: datetime | None = None) -> dict[str, Any]:
        nonlocal runs
        runs += 1
        resources = resources_of(provider_app)

        async def run(lease: Lease) -> JobResult:
            return await resources.calendars.run(lease, now or datetime.now(UTC) + timedelta(seconds=runs))

        return dict(await run_now(resources.pools.jobs, Job("read_calendars", 900, run)))

    return read_calendars
