"""The jobs of alerts on an empty database, with a receiver on loopback."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from common.upstream import create_client_session
from tests.support.alerts import Alarm, FakeReceiver, Rule, listening


@pytest.fixture
async def receiver() -> AsyncIterator[FakeReceiver]:
    async with listening(FakeReceiver()) as listener:
        yield listener


@pytest.fixture
async def alarm(dashboard_db: asyncpg.Pool, receiver: FakeReceiver) -> AsyncIterator[Alarm]:
    async with create_client_session() as client:
        yield Alarm(dashboard_db, client, receiver.url)


@pytest.fixture
def rule() -> Rule:
    return Rule()
