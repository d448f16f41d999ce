"""The refresh: how responses of the offers service change offers and their price changes."""

import asyncio
import json
from typing import Any

import pytest

from common.jobs.lease import Lease, LeaseLostError
from common.limits import MAX_PRICE
from dashboard.catalog.jobs import Refresh
from dashboard.resources import resources_of
from tests.support.fake_offers import RULES, Catalogue, FakeOffers, Reply, offer, reply
from tests.support.waiting import eventually


async def offers_of(catalogue: Catalogue, product: dict[str, Any], *, closed: bool = False) -> dict[Any, Any]:
    listed = await catalogue.get(f"/products/{product['id']}/offers{'?include=closed' if closed else ''}")
    return {each["id"]: each for each in listed}


async def price_changes(catalogue: Catalogue, offer_id: str) -> list[tuple[int | None, int]]:
    rows = await catalogue.db.fetch(
        "SELECT price, items_in_stock FROM offer_price_change WHERE offer_id = $1 ORDER BY at", offer_id
    )
    return [(row["price"], row["items_in_stock"]) for row in rows]


async def test_offers_keep_their_ids_as_integers_or_text(catalogue: Catalogue, fake: FakeOffers) -> None:
    product = await catalogue.create()
    fake.default_offers = [offer("a", 120, 3), offer(7, 100, 1), offer("8", 90, 0), offer(-9, MAX_PRICE, 2**63 - 1)]

    result = await catalogue.refresh()

    assert result == {"due": 1, "refreshed": 1, "failed": 0, "skipped": 0, "changes": 4, "closed": 0}
    read = await catalogue.get(f"/products/{product['id']}")
    assert read["best_offer"] == {"id": 7, "price": 100, "items_in_stock": 1}
    offers = await offers_of(catalogue, product)
    assert set(offers) == {"a", 7, "8", -9}
    for each in offers.values():
        assert each["first_seen"] == each["last_seen"] == read["freshness"]["last_success"]
        assert each["closed_at"] is None
    assert (await catalogue.get(f"/products/{product['id']}/offers/7/trend"))["offer_id"] == 7
    assert (await catalogue.get(f"/products/{product['id']}/offers/8/trend"))["offer_id"] == "8"


async def test_a_price_change_is_stored_only_when_price_or_stock_changes(
    catalogue: Catalogue, fake: FakeOffers
) -> None:
    product = await catalogue.create()
    for offers in ([offer("a", 100, 5)], [offer("a", 100, 5)], [offer("a", 100, 4)], [offer("a", 110, 4)]):
        fake.default_offers = offers
        await catalogue.refresh()

    assert await price_changes(catalogue, "a") == [(100, 5), (100, 4), (110, 4)]
    trend = await catalogue.get(f"/products/{product['id']}/offers/a/trend")
    assert [point["price"] for point in trend["prices"]] == [100, 110]


async def test_an_unchanged_offer_gets_a_new_last_seen(catalogue: Catalogue, fake: FakeOffers) -> None:
    product = await catalogue.create()
    fake.default_offers = [offer("a", 100)]
    await catalogue.refresh()
    before = (await offers_of(catalogue, product))["a"]
    await catalogue.refresh()
    after = (await offers_of(catalogue, product))["a"]

    assert after["first_seen"] == before["first_seen"]
    assert after["last_seen"] > before["last_seen"]


async def test_an_offer_missing_from_a_response_is_closed_and_may_return(
    catalogue: Catalogue, fake: FakeOffers
) -> None:
    product = await catalogue.create()
    fake.default_offers = [offer("a", 100), offer("b", 120)]
    await catalogue.refresh()
    seen = (await offers_of(catalogue, product))["a"]["last_seen"]

    fake.default_offers = [offer("b", 120)]
    result = await catalogue.refresh()

    assert (result["changes"], result["closed"]) == (1, 1)
    assert set(await offers_of(catalogue, product)) == {"b"}
    closed = (await offers_of(catalogue, product, closed=True))["a"]
    assert (closed["price"], closed["items_in_stock"]) == (100, 5)
    assert closed["last_seen"] == seen < closed["closed_at"]
    assert list(await offers_of(catalogue, product, closed=True)) == ["a", "b"]  # the latest changed first
    assert (await catalogue.get(f"/products/{product['id']}"))["best_offer"]["id"] == "b"

    fake.default_offers = [offer("a", 100), offer("b", 120)]
    await catalogue.refresh()

    returned = (await offers_of(catalogue, product))["a"]
    assert returned["closed_at"] is None
    assert returned["first_seen"] < returned["last_seen"]
    assert await price_changes(catalogue, "a") == [(100, 5), (None, 0), (100, 5)]


async def test_an_empty_response_closes_all_offers(catalogue: Catalogue, fake: FakeOffers) -> None:
    product = await catalogue.create()
    fake.default_offers = [offer("a", 100), offer("b", 120)]
    await catalogue.refresh()
    fake.default_offers = []
    await catalogue.refresh()

    assert await offers_of(catalogue, product) == {}
    assert len(await offers_of(catalogue, product, closed=True)) == 2
    assert (await catalogue.get(f"/products/{product['id']}"))["best_offer"] is None


async def test_of_two_offers_with_one_id_the_last_counts(catalogue: Catalogue, fake: FakeOffers) -> None:
    product = await catalogue.create()
    fake.default_offers = [offer("1", 100), offer("b", 50), offer(1, 120)]

    await catalogue.refresh()

    offers = await offers_of(catalogue, product)
    assert {key: each["price"] for key, each in offers.items()} == {1: 120, "b": 50}


@pytest.mark.parametrize(
    "body",
    [
        b"{not json",
        b"",
        b"\xff\xfe",
        b"null",
        {"offers": []},
        [offer("a", -1)],
        [offer("a", MAX_PRICE + 1)],
        [offer("a", 2**63)],
        [offer("a", 10**30)],
        [offer("a", 99.5)],
        [offer("a", "100")],
        [offer("a", True)],
        [offer("a", None)],
        [offer("a", 1, -1)],
        [offer("a", 1, 2**63)],
        [offer(None, 1)],
        [offer("", 1)],
        [offer("x" * 256, 1)],
        [offer("nul\0", 1)],
        [offer(1.5, 1)],
        [{"id": "a", "price": 1}],
        [offer("good", 100), offer("a", -1)],
        b"[" * 100_000,
    ],
)
async def test_an_invalid_response_changes_nothing(catalogue: Catalogue, fake: FakeOffers, body: Any) -> None:
    broken, sound = await catalogue.create("broken"), await catalogue.create("sound")
    fake.default_offers = [offer("good", 120)]
    await catalogue.refresh()
    before = await offers_of(catalogue, broken)
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def fault(_: str, path: str) -> Reply:
        return reply(200, encoded) if broken["id"] in path else None

    fake.fault = fault
    fake.default_offers = [offer("good", 130)]
    result = await catalogue.refresh()

    assert (result["refreshed"], result["failed"]) == (1, 1)
    assert await offers_of(catalogue, broken) == before
    read = await catalogue.get(f"/products/{broken['id']}")
    assert read["freshness"]["last_error"].startswith("offers of")
    assert read["registration"] == "registered"
    assert (await offers_of(catalogue, sound))["good"]["price"] == 130
    fake.fault = None
    await catalogue.end_backoff()
    await catalogue.refresh()
    assert (await catalogue.get(f"/products/{broken['id']}"))["freshness"]["last_error"] is None
    assert await price_changes(catalogue, "good") == [(120, 5), (120, 5), (130, 5), (130, 5)]


async def test_unknown_fields_of_an_offer_are_ignored(catalogue: Catalogue, fake: FakeOffers) -> None:
    product = await catalogue.create()
    fake.default_offers = [offer("a", 100) | {"currency": "CZK"}]

    await catalogue.refresh()

    assert (await catalogue.get(f"/products/{product['id']}"))["best_offer"]["price"] == 100


async def test_a_product_deleted_during_its_refresh_stays_deleted(catalogue: Catalogue, fake: FakeOffers) -> None:
    gone, kept = await catalogue.create("gone"), await catalogue.create("kept")
    fake.default_offers = [offer("a", 100)]

    async def fault(_: str, path: str) -> Reply:
        if gone["id"] in path:
            await catalogue.app.test_client().delete(f"/products/{gone['id']}")
        return None

    fake.fault = fault
    result = await catalogue.refresh()

    assert (result["due"], result["refreshed"], result["failed"]) == (2, 1, 0)
    assert [product["id"] for product in await catalogue.get("/products")] == [kept["id"]]
    assert await catalogue.db.fetchval("SELECT count(*) FROM offer") == 1


async def test_deleting_products_during_refreshes_succeeds_and_leaves_no_rows(
    catalogue: Catalogue, fake: FakeOffers
) -> None:
    ids = await catalogue.create_many(120)
    client = catalogue.app.test_client()

    async def delete(product_id: str) -> int:
        return (await client.delete(f"/products/{product_id}")).status_code

    for price in range(3):
        fake.default_offers = [offer(name, 100 + price) for name in "abc"]
        deleted = ids[price * 40 : (price + 1) * 40]
        _, *statuses = await asyncio.gather(catalogue.refresh(), *(delete(each) for each in deleted))
        assert statuses == [204] * 40

    assert await catalogue.db.fetchval("SELECT count(*) FROM product") == 0
    for table in ("product_refresh", "offer", "offer_price_change", "product_price_change"):
        assert await catalogue.db.fetchval(f"SELECT count(*) FROM {table}") == 0


async def test_no_token_is_requested_while_no_product_is_due(catalogue: Catalogue, fake: FakeOffers) -> None:
    assert (await catalogue.refresh())["due"] == 0
    assert (await catalogue.register())["due"] == 0
    assert fake.calls == {}

    await catalogue.create_many(1)
    await catalogue.register()
    assert fake.calls == {}
    await catalogue.refresh()
    assert fake.calls == {"auth": 1, "offers": 2, "register": 1}


async def test_at_most_the_configured_number_of_calls_is_in_flight(catalogue: Catalogue, fake: FakeOffers) -> None:
    await catalogue.create_many(300)

    async def fault(kind: str, _: str) -> Reply:
        if kind == "offers":
            await eventually(lambda: fake.max_in_flight >= 50)
        return None

    fake.fault = fault
    result = await catalogue.refresh()

    assert result["refreshed"] == 300
    assert fake.max_in_flight == 50


async def test_a_run_that_lost_its_lease_writes_nothing(catalogue: Catalogue, fake: FakeOffers) -> None:
    await catalogue.create_many(3)
    fake.default_offers = [offer("a", 100)]
    resources = resources_of(catalogue.app)
    stale = Refresh(
        resources.pools.jobs,
        resources.offers,
        Lease("refresh_offers", "stalled owner", 0),
        concurrency=50,
        interval=60,
        rules=RULES,
    )

    with pytest.raises(LeaseLostError):
        await stale.run(registered=True)

    assert await catalogue.db.fetchval("SELECT count(*) FROM offer") == 0


async def test_products_that_a_run_did_not_reach_come_first_in_the_next(catalogue: Catalogue, fake: FakeOffers) -> None:
    ids = await catalogue.create_many(400)
    await catalogue.refresh()
    reached: set[str] = set()

    async def fault(_: str, path: str) -> Reply:
        if len(reached) >= 100:
            return reply(503, {})
        reached.add(path.split("/")[2])
        return None

    fake.fault = fault
    while len(reached) < 100:
        await catalogue.refresh()
    first = set(reached)
    fake.fault = None
    await catalogue.end_backoff()
    fake.offer_requests.clear()
    rows = await catalogue.db.fetch("SELECT product_id FROM product_refresh ORDER BY attempted_at LIMIT 100")
    await catalogue.refresh()

    assert not first & {str(row["product_id"]) for row in rows}
    assert set(fake.offer_requests) == set(ids)


async def test_a_clock_that_was_set_back_keeps_changes_in_order(catalogue: Catalogue, fake: FakeOffers) -> None:
    product = await catalogue.create()
    fake.default_offers = [offer("a", 100)]
    await catalogue.refresh()
    await catalogue.db.execute("UPDATE product_refresh SET last_success = now() + interval '1 hour'")
    fake.default_offers = [offer("a", 110)]
    await catalogue.refresh()
    fake.default_offers = [offer("a", 121)]
    await catalogue.refresh()

    trend = await catalogue.get(f"/products/{product['id']}/trend")
    assert (trend["first"], trend["last"], trend["change_percent"]) == (100, 121, 21)
