"""The stand-in as the present service: refresh tokens, access tokens of five minutes, and errors with `detail`."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from common.web.resources import Application
from provider.offers.queries import delete_expired_tokens

PRODUCT = {"id": "6f1c3b0e-0000-7000-8000-000000000001", "name": "Mower", "description": "Petrol"}
OURS, THEIRS = "our-refresh-token", "their-refresh-token"


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return environment | {"PROVIDER_OFFERS_REFRESH_TOKEN": f"{OURS}, {THEIRS}"}


async def auth(app: Application, *refresh_tokens: str) -> Any:
    return await app.test_client().post("/api/v1/auth", headers=[("Bearer", each) for each in refresh_tokens])


async def token_of(app: Application, refresh_token: str = OURS) -> str:
    response = await auth(app, refresh_token)
    assert response.status_code == 201
    body = await response.get_json()
    assert list(body) == ["access_token"]
    return str(body["access_token"])


async def register(app: Application, token: str, **changes: Any) -> Any:
    product = {**PRODUCT, **changes}
    return await app.test_client().post("/api/v1/products/register", json=product, headers={"Bearer": token})


async def offers(app: Application, token: str) -> Any:
    return await app.test_client().get(f"/api/v1/products/{PRODUCT['id']}/offers", headers={"Bearer": token})


async def assert_error(response: Any, status: int) -> Any:
    assert response.status_code == status
    assert response.content_type == "application/json"
    body = await response.get_json()
    assert list(body) == ["detail"]
    return body["detail"]


async def expire(app: Application) -> None:
    await app.resources.pools.requests.execute("UPDATE issued_token SET expires_at = clock_timestamp()")


async def test_an_access_token_needs_the_refresh_token(provider_app: Application) -> None:
    missing = await assert_error(await auth(provider_app), 422)
    assert missing == [{"loc": ["header", "bearer"], "msg": "field required", "type": "value_error"}]
    assert await assert_error(await auth(provider_app, "another"), 401) == "Bad authentication"
    assert await assert_error(await auth(provider_app, ""), 401) == "Bad authentication"
    await assert_error(await offers(provider_app, OURS), 401)

    token = await token_of(provider_app)

    assert (await register(provider_app, token)).status_code == 201
    assert (await offers(provider_app, token)).status_code == 200


async def test_an_access_token_is_valid_for_five_minutes(provider_app: Application) -> None:
    token = await token_of(provider_app)
    db = provider_app.resources.pools.requests

    assert await db.fetchval("SELECT expires_at - issued_at FROM issued_token") == timedelta(minutes=5)
    await expire(provider_app)

    await assert_error(await offers(provider_app, token), 401)
    assert await token_of(provider_app) != token


async def test_a_second_access_token_of_a_refresh_token_is_refused_while_one_is_valid(
    provider_app: Application,
) -> None:
    responses = await asyncio.gather(*(auth(provider_app, OURS) for _ in range(50)))

    assert sorted(response.status_code for response in responses) == [201] + [400] * 49
    refused = next(response for response in responses if response.status_code == 400)
    assert await assert_error(refused, 400) == "Cannot generate access token because another is valid"
    assert (await auth(provider_app, THEIRS)).status_code == 201


async def test_products_belong_to_the_refresh_token_and_outlive_its_access_tokens(provider_app: Application) -> None:
    await register(provider_app, await token_of(provider_app))
    await expire(provider_app)
    assert await delete_expired_tokens(provider_app.resources.pools.requests, timedelta(0), 100) == 1
    ours, theirs = await token_of(provider_app), await token_of(provider_app, THEIRS)

    assert (await offers(provider_app, ours)).status_code == 200
    await assert_error(await register(provider_app, ours), 409)
    await assert_error(await offers(provider_app, theirs), 404)
    assert (await register(provider_app, theirs)).status_code == 201


@pytest.mark.parametrize(
    ("change", "place"),
    [({"name": ""}, ["body", "name"]), ({"name": 1}, ["body", "name"]), ({"more": 1}, ["body", "more"])],
)
async def test_an_invalid_registration_is_refused_with_every_invalid_value(
    provider_app: Application, change: dict[str, Any], place: list[str]
) -> None:
    detail = await assert_error(await register(provider_app, await token_of(provider_app), **change), 422)

    assert [each["loc"] for each in detail] == [place]
    assert detail[0]["msg"]


async def test_a_body_that_is_not_json_is_refused(provider_app: Application) -> None:
    headers = {"Bearer": await token_of(provider_app), "Content-Type": "application/json"}
    response = await provider_app.test_client().post("/api/v1/products/register", data="{", headers=headers)

    [error] = await assert_error(response, 422)
    assert error["loc"] == ["body"]


async def test_every_error_has_the_format_of_the_present_service(provider_app: Application) -> None:
    client = provider_app.test_client()

    await assert_error(await client.get("/api/v1/nothing"), 404)
    await assert_error(await client.get("/api/v1/auth"), 405)
    await assert_error(await client.post("/api/v1/auth", data=b" " * 1_048_577), 413)
    assert (await client.get("/nothing")).content_type == "application/problem+json"


class TestWithOtherSettings:
    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        return environment | {"PROVIDER_OFFERS_SECOND_ACCESS": "allow", "PROVIDER_OFFERS_ACCESS_SECONDS": "0"}

    async def test_a_second_token_is_issued_and_no_token_expires(self, provider_app: Application) -> None:
        assert await token_of(provider_app) != await token_of(provider_app)
        expires = await provider_app.resources.pools.requests.fetchval("SELECT max(expires_at)::text FROM issued_token")
        assert expires == "infinity"
