"""The pages of prices: their figures are those of the JSON, whatever products are called, and who may see them."""

import uuid
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from dashboard.catalog.page_views.price_list import PATH
from dashboard.catalog.page_views.words import price_text
from tests.support.fake_offers import Catalogue, FakeOffers, offer
from tests.support.pages import (
    addresses,
    browse,
    browse_page,
    by_id,
    figure_text,
    json_address,
    named,
    rows,
    styled,
    table,
)
from tests.support.past_prices import DAY, HOUR, PRICES, chart_lines, product_page, product_with, store_price

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize("price_range", ["1d", "1w", "1m", "3m", "1y", "all"])
async def test_the_figures_are_those_of_the_price_history(catalogue: Catalogue, price_range: str) -> None:
    product = await product_with(catalogue, *PRICES)

    page = await product_page(catalogue, product, f"?range={price_range}")
    history = await catalogue.get(json_address(page))

    lowest, highest = history["lowest"], history["highest"]
    assert figure_text(page, "lowest") == price_text(lowest["price"])
    assert figure_text(page, "highest") == price_text(highest["price"])
    assert figure_text(page, "mean") == price_text(history["mean"])
    assert figure_text(page, "current") == price_text(history["steps"][-1]["price"])
    assert figure_text(page, "in_stock_share") == f"{int(history['in_stock_share'] * 100)}%"
    labels = {each.text for each in named(by_id(page, "history"), "text")}
    if lowest["price"] != highest["price"]:
        assert {f"▼ {price_text(lowest['price'])}", f"▲ {price_text(highest['price'])}"} <= labels
    shown = [row[1] for row in table(by_id(page, "history"))]
    assert shown == [
        "nothing in stock" if step["price"] is None else price_text(step["price"]) for step in history["steps"]
    ]


async def test_the_lowest_and_the_highest_price_are_those_of_the_trend(catalogue: Catalogue) -> None:
    product = await product_with(catalogue, *PRICES)

    page = await product_page(catalogue, product)
    start = quote((datetime.now(UTC) - 90 * DAY).isoformat())
    trend = [point["price"] for point in (await catalogue.get(f"/products/{product}/trend?from={start}"))["prices"]]

    assert figure_text(page, "lowest") == price_text(min(trend))
    assert figure_text(page, "highest") == price_text(max(trend))


async def test_a_time_without_stock_is_a_gap_of_the_line(catalogue: Catalogue) -> None:
    product = await product_with(catalogue, *PRICES)

    page = await product_page(catalogue, product, "?range=1m")

    assert [data.count("M") for data in chart_lines(page)] == [2, 2]
    assert "nothing in stock" in by_id(page, "history").text
    assert "not known" not in by_id(page, "history").text


async def test_a_thousand_changes_are_a_small_page_with_the_true_ends(catalogue: Catalogue) -> None:
    product = uuid.UUID((await catalogue.create())["id"])
    await catalogue.db.execute(
        """
        INSERT INTO product_price_change (product_id, at, price)
        SELECT $1, now() - number * interval '1 hour',
               CASE WHEN number % 7 = 0 THEN NULL ELSE 1000 + number * 7919 % 997 END
          FROM generate_series(1, 1000) AS number
        """,
        product,
    )
    await catalogue.db.execute(
        "UPDATE product_refresh SET last_success = now(), best_price = 1000 WHERE product_id = $1", product
    )

    answer = await browse(catalogue.app, f"{PATH}/{product}")
    text = await answer.get_data(as_text=True)
    page = await product_page(catalogue, str(product))
    history = await catalogue.get(json_address(page))

    assert len(text) < 120_000
    assert figure_text(page, "lowest") == price_text(history["lowest"]["price"])
    shown = [row[1] for row in table(by_id(page, "history"))]
    assert {figure_text(page, "lowest"), figure_text(page, "highest")} <= set(shown)
    assert len(shown) < len(history["steps"]) / 2
    assert "the lowest, the highest and the last price of each 120th" in by_id(page, "history").text
    assert len(table(by_id(page, "changes"))) == 50
    assert "The last 50 changes; there are more." in by_id(page, "changes").text


async def test_a_product_without_an_answer_says_so(catalogue: Catalogue, fake: FakeOffers) -> None:
    fake.fail(503)
    product = (await catalogue.create())["id"]

    page = await product_page(catalogue, product)

    assert "not registered with the offers service yet" in figure_text(page, "sentence")
    assert "Not registered yet, tried again with the next refresh. The reason: " in by_id(page, "state").text
    assert "The chart begins with the first answer" in by_id(page, "history").text
    assert "No offer is open" in by_id(page, "offers").text
    row = rows(await browse_page(catalogue.app, PATH))[1]
    assert row[1:4] == ["–", "–", "–"]
    assert "not registered yet" in row[5]


async def test_a_product_with_one_price_claims_no_more_than_it_knows(catalogue: Catalogue) -> None:
    product = await product_with(catalogue, (5 * HOUR, 1240))

    page = await product_page(catalogue, product)

    assert figure_text(page, "sentence") == "12.40 now: the only price in the 5 h that it has been watched."
    assert [data.count("M") for data in chart_lines(page)] == [1, 1]
    assert figure_text(page, "current") == figure_text(page, "lowest") == figure_text(page, "mean") == "12.40"
    assert [row[1] for row in table(by_id(page, "changes"))] == ["first answer"]


@pytest.mark.parametrize("ahead", [timedelta(seconds=2), timedelta(0)])
async def test_a_first_price_of_a_moment_ago_is_no_error(catalogue: Catalogue, ahead: timedelta) -> None:
    """The clock of the database may be ahead of that of the dashboard."""
    product = (await catalogue.create())["id"]
    await store_price(catalogue, product, -ahead, 1240)

    page = await product_page(catalogue, product, "?range=all")

    assert figure_text(page, "sentence").startswith("12.40 now")
    assert "The chart begins with the first answer" in by_id(page, "history").text


async def test_the_line_of_a_closed_offer_is_that_of_its_own_time(catalogue: Catalogue, fake: FakeOffers) -> None:
    product = (await catalogue.create())["id"]
    for days, price in [(150, 900), (130, 1000), (120, 800)]:
        await store_price(catalogue, product, days * DAY, price)
    await store_price(catalogue, product, 119 * DAY, None)
    await store_price(catalogue, product, timedelta(0), None)

    page = by_id(await product_page(catalogue, product, "?offers=all"), "offers")

    [line] = named(page, "svg")
    assert "From 9.00 to 8.00." in line.text


async def test_more_changes_than_a_page_of_json_are_exported_by_the_hour(catalogue: Catalogue) -> None:
    product = await product_with(catalogue, (30 * DAY, 1000), (timedelta(0), 1100))
    await catalogue.db.execute(
        """
        INSERT INTO product_price_change (product_id, at, price)
        SELECT $1, now() - number * interval '2 minutes', 1000 + number % 2 FROM generate_series(1, 10001) AS number
        """,
        uuid.UUID(product),
    )

    page = await product_page(catalogue, product, "?range=1m")
    answer = await catalogue.app.test_client().get(json_address(page, "CSV"))
    lines = (await answer.get_data(as_text=True)).splitlines()

    assert "CSV and XLSX have the lowest, the highest, the mean and the last price of each hour." in page.text
    assert lines[0] == "at,min,max,mean,last,in_stock_share"
    assert len(lines) == 30 * 24 + 2
    assert 'rel="next"' not in answer.headers["Link"]


async def test_the_figures_name_their_period(catalogue: Catalogue) -> None:
    product = await product_with(catalogue, *PRICES)

    for query, words in [("", "over 3 months"), ("?range=1d", "over 1 day"), ("?range=1y", "since ")]:
        page = await product_page(catalogue, product, query)
        assert by_id(page, "history-head").text.startswith(f"Lowest price in stock {words}")


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "כיסא עם משענת", "x" * 200]
)
async def test_any_name_is_shown_as_it_is(catalogue: Catalogue, name: str) -> None:
    product = await product_with(catalogue, *PRICES, name=name)

    for path in (PATH, f"{PATH}/{product}"):
        text = await (await browse(catalogue.app, path)).get_data(as_text=True)
        page = await browse_page(catalogue.app, path)
        assert name in [each.text for each in named(page, "bdi")]
        assert "alert(1)<" not in text
        assert "<img" not in text


async def test_no_product_has_a_name_of_300_characters(catalogue: Catalogue) -> None:
    answer = await catalogue.app.test_client().post("/products", json={"name": "x" * 300, "description": ""})
    assert answer.status_code == 400


async def test_offers_are_listed_and_closed_ones_are_behind_a_link(catalogue: Catalogue, fake: FakeOffers) -> None:
    product = (await catalogue.create())["id"]
    fake.offers[product] = [offer(1, 900), offer("b <i>", 800), offer(3, 700, 0)]
    await catalogue.refresh()
    fake.offers[product] = [offer("b <i>", 850), offer(3, 700, 0)]
    await catalogue.db.execute("UPDATE product_refresh SET due_at = NULL")
    await catalogue.refresh()

    page = await product_page(catalogue, product)
    section = by_id(page, "offers")
    assert [row[:3] for row in table(section)] == [["b <i>", "8.50", "5"], ["3", "7.00", "sold out"]]
    [link] = [address for address in addresses(section) if "offers=all" in address]

    page = await browse_page(catalogue.app, link.partition("#")[0])
    assert [row[:2] for row in table(by_id(page, "offers"), 1)] == [["1", "9.00"]]
    offers = await catalogue.get(f"/products/{product}/offers")
    assert sorted(str(each["id"]) for each in offers) == ["3", "b <i>"]


async def test_a_failed_refresh_is_named(catalogue: Catalogue, fake: FakeOffers) -> None:
    product = (await catalogue.create())["id"]
    fake.default_offers = [offer("a", 1240)]
    await catalogue.refresh()
    fake.fail(500, only=product)
    await catalogue.refresh()

    page = await product_page(catalogue, product)
    assert "out of order" in styled(by_id(page, "state"), "bad")[0].text
    shown = await browse_page(catalogue.app, PATH)
    assert "The last refresh of 1 product failed" in by_id(shown, "state").text
    assert "failed; price of" in table(shown)[0][5]


async def test_a_page_is_not_sent_again_unless_it_changed(catalogue: Catalogue) -> None:
    product = await product_with(catalogue, *PRICES)

    for path in (PATH, f"{PATH}/{product}"):
        first = await browse(catalogue.app, path)
        again = await browse(catalogue.app, path, **{"If-None-Match": first.headers["ETag"]})
        assert again.status_code == 304
        await catalogue.db.execute("UPDATE product_refresh SET attempted_at = now(), best_price = best_price + 1")
        changed = await browse(catalogue.app, path, **{"If-None-Match": first.headers["ETag"]})
        assert changed.status_code == 200


async def test_an_unknown_product_is_a_page(catalogue: Catalogue) -> None:
    unknown = uuid.uuid4()
    for path in (f"{PATH}/{unknown}", f"{PATH}/lamp"):
        answer = await browse(catalogue.app, path)
        assert answer.status_code == 404
        assert "text/html" in answer.headers["Content-Type"]
    answer = await browse(catalogue.app, f"{PATH}/{unknown}?range=5y")
    assert answer.status_code == 400
