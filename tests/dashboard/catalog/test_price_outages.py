"""The page of a product after times in which the offers service could not be asked."""

import re
import uuid
from datetime import timedelta

from dashboard.catalog.page_views.price_list import PATH
from dashboard.catalog.page_views.words import price_text
from tests.support.fake_offers import Catalogue
from tests.support.pages import browse_page, by_id, figure_text, json_address, named, table
from tests.support.past_prices import DAY, HOUR, chart_lines, product_page, product_with, store_price

MINUTE = timedelta(minutes=1)


async def test_a_time_in_which_the_service_could_not_be_asked_is_told_apart(catalogue: Catalogue) -> None:
    product = (await catalogue.create())["id"]
    for ago, price in [(6 * DAY, 900), (6 * DAY - HOUR, 900), (2 * DAY, 950), (timedelta(0), 950)]:
        await store_price(catalogue, product, ago, price, gaps=ago == 2 * DAY)

    page = await product_page(catalogue, product, "?range=1w")

    assert [data.count("M") for data in chart_lines(page)] == [2, 2]
    shown = by_id(page, "history").text
    assert "Not known: the offers service could not be asked" in shown
    assert "nothing in stock" not in shown
    assert [row[1] for row in table(by_id(page, "history"))] == ["9.00", "not known", "9.50"]


async def test_no_old_price_is_that_of_now(catalogue: Catalogue) -> None:
    product = await product_with(catalogue, (40 * DAY, 1000), (HOUR, 900), asked_now=False)

    page = await product_page(catalogue, product)
    assert re.match(
        r"9\.00 at (\w{3} \d+ \w{3}( \d{4})?, )?\d\d:\d\d UTC.*, the time of the last answer: ",
        figure_text(page, "sentence"),
    )
    assert "not been asked for a while" in by_id(page, "state").text
    assert "Last known" in by_id(page, "history").text
    listed = await browse_page(catalogue.app, PATH)
    assert "price of" in table(listed)[0][5]
    assert "Of 1 product 1 cannot be compared with 7 days ago." in by_id(listed, "state").text
    assert "has not been asked about 1 product for a while" in by_id(listed, "state").text


async def test_the_price_of_the_last_answer_before_an_outage_was_seen(catalogue: Catalogue) -> None:
    """Prices change with each answer, so the last one before an outage is known for no time at all."""
    product = (await catalogue.create())["id"]
    for minutes, price in [(900, 900), (898, 1000), (896, 700)]:
        await store_price(catalogue, product, minutes * MINUTE, price, gaps=True)

    page = await product_page(catalogue, product, "?range=1d")
    assert (figure_text(page, "current"), figure_text(page, "lowest")) == ("7.00", "7.00")
    await store_price(catalogue, product, 2 * MINUTE, 950, gaps=True)
    await store_price(catalogue, product, timedelta(0), 960, gaps=True)

    page = await product_page(catalogue, product, "?range=1d")
    history = await catalogue.get(json_address(page))
    assert figure_text(page, "lowest") == price_text(history["lowest"]["price"]) == "7.00"
    assert "▼ 7.00" in {each.text for each in named(by_id(page, "history"), "text")}
    assert [row[1] for row in table(by_id(page, "history"))] == ["9.00", "10.00", "7.00", "not known", "9.50", "9.60"]


async def test_no_number_of_outages_makes_the_chart_forget_the_last(catalogue: Catalogue) -> None:
    product = await product_with(catalogue, (90 * DAY, 1000), (50 * DAY, 900), asked_now=False)
    await catalogue.db.execute(
        """
        INSERT INTO product_price_gap (product_id, since, until)
        SELECT $1, at, at + interval '6 minutes'
          FROM generate_series(now() - interval '89 days', now() - interval '51 days', interval '45 minutes') AS at
        """,
        uuid.UUID(product),
    )

    page = by_id(await product_page(catalogue, product), "history")

    assert [row[1] for row in table(page)][-1] == "not known"
    assert "1,217 times of at most 6 min in which no price is known are not drawn." in page.text
