"""Reservations that are sent again with their Idempotency-Key."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
from quart import Quart

from tests.support.storefront import Guest


async def test_the_same_key_gives_the_same_answer_on_the_day_after(
    provider_app: Quart, guest: Guest, provider_db: asyncpg.Pool
) -> None:
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    await guest.create_property("hut")
    config = provider_app.extensions["config"]
    provider_app.extensions["config"] = replace(config, past_stays="allow")  # as on the day itself
    _, first = await guest.reserve("hut", yesterday, 3, key="k")
    provider_app.extensions["config"] = config

    answer, again = await guest.reserve("hut", yesterday, 3, key="k")

    assert (answer.status_code, again) == (200, first)
    refused, problem = await guest.reserve("hut", yesterday, 1, key="another")
    assert refused.status_code == 400
    assert problem["errors"] == [{"field": "start_date", "message": "is in the past"}]
    assert await provider_db.fetchval("SELECT count(*) FROM reservation") == 1
