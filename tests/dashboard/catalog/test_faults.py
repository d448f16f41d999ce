"""The offers service failing in every way: no offer, product or price is lost, and what it heals from heals here."""

import asyncio
from typing import Any

import aiohttp
import pytest

from dashboard.catalog import offers_client, service
from tests.support.fake_offers import Catalogue, FakeOffers, Reply, offer, reply


async def state(catalogue: Catalogue) -> list[tuple[Any, ...]]:
    """All that a refresh may change about offers."""
    rows = await catalogue.db.fetch(
        "SELECT product_id, offer_id, price, items_in_stock, closed_at, changed_at FROM offer ORDER BY 1, 2"
    )
    points = await catalogue.db.fetch("SELECT product_id, offer_id, at, price FROM offer_price_change ORDER BY 1, 2, 3")
    return [tuple(row) for row in rows] + [tuple(point) for point in points]


async def heal(catalogue: Catalogue, fake: FakeOffers, products: int) -> None:
    """The service is back: one run brings everything up to date."""
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


class Connections:
    """Faults below HTTP."""

    @staticmethod
    async def refused(_: str, __: str) -> Reply:
        raise aiohttp.ClientConnectionError("refused")

    @staticmethod
    async def reset(_: str, __: str) -> Reply:
        raise ConnectionResetError("reset")

    @staticmethod
    async def stalled(_: str, __: str) -> Reply:
        raise TimeoutError


def answering(status: int, body: Any = None) -> Any:
    async def fault(_: str, __: str) -> Reply:
        return reply(status, body or {"code": "x", "msg": "x"})

    return fault


OUTAGES = {
    "refused": Connections.refused,
    "reset": Connections.reset,
    "stalled": Connections.stalled,
    "400": answering(400),
    "403": answering(403),
    "404": answering(404),
    "429": answering(429),
    "500": answering(500),
    "503": answering(503),
    "302": answering(302),
    "html": answering(200, b"<html>"),
}


@pytest.mark.parametrize("outage", OUTAGES)
async def test_an_outage_closes_nothing_and_is_survived(catalogue: Catalogue, fake: FakeOffers, outage: str) -> None:
    ids = await catalogue.create_many(60)
    fake.default_offers = [offer("a", 100), offer("b", 120)]
    await catalogue.refresh()
    await catalogue.refresh()
    before = await state(catalogue)

    fake.fault = OUTAGES[outage]
    for _ in range(3):
        did = await catalogue.refresh()
        assert did["refreshed"] == did["changes"] == did["closed"] == 0

    assert await state(catalogue) == before
    product = await catalogue.get(f"/products/{ids[0]}")
    assert product["freshness"]["last_error"]
    assert product["best_offer"]["price"] == 100
    await heal(catalogue, fake, 60)
    assert fake.calls["auth"] <= 2


async def test_during_an_outage_the_service_is_hardly_called(catalogue: Catalogue, fake: FakeOffers) -> None:
    await catalogue.create_many(1000)
    await catalogue.refresh()
    fake.fail(503)
    fake.calls.clear()

    did = await catalogue.refresh()
    await catalogue.refresh()

    assert did["skipped"] > 900
    assert fake.calls["offers"] < 100


async def test_one_failing_product_touches_no_other(catalogue: Catalogue, fake: FakeOffers) -> None:
    ids = await catalogue.create_many(50)
    fake.default_offers = [offer("a", 100)]
    await catalogue.refresh()
    fake.fail(500, only=ids[7])
    fake.default_offers = [offer("a", 110)]

    did = await catalogue.refresh()

    assert (did["refreshed"], did["failed"], did["skipped"]) == (49, 1, 0)
    failed = await catalogue.get(f"/products/{ids[7]}")
    assert failed["freshness"]["last_error"] == f"GET /api/v1/products/{ids[7]}/offers answered 500"
    assert failed["best_offer"]["price"] == 100


async def test_a_failing_product_is_left_alone_for_longer_and_longer(catalogue: Catalogue, fake: FakeOffers) -> None:
    product = (await catalogue.create_many(1))[0]
    fake.fail(500, only="offers")
    pauses = []
    for _ in range(6):
        did = await catalogue.refresh()
        assert did["failed"] == 1
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


async def test_retry_after_is_kept_for_the_product_that_was_told(catalogue: Catalogue, fake: FakeOffers) -> None:
    ids = await catalogue.create_many(2)
    await catalogue.refresh()
    fake.fail(429, only=ids[0], headers={"Retry-After": "3000"})

    did = await catalogue.refresh()

    assert (did["refreshed"], did["failed"]) == (1, 1)
    pause = await catalogue.db.fetchval("SELECT max(due_at - attempted_at) FROM product_refresh")
    assert pause.total_seconds() == 3000


async def test_when_all_are_told_to_wait_nobody_calls_until_then(catalogue: Catalogue, fake: FakeOffers) -> None:
    await catalogue.create_many(200)
    await catalogue.refresh()
    fake.fail(429, headers={"Retry-After": "3000"})
    await catalogue.refresh()
    fake.calls.clear()

    did = await catalogue.refresh()

    assert did["skipped"] == did["due"] > 0
    assert fake.calls == {}
    await heal(catalogue, fake, 200)


async def test_a_product_the_service_forgot_is_registered_again_in_the_same_run(
    catalogue: Catalogue, fake: FakeOffers
) -> None:
    product = await catalogue.create("Mower", "Petrol")
    await catalogue.refresh()
    for known in fake.registered.values():
        known.clear()
    fake.registrations.clear()
    fake.default_offers = [offer("a", 100)]

    did = await catalogue.refresh()

    assert (did["refreshed"], did["failed"]) == (1, 0)
    assert fake.registrations == [{"id": product["id"], "name": "Mower", "description": "Petrol"}]
    assert (await catalogue.get(f"/products/{product['id']}"))["best_offer"]["price"] == 100


async def test_404_for_everything_keeps_products_pending_until_it_ends(catalogue: Catalogue, fake: FakeOffers) -> None:
    await catalogue.create_many(30)
    fake.default_offers = [offer("a", 100)]
    await catalogue.refresh()
    fake.fail(404)

    did = await catalogue.refresh()

    assert (did["failed"], did["closed"]) == (30, 0)
    assert {product["registration"] for product in await catalogue.get("/products")} == {"pending"}
    assert (await catalogue.refresh())["due"] == 0
    await heal(catalogue, fake, 30)
    assert fake.calls["auth"] == 1


@pytest.mark.parametrize("status", [400, 404, 429, 500])
async def test_a_product_is_created_without_the_service(catalogue: Catalogue, fake: FakeOffers, status: int) -> None:
    fake.fail(status, only="register")

    product = await catalogue.create()

    assert product["registration"] == "pending"
    assert product["freshness"]["last_error"] == f"POST /api/v1/products/register answered {status}"
    assert await catalogue.get(f"/products/{product['id']}") == product
    assert (await catalogue.refresh())["due"] == 0
    fake.fault = None
    fake.default_offers = [offer("a", 100)]
    did = await catalogue.register()
    assert (did["due"], did["refreshed"]) == (1, 1)
    read = await catalogue.get(f"/products/{product['id']}")
    assert read["registration"] == "registered"
    assert read["best_offer"]["price"] == 100


async def test_409_counts_as_registered(catalogue: Catalogue, fake: FakeOffers) -> None:
    fake.fail(409, only="register")

    assert (await catalogue.create())["registration"] == "registered"


async def test_a_creation_does_not_wait_for_a_service_that_stalls(
    catalogue: Catalogue, fake: FakeOffers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "REGISTER_SECONDS", 0.05)

    async def stall(kind: str, _: str) -> Reply:
        if kind == "register":
            await asyncio.Event().wait()
        return None

    fake.fault = stall
    product = await catalogue.create()

    assert product["registration"] == "pending"
    assert product["freshness"]["last_error"] == "no answer within 0.05 s"
    monkeypatch.setattr(service, "REGISTER_SECONDS", 0.001)
    for _ in range(30):
        product = await catalogue.create()
    assert product["freshness"]["last_error"] == "not called: it failed too often"


async def test_an_answer_without_end_is_not_read_to_it(
    catalogue: Catalogue, fake: FakeOffers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offers_client, "LARGEST_ANSWER", 1000)
    product = await catalogue.create()
    fake.default_offers = [offer(f"offer {number}", 100) for number in range(100)]

    did = await catalogue.refresh()

    assert (did["failed"], did["changes"]) == (1, 0)
    read = await catalogue.get(f"/products/{product['id']}")
    assert read["freshness"]["last_error"].endswith("answered more than 1000 bytes")


async def test_an_hour_of_outage_in_the_middle_of_price_moves_loses_nothing(
    catalogue: Catalogue, fake: FakeOffers
) -> None:
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
