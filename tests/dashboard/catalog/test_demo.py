"""The demo products of `make run`."""

from common.config import Secret
from dashboard.catalog.demo import PRODUCTS, add_demo_products
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
    assert sorted(each["name"] for each in products) == sorted(name for name, _ in PRODUCTS)
    assert [each["best_offer"]["price"] for each in products] == [120] * len(PRODUCTS)
