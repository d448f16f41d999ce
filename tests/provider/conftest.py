"""The provider for tests: in this process, and behind a real port."""

from collections.abc import AsyncIterator

import pytest
from quart.typing import TestClientProtocol as Client

from common.web.resources import Application
from tests.support.applications import free_port
from tests.support.served import Served, without_lifespan
from tests.support.served import served as serve


@pytest.fixture
def client(provider_app: Application) -> Client:
    return provider_app.test_client()


@pytest.fixture
async def served(provider_app: Application) -> AsyncIterator[Served]:
    """The provider of this test behind hypercorn, as it is served in earnest."""
    async with serve(without_lifespan(provider_app), free_port()) as url:
        made = Served(provider_app, url)
        try:
            yield made
        finally:
            await made.close()
