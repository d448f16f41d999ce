"""A provider that may read calendars on loopback, another site there, and a way to read its calendars at once."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from common.web.resources import Application
from tests.support import calendar_site
from tests.support.calendar_site import CalendarSite

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
    async with calendar_site.calendar_site() as made:
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
        return await calendar_site.read_calendars(provider_app, now or datetime.now(UTC) + timedelta(seconds=runs))

    return read_calendars
