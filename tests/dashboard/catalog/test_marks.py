"""Marks of products, and the alerts that they become."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dashboard.catalog.queries.alerts import (
    HOLD,
    select_back_in_stock,
    select_ends_below_mark,
    select_ends_in_stock,
    select_prices_below_mark,
)
from tests.dashboard.catalog.test_product_list import store
from tests.support.fake_offers import Catalogue

UNKNOWN = "/products/0197a3b0-0000-7000-8000-000000000099/mark"
MINUTE = timedelta(minutes=1)
NOW = datetime.now(UTC)


async def put(catalogue: Catalogue, product_id: str, status: int = 200, **mark: Any) -> Any:
    answer = await catalogue.app.test_client().put(f"/products/{product_id}/mark", json=mark)
    assert answer.status_code == status, await answer.get_data()
    return await answer.get_json()


async def product_at(catalogue: Catalogue, *prices: int | None) -> str:
    """A product whose best price was each of these for a minute, the last one now."""
    product_id = str((await catalogue.create())["id"])
    for age, price in zip(range(len(prices) - 1, -1, -1), prices, strict=True):
        await store(catalogue, product_id, NOW - age * MINUTE, price)
    return product_id


async def below(catalogue: Catalogue, now: datetime = NOW, firing: tuple[str, ...] = ()) -> list[str]:
    return [each.subject for each in await select_prices_below_mark(catalogue.db, now, firing)]


async def back(catalogue: Catalogue, now: datetime = NOW, firing: tuple[str, ...] = ()) -> list[str]:
    return [each.subject for each in await select_back_in_stock(catalogue.db, now, firing)]


async def watched_since(catalogue: Catalogue, product_id: str, ago: timedelta) -> None:
    """Set a mark of the return of the product, some time ago."""
    await put(catalogue, product_id, back_in_stock=True)
    await catalogue.db.execute("UPDATE product_mark SET watched_since = $1", NOW - ago)


async def test_a_mark_is_set_read_changed_and_deleted(catalogue: Catalogue) -> None:
    product = await catalogue.create()
    path = f"/products/{product['id']}"
    await catalogue.get(f"{path}/mark", 404)

    mark = await put(catalogue, product["id"], below=900)

    assert mark == {"below": 900, "back_in_stock": False, "watched_since": None}
    assert await catalogue.get(f"{path}/mark") == mark
    assert (await catalogue.get(path))["mark"] == mark
    assert (await catalogue.get("/products"))[0]["mark"] == mark
    mark = await put(catalogue, product["id"], back_in_stock=True)
    assert (mark["below"], mark["back_in_stock"]) == (None, True)
    assert await put(catalogue, product["id"], below=7, back_in_stock=True) == {**mark, "below": 7}
    client = catalogue.app.test_client()
    deleted = await client.delete(f"{path}/mark")
    assert (deleted.status_code, await deleted.get_data()) == (204, b"")
    assert (await client.delete(f"{path}/mark")).status_code == 404
    assert (await catalogue.get(path))["mark"] is None


@pytest.mark.parametrize(
    ("mark", "field"),
    [
        ({}, "below"),
        ({"below": None, "back_in_stock": False}, "below"),
        ({"below": 0}, "below"),
        ({"below": -1}, "below"),
        ({"below": 1.5}, "below"),
        ({"below": "900"}, "below"),
        ({"below": True}, "below"),
        ({"below": 10**12 + 1}, "below"),
        ({"back_in_stock": "yes"}, "back_in_stock"),
        ({"back_in_stock": None}, "back_in_stock"),
        ({"below": 900, "above": 1}, "above"),
    ],
)
async def test_an_invalid_mark_is_refused(catalogue: Catalogue, mark: dict[str, Any], field: str) -> None:
    product = await catalogue.create()

    problem = await put(catalogue, product["id"], 400, **mark)

    assert [error["field"] for error in problem["errors"]] == [field]
    await catalogue.get(f"/products/{product['id']}/mark", 404)


async def test_an_unknown_product_has_no_mark(catalogue: Catalogue) -> None:
    client = catalogue.app.test_client()
    await catalogue.get(UNKNOWN, 404)
    assert (await client.put(UNKNOWN, json={"below": 1})).status_code == 404
    assert (await client.delete(UNKNOWN)).status_code == 404


async def test_a_mark_goes_with_its_product(catalogue: Catalogue) -> None:
    product = await catalogue.create()
    await put(catalogue, product["id"], below=1)

    await catalogue.app.test_client().delete(f"/products/{product['id']}")

    assert await catalogue.db.fetchval("SELECT count(*) FROM product_mark") == 0


async def test_concurrent_marks_leave_one(catalogue: Catalogue) -> None:
    product = await catalogue.create()

    answers: list[int] = []

    async def put_and_note(price: int) -> None:
        answers.append((await put(catalogue, product["id"], below=price))["below"])

    await asyncio.gather(*(put_and_note(price) for price in range(1, 21)))

    assert sorted(answers) == list(range(1, 21))
    assert await catalogue.db.fetchval("SELECT count(*) FROM product_mark") == 1
    last = await put(catalogue, product["id"], below=30)
    assert await catalogue.get(f"/products/{product['id']}/mark") == last


@pytest.mark.parametrize(("price", "fires"), [(899, True), (900, False), (901, False), (None, False)])
async def test_a_price_fires_below_its_mark(catalogue: Catalogue, price: int | None, fires: bool) -> None:
    product = await product_at(catalogue, 1000, price)
    await product_at(catalogue, 1)  # without a mark
    await put(catalogue, product, below=900)

    assert await below(catalogue) == ([product] if fires else [])
    if fires:
        [firing] = await select_prices_below_mark(catalogue.db, NOW, ())
        assert firing.detail == "Mower: the best price is 8.99, below the mark of 9.00."


async def test_a_price_that_moves_around_its_mark_fires_on_until_it_was_above_for_a_while(
    catalogue: Catalogue,
) -> None:
    product = await product_at(catalogue, 899, 901)
    await put(catalogue, product, below=900)

    assert await below(catalogue) == []
    assert await below(catalogue, NOW, (product,)) == [product]
    [firing] = await select_prices_below_mark(catalogue.db, NOW, (product,))
    assert firing.detail == (
        "Mower: the best price was below the mark of 9.00 a moment ago; the best price is 9.01 now."
    )
    assert await below(catalogue, NOW + HOLD - MINUTE, (product,)) == [product]
    assert await below(catalogue, NOW + HOLD, (product,)) == []


async def test_a_price_below_a_mark_that_was_lowered_or_deleted_does_not_fire(catalogue: Catalogue) -> None:
    product = await product_at(catalogue, 899)
    await put(catalogue, product, below=900)
    await put(catalogue, product, below=800)
    assert await below(catalogue, NOW, (product,)) == []
    await put(catalogue, product, below=900)
    assert await below(catalogue) == [product]

    await catalogue.app.test_client().delete(f"/products/{product}/mark")

    assert await below(catalogue, NOW, (product,)) == []


@pytest.mark.parametrize(
    ("prices", "fires"),
    [
        ((100, None, 100), True),  # it was sold out since it was marked
        ((None, 100), True),  # its first response had no offer
        ((100, None), False),  # it is still sold out
        ((100, 110), False),  # it was never out of stock
    ],
)
async def test_a_product_fires_when_it_is_back_in_stock(
    catalogue: Catalogue, prices: tuple[int | None, ...], fires: bool
) -> None:
    product = await product_at(catalogue, *prices)
    await watched_since(catalogue, product, timedelta(hours=1))

    assert await back(catalogue) == ([product] if fires else [])
    assert await back(catalogue, NOW + timedelta(days=3), (product,)) == ([product] if fires else [])
    if fires:
        [firing] = await select_back_in_stock(catalogue.db, NOW, ())
        assert firing.detail == "Mower is back in stock; the best price is 1.00."


async def test_a_product_that_was_out_of_stock_when_it_was_marked_fires_at_its_return(catalogue: Catalogue) -> None:
    product = await product_at(catalogue, 100, None, None, None)
    await watched_since(catalogue, product, MINUTE)
    assert await back(catalogue) == []

    await store(catalogue, product, NOW + MINUTE, 120)

    assert await back(catalogue, NOW + MINUTE) == [product]


async def test_a_product_that_was_out_of_stock_only_before_it_was_marked_does_not_fire(catalogue: Catalogue) -> None:
    product = await product_at(catalogue, None, 100, 110)
    await watched_since(catalogue, product, timedelta(seconds=30))

    assert await back(catalogue) == []


async def test_a_product_that_sells_out_for_a_moment_does_not_fire_twice(catalogue: Catalogue) -> None:
    product = await product_at(catalogue, None, 100, None)
    await watched_since(catalogue, product, timedelta(hours=1))

    assert await back(catalogue) == []
    assert await back(catalogue, NOW, (product,)) == [product]
    [firing] = await select_back_in_stock(catalogue.db, NOW, (product,))
    assert firing.detail == "Mower was back in stock, and was sold out a moment ago."
    assert await back(catalogue, NOW + HOLD, (product,)) == []


@pytest.mark.parametrize(
    ("price", "mark", "ended"),
    [
        (1040, {"below": 1000}, "Mower: the best price is 10.40, no longer below the mark of 10.00."),
        (999, {"below": 1000}, "Mower: the best price was not below the mark of 10.00 a moment ago; it is 9.99 now."),
        (None, {"below": 1000}, "Mower: nothing is in stock any more."),
        (900, {"back_in_stock": True}, "Mower: the mark of its price was deleted."),
        (900, {}, "Mower: the mark of its price was deleted."),
    ],
)
async def test_the_end_of_a_low_price_is_told_with_the_price_of_now(
    catalogue: Catalogue, price: int | None, mark: dict[str, Any], ended: str
) -> None:
    """Also a price that was stored after the rule found none below the mark."""
    product = await product_at(catalogue, 900, price)
    if mark:
        await put(catalogue, product, **mark)

    assert await select_ends_below_mark(catalogue.db, [product]) == {product: ended}


@pytest.mark.parametrize(
    ("price", "mark", "ended"),
    [
        (None, {"back_in_stock": True}, "Mower is sold out again."),
        (900, {"below": 1000}, "Mower: its return into stock is no longer watched."),
        (900, {}, "Mower: its return into stock is no longer watched."),
        (900, {"back_in_stock": True}, "Mower is in stock at 9.00; its next return raises an alert again."),
    ],
)
async def test_the_end_of_a_return_into_stock_is_told_with_its_reason(
    catalogue: Catalogue, price: int | None, mark: dict[str, Any], ended: str
) -> None:
    product = await product_at(catalogue, 900, price)
    if mark:
        await put(catalogue, product, **mark)

    assert await select_ends_in_stock(catalogue.db, [product]) == {product: ended}
