"""The time limits of statements and transactions."""

import pytest

from common.web.resources import Application
from dashboard.resources import resources_of


@pytest.mark.parametrize(("name", "seconds"), [("requests", 60), ("jobs", 600), ("uptime", 3600)])
async def test_statements_and_transactions_of_every_pool_have_a_time_limit(
    dashboard_app: Application, name: str, seconds: int
) -> None:
    pools = resources_of(dashboard_app).pools.by_name()
    assert set(pools) == {"requests", "jobs", "uptime"}
    for setting in ("statement_timeout", "transaction_timeout", "idle_in_transaction_session_timeout"):
        limit = await pools[name].fetchval("SELECT setting::int FROM pg_settings WHERE name = $1", setting)
        assert 1 <= limit <= seconds * 1000, setting
