"""Failures of the offers service: no offer, product or price is lost, and the catalogue recovers with the service."""

import asyncio
import time
from datetime import timedelta
from typing import Any

import aiohttp
import asyncpg
import pytest

from dashboard.catalog import offers_client, service
from dashboard.catalog.service import new_product_id
from dashboard.resources import resources_of
from tests.support.fake_offers import VERSIONS, Catalogue, FakeOffers, Fault, Reply, offer, reply

pytestmark = pytest.mark.parametrize("version", VERSIONS)


async def state(catalogue: Catalogue) -> list[tuple[Any, ...]]:
    """The rows of offers and price changes."""
    rows = await catalogue.db.fetch(
        "SELECT product_id, offer_id, price, items_in_stock, closed_at, changed_at FROM offer ORDER BY 1, 2"
    )
    points = await catalogue.db.fetch("SELECT product_id, offer_id, at, price FROM offer_price_change ORDER BY 1, 2, 3")
    return [tuple(row) for row in rows] + [tuple(point) for point in points]


async def assert_recovery(catalogue: Catalogue, fake: FakeOffers, products: int) -> None:
    """End the outage; one run brings every product up to date."""
    fake.fault = None
    fake.default_offers = [offer("a", 777)]
    await catalogue.end_backoff()
    await catalogue.register()
    await catalogue.refresh()
    rows = await catalogue.db.fetch("SELECT price FROM offer WHERE closed_at IS NULL AND offer_id = 'a'")
    assert [row["price"] for row in rows] == [777] * products
    for product in await catalogue.get("/products?limit=1000"):
        assert product["registration"] == "registered"
        assert product["freshness"]["last_error"] is None


class ConnectionFaults:
    """Failures of the connection."""

    @staticmethod
    async def refused(_: str, __: str) -> Reply:
        raise aiohttp.ClientConnectionError("refused")

    @staticmethod
    async def reset(_: str, __: str) -> Reply:
        raise ConnectionResetError("reset")

    @staticmethod
    async def stalled(_: str, __: str) -> Reply:
        raise TimeoutError


def responding(status: int, body: Any = None) -> Fault:
    async def fault(_: str, __: str) -> Reply:
        return reply(status, body or {"code": "x", "msg": "x"})

    return fault


OUTAGES = {
    "refused": ConnectionFaults.refused,
    "reset": ConnectionFaults.reset,
    "stalled": ConnectionFaults.stalled,
    "400": responding(400),
    "403": responding(403),
    "404": responding(404),
    "429": responding(429),
    "500": responding(500),
    "503": responding(503),
    "302": responding(302),
    "409": responding(409),
    "422": responding(422),
    "html": responding(200, b"<html>"),
    "cut off": responding(200, b'[{"id": "a", "price": 100, "items'),
}


@pytest.mark.parametrize("outage", OUTAGES)
async def test_an_outage_closes_no_offers_and_is_recovered_from(
    catalogue: Catalogue, fake: FakeOffers, outage: str
) -> None:
    ids = await catalogue.create_many(60)
    fake.default_offers = [offer("a", 100), offer("b", 120)]
    await catalogue.refresh()
    await catalogue.refresh()
    before = await state(catalogue)

    fake.fault = OUTAGES[outage]
    for _ in range(3):
        result = await catalogue.refresh()
        assert result["refreshed"] == result["changes"] == result["closed"] == 0

    assert await state(catalogue) == before
    product = await catalogue.get(f"/products/{ids[0]}")
    assert product["freshness"]["last_error"]
    assert product["best_offer"]["price"] == 100
    await assert_recovery(catalogue, fake, 60)
    assert fake.calls["auth"] <= 2


async def test_during_an_outage_the_service_is_rarely_called(catalogue: Catalogue, fake: FakeOffers) -> None:
    await catalogue.create_many(1000)
    await catalogue.refresh()
    fake.fail(503)
    fake.calls.clear()

    result = await catalogue.refresh()
    await catalogue.refresh()

    assert result["skipped"] > 900
    assert fake.calls["offers"] < 100


async def test_a_failing_product_does_not_affect_others(catalogue: Catalogue, fake: FakeOffers) -> None:
    ids = await catalogue.create_many(50)
    fake.default_offers = [offer("a", 100)]
    await catalogue.refresh()
    fake.fail(500, only=ids[7])
    fake.default_offers = [offer("a", 110)]

    result = await catalogue.refresh()

    assert (result["refreshed"], result["failed"], result["skipped"]) == (49, 1, 0)
    failed = await catalogue.get(f"/products/{ids[7]}")
    assert failed["freshness"]["last_error"] == f"GET /api/v1/products/{ids[7]}/offers answered 500: out of order"
    assert failed["best_offer"]["price"] == 100


async def test_a_failing_product_is_paused_with_exponential_back_off(catalogue: Catalogue, fake: FakeOffers) -> None:
    product = (await catalogue.create_many(1))[0]
    fake.fail(500, only="offers")
    pauses = []
    for _ in range(6):
        result = await catalogue.refresh()
        assert result["failed"] == 1
        pauses.append(
            await catalogue.db.fetchval(
                "SELECT extract(epoch FROM due_at - attempted_at)::float8 FROM product_refresh WHERE product_id = $1",
                product,
            )
        )
        assert (await catalogue.refresh())["due"] == 0
        await catalogue.end_backoff()

    for pause, longest in zip(pauses, [60, 120, 240, 480, 600, 600], strict=True):
        assert longest / 2 <= pause <= longest


async def test_retry_after_pauses_the_product_that_received_it(catalogue: Catalogue, fake: FakeOffers) -> None:
    ids = await catalogue.create_many(2)
    await catalogue.refresh()
    fake.fail(429, only=ids[0], headers={"Retry-After": "3000"})

    result = await catalogue.refresh()

    assert (result["refreshed"], result["failed"]) == (1, 1)
    pause = await catalogue.db.fetchval("SELECT max(due_at - attempted_at) FROM product_refresh")
    assert pause.total_seconds() == 3000


async def test_a_wait_of_years_is_cut_to_an_hour(catalogue: Catalogue, fake: FakeOffers) -> None:
    await catalogue.create_many(200)
    await catalogue.refresh()
    fake.fail(429, headers={"Retry-After": "999999999"})
    await catalogue.refresh()

    assert await catalogue.db.fetchval("SELECT max(due_at - attempted_at) FROM product_refresh") == timedelta(hours=1)
    assert resources_of(catalogue.app).offers._paused_until - time.monotonic() <= 3600
    await catalogue.db.execute("DELETE FROM offers_token")
    fake.fail(429, only="auth", headers={"Retry-After": "999999999"})
    await catalogue.end_backoff()
    resources_of(catalogue.app).offers.shared_token._token = None
    await catalogue.refresh()
    pause = await catalogue.db.fetchval("SELECT not_before - clock_timestamp() FROM offers_token")
    assert timedelta(minutes=50) < pause <= timedelta(hours=1)


async def test_when_every_request_gets_retry_after_no_call_is_made_until_then(
    catalogue: Catalogue, fake: FakeOffers
) -> None:
    await catalogue.create_many(200)
    await catalogue.refresh()
    fake.fail(429, headers={"Retry-After": "3000"})
    await catalogue.refresh()
    fake.calls.clear()

    result = await catalogue.refresh()

    assert result["skipped"] == result["due"] > 0
    assert fake.calls == {}
    await assert_recovery(catalogue, fake, 200)


async def test_the_wait_that_the_service_asked_for_outlives_the_circuit_breaker(
    catalogue: Catalogue, fake: FakeOffers
) -> None:
    await catalogue.create_many(200)
    await catalogue.refresh()
    fake.fail(429, headers={"Retry-After": "3000"})
    await catalogue.refresh()
    fake.fault = None
    fake.calls.clear()
    client = resources_of(catalogue.app).offers
    client.breaker._retry_at = 0.0  # the breaker would let a call through now

    result = await catalogue.refresh()

    assert result["skipped"] == result["due"] > 0
    assert (await catalogue.create())["registration"] == "pending"
    assert fake.calls == {}
    assert 2900 < client._paused_until - time.monotonic() <= 3000
    client._paused_until -= 3000
    assert (await catalogue.refresh())["refreshed"] > 0


async def test_the_wait_of_one_product_does_not_stop_the_others(catalogue: Catalogue, fake: FakeOffers) -> None:
    ids = await catalogue.create_many(2)
    await catalogue.refresh()
    fake.fail(429, only=ids[0], headers={"Retry-After": "3000"})
    await catalogue.refresh()
    fake.offer_requests.clear()

    result = await catalogue.refresh()

    assert (result["due"], result["refreshed"], result["skipped"]) == (1, 1, 0)
    assert set(fake.offer_requests) == {ids[1]}


async def test_a_product_unknown_to_the_service_is_registered_again_in_the_same_run(
    catalogue: Catalogue, fake: FakeOffers
) -> None:
    product = await catalogue.create("Mower", "Petrol")
    await catalogue.refresh()
    for product_ids in fake.registered.values():
        product_ids.clear()
    fake.registrations.clear()
    fake.default_offers = [offer("a", 100)]

    result = await catalogue.refresh()

    assert (result["refreshed"], result["failed"]) == (1, 0)
    assert fake.registrations == [{"id": product["id"], "name": "Mower", "description": "Petrol"}]
    assert (await catalogue.get(f"/products/{product['id']}"))["best_offer"]["price"] == 100


async def test_while_every_request_gets_404_products_stay_pending(catalogue: Catalogue, fake: FakeOffers) -> None:
    await catalogue.create_many(30)
    fake.default_offers = [offer("a", 100)]
    await catalogue.refresh()
    fake.fail(404)

    result = await catalogue.refresh()

    assert (result["failed"], result["closed"]) == (30, 0)
    assert {product["registration"] for product in await catalogue.get("/products")} == {"pending"}
    assert (await catalogue.refresh())["due"] == 0
    await assert_recovery(catalogue, fake, 30)
    assert fake.calls["auth"] == 1


@pytest.mark.parametrize("status", [400, 404, 429, 500])
async def test_a_product_is_created_while_the_service_fails(
    catalogue: Catalogue, fake: FakeOffers, status: int
) -> None:
    fake.fail(status, only="register")

    product = await catalogue.create()

    assert product["registration"] == "pending"
    assert product["freshness"]["last_error"] == f"POST /api/v1/products/register answered {status}: out of order"
    assert await catalogue.get(f"/products/{product['id']}") == product
    assert (await catalogue.refresh())["due"] == 0
    fake.fault = None
    fake.default_offers = [offer("a", 100)]
    result = await catalogue.register()
    assert (result["due"], result["refreshed"]) == (1, 1)
    read = await catalogue.get(f"/products/{product['id']}")
    assert read["registration"] == "registered"
    assert read["best_offer"]["price"] == 100


async def test_409_counts_as_registered(catalogue: Catalogue, fake: FakeOffers) -> None:
    fake.fail(409, only="register")

    assert (await catalogue.create())["registration"] == "registered"


async def test_a_creation_does_not_wait_for_a_stalled_service(
    catalogue: Catalogue, fake: FakeOffers, monkeypatch: pytest.MonkeyPatch
) -> None:
    await catalogue.create()  # which obtains a token
    monkeypatch.setattr(service, "REGISTER_SECONDS", 0.05)

    async def stall(kind: str, _: str) -> Reply:
        if kind == "register":
            await asyncio.Event().wait()
        return None

    fake.fault = stall
    product = await catalogue.create()

    assert product["registration"] == "pending"
    assert product["freshness"]["last_error"] == "no response within 0.05 s"
    monkeypatch.setattr(service, "REGISTER_SECONDS", 0.001)
    for _ in range(30):
        product = await catalogue.create()
    last_error = product["freshness"]["last_error"]
    assert last_error == "not called: the service has failed too often recently: no response within 0.001 s"


async def test_a_slow_database_of_ours_is_not_booked_as_the_service(
    catalogue: Catalogue, fake: FakeOffers, dashboard_db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "REGISTER_SECONDS", 0.05)
    client = resources_of(catalogue.app).offers
    async with dashboard_db.acquire() as other, other.transaction():
        await other.execute("LOCK TABLE offers_token")
        product = await catalogue.create()

    assert product["registration"] == "pending"
    assert product["freshness"]["last_error"] == "not called within 0.05 s"
    assert client.breaker._failures == 0


async def test_a_time_out_of_our_database_is_an_error_of_ours(
    catalogue: Catalogue, fake: FakeOffers, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = resources_of(catalogue.app).offers

    async def time_out() -> str:
        raise TimeoutError

    monkeypatch.setattr(client.shared_token, "get", time_out)
    with pytest.raises(TimeoutError):
        await client.register_within(60, new_product_id(), "Kettle", "Boils.")
    assert client.breaker._failures == 0


async def test_a_response_is_not_read_beyond_its_size_limit(
    catalogue: Catalogue, fake: FakeOffers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offers_client, "MAX_RESPONSE_BYTES", 1000)
    product = await catalogue.create()
    fake.default_offers = [offer(f"offer {number}", 100) for number in range(100)]

    result = await catalogue.refresh()

    assert (result["failed"], result["changes"]) == (1, 0)
    read = await catalogue.get(f"/products/{product['id']}")
    assert read["freshness"]["last_error"].endswith("answered more than 1000 bytes")


async def test_an_outage_between_price_changes_loses_no_price(catalogue: Catalogue, fake: FakeOffers) -> None:
    product = await catalogue.create()
    for price in (100, 90):
        fake.default_offers = [offer("a", price)]
        await catalogue.refresh()
    fake.fail(500)
    for _ in range(60):
        await catalogue.refresh()
    fake.fault = None
    await catalogue.end_backoff()
    fake.default_offers = [offer("a", 80)]
    await catalogue.refresh()

    trend = await catalogue.get(f"/products/{product['id']}/trend")
    assert [point["price"] for point in trend["prices"]] == [100, 90, 80]
    assert trend["change_percent"] == -20
    assert fake.calls["auth"] == 1
