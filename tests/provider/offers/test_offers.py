"""The stand-in over HTTP: the documented paths, formats and errors, and the configured faults."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

import provider.app
import provider.config
from common.config import Secret, read_config
from common.web.resources import Application
from provider.offers.price_simulation import MAX_LIFETIME, offers_at
from provider.offers.queries import delete_expired_tokens

PRODUCT = {"id": "6f1c3b0e-0000-7000-8000-000000000001", "name": "Mower", "description": "Petrol"}


async def token_of(app: Application) -> str:
    response = await app.test_client().post("/api/v1/auth")
    assert response.status_code == 201
    body = await response.get_json()
    assert list(body) == ["access_token"]
    assert uuid.UUID(body["access_token"])
    return str(body["access_token"])


async def register(app: Application, token: str, **changes: Any) -> Any:
    product = {**PRODUCT, **changes}
    return await app.test_client().post("/api/v1/products/register", json=product, headers={"Bearer": token})


async def offers(app: Application, token: str, product_id: Any = PRODUCT["id"]) -> Any:
    return await app.test_client().get(f"/api/v1/products/{product_id}/offers", headers={"Bearer": token})


async def assert_error(response: Any, status: int, code: str) -> None:
    assert response.status_code == status
    assert response.content_type == "application/json"
    body = await response.get_json()
    assert list(body) == ["code", "msg"]
    assert body["code"] == code
    assert body["msg"]


async def test_a_registered_product_has_offers(provider_app: Application) -> None:
    token = await token_of(provider_app)

    registered = await register(provider_app, token)
    listed = await offers(provider_app, token)

    assert (registered.status_code, await registered.get_json()) == (201, {"id": PRODUCT["id"]})
    assert listed.status_code == 200
    for offer in await listed.get_json():
        assert list(offer) == ["id", "price", "items_in_stock"]
        assert offer["price"] >= 1
        assert offer["items_in_stock"] >= 0


async def test_a_numeric_id_comes_back_as_a_number(provider_app: Application) -> None:
    token = await token_of(provider_app)

    registered = await register(provider_app, token, id=42)

    assert await registered.get_json() == {"id": 42}
    assert (await offers(provider_app, token, 42)).status_code == 200


async def test_every_path_requires_a_valid_token(provider_app: Application) -> None:
    token = await token_of(provider_app)
    await register(provider_app, token)
    client = provider_app.test_client()
    path = f"/api/v1/products/{PRODUCT['id']}/offers"

    await assert_error(await client.get(path), 401, "UNAUTHORIZED")
    await assert_error(await client.get(path, headers={"Authorization": f"Bearer {token}"}), 401, "UNAUTHORIZED")
    await assert_error(await offers(provider_app, str(uuid.uuid4())), 401, "UNAUTHORIZED")
    await assert_error(await register(provider_app, str(uuid.uuid4())), 401, "UNAUTHORIZED")
    await assert_error(await register(provider_app, "no token"), 401, "UNAUTHORIZED")


async def test_products_belong_to_the_token_that_registered_them(provider_app: Application) -> None:
    mine, yours = await token_of(provider_app), await token_of(provider_app)
    await register(provider_app, mine)

    await assert_error(await offers(provider_app, yours), 404, "NOT FOUND")
    assert (await register(provider_app, yours)).status_code == 201


async def test_a_product_is_registered_once(provider_app: Application) -> None:
    token = await token_of(provider_app)
    await register(provider_app, token)

    await assert_error(await register(provider_app, token), 409, "CONFLICT")


@pytest.mark.parametrize("change", [{"name": ""}, {"name": 1}, {"id": None}, {"id": 1.5}, {"id": "a/b"}, {"more": 1}])
async def test_an_invalid_registration_is_refused(provider_app: Application, change: dict[str, Any]) -> None:
    token = await token_of(provider_app)

    await assert_error(await register(provider_app, token, **change), 400, "BAD_REQUEST")


async def test_every_error_under_the_prefix_has_the_format_of_the_service(provider_app: Application) -> None:
    client = provider_app.test_client()

    await assert_error(await client.get("/api/v1/nothing"), 404, "NOT FOUND")
    wrong_method = await client.get("/api/v1/auth")
    await assert_error(wrong_method, 405, "METHOD_NOT_ALLOWED")
    assert "POST" in wrong_method.headers["Allow"]
    await assert_error(await client.post("/api/v1/auth?surprise=1"), 400, "BAD_REQUEST")
    await assert_error(await client.post("/api/v1/auth", data=b" " * 1_048_577), 413, "REQUEST_ENTITY_TOO_LARGE")
    assert (await client.get("/nothing")).content_type == "application/problem+json"


@pytest.fixture
def faults(request: pytest.FixtureRequest) -> dict[str, str]:
    return getattr(request, "param", {})


@pytest.fixture
def environment(environment: dict[str, str], faults: dict[str, str]) -> dict[str, str]:
    return environment | faults


@pytest.mark.parametrize("faults", [{"PROVIDER_OFFERS_ERROR_RATE": "1"}], indirect=True)
async def test_at_an_error_rate_of_one_every_request_fails(provider_app: Application) -> None:
    await assert_error(await provider_app.test_client().post("/api/v1/auth"), 500, "INTERNAL_SERVER_ERROR")


@pytest.mark.parametrize("faults", [{"PROVIDER_OFFERS_SECOND_ACCESS": "refuse"}], indirect=True)
async def test_of_a_hundred_concurrent_callers_one_gets_the_only_token(provider_app: Application) -> None:
    responses = await asyncio.gather(*(provider_app.test_client().post("/api/v1/auth") for _ in range(100)))

    assert sorted(response.status_code for response in responses) == [201] + [400] * 99
    refused = next(response for response in responses if response.status_code == 400)
    await assert_error(refused, 400, "BAD_REQUEST")


@pytest.mark.parametrize(
    "faults", [{"PROVIDER_OFFERS_SECOND_ACCESS": "refuse", "PROVIDER_OFFERS_ACCESS_SECONDS": "70"}], indirect=True
)
async def test_after_a_token_expires_another_is_issued(provider_app: Application) -> None:
    first = await token_of(provider_app)
    await register(provider_app, first)
    assert (await offers(provider_app, first)).status_code == 200

    db = provider_app.resources.pools.requests
    assert await db.fetchval("SELECT expires_at - issued_at FROM issued_token") == timedelta(seconds=70)
    await db.execute("UPDATE issued_token SET expires_at = clock_timestamp()")

    await assert_error(await offers(provider_app, first), 401, "UNAUTHORIZED")
    assert await token_of(provider_app) != first


async def test_expired_tokens_are_deleted_with_their_products(provider_app: Application, provider_url: Secret) -> None:
    token = await token_of(provider_app)
    await register(provider_app, token)
    db = provider_app.resources.pools.requests

    assert await delete_expired_tokens(db, timedelta(0), 100) == 0
    await db.execute("UPDATE issued_token SET expires_at = now() - interval '2 days'")
    assert await delete_expired_tokens(db, timedelta(days=3), 100) == 0
    assert await delete_expired_tokens(db, timedelta(days=1), 100) == 1
    assert await db.fetchval("SELECT count(*) FROM offers_product") == 0


async def test_two_replicas_have_the_same_offers(
    provider_app: Application, provider_url: Secret, environment: dict[str, str]
) -> None:
    token = await token_of(provider_app)
    await register(provider_app, token)
    other = provider.app.create_app(read_config(provider.config.Config, environment), provider_url)
    async with other.test_app():
        ids = {offer["id"] for offer in await (await offers(other, token)).get_json()}

    assert ids & {offer["id"] for offer in await (await offers(provider_app, token)).get_json()}


MORNING = datetime(2026, 1, 1, 8, tzinfo=UTC)


def test_prices_change_each_minute_and_stock_sells_out() -> None:
    minutes = [offers_at("mower", MORNING + timedelta(minutes=n), 60) for n in range(3 * MAX_LIFETIME)]

    changed = [before != after for before, after in pairwise(minutes)]
    assert all(changed)
    assert len({len(offers) for offers in minutes}) == 1
    assert any(offer.items_in_stock == 0 for offers in minutes for offer in offers)
    lives = {offer.id for offers in minutes for offer in offers}
    assert len(lives) >= 3 * len(minutes[0])


def test_an_offer_disappears_sold_out_and_never_returns() -> None:
    gone: set[str] = set()
    before = {offer.id: offer for offer in offers_at("mower", MORNING, 60)}
    for n in range(1, 4 * MAX_LIFETIME):
        after = {offer.id: offer for offer in offers_at("mower", MORNING + timedelta(minutes=n), 60)}
        for vanished in before.keys() - after.keys():
            assert before[vanished].items_in_stock == 0
            gone.add(vanished)
        assert not gone & after.keys()
        for kept in before.keys() & after.keys():
            assert after[kept].items_in_stock <= before[kept].items_in_stock
            assert abs(after[kept].price - before[kept].price) <= before[kept].price * 0.031 + 1
        before = after
    assert gone


def test_offers_do_not_change_within_a_minute() -> None:
    assert offers_at("mower", MORNING, 60) == offers_at("mower", MORNING + timedelta(seconds=59), 60)
