"""The provider for tests on a cluster."""

import pytest
from quart.typing import TestClientProtocol as Client

from common.web.resources import Application


@pytest.fixture
def client(provider_app: Application) -> Client:
    return provider_app.test_client()
