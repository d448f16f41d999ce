"""The provider's landing page."""

import re

import asyncpg
import pytest
from quart.typing import TestClientProtocol as Client

from tests.support.citus import cluster_of_environment

EVENT = {
    "id": 7001,
    "hotel_id": 3,
    "event_timestamp": "2020-01-01T12:30:00.000000Z",
    "status": 1,
    "room_id": 12,
    "night_of_stay": "2020-01-05",
}


async def page(client: Client) -> str:
    answer = await client.get("/")
    assert answer.status_code == 200
    return await answer.get_data(as_text=True)


async def figure(client: Client, label: str) -> str:
    (value,) = re.findall(rf"<b>([^<]*)</b><span>{label}</span>", await page(client))
    return value


async def test_a_new_feed_is_counted_while_postgresql_has_no_estimate(
    client: Client, provider_db: asyncpg.Pool
) -> None:
    assert await figure(client, "events in the feed") == "0"
    assert await figure(client, "newest event") == "none yet"
    assert '<td colspan="5">None yet</td>' in await page(client)
    for number in range(3):
        assert (await client.post("/events", json=EVENT | {"id": 7001 + number})).status_code == 201

    assert await figure(client, "events in the feed") == "3"
    assert await figure(client, "events in the last minute") == "3"
    assert await figure(client, "newest event 2020-01-01") == "12:30:00 UTC"
    assert "2020-01-05" in await page(client)


async def test_an_operator_is_told_what_is_where_and_links_only_to_what_a_browser_can_open(client: Client) -> None:
    html = await page(client)
    (operators,) = re.findall(r"<h2>For operators</h2>(.*?)</dl>", html, re.DOTALL)
    linked = re.findall(r'href="([^"]*)"', operators)

    assert linked == ["/jobs", "/readyz?verbose", "/metrics"]
    assert [(await client.get(address)).status_code for address in linked] == [200] * 3
    assert re.findall(r"<code>([^<]*)</code>", operators) == ["/conflicts", "/api/admin/outbox/"]
    for address in ("/conflicts", "/api/admin/outbox/"):
        assert (await client.get(address)).status_code == 401
    assert re.findall(r'href="(/(?:events|dining|offers|stores)[^"]*)"', html) == []


class TestWithAnOperationsToken:
    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        return environment | {"PROVIDER_OPERATIONS_TOKEN": "the-token-of-operators"}

    async def test_what_needs_the_token_is_named_without_a_link(self, client: Client) -> None:
        html = await page(client)

        assert 'href="/jobs"' not in html
        assert "<code>/jobs</code>" in html
        assert "PROVIDER_OPERATIONS_TOKEN" in html
        assert "the-token-of-operators" not in html


async def test_a_large_feed_is_estimated(client: Client, provider_db: asyncpg.Pool) -> None:
    if cluster_of_environment():  # by the statistics of the nodes
        await provider_db.execute(
            "CREATE OR REPLACE FUNCTION row_counts(OUT table_name text, OUT number_of_rows bigint) RETURNS SETOF record"
            " LANGUAGE sql AS $$ SELECT 'booking_event', 1234567 $$"
        )
    await provider_db.execute("UPDATE pg_class SET reltuples = 1234567 WHERE oid = 'booking_event'::regclass")
    assert await figure(client, "events in the feed") == "about 1,234,567"
