"""The catalogue against the stand-in: prices that move, a plug that is pulled, tokens that end."""

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


class StandIn:
    """The provider on a port of its own, with a plug."""

    def __init__(self, url: Secret, environment: dict[str, str], port: int) -> None:
        self._url = url
        self._environment = environment
        self._port = port
        self._plug = AsyncExitStack()

    async def plug_in(self, **behaviour: str) -> None:
        app = provider.app.create_app(read_config(provider.config.Config, self._environment | behaviour), self._url)
        await self._plug.enter_async_context(served(app, self._port))

    async def pull_the_plug(self) -> None:
        await self._plug.aclose()


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def environment(environment: dict[str, str], port: int) -> dict[str, str]:
    return environment | {
        "DASHBOARD_OFFERS_URL": f"http://127.0.0.1:{port}/api/v1",
        "DASHBOARD_OFFERS_SECONDS": "1",
        "PROVIDER_OFFERS_TICK_SECONDS": "0.5",
    }


@pytest.fixture
async def stand_in(provider_url: Secret, environment: dict[str, str], port: int) -> AsyncIterator[StandIn]:
    service = StandIn(provider_url, environment, port)
    yield service
    await service.pull_the_plug()


@asynccontextmanager
async def dashboards(url: Secret, environment: dict[str, str], count: int) -> AsyncIterator[list[Application]]:
    """Replicas, started at once."""
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


async def moves(app: Application, path: str, points: int) -> list[dict[str, Any]]:
    """Wait until the trend has so many points."""

    async def seen() -> list[dict[str, Any]] | None:
        found: list[dict[str, Any]] = (await get(app, f"{path}/trend"))["prices"]
        return found if len(found) >= points else None

    return list(await eventually(seen))


async def becomes_registered(app: Application, *products: Any) -> None:
    """Wait until the service knows the products: a creation does not wait long for a busy one."""

    async def known() -> bool:
        found = [await get(app, f"/products/{product['id']}") for product in products]
        return all(product["registration"] == "registered" for product in found)

    await eventually(known)


async def test_prices_move_the_plug_is_pulled_and_prices_move_on(
    stand_in: StandIn, dashboard_url: Secret, environment: dict[str, str]
) -> None:
    await stand_in.plug_in()
    async with dashboards(dashboard_url, environment, 1) as (app,):
        product = await create(app, "Mower")
        path = f"/products/{product['id']}"
        await becomes_registered(app, product)
        await moves(app, path, 3)

        await stand_in.pull_the_plug()

        async def noticed() -> bool:
            return (await get(app, path))["freshness"]["last_error"] is not None

        await eventually(noticed)
        offers = await get(app, f"{path}/offers")
        pending = await create(app, "Created in the dark")
        assert pending["registration"] == "pending"
        assert offers
        assert all(offer["closed_at"] is None for offer in offers)
        before = (await get(app, f"{path}/trend"))["prices"]

        await stand_in.plug_in()
        after = await moves(app, path, len(before) + 2)
        assert after[: len(before)] == before

        async def offered() -> bool:
            return (await get(app, f"/products/{pending['id']}"))["best_offer"] is not None

        await eventually(offered)


async def test_two_dashboards_that_start_at_once_ask_for_one_token(
    stand_in: StandIn, dashboard_url: Secret, provider_db: asyncpg.Pool, environment: dict[str, str]
) -> None:
    await stand_in.plug_in(PROVIDER_OFFERS_LATENCY_MS="100")
    async with dashboards(dashboard_url, environment, 2) as apps:
        products = await asyncio.gather(*(create(app, "Mower") for app in apps for _ in range(5)))

        await becomes_registered(apps[0], *products)
        await moves(apps[0], f"/products/{products[0]['id']}", 1)
    assert await provider_db.fetchval("SELECT count(*) FROM issued_token") == 1


async def test_tokens_that_end_are_renewed_although_a_second_one_is_refused(
    stand_in: StandIn, dashboard_url: Secret, provider_db: asyncpg.Pool, environment: dict[str, str]
) -> None:
    await stand_in.plug_in(PROVIDER_OFFERS_ACCESS_SECONDS="1.5", PROVIDER_OFFERS_SECOND_ACCESS="refuse")
    async with dashboards(dashboard_url, environment, 2) as apps:
        products = [await create(apps[0], f"Mower {number}") for number in range(20)]

        async def renewed() -> bool:
            return await provider_db.fetchval("SELECT count(*) FROM issued_token") >= 3

        await eventually(renewed)
        await moves(apps[1], f"/products/{products[-1]['id']}", 3)
        await becomes_registered(apps[1], *products)
    overlapping = await provider_db.fetchval(
        """
        SELECT count(*)
          FROM issued_token AS earlier
          JOIN issued_token AS later ON later.issued_at > earlier.issued_at AND later.issued_at < earlier.expires_at
        """
    )
    assert overlapping == 0


async def test_half_of_all_calls_may_fail(
    stand_in: StandIn, dashboard_url: Secret, environment: dict[str, str]
) -> None:
    await stand_in.plug_in(PROVIDER_OFFERS_ERROR_RATE="0.5")
    async with dashboards(dashboard_url, environment, 1) as (app,):
        for number in range(10):
            await create(app, f"Mower {number}")

        async def all_offered() -> bool:
            return all(product["best_offer"] for product in await get(app, "/products"))

        await eventually(all_offered, seconds=300)
