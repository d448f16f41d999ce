"""Guests of the storefront, and a day for their stays."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest

from common.config import Secret
from common.web.resources import Application
from provider.stays.audit import find_differences
from tests.support.storefront import Guest


@pytest.fixture
async def provider_url(provider_url: Secret) -> AsyncIterator[Secret]:
    """The database of the provider. After each test its free stretches are equal to the recount."""
    yield provider_url
    async with asyncpg.create_pool(provider_url.reveal(), min_size=0, max_size=1) as db:
        assert (await find_differences(db))[1] == []


@pytest.fixture
def new_guest(provider_app: Application) -> Callable[[], Guest]:
    """Creates guests, each with its own token."""
    return lambda: Guest(provider_app)


@pytest.fixture
def guest(provider_app: Application) -> Guest:
    return Guest(provider_app)


@pytest.fixture
def soon() -> date:
    """A day on which a stay may begin."""
    return datetime.now(UTC).date() + timedelta(days=30)
