"""The catalogue against the stand-in: prices that move, a plug that is pulled, tokens that end."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from hypercorn.asyncio import serve
from quart import Quart

import dashboard.app
import dashboard.config
import provider.app
import provider.config
from common.config import Secret, read
from common.serving import hypercorn_config
from waiting import eventually


class StandIn:
    """The provider on a port of its own, with a plug."""

    def __init__(self, url: Secret, environment: dict[str, str], port: int) -> None:
        self._url = url
        self._environment = environment
        self._port = port
        self._unplug = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None

    async def plug_in(self, **behaviour: str) -> None:
        app = provider.app.create_app(read(provider.config.Config, self._environment | behaviour), self._url)
        unplug = self._unplug = asyncio.Event()

        async def unplugged() -> None:
            await unplug.wait()

        config = hypercorn_config("127.0.0.1", self._port)
        config.graceful_timeout = 0.1
        self._serving = asyncio.create_task(serve(app, config, shutdown_trigger=unplugged))
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return

    async def pull_the_plug(self) -> None:
        if self._serving is not None:
            self._unplug.set()
            await self._serving
            self._serving = None


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
async def dashboards(url: Secret, environment: dict[str, str], count: int) -> AsyncIterator[list[Quart]]:
    """Replicas, started at once."""
    apps = [dashboard.app.create_app(read(dashboard.config.Config, environment), url) for _ in range(count)]
    started = [app.test_app() for app in apps]
    await asyncio.gather(*(each.startup() for each in started))
    try:
        yield apps
    finally:
        await asyncio.gather(*(each.shutdown() for each in started))


async def get(app: Quart, path: str) -> Any:
    answer = await app.test_client().get(path)
    assert answer.status_code == 200
    return await answer.get_json()


async def create(app: Quart, name: str) -> Any:
    answer = await app.test_client().post("/products", json={"name": name, "description": ""})
    assert answer.status_code == 201
    return await answer.get_json()


async def moves(app: Quart, path: str, points: int) -> list[dict[str, Any]]:
    """Wait until the trend has so many points."""

    async def seen() -> list[dict[str, Any]] | None:
        found: list[dict[str, Any]] = (await get(app, f"{path}/trend"))["prices"]
        return found if len(found) >= points else None

    return list(await eventually(seen))


async def test_prices_move_the_plug_is_pulled_and_prices_move_on(
    stand_in: StandIn, dashboard_url: Secret, environment: dict[str, str]
) -> None:
    await stand_in.plug_in()
    async with dashboards(dashboard_url, environment, 1) as (app,):
        product = await create(app, "Mower")
        path = f"/products/{product['id']}"
        assert product["registration"] == "registered"
        await moves(app, path, 3)

        await stand_in.pull_the_plug()
        while (await get(app, path))["freshness"]["last_error"] is None:
            await asyncio.sleep(0.1)
        offers = await get(app, f"{path}/offers")
        pending = await create(app, "Created in the dark")
        assert pending["registration"] == "pending"
        assert offers
        assert all(offer["closed_at"] is None for offer in offers)
        before = (await get(app, f"{path}/trend"))["prices"]

        await stand_in.plug_in()
        after = await moves(app, path, len(before) + 2)
        assert after[: len(before)] == before
        while (await get(app, f"/products/{pending['id']}"))["best_offer"] is None:
            await asyncio.sleep(0.1)


async def test_two_dashboards_that_start_at_once_ask_for_one_token(
    stand_in: StandIn, dashboard_url: Secret, provider_db: asyncpg.Pool, environment: dict[str, str]
) -> None:
    await stand_in.plug_in(PROVIDER_OFFERS_LATENCY_MS="100")
    async with dashboards(dashboard_url, environment, 2) as apps:
        products = await asyncio.gather(*(create(app, "Mower") for app in apps for _ in range(5)))

        assert {product["registration"] for product in products} == {"registered"}
        await moves(apps[0], f"/products/{products[0]['id']}", 1)
    assert await provider_db.fetchval("SELECT count(*) FROM offers_token") == 1


async def test_tokens_that_end_are_renewed_although_a_second_one_is_refused(
    stand_in: StandIn, dashboard_url: Secret, provider_db: asyncpg.Pool, environment: dict[str, str]
) -> None:
    await stand_in.plug_in(PROVIDER_OFFERS_ACCESS_SECONDS="1.5", PROVIDER_OFFERS_SECOND_ACCESS="refuse")
    async with dashboards(dashboard_url, environment, 2) as apps:
        products = [await create(apps[0], f"Mower {number}") for number in range(20)]
        while await provider_db.fetchval("SELECT count(*) FROM offers_token") < 3:
            await asyncio.sleep(0.1)
        await moves(apps[1], f"/products/{products[-1]['id']}", 3)

        listed = await get(apps[1], "/products")
    assert {product["registration"] for product in listed} == {"registered"}
    overlapping = await provider_db.fetchval(
        """
        SELECT count(*)
          FROM offers_token AS earlier
          JOIN offers_token AS later ON later.issued_at > earlier.issued_at AND later.issued_at < earlier.expires_at
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
        while not all(product["best_offer"] for product in await get(app, "/products")):
            await asyncio.sleep(0.1)
