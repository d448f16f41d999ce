"""The demo products of `make run`, and the past of their prices."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from statistics import median

import asyncpg
import pytest

from common.config import Secret
from dashboard.catalog.demo import DAYS, OUTAGE, PRODUCTS, DemoProduct, add_demo_products, past_prices
from provider.offers.price_simulation import offers_at
from tests.support.fake_offers import Catalogue, FakeOffers, offer

NOW = datetime(2026, 11, 29, 13, 24, 5, tzinfo=UTC)
DAY = timedelta(days=1)


def best_price(product: DemoProduct, at: datetime) -> int:
    """The lowest price in stock at the simulated offers service."""
    return min(each.price for each in offers_at(str(product.product_id), at, 60) if each.items_in_stock)


async def test_starts_at_once_create_the_demo_products_once_and_they_get_prices(
    catalogue: Catalogue, fake: FakeOffers, dashboard_url: Secret
) -> None:
    await asyncio.gather(*(add_demo_products(dashboard_url) for _ in range(4)))
    fake.default_offers = [offer("a", 120)]

    await catalogue.register()
    await catalogue.refresh()

    products = await catalogue.get("/products")
    assert sorted(each["name"] for each in products) == sorted(product.name for product in PRODUCTS)
    assert len(products) == 12
    assert [each["best_offer"]["price"] for each in products] == [120] * len(PRODUCTS)


async def test_demo_products_have_a_past_that_goes_on(
    catalogue: Catalogue, fake: FakeOffers, dashboard_url: Secret, dashboard_db: asyncpg.Pool
) -> None:
    await add_demo_products(dashboard_url)
    fake.default_offers = [offer("a", 120)]
    await catalogue.register()
    await catalogue.refresh()

    for product in PRODUCTS:
        history = await catalogue.get(f"/products/{product.product_id}/price-history")
        steps = [step["price"] for step in history["steps"]]
        assert len(steps) > 2 * DAYS
        assert steps[-1] == 120
        assert sum(price is None for price in steps) == len(product.sold_out)
        assert (history["in_stock_share"] < 1) == bool(product.sold_out)
        assert len(history["gaps"]) == 1
        closed = await catalogue.get(f"/products/{product.product_id}/offers?include=closed")
        assert [each["closed_at"] is None for each in closed].count(False) == 1
    wrong = await dashboard_db.fetchval(
        """
        SELECT count(*)
          FROM product_price_change AS change
          JOIN offer_price_change AS of_offer USING (product_id, at)
         WHERE offer_id = 'past'
           AND of_offer.price IS NOT NULL
           AND change.price IS DISTINCT FROM CASE WHEN items_in_stock > 0 THEN of_offer.price END
        """
    )
    assert wrong == 0


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.name)
def test_the_past_ends_at_the_level_at_which_the_offers_service_goes_on(product: DemoProduct) -> None:
    """Within 25 %. The service's prices move by as much within an hour, so its level is their median."""
    *_, (_, last) = past_prices(product, NOW)
    assert last is not None

    for day in range(0, 365, 30):
        start = NOW + day * DAY
        level = median(best_price(product, start + minutes * timedelta(minutes=1)) for minutes in range(0, 1440, 15))
        assert abs(last / level - 1) < 0.25


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.name)
def test_the_past_is_in_order_and_every_change_changes_the_price(product: DemoProduct) -> None:
    moments = list(past_prices(product, NOW))

    assert [at for at, _ in moments] == sorted({at for at, _ in moments})
    assert NOW - DAYS * DAY <= moments[0][0] < NOW - (DAYS - 1) * DAY
    assert NOW - DAY < moments[-1][0] < NOW
    assert all(before != after for (_, before), (_, after) in itertools.pairwise(moments))
    assert not any(NOW - OUTAGE[0] < at < NOW - OUTAGE[0] + OUTAGE[1] for at, _ in moments)


def test_one_product_is_cheaper_than_it_was_in_thirty_days() -> None:
    towels = next(product for product in PRODUCTS if product.name == "Bath towels")
    *before, (_, last) = [(at, price) for at, price in past_prices(towels, NOW) if at > NOW - 31 * DAY]

    assert last is not None
    assert last < min(price for at, price in before if price is not None and at < NOW - DAY)
