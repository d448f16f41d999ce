"""Reservations that are sent again with their Idempotency-Key."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg

from common.web.resources import Application
from provider.resources import resources_of
from tests.support.storefront import Guest


async def test_the_same_key_gives_the_same_answer_on_the_day_after(
    provider_app: Application, guest: Guest, provider_db: asyncpg.Pool
) -> None:
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    await guest.create_property("hut")
    resources = resources_of(provider_app)
    allowing = replace(resources.config, past_stays="allow")  # as on the day itself
    provider_app.resources = replace(resources, config=allowing)
    _, first = await guest.reserve("hut", yesterday, 3, key="k")
    provider_app.resources = resources

    answer, again = await guest.reserve("hut", yesterday, 3, key="k")

    assert (answer.status_code, again) == (200, first)
    refused, problem = await guest.reserve("hut", yesterday, 1, key="another")
    assert refused.status_code == 400
    assert problem["errors"] == [{"field": "start_date", "message": "is in the past"}]
    assert await provider_db.fetchval("SELECT count(*) FROM reservation") == 1
