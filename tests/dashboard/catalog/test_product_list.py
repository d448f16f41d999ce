"""The list of products: its order by name, price and change of price, its filters, and its pages."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.catalog.offers_client import ReceivedOffer
from dashboard.catalog.queries import refresh
from dashboard.catalog.queries.refresh import PriceRules, ReceivedOffers
from tests.support.fake_offers import WITHOUT_GAPS, Catalogue, FakeOffers, offer
from tests.support.pages import next_address

NOW = datetime.now(UTC)
SORTS = ["name", "-name", "price", "-price", "change_7d", "-change_7d"]


async def store(
    catalogue: Catalogue, product_id: str, at: datetime, price: int | None, rules: PriceRules = WITHOUT_GAPS
) -> None:
    """Store a response with one offer in stock at this price, or with none."""
    offers = [] if price is None else [ReceivedOffer("a", price, 5)]
    async with catalogue.db.acquire() as connection:
        await refresh.upsert_offers(connection, [ReceivedOffers(uuid.UUID(product_id), offers)], at, rules)


async def create(catalogue: Catalogue, name: str, before: int | None = None, now: int | None = None) -> str:
    """Create a product that had the one price eight days ago, and has the other now."""
    product = await catalogue.create(name)
    if before is not None:
        await store(catalogue, product["id"], NOW - timedelta(days=8), before)
    if now is not None or before is not None:
        await store(catalogue, product["id"], NOW, now)
    return str(product["id"])


async def names(catalogue: Catalogue, query: str = "") -> list[str]:
    return [product["name"] for product in await catalogue.get(f"/products?limit=1000{query}")]


async def pages(catalogue: Catalogue, query: str, limit: int) -> list[str]:
    """The names on all pages."""
    found: list[str] = []
    path = f"/products?limit={limit}{query}"
    while path:
        answer = await catalogue.app.test_client().get(path)
        assert answer.status_code == 200
        found += [product["name"] for product in await answer.get_json()]
        path = next_address(answer)
    return found


async def test_names_are_sorted_for_people(catalogue: Catalogue) -> None:
    ordered = [
        "Ådalen", "Aetna", "Ætna 2", "Affix", "Bed 2", "bed 10", "Bed 010a", "Dome", "Đuro", "Ðz", "Épée", "espresso",
        "Isle", "ısparta", "İz", "lodge", "Łódź lamp", "loft", "Odense", "Œdem", "oer", "Øre", "oslo", "Straße 1",
        "Strasse 2", "tea", "Þing", "thyme", "Zebra",
    ]  # fmt: skip
    for name in reversed(ordered):
        await create(catalogue, name)

    assert await names(catalogue) == ordered
    assert await names(catalogue, "&sort=-name") == ordered[::-1]


async def test_products_are_sorted_by_price_and_unknown_prices_come_last(catalogue: Catalogue) -> None:
    for name, price in [("sold out", None), ("dear", 300), ("cheap", 100), ("middle", 200)]:
        await create(catalogue, name, 50 if price is None else None, price)
    await create(catalogue, "never seen")

    assert (await names(catalogue, "&sort=price"))[:3] == ["cheap", "middle", "dear"]
    assert (await names(catalogue, "&sort=-price"))[:3] == ["dear", "middle", "cheap"]
    assert await names(catalogue, "&in_stock=true&sort=-price") == ["dear", "middle", "cheap"]
    assert await names(catalogue, "&in_stock=false") == ["never seen", "sold out"]


async def test_products_are_sorted_by_their_change_over_seven_days(catalogue: Catalogue) -> None:
    for name, before, now in [("up", 100, 150), ("down", 100, 75), ("same", 80, 80), ("new", None, 10)]:
        await create(catalogue, name, before, now)

    listed = await catalogue.get("/products?sort=change_7d")

    assert [(each["name"], each["change_7d"]) for each in listed] == [
        ("down", -25.0),
        ("same", 0.0),
        ("up", 50.0),
        ("new", None),
    ]
    assert await names(catalogue, "&sort=-change_7d") == ["up", "same", "down", "new"]


async def test_the_change_is_that_since_the_price_valid_seven_days_ago(catalogue: Catalogue) -> None:
    product = (await catalogue.create())["id"]
    for days, price in [(20, 10), (8, 100), (6, 1000), (1, 150)]:
        await store(catalogue, product, NOW - timedelta(days=days), price)
    await store(catalogue, product, NOW, 150)

    assert (await catalogue.get(f"/products/{product}"))["change_7d"] == 50.0


@pytest.mark.parametrize(
    ("answers", "change"),
    [
        ([(9, 100), (8, 100), (5, 200), (0, 200)], None),  # not asked from 8 to 5 days ago
        ([(9, 100), (0, 200)], None),  # not asked for 9 days
        ([(9, 100), (7.5, 120), (6.999, 150), (0, 180)], 50.0),
    ],
)
async def test_the_change_is_not_known_if_the_service_could_not_be_asked_seven_days_ago(
    catalogue: Catalogue, answers: list[tuple[float, int]], change: float | None
) -> None:
    product = (await catalogue.create())["id"]
    rules = PriceRules(allows_free_offers=False, gap=timedelta(days=2))
    for days, price in answers:
        await store(catalogue, product, NOW - timedelta(days=days), price, rules)

    assert (await catalogue.get(f"/products/{product}"))["change_7d"] == change


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_every_product_is_on_one_page_of_each_order(catalogue: Catalogue, sort: str, limit: int) -> None:
    for number, prices in enumerate(
        [(None, None), (100, 100), (None, None), (50, 100), (100, None), (7, 7), (50, 100)]
    ):
        await create(catalogue, f"Bed {number % 5}", *prices)

    whole = await names(catalogue, f"&sort={sort}")

    assert len(whole) == 7
    assert await pages(catalogue, f"&sort={sort}", limit) == whole
    assert await pages(catalogue, f"&sort={sort}&in_stock=true&search=bed", limit) == await names(
        catalogue, f"&sort={sort}&in_stock=true&search=bed"
    )


async def test_a_cursor_of_another_order_or_filter_is_refused(catalogue: Catalogue) -> None:
    for number in range(3):
        await create(catalogue, f"Bed {number}")
    answer = await catalogue.app.test_client().get("/products?limit=1&sort=price")
    link = next_address(answer)
    assert (await catalogue.app.test_client().get(link)).status_code == 200

    for changed in (link.replace("sort=price", "sort=name"), f"{link}&in_stock=true", f"{link}&search=Bed"):
        problem = await catalogue.get(changed, 400)
        assert [error["field"] for error in problem["errors"]] == ["cursor"]


async def test_the_cursor_of_a_search_for_none_is_not_that_of_no_search(catalogue: Catalogue) -> None:
    for number in range(3):
        await create(catalogue, f"None {number}")
    answer = await catalogue.app.test_client().get("/products?limit=1")
    link = next_address(answer)

    await catalogue.get(f"{link}&search=None", 400)


@pytest.mark.parametrize("query", ["sort=size", "sort=", "in_stock=maybe", "sort=name&order=up"])
async def test_an_unknown_order_or_filter_is_refused(catalogue: Catalogue, query: str) -> None:
    await catalogue.get(f"/products?{query}", 400)


async def test_the_list_is_a_table(catalogue: Catalogue) -> None:
    await create(catalogue, "Mower", 100, 150)

    answer = await catalogue.app.test_client().get("/products?format=csv")

    header, line = (await answer.get_data(as_text=True)).splitlines()
    row = dict(zip(header.split(","), line.split(","), strict=True))
    assert (row["name"], row["best_offer_price"], row["change_7d"], row["mark_below"]) == ("Mower", "150", "50.0", "")


class TestFreeOffers:
    @pytest.fixture(params=["refuse", "allow"])
    def free(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def environment(self, environment: dict[str, str], free: str) -> dict[str, str]:
        return environment | {"DASHBOARD_OFFERS_FREE": free}

    async def test_an_offer_with_the_price_0_is_shown_and_the_best_one_only_if_allowed(
        self, catalogue: Catalogue, fake: FakeOffers, free: str
    ) -> None:
        product = await catalogue.create()
        fake.default_offers = [offer("free", 0), offer("cheap", 100)]
        await catalogue.refresh()
        path = f"/products/{product['id']}"
        best = 0 if free == "allow" else 100

        assert (await catalogue.get(path))["best_offer"]["price"] == best
        assert (await catalogue.get("/products"))[0]["best_offer"]["price"] == best
        assert [point["price"] for point in (await catalogue.get(f"{path}/trend"))["prices"]] == [best]
        assert {each["price"] for each in await catalogue.get(f"{path}/offers")} == {0, 100}
        assert [point["price"] for point in (await catalogue.get(f"{path}/offers/free/trend"))["prices"]] == [0]

        fake.default_offers = [offer("free", 0)]
        await catalogue.refresh()
        assert ((await catalogue.get(path))["best_offer"] is None) == (free == "refuse")
        assert len(await names(catalogue, "&in_stock=true")) == (free == "allow")


def people_key(name: str) -> Any:
    """The order of ASCII names: runs of digits by their value, the rest in lower case."""
    runs: list[tuple[int, int | str]] = []
    for character in name.lower():
        if character.isdigit() and runs and isinstance(runs[-1][1], int):
            runs[-1] = (0, runs[-1][1] * 10 + int(character))
        elif character.isdigit():
            runs.append((0, int(character)))
        else:
            runs.append((ord(character), character))
    return [(48, value) if isinstance(value, int) else (ord(value), 0) for _, value in runs]


@given(found=st.lists(st.text("aAbZ 019-.", min_size=1, max_size=12), min_size=2, max_size=8))
async def test_any_names_are_in_the_order_of_their_letters_and_numbers(catalogue: Catalogue, found: list[str]) -> None:
    await catalogue.db.execute("DELETE FROM product")
    await catalogue.db.execute(
        """
        INSERT INTO product (product_id, name, description)
        SELECT gen_random_uuid(), name, '' FROM unnest($1::text[]) AS name
        """,
        found,
    )

    rows = await catalogue.db.fetch("SELECT name FROM product ORDER BY name_key")

    assert [people_key(row["name"]) for row in rows] == sorted(map(people_key, found))
