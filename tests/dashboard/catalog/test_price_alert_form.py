"""The form of a product's alert, and the token that the pages of prices ask for."""

import re
import uuid
from typing import Any

import pytest
from quart import Response

from dashboard.catalog.page_views.price_list import PATH
from tests.support.fake_offers import Catalogue
from tests.support.pages import BROWSER, browse_page, by_id
from tests.support.past_prices import PRICES, product_with


async def send(catalogue: Catalogue, address: str, **fields: str) -> Response:
    client = catalogue.app.test_client()
    return await client.post(address, form=fields, headers=BROWSER)


async def test_an_alert_is_set_and_deleted_by_the_form(catalogue: Catalogue) -> None:
    product = await product_with(catalogue, *PRICES)
    address = f"{PATH}/{product}/mark"

    answer = await send(catalogue, f"{address}?range=1m", below="9.50", back_in_stock="on")
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{PATH}/{product}?range=1m&notice=marked"
    page = await browse_page(catalogue.app, answer.headers["Location"])
    assert "the best price is below 9.50." in by_id(page, "mark-words").text
    assert "the product is in stock again; watched since" in by_id(page, "mark-words").text
    assert "The alert is set." in by_id(page, "mark").text
    assert (await catalogue.get(f"/products/{product}/mark"))["below"] == 950

    answer = await send(catalogue, address, action="delete", below="9.50")
    assert answer.headers["Location"] == f"{PATH}/{product}?notice=unmarked"
    await catalogue.get(f"/products/{product}/mark", 404)


@pytest.mark.parametrize("below", ["", "nine", "0"])
async def test_a_wrong_alert_is_refused_beside_its_field(catalogue: Catalogue, below: str) -> None:
    product = await product_with(catalogue, *PRICES)

    answer = await send(catalogue, f"{PATH}/{product}/mark", below=below)

    text = await answer.get_data(as_text=True)
    assert answer.status_code == 400
    assert 'aria-invalid="true"' in text
    assert "Nothing was changed." in text
    assert "data-refresh" not in text  # its address answers no GET
    await catalogue.get(f"/products/{product}/mark", 404)


async def test_a_refused_form_is_not_sent_back_at_any_length(catalogue: Catalogue) -> None:
    product = await product_with(catalogue, *PRICES)

    answer = await send(catalogue, f"{PATH}/{product}/mark", below="9" * 100_000)

    assert answer.status_code == 400
    assert "9" * 31 not in await answer.get_data(as_text=True)


async def test_a_notice_is_shown_only_while_it_is_true(catalogue: Catalogue) -> None:
    product = await product_with(catalogue, *PRICES)
    marked, unmarked = (f"{PATH}/{product}?notice={notice}" for notice in ("marked", "unmarked"))

    assert "The alert is set." not in (await browse_page(catalogue.app, marked)).text
    assert "The alert is deleted." in (await browse_page(catalogue.app, unmarked)).text
    await send(catalogue, f"{PATH}/{product}/mark", below="9")
    assert "The alert is set." in (await browse_page(catalogue.app, marked)).text
    assert "The alert is deleted." not in (await browse_page(catalogue.app, unmarked)).text


async def test_an_alert_of_an_unknown_product_is_refused(catalogue: Catalogue) -> None:
    assert (await send(catalogue, f"{PATH}/{uuid.uuid4()}/mark", below="9")).status_code == 404


class TestWithApiToken:
    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        return environment | {"DASHBOARD_API_TOKEN": "the-token-of-the-api"}

    async def test_the_pages_ask_for_the_token_and_lead_back(self, catalogue: Catalogue) -> None:
        [product] = await catalogue.create_many(1)
        asked = f"{PATH}/{product}?range=1m"
        client = catalogue.app.test_client()

        form = await (await client.get(asked, headers=BROWSER)).get_data(as_text=True)
        assert "DASHBOARD_API_TOKEN" in form
        assert product not in form.partition("<main")[2].replace(f'value="{asked}"', "")
        fields: dict[str, Any] = {"token": "the-token-of-the-api", "target": asked}
        answer = await client.post(f"{PATH}/login", form=fields, headers=BROWSER)
        assert (answer.status_code, answer.headers["Location"]) == (303, asked)
        answer = await client.get(asked, headers=BROWSER)
        text = await answer.get_data(as_text=True)
        assert f"<bdi>{product}</bdi>" in text
        assert answer.headers["Cache-Control"] == "no-store"
        assert "it needs the token" in text

        csrf = re.search(r'name="csrf" value="([^"]+)"', text)
        assert csrf is not None
        mark = f"{PATH}/{product}/mark"
        assert (await client.post(mark, form={"below": "9"}, headers=BROWSER)).status_code == 403
        answer = await client.post(mark, form={"below": "9", "csrf": csrf[1]}, headers=BROWSER)
        assert answer.status_code == 303
        answer = await client.post(f"{PATH}/logout", form={"csrf": csrf[1]}, headers=BROWSER)
        assert answer.status_code == 303
        assert "data-login" in await (await client.get(PATH, headers=BROWSER)).get_data(as_text=True)

    async def test_an_alert_without_a_session_changes_nothing(self, catalogue: Catalogue) -> None:
        [product] = await catalogue.create_many(1)

        answer = await send(catalogue, f"{PATH}/{product}/mark", below="9")

        assert answer.headers["Location"] == f"{PATH}?notice=session_expired"
        assert await catalogue.db.fetchval("SELECT count(*) FROM product_mark") == 0
