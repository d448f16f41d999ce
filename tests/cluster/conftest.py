"""The provider for tests on a cluster, and another site whose calendars it may read."""

from collections.abc import AsyncIterator

import pytest
from quart.typing import TestClientProtocol as Client

from common.web.resources import Application
from tests.support.calendar_site import CalendarSite, calendar_site

ADMIN = "an-administrators-token-of-32-chars"


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return {
        **environment,
        "PROVIDER_CALENDAR_HOSTS": "127.0.0.1",
        "PROVIDER_CALENDAR_SECONDS": "0",
        "PROVIDER_STAYS_ADMIN_TOKEN": ADMIN,
        "PROVIDER_PAST_STAYS": "allow",
    }


@pytest.fixture
def client(provider_app: Application) -> Client:
    return provider_app.test_client()


@pytest.fixture
async def site() -> AsyncIterator[CalendarSite]:
    async with calendar_site() as made:
        yield made
