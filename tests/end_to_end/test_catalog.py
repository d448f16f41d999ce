"""The catalogue with the simulated offers service: price changes, outages and expired tokens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg
import pytest

import dashboard.app
import dashboard.config
import provider.app
import provider.config
from common.config import Secret, read_config
from common.web.resources import Application
from tests.support.applications import free_port
from tests.support.served import served
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


class OffersService:
    """The provider on a fixed port, which can be stopped and started again."""

    def __init__(self, url: Secret, environment: dict[str, str], port: int) -> None:
        self._url = url
        self._environment = environment
        self._port = port
        self._running = AsyncExitStack()

    async def start(self, **behaviour: str) -> None:
        app = provider.app.create_app(read_config(provider.config.Config, self._environment | behaviour), self._url)
        await self._running.enter_async_context(served(app, self._port))

    async def stop(self) -> None:
        await self._running.aclose()


@pytest.fixture
def port() -> int:
    return free_port()


REFRESH_TOKENS = {
    "old": {},
    "present": {
        "PROVIDER_OFFERS_REFRESH_TOKEN": "refresh-token-of-the-tests",
        "DASHBOARD_OFFERS_REFRESH_TOKEN": "refresh-token-of-the-tests",
    },
}


@pytest.fixture(params=REFRESH_TOKENS)
def environment(environment: dict[str, str], port: int, request: pytest.FixtureRequest) -> dict[str, str]:
    """Both versions of the service: without and with a refresh token."""
    return (
        environment
        | REFRESH_TOKENS[request.param]
        | {
            "DASHBOARD_OFFERS_URL": f"http://127.0.0.1:{port}/api/v1",
            "DASHBOARD_OFFERS_SECONDS": "1",
            "PROVIDER_OFFERS_TICK_SECONDS": "0.5",
        }
    )


@pytest.fixture
async def offers_service(provider_url: Secret, environment: dict[str, str], port: int) -> AsyncIterator[OffersService]:
    service = OffersService(provider_url, environment, port)
    yield service
    await service.stop()


@asynccontextmanager
async def dashboards(url: Secret, environment: dict[str, str], count: int) -> AsyncIterator[list[Application]]:
    """Start replicas of the dashboard at once."""
    apps = [dashboard.app.create_app(read_config(dashboard.config.Config, environment), url) for _ in range(count)]
    started = [app.test_app() for app in apps]
    await asyncio.gather(*(each.startup() for each in started))
    try:
        yield apps
    finally:
        await asyncio.gather(*(each.shutdown() for each in started))


async def get(app: Application, path: str) -> Any:
    answer = await app.test_client().get(path)
    assert answer.status_code == 200
    return await answer.get_json()


async def create(app: Application, name: str) -> Any:
    answer = await app.test_client().post("/products", json={"name": name, "description": ""})
    assert answer.status_code == 201
    return await answer.get_json()


async def wait_for_prices(app: Application, path: str, points: int) -> list[dict[str, Any]]:
    """Wait until the trend has at least `points` prices, and return them."""

    async def enough_prices() -> list[dict[str, Any]] | None:
        found: list[dict[str, Any]] = (await get(app, f"{path}/trend"))["prices"]
        return found if len(found) >= points else None

    return list(await eventually(enough_prices))


async def wait_until_registered(app: Application, *products: Any) -> None:
    """Wait until the products are registered, since a creation does not wait long for a busy service."""

    async def are_registered() -> bool:
        found = [await get(app, f"/products/{product['id']}") for product in products]
        return all(product["registration"] == "registered" for product in found)

    await eventually(are_registered)


async def test_prices_are_followed_before_and_after_an_outage(
    offers_service: OffersService, dashboard_url: Secret, environment: dict[str, str]
) -> None:
    await offers_service.start()
    async with dashboards(dashboard_url, environment, 1) as (app,):
        product = await create(app, "Mower")
        path = f"/products/{product['id']}"
        await wait_until_registered(app, product)
        await wait_for_prices(app, path, 3)

        await offers_service.stop()

        async def outage_is_reported() -> bool:
            return (await get(app, path))["freshness"]["last_error"] is not None

        await eventually(outage_is_reported)
        offers = await get(app, f"{path}/offers")
        pending = await create(app, "Created during the outage")
        assert pending["registration"] == "pending"
        assert offers
        assert all(offer["closed_at"] is None for offer in offers)
        before = (await get(app, f"{path}/trend"))["prices"]

        await offers_service.start()
        after = await wait_for_prices(app, path, len(before) + 2)
        assert after[: len(before)] == before

        async def pending_product_has_an_offer() -> bool:
            return (await get(app, f"/products/{pending['id']}"))["best_offer"] is not None

        await eventually(pending_product_has_an_offer)


async def test_two_dashboards_that_start_at_once_request_one_token(
    offers_service: OffersService, dashboard_url: Secret, provider_db: asyncpg.Pool, environment: dict[str, str]
) -> None:
    await offers_service.start(PROVIDER_OFFERS_LATENCY_MS="100")
    async with dashboards(dashboard_url, environment, 2) as apps:
        products = await asyncio.gather(*(create(app, "Mower") for app in apps for _ in range(5)))

        await wait_until_registered(apps[0], *products)
        await wait_for_prices(apps[0], f"/products/{products[0]['id']}", 1)
    assert await provider_db.fetchval("SELECT count(*) FROM issued_token") == 1


async def test_an_expired_token_is_renewed_by_a_service_that_allows_one_token_at_a_time(
    offers_service: OffersService, dashboard_url: Secret, provider_db: asyncpg.Pool, environment: dict[str, str]
) -> None:
    await offers_service.start(PROVIDER_OFFERS_ACCESS_SECONDS="1.5", PROVIDER_OFFERS_SECOND_ACCESS="refuse")
    async with dashboards(dashboard_url, environment, 2) as apps:
        products = [await create(apps[0], f"Mower {number}") for number in range(20)]

        async def is_renewed() -> bool:
            return await provider_db.fetchval("SELECT count(*) FROM issued_token") >= 3

        await eventually(is_renewed)
        await wait_for_prices(apps[1], f"/products/{products[-1]['id']}", 3)
        await wait_until_registered(apps[1], *products)
    overlapping = await provider_db.fetchval(
        """
        SELECT count(*)
          FROM issued_token AS earlier
          JOIN issued_token AS later ON later.issued_at > earlier.issued_at AND later.issued_at < earlier.expires_at
        """
    )
    assert overlapping == 0


async def test_with_a_wrong_refresh_token_products_wait_and_the_reason_is_shown(
    offers_service: OffersService, dashboard_url: Secret, provider_db: asyncpg.Pool, environment: dict[str, str]
) -> None:
    await offers_service.start(PROVIDER_OFFERS_REFRESH_TOKEN="another-refresh-token")
    async with dashboards(dashboard_url, environment, 1) as (app,):
        product = await create(app, "Mower")

        async def reason_is_shown() -> bool:
            words = (await get(app, f"/products/{product['id']}"))["freshness"]["last_error"]
            return words is not None and words.endswith(REFUSALS["DASHBOARD_OFFERS_REFRESH_TOKEN" in environment])

        await eventually(reason_is_shown)
        assert (await get(app, f"/products/{product['id']}"))["registration"] == "pending"
    assert await provider_db.fetchval("SELECT count(*) FROM issued_token") == 0


REFUSALS = {
    True: "POST /api/v1/auth answered 401: Bad authentication",
    False: "POST /api/v1/auth answered 422: header.bearer: field required",
}
"""What the service says of a wrong refresh token, and of none."""


async def test_all_products_get_offers_although_half_of_the_calls_fail(
    offers_service: OffersService, dashboard_url: Secret, environment: dict[str, str]
) -> None:
    await offers_service.start(PROVIDER_OFFERS_ERROR_RATE="0.5")
    async with dashboards(dashboard_url, environment, 1) as (app,):
        for number in range(10):
            await create(app, f"Mower {number}")

        async def all_have_offers() -> bool:
            return all(product["best_offer"] for product in await get(app, "/products"))

        await eventually(all_have_offers, seconds=300)
