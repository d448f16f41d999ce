"""The list of prices: its figures are those of the JSON, and each product is on one of its pages."""

from datetime import datetime

from dashboard.catalog.page_views.price_list import PATH
from dashboard.catalog.page_views.words import percent_text, price_text
from tests.support.fake_offers import Catalogue
from tests.support.pages import browse, browse_page, by_id, json_address, named, table
from tests.support.past_prices import DAY, HOUR, PRICES, product_with


async def test_the_headline_counts_only_what_is_known_now(catalogue: Catalogue) -> None:
    await product_with(catalogue, (9 * DAY, 1000), (HOUR, 900), name="Cheaper")
    await product_with(catalogue, (9 * DAY, 1000), (HOUR, 900), name="Cheaper, but long ago", asked_now=False)
    await product_with(catalogue, (9 * DAY, 1000), (HOUR, None), name="Sold out long ago", asked_now=False)
    await product_with(catalogue, (HOUR, 900), name="New")
    await catalogue.create("Never asked")

    page = await browse_page(catalogue.app, PATH)

    assert "Of 5 products 1 is cheaper than 7 days ago; 4 cannot be compared." in by_id(page, "state").text


async def test_the_list_has_the_figures_of_the_json(catalogue: Catalogue) -> None:
    await product_with(catalogue, *PRICES, name="Lamp 2")
    await product_with(catalogue, (10 * DAY, 300), (HOUR, None), name="lamp 10")
    await product_with(catalogue, (HOUR, 700), name="Chair")

    for query, names in [
        ("", ["Chair", "Lamp 2", "lamp 10"]),
        ("?sort=-price", ["Lamp 2", "Chair", "lamp 10"]),
        ("?search=LAMP", ["Lamp 2", "lamp 10"]),
    ]:
        page = await browse_page(catalogue.app, PATH + query)
        listed = await catalogue.get(json_address(page))
        assert [each["name"] for each in listed] == names
        for row, each in zip(table(page), listed, strict=True):
            best, change = each["best_offer"], each["change_7d"]
            assert row[0] == each["name"]
            assert row[1] == ("sold out" if best is None else price_text(best["price"]))
            assert row[2] == ("–" if change is None else percent_text(change))
            assert row[3] == str(each["offers_in_stock"])
            assert datetime.fromisoformat(each["freshness"]["last_attempt"]).strftime("%H:%M") in row[5]
    assert "1 has nothing in stock" in by_id(page, "state").text
    for label in ("CSV", "XLSX"):
        answer = await catalogue.app.test_client().get(json_address(page, label))
        assert answer.status_code == 200
        assert "attachment" in answer.headers["Content-Disposition"]


async def test_a_sparkline_has_a_gap_where_nothing_was_in_stock(catalogue: Catalogue) -> None:
    await product_with(catalogue, *PRICES)

    page = await browse_page(catalogue.app, PATH)

    [line] = [each.attributes["d"] for each in named(by_id(page, "prices"), "path")]
    assert line.count("M") == 2
    assert "with times without a price" in by_id(page, "prices").text


async def test_pages_of_the_list_have_every_product_once(catalogue: Catalogue) -> None:
    await catalogue.create_many(120)
    found: list[str] = []
    address = f"{PATH}?search=-"
    while address:
        page = await browse_page(catalogue.app, address)
        shown = [row[0] for row in table(page)]
        assert [each["name"] for each in await catalogue.get(json_address(page))] == shown
        found += shown
        following = [link for link in named(page, "a") if link.attributes.get("rel") == "next"]
        address = following[0].attributes["href"] if following else ""

    assert len(found) == len(set(found)) == 120
    answer = await browse(catalogue.app, f"{PATH}?cursor=x")
    assert answer.status_code == 400
    assert (await browse(catalogue.app, f"{PATH}?utm_source=mail")).status_code == 200
