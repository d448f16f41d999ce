"""Products with prices of the past, as the refresh stores them."""

import uuid
from datetime import UTC, datetime, timedelta

from dashboard.catalog.offers_client import ReceivedOffer
from dashboard.catalog.queries import refresh
from dashboard.catalog.queries.refresh import ReceivedOffers
from tests.support.fake_offers import RULES, WITHOUT_GAPS, Catalogue
from tests.support.pages import Element, browse_page, by_id, named

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
Moment = tuple[timedelta, int | None]
"""How long ago a price began; None: nothing was in stock."""

PRICES: list[Moment] = [(120 * DAY, 900), (40 * DAY, 1500), (20 * DAY, None), (18 * DAY, 1204), (6 * DAY, 1240)]


async def store_price(
    catalogue: Catalogue, product_id: str, ago: timedelta, price: int | None, *, gaps: bool = False
) -> None:
    """Store an answer of the offers service with one offer at this price, or with none."""
    offers = [] if price is None else [ReceivedOffer("a", price, 5)]
    at, rules = datetime.now(UTC) - ago, RULES if gaps else WITHOUT_GAPS
    async with catalogue.db.acquire() as connection:
        await refresh.upsert_offers(connection, [ReceivedOffers(uuid.UUID(product_id), offers)], at, rules)


async def product_with(catalogue: Catalogue, *moments: Moment, name: str = "Lamp", asked_now: bool = True) -> str:
    """A product with these prices; asked again just now."""
    product = await catalogue.create(name)
    for ago, price in moments:
        await store_price(catalogue, product["id"], ago, price)
    if asked_now and moments:
        await store_price(catalogue, product["id"], timedelta(0), moments[-1][1])
    return str(product["id"])


async def product_page(catalogue: Catalogue, product_id: str, query: str = "") -> Element:
    return await browse_page(catalogue.app, f"/board/prices/{product_id}{query}")


def chart_lines(page: Element) -> list[str]:
    """The lines of the chart of a product's page: wide, narrow."""
    drawn = [
        each.attributes["d"] for each in named(by_id(page, "history"), "path") if each.attributes.get("class") == "now"
    ]
    return [data for data in drawn if data != "M1 6H23"]
