"""When a price is the lowest in 30 days: the list, its JSON and CSV, and the morning page follow one rule."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from dashboard.catalog.page_views.price_list import PATH
from dashboard.catalog.queries.moves import select_price_moves
from dashboard.catalog.service import MIN_GAP
from tests.support.fake_offers import Catalogue
from tests.support.pages import browse_page, by_id, named, table
from tests.support.past_prices import DAY, HOUR, Moment, product_with

MINUTE = timedelta(minutes=1)


async def add_gap(catalogue: Catalogue, product: str, ago: timedelta, length: timedelta) -> None:
    """No price is known for this time."""
    since = datetime.now(UTC) - ago
    await catalogue.db.execute(
        "INSERT INTO product_price_gap (product_id, since, until) VALUES ($1, $2, $3)",
        uuid.UUID(product),
        since,
        since + length,
    )


async def said_of(catalogue: Catalogue, name: str = "Lamp") -> bool | None:
    """What is said of a product; fails if two places say different things."""
    [listed] = [each for each in await catalogue.get("/products") if each["name"] == name]
    text = await (await catalogue.app.test_client().get("/products?format=csv")).get_data(as_text=True)
    header, *lines = text.splitlines()
    cells = dict(zip(header.split(","), next(line for line in lines if name in line).split(","), strict=True))
    page = await browse_page(catalogue.app, PATH)
    marked = [row[0] for row in table(page) if "lowest in 30 days" in row[0]]
    moves = await select_price_moves(catalogue.db, datetime.now(UTC), DAY, 30 * DAY, MIN_GAP)

    found: bool | None = listed["lowest_30d"]
    assert cells["lowest_30d"] == {True: "true", False: "false", None: ""}[found]
    assert any(name in each for each in marked) is (found is True)
    assert [move.is_lowest for move in moves if move.name == name] in ([found is True], [])
    return found


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        ([(31 * DAY, 1000), (HOUR, 900)], True),
        ([(29 * DAY, 1000), (HOUR, 900)], None),
        ([(40 * DAY, 1000)], False),
        ([(40 * DAY, 1000), (20 * DAY, 900), (HOUR, 950)], False),
        ([(40 * DAY, 800), (20 * DAY, 950), (HOUR, 900)], False),
        ([(40 * DAY, 800), (31 * DAY, 950), (HOUR, 900)], True),
        ([(40 * DAY, 1000), (20 * DAY, None), (18 * DAY, 900), (9 * DAY, 1000), (HOUR, 900)], True),
        ([(40 * DAY, 1000), (HOUR, None)], None),
    ],
    ids=[
        "cheaper than ever",
        "known for 29 days",
        "always the same",
        "cheaper within 30 days",
        "the price carried into the 30 days was lower",
        "cheaper before the 30 days",
        "as cheap as before",
        "sold out",
    ],
)
async def test_a_price_is_the_lowest_if_it_is_known_for_30_days_never_lower_and_once_higher(
    catalogue: Catalogue, prices: list[Moment], expected: bool | None
) -> None:
    await product_with(catalogue, *prices)

    assert await said_of(catalogue) is expected


async def test_an_old_price_is_not_the_lowest(catalogue: Catalogue) -> None:
    await product_with(catalogue, (40 * DAY, 1000), (HOUR, 900), asked_now=False)

    assert await said_of(catalogue) is None


@pytest.mark.parametrize(
    ("ago", "length", "expected"),
    [
        (10 * DAY, DAY - MINUTE, True),
        (10 * DAY, DAY + MINUTE, None),
        (40 * DAY, 9 * DAY, True),
        (32 * DAY, 3 * DAY - MINUTE, True),
        (32 * DAY, 3 * DAY + MINUTE, None),
    ],
)
async def test_of_the_30_days_at_most_one_may_be_unknown(
    catalogue: Catalogue, ago: timedelta, length: timedelta, expected: bool | None
) -> None:
    product = await product_with(catalogue, (50 * DAY, 1000), (HOUR, 900))
    await add_gap(catalogue, product, ago, length)

    assert await said_of(catalogue) is expected


async def test_several_short_outages_are_added_up(catalogue: Catalogue) -> None:
    product = await product_with(catalogue, (50 * DAY, 1000), (HOUR, 900))
    for number in range(1, 6):
        await add_gap(catalogue, product, number * DAY, 5 * HOUR)

    assert await said_of(catalogue) is None


async def test_the_headline_names_the_products_at_their_lowest_with_links(catalogue: Catalogue) -> None:
    names = ["כיסא", "Lamp <b>", "Bed", "Desk", "Safe"]
    for name in names[:2]:
        await product_with(catalogue, (40 * DAY, 1000), (HOUR, 900), name=name)
    headline = by_id(await browse_page(catalogue.app, PATH), "state")
    assert "Lamp <b> and כיסא are at their lowest in 30 days." in headline.text
    assert [each.text for each in named(headline, "bdi")] == ["Lamp <b>", "כיסא"]
    assert len(named(headline, "a")) == 2

    for name in names[2:]:
        await product_with(catalogue, (40 * DAY, 1000), (HOUR, 900), name=name)
    headline = by_id(await browse_page(catalogue.app, PATH), "state")
    assert "Bed, Desk, Lamp <b> and 2 more are at their lowest in 30 days." in headline.text
    searched = by_id(await browse_page(catalogue.app, f"{PATH}?search=bed"), "state")
    assert "lowest" not in searched.text
