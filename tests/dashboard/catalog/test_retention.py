"""Old prices: what the nightly job deletes, and that the trend of what stays is true."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.db.pool import Executor
from dashboard.catalog.jobs import delete_old_prices
from dashboard.catalog.offers_client import ReceivedOffer
from dashboard.catalog.queries import refresh
from dashboard.catalog.queries.refresh import ReceivedOffers
from dashboard.catalog.queries.retention import delete_closed_offers
from tests.support.databases import waits_for_lock
from tests.support.fake_offers import WITHOUT_GAPS, Catalogue
from tests.support.waiting import eventually

KEEP = timedelta(days=400)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
MIDNIGHT = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
OLD = MIDNIGHT - KEEP - 3 * DAY
"""The first moment of a day before those that are kept whole."""

Offers = dict[str, tuple[int, int]]


async def store(catalogue: Catalogue, product_id: str, at: datetime, offers: Offers) -> None:
    received = [ReceivedOffer(offer_id, price, stock) for offer_id, (price, stock) in offers.items()]
    async with catalogue.db.acquire() as connection:
        await refresh.upsert_offers(connection, [ReceivedOffers(uuid.UUID(product_id), received)], at, WITHOUT_GAPS)


async def product_with(catalogue: Catalogue, *moments: tuple[datetime, Offers]) -> str:
    [product_id] = await catalogue.create_many(1)
    for at, offers in moments:
        await store(catalogue, product_id, at, offers)
    return product_id


async def delete_all(catalogue: Catalogue, limit: int = 1000) -> int:
    total = 0
    while deleted := await delete_old_prices(catalogue.db, KEEP, limit):
        total += deleted
    return total


async def product_prices(catalogue: Catalogue, product_id: str) -> list[tuple[datetime, int | None]]:
    rows = await catalogue.db.fetch(
        "SELECT at, price FROM product_price_change WHERE product_id = $1 ORDER BY at", uuid.UUID(product_id)
    )
    return [tuple(row) for row in rows]


async def offer_changes(db: Executor, offer_id: str) -> list[tuple[datetime, int | None]]:
    rows = await db.fetch("SELECT at, price FROM offer_price_change WHERE offer_id = $1 ORDER BY at", offer_id)
    return [tuple(row) for row in rows]


async def test_of_an_old_day_the_first_lowest_highest_and_last_price_stay(catalogue: Catalogue) -> None:
    prices = [50, 40, 60, 10, 55, 90, 45, 70]
    old = [(OLD + n * HOUR, {"a": (price, 1)}) for n, price in enumerate(prices)]
    new = [(at + 4 * DAY, offers) for at, offers in old]
    product_id = await product_with(catalogue, *old, *new)

    await delete_all(catalogue)

    kept = await product_prices(catalogue, product_id)
    assert [price for at, price in kept if at < OLD + DAY] == [50, 10, 90, 70]
    assert [price for at, price in kept if at >= OLD + DAY] == prices
    assert await delete_old_prices(catalogue.db, KEEP, 1000) == 0


async def test_the_day_that_the_limit_falls_into_is_kept_whole(catalogue: Catalogue) -> None:
    day = MIDNIGHT - KEEP
    moments = [(day + n * MINUTE, {"a": (100 + n % 7, 1)}) for n in range(20)]
    product_id = await product_with(catalogue, *moments)

    await delete_all(catalogue)

    assert len(await product_prices(catalogue, product_id)) == 20


@settings(max_examples=15)
@given(
    prices=st.lists(st.one_of(st.none(), st.integers(1, 9)), min_size=1, max_size=30),
    minutes=st.integers(30, 300),
    limit=st.integers(1, 40),
)
async def test_thinning_changes_neither_the_lowest_nor_the_highest_price_of_a_day_nor_its_last(
    catalogue: Catalogue, prices: list[int | None], minutes: int, limit: int
) -> None:
    moments = [
        (OLD - 4 * DAY + n * minutes * MINUTE, {} if price is None else {"a": (price, 1)})
        for n, price in enumerate(prices)
    ]
    product_id = await product_with(catalogue, *moments)
    period = f"from={quote((OLD - 5 * DAY).isoformat())}&to={quote((OLD + 2 * DAY).isoformat())}&interval=day"
    path = f"/products/{product_id}/trend?{period}"

    def without_mean(trend: dict[str, Any]) -> list[dict[str, Any]]:
        return [{name: value for name, value in each.items() if name != "mean"} for each in trend["prices"]]

    before = await catalogue.get(path)
    await delete_all(catalogue, limit)
    after = await catalogue.get(path)

    assert without_mean(after) == without_mean(before)
    assert (after["first"], after["last"]) == (before["first"], before["last"])
    counts = await catalogue.db.fetch(
        "SELECT count(*) FROM product_price_change WHERE product_id = $1 GROUP BY at::date", uuid.UUID(product_id)
    )
    assert all(
        row["count"] <= 6 for row in counts
    )  # also that nothing was in stock before the first, or after the last


async def test_the_offer_price_that_was_valid_when_the_kept_time_began_stays(catalogue: Catalogue) -> None:
    product_id = await product_with(
        catalogue,
        (OLD, {"a": (100, 5), "b": (7, 1)}),
        (OLD + DAY, {"a": (110, 5), "b": (7, 1)}),
        (OLD + 2 * DAY, {"a": (120, 5), "b": (7, 1)}),
        (MIDNIGHT - DAY, {"a": (130, 5), "b": (7, 1)}),
    )

    assert await delete_all(catalogue) == 2

    assert [price for _, price in await offer_changes(catalogue.db, "a")] == [120, 130]
    assert [price for _, price in await offer_changes(catalogue.db, "b")] == [7]
    trend = await catalogue.get(f"/products/{product_id}/offers/a/trend")
    assert [point["price"] for point in trend["prices"]] == [120, 130]


async def test_a_closed_offer_is_deleted_when_no_price_change_is_left(catalogue: Catalogue) -> None:
    product_id = await product_with(
        catalogue,
        (OLD, {"a": (100, 5), "b": (100, 5), "c": (100, 5), "d": (100, 5)}),
        (OLD + DAY, {"b": (100, 5), "c": (100, 5), "d": (100, 5)}),  # a is closed
        (OLD + 2 * DAY, {"c": (100, 5), "d": (100, 5)}),  # b is closed, and returns
        (MIDNIGHT - 100 * DAY, {"b": (100, 5), "d": (100, 5)}),  # c is closed
        (MIDNIGHT - DAY, {"b": (100, 5)}),  # d is closed
    )
    keep = timedelta(days=90)

    assert await delete_closed_offers(catalogue.db, keep, 1000) == 0  # all have price changes
    await delete_all(catalogue)
    assert await delete_closed_offers(catalogue.db, keep, 1000) == 1
    assert await delete_closed_offers(catalogue.db, keep, 1000) == 0

    offers = await catalogue.get(f"/products/{product_id}/offers?include=closed")
    assert {offer["id"]: offer["closed_at"] is None for offer in offers} == {"b": True, "c": False, "d": False}
    await catalogue.get(f"/products/{product_id}/offers/a/trend", 404)


async def test_prices_are_deleted_in_batches(catalogue: Catalogue) -> None:
    moments = [(OLD + n * MINUTE, {"a": (100 + n % 50, 5)}) for n in range(100)]
    await product_with(catalogue, *moments)

    deleted = []
    while batch := await delete_old_prices(catalogue.db, KEEP, 30):
        deleted.append(batch)

    assert deleted[:4] == [30, 30, 30, 9]  # the changes of the offer: all but the last
    assert sum(deleted[4:]) == 97  # all but the first and lowest, the highest, and the last of the product


async def test_nothing_is_deleted_while_every_price_is_young(catalogue: Catalogue) -> None:
    await product_with(catalogue, *((MIDNIGHT - n * DAY, {"a": (100 + n, 5)}) for n in range(20, 0, -1)))

    assert await delete_all(catalogue) == 0
    assert await delete_closed_offers(catalogue.db, timedelta(days=90), 1000) == 0


async def test_the_deletion_does_not_wait_for_a_refresh_or_a_deletion_of_a_product(catalogue: Catalogue) -> None:
    busy = await product_with(catalogue, *((OLD + n * MINUTE, {"a": (100 + n, 5)}) for n in range(9)))
    idle = await product_with(catalogue, *((OLD + n * MINUTE, {"b": (100 + n, 5)}) for n in range(9)))
    async with catalogue.db.acquire() as other, other.transaction():
        await other.execute("DELETE FROM product WHERE product_id = $1", uuid.UUID(busy))
        await delete_all(catalogue)
        assert len(await product_prices(catalogue, idle)) == 2  # the first is the lowest, the last the highest
        assert len(await offer_changes(catalogue.db, "b")) == 1

    assert await product_prices(catalogue, busy) == []


async def test_a_product_can_be_deleted_while_its_prices_are_thinned(catalogue: Catalogue) -> None:
    product_id = await product_with(catalogue, *((OLD + n * MINUTE, {"a": (100 + n, 5)}) for n in range(9)))
    client = catalogue.app.test_client()
    async with catalogue.db.acquire() as thinning:
        transaction = thinning.transaction()
        await transaction.start()
        while await delete_old_prices(thinning, KEEP, 1000):
            pass
        deletion = asyncio.create_task(client.delete(f"/products/{product_id}"))
        await eventually(lambda: waits_for_lock(catalogue.db))
        await transaction.commit()
    assert (await deletion).status_code == 204
    assert await product_prices(catalogue, product_id) == []


@pytest.mark.parametrize("limit", [1, 7, 1000])
async def test_batches_of_any_size_leave_the_same_prices(catalogue: Catalogue, limit: int) -> None:
    moments = [(OLD - n * 7 * HOUR, {"a": (100 + n * 37 % 50, 5)}) for n in range(40, 0, -1)]
    product_id = await product_with(catalogue, *moments)

    await delete_all(catalogue, limit)

    kept = await product_prices(catalogue, product_id)
    assert [(at, 100 + (OLD - at) // (7 * HOUR) * 37 % 50) for at, _ in kept] == kept
    assert len(kept) < 40
