"""Who may write events, and that two hotels' senders may use the same Idempotency-Key."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from quart.typing import TestClientProtocol as Client

import provider.app
import provider.config
from common.config import Secret, read_config
from common.jobs.lease import Lease
from provider.resources import resources_of
from tests.support.applications import free_port
from tests.support.callers import sent_from
from tests.support.served import served

TOKEN, NEXT = "the-token-of-the-feed", "the-next-token-of-the-feed"
KEY = {"Idempotency-Key": "1"}


def event(hotel_id: int, room_id: int = 1) -> dict[str, Any]:
    return {
        "hotel_id": hotel_id,
        "event_timestamp": "2024-01-01T00:00:00.000000Z",
        "status": 1,
        "room_id": room_id,
        "night_of_stay": "2024-02-01",
    }


async def post(
    client: Client, path: str, body: Any, headers: dict[str, str] | None = None, address: str = "192.0.2.1"
) -> Any:
    return await client.post(path, json=body, headers=headers or {}, scope_base=sent_from(address))


class TestWithAToken:
    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        return environment | {"PROVIDER_FEED_TOKEN": f"{TOKEN},{NEXT}", "PROVIDER_GENERATOR_RATE": "6000"}

    @pytest.mark.parametrize(("path", "body"), [("/events", event(1)), ("/events/batch", [event(1)])])
    async def test_writing_requires_one_of_the_tokens(
        self, client: Client, provider_db: asyncpg.Pool, path: str, body: Any
    ) -> None:
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            assert (await post(client, path, body, headers)).status_code == 401
        assert await provider_db.fetchval("SELECT count(*) FROM booking_event") == 0

        for token in (TOKEN, NEXT):
            assert (await post(client, path, body, {"Authorization": f"Bearer {token}"})).status_code == 201

    async def test_reading_requires_none(self, client: Client) -> None:
        assert (await client.get("/events")).status_code == 200

    async def test_wrong_tokens_are_slowed_down(self, client: Client) -> None:
        wrong = {"Authorization": "Bearer wrong"}
        assert [(await post(client, "/events", event(1), wrong)).status_code for _ in range(6)] == [401] * 5 + [429]

    async def test_two_hotels_behind_the_same_token_may_use_the_same_key(
        self, client: Client, provider_db: asyncpg.Pool
    ) -> None:
        headers = {**KEY, "Authorization": f"Bearer {TOKEN}"}
        answers = [await post(client, "/events", event(hotel), headers) for hotel in (1, 2)]
        assert [answer.status_code for answer in answers] == [201, 201]
        assert await provider_db.fetchval("SELECT count(*) FROM booking_event") == 2

    @pytest.fixture
    async def base(self, provider_url: Secret, environment: dict[str, str]) -> AsyncIterator[str]:
        """The URL of a provider that sends itself the events of its simulated hotels."""
        port = free_port()
        config = read_config(provider.config.Config, {**environment, "PROVIDER_PORT": str(port)})
        self.app = provider.app.create_app(config, provider_url)
        async with served(self.app, port) as url:
            yield url

    async def test_the_simulated_hotels_send_the_token(self, base: str) -> None:
        generator = resources_of(self.app).generator
        result = await generator.run(Lease("a run of the test", "test", 1), datetime.now(UTC))
        assert result["sent"] > 0
        assert result["failed"] == 0


async def test_two_hotels_behind_one_address_may_use_the_same_key(client: Client, provider_db: asyncpg.Pool) -> None:
    first, other = await post(client, "/events", event(1), KEY), await post(client, "/events", event(2), KEY)

    assert [first.status_code, other.status_code] == [201, 201]
    assert (await other.get_json())["hotel_id"] == 2
    assert await provider_db.fetchval("SELECT count(*) FROM booking_event") == 2


async def test_a_hotel_may_repeat_an_event_from_another_address(client: Client, provider_db: asyncpg.Pool) -> None:
    first = await post(client, "/events", event(1), KEY)
    again = await post(client, "/events", event(1), KEY, address="192.0.2.2")

    assert await first.get_data() == await again.get_data()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (await post(client, "/events", event(1, room_id=2), KEY)).status_code == 422
    assert await provider_db.fetchval("SELECT count(*) FROM booking_event") == 1


async def test_batches_of_the_same_hotels_share_their_keys_whatever_the_order(
    client: Client, provider_db: asyncpg.Pool
) -> None:
    first = await post(client, "/events/batch", [event(1), event(2)], KEY)
    other = await post(client, "/events/batch", [event(1), event(3)], KEY)
    reordered = await post(client, "/events/batch", [event(2), event(1)], KEY)
    again = await post(client, "/events/batch", [event(1), event(2)], KEY)

    assert [answer.status_code for answer in (first, other, reordered, again)] == [201, 201, 422, 201]
    assert await provider_db.fetchval("SELECT count(*) FROM booking_event") == 4
