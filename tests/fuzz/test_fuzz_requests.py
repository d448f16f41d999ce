"""A short run of hostile requests; `make fuzz` makes a long one."""

import asyncpg
import pytest

from common.web.resources import Application
from tests.fuzz.requests import fuzz_requests

pytestmark = pytest.mark.timeout(600)

REQUESTS = 600


async def test_the_provider_answers_hostile_requests(provider_app: Application, provider_db: asyncpg.Pool) -> None:
    result = await fuzz_requests(provider_app, provider_db, REQUESTS, seed=1)
    assert result.faults == []
    assert {200, 201, 400, 401, 404, 415} <= set(result.statuses)


async def test_the_dashboard_answers_hostile_requests(dashboard_app: Application, dashboard_db: asyncpg.Pool) -> None:
    result = await fuzz_requests(dashboard_app, dashboard_db, REQUESTS, seed=2)
    assert result.faults == []
    assert {200, 201, 400, 401, 404, 415} <= set(result.statuses)
