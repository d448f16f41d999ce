"""A front desk with its settings, and a provider that answers only as a test prescribes."""

from collections.abc import Iterator

import asyncpg
import pytest
from aioresponses import aioresponses

from common.web.resources import Application
from tests.support.desk import SECRET, STAFF_TOKEN, Desk


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return {
        **environment,
        "DASHBOARD_ACCOUNTING_SECRET": SECRET.reveal(),
        "DASHBOARD_STAFF_TOKEN": STAFF_TOKEN,
        "DASHBOARD_PROVIDER_URL": "http://provider.example/base",
    }


@pytest.fixture
async def desk(dashboard_app: Application, dashboard_db: asyncpg.Pool) -> Desk:
    return Desk(dashboard_app, dashboard_db)


@pytest.fixture
def provider() -> Iterator[aioresponses]:
    with aioresponses() as mocked:
        yield mocked
