"""The demo products of `make run`."""

from datetime import UTC, datetime, timedelta

from common.config import Secret
from dashboard.catalog.demo import PRODUCTS, add_demo_products
from provider.offers.price_simulation import offers_at
from tests.support.fake_offers import Catalogue, FakeOffers, offer


async def test_demo_products_are_created_once_and_get_prices(
    catalogue: Catalogue, fake: FakeOffers, dashboard_url: Secret
) -> None:
    for _ in range(2):
        await add_demo_products(dashboard_url)
    fake.default_offers = [offer("a", 120)]

    await catalogue.register()
    await catalogue.refresh()

    products = await catalogue.get("/products")
    assert sorted(each["name"] for each in products) == sorted(name for _, name, _ in PRODUCTS)
    assert [each["best_offer"]["price"] for each in products] == [120] * len(PRODUCTS)


def test_the_simulated_prices_of_the_demo_products_are_plausible() -> None:
    usual = {"Espresso machine": 3500, "Bed linen": 40, "Minibar": 190, "Hair dryer": 27}
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for product_id, name, _ in PRODUCTS:
        for day in range(0, 365, 5):
            for simulated in offers_at(str(product_id), start + timedelta(days=day), 60):
                assert usual[name] / 2.5 < simulated.price / 100 < usual[name] * 2.5, name
