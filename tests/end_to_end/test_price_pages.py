"""The pages of prices in a browser."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest
from playwright.async_api import Browser, Page, expect

import dashboard.app
import dashboard.config
from common.config import Secret, read_config
from tests.support.applications import free_port
from tests.support.browser import watch
from tests.support.served import served

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

PATH = "/board/prices"
LAMP, WIDE_NAME, HEBREW, SCRIPT = (UUID(int=number) for number in range(1, 5))
NAMES = {
    LAMP: "Desk lamp",
    WIDE_NAME: "w" * 200,
    HEBREW: "כיסא עם משענת (12)",
    SCRIPT: "<img src=x onerror=window.hacked=1>",
}
API_TOKEN = "the-token-of-the-api"


@dataclass(frozen=True)
class Prices:
    """A dashboard that is served with products of its own, which no job refreshes."""

    url: str
    db: asyncpg.Pool

    def address(self, product: UUID | None = None, query: str = "") -> str:
        return f"{self.url}{PATH}{'' if product is None else f'/{product}'}{query}"

    async def change_price(self, product: UUID, price: int) -> None:
        """The offers service has told another price just now."""
        await self.db.execute(
            "INSERT INTO product_price_change (product_id, at, price) VALUES ($1, now(), $2)", product, price
        )
        await self.db.execute(
            """
            UPDATE product_refresh
               SET best_price = $2, last_success = now(), attempted_at = now()
             WHERE product_id = $1
            """,
            product,
            price,
        )
        await self.db.execute("UPDATE offer SET price = $2 WHERE product_id = $1", product, price)


async def seed(db: asyncpg.Pool) -> None:
    """Products with 40 days of prices: 9.00, nothing for a day, 12.40, and for the last hour 10.00."""
    for product, name in NAMES.items():
        await db.execute("INSERT INTO product (product_id, name, description) VALUES ($1, $2, '')", product, name)
        await db.execute(
            """
            INSERT INTO product_refresh (product_id, registered_at, attempted_at, last_success, best_price, week_price)
            VALUES ($1, now(), now(), now(), 1000, 1240)
            """,
            product,
        )
        await db.execute(
            """
            INSERT INTO product_price_change (product_id, at, price)
            SELECT $1, now() - hours * interval '1 hour', price
              FROM (VALUES (960, 900), (480, NULL), (456, 1240), (1, 1000)) AS change (hours, price)
            """,
            product,
        )
        await db.execute(
            """
            INSERT INTO offer (product_id, offer_id, numeric_id, price, items_in_stock, first_seen, changed_at)
            VALUES ($1, 'a', false, 1000, 5, now() - interval '40 days', now())
            """,
            product,
        )


@pytest.fixture
async def prices(
    environment: dict[str, str], dashboard_url: Secret, dashboard_db: asyncpg.Pool
) -> AsyncIterator[Prices]:
    await seed(dashboard_db)
    app = dashboard.app.create_app(read_config(dashboard.config.Config, environment), dashboard_url)
    async with served(app, free_port()) as url:
        yield Prices(url, dashboard_db)


async def test_a_new_price_appears_without_a_reload_and_the_page_stays_connected(
    browser: Browser, prices: Prices
) -> None:
    watched = await watch(browser, prices.url)
    page = watched.page
    await page.clock.install(time=datetime.now(UTC))
    for address, element in [(prices.address(), f'[data-product="{LAMP}"]'), (prices.address(LAMP), "#state")]:
        await page.goto(address)
        await expect(page.locator(element)).to_contain_text("10.00")
        await page.evaluate("window.stays = true")
        await prices.change_price(LAMP, 877)

        await page.clock.run_for(25_000)
        await expect(page.locator("#connection")).to_be_hidden()
        await page.clock.run_for(7_000)
        await expect(page.locator(element)).to_contain_text("8.77")
        assert await page.evaluate("window.stays")
        await prices.change_price(LAMP, 1000)
    assert watched.faults == []


async def test_what_is_typed_stays_while_the_page_refreshes(browser: Browser, prices: Prices) -> None:
    watched = await watch(browser, prices.url)
    page = watched.page
    await page.clock.install(time=datetime.now(UTC))
    await page.goto(prices.address(LAMP))
    await page.get_by_label("When the best price is below").fill("9.50")
    await page.locator("h1").click()
    await prices.change_price(LAMP, 990)
    await page.clock.run_for(31_000)

    await expect(page.locator("#state")).to_contain_text("9.90 now")
    await expect(page.get_by_label("When the best price is below")).to_have_value("9.50")


async def test_the_chart_is_read_at_the_time_of_the_pointer_and_by_keys(browser: Browser, prices: Prices) -> None:
    watched = await watch(browser, prices.url, viewport={"width": 1280, "height": 900})
    page = watched.page
    await page.goto(prices.address(LAMP, "?range=all"))
    chart, output = page.locator("svg.wide[data-plot]"), page.locator("figure output")
    await chart.scroll_into_view_if_needed()
    box = await chart.bounding_box()
    assert box is not None
    # The price of 9.00 holds for the first half of the time, 12.40 for nearly all of the second.
    for share, text in [(0.4, "price 9.00"), (0.51, "price nothing in stock"), (0.9, "price 12.40")]:
        await page.mouse.move(box["x"] + box["width"] * (60 + share * 688) / 760, box["y"] + box["height"] / 2)
        await expect(output).to_contain_text(text)

    await chart.focus()
    await page.keyboard.press("End")
    await expect(output).to_contain_text("price 10.00")
    await page.keyboard.press("ArrowLeft")
    await expect(output).to_contain_text("price 12.40")
    await page.keyboard.press("Home")
    await expect(output).to_contain_text("price 9.00")
    assert watched.faults == []


@pytest.mark.parametrize("scripts", [True, False])
async def test_an_alert_is_set_corrected_and_deleted(browser: Browser, prices: Prices, scripts: bool) -> None:
    context = await browser.new_context(java_script_enabled=scripts)
    page = await context.new_page()
    await page.goto(prices.address(LAMP, "?range=1m"))

    await set_alert(page, "nine")
    await expect(page.locator("#wrong-below")).to_contain_text("must be an amount")
    await expect(page.get_by_label("When the best price is below")).to_have_value("nine")
    await set_alert(page, "9.50")
    await expect(page.locator("#mark-words")).to_contain_text("below 9.50")
    await expect(page.get_by_role("status").filter(has_text="The alert is set.")).to_be_visible()
    await expect(page).to_have_url(re.compile("range=1m(&notice=marked)?$"))
    await page.get_by_role("button", name="Delete it").click()
    await expect(page.locator("#mark-words")).to_contain_text("No alert is set")
    assert await prices.db.fetchval("SELECT count(*) FROM product_mark") == 0


async def set_alert(page: Page, below: str) -> None:
    await page.get_by_label("When the best price is below").fill(below)
    await page.get_by_role("button", name="Set the alert").click()


@pytest.mark.parametrize("product", [None, *NAMES])
async def test_any_name_fits_a_phone(browser: Browser, prices: Prices, product: UUID | None) -> None:
    watched = await watch(browser, prices.url, viewport={"width": 360, "height": 800})
    await watched.page.goto(prices.address(product))

    assert await watched.check() == []
    assert await watched.page.evaluate("window.hacked") is None
    for name in NAMES.values() if product is None else [NAMES[product]]:
        await expect(watched.page.locator("main bdi").get_by_text(name, exact=True)).to_be_visible()


async def test_a_purchaser_searches_and_sorts_without_a_script(browser: Browser, prices: Prices) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await prices.change_price(LAMP, 700)
    await page.goto(prices.address())
    await page.get_by_role("link", name="cheapest").click()
    await expect(page.locator("#prices tbody tr").first).to_contain_text("Desk lamp")
    await page.get_by_label("Search").fill("DESK")
    await page.get_by_role("button", name="Show").click()

    await expect(page.locator("#prices tbody tr")).to_have_count(1)
    assert "sort=price" in page.url
    await page.get_by_role("link", name="Desk lamp").click()
    await expect(page.locator("h1")).to_have_text("Desk lamp")
    await expect(page.locator("#state")).to_contain_text("7.00 now: its lowest in")


async def test_a_page_that_failed_says_when_it_is_old(browser: Browser, prices: Prices) -> None:
    watched = await watch(browser, prices.url)
    page = watched.page
    await page.clock.install(time=datetime.now(UTC))
    await page.goto(prices.address())
    await page.route("**/*", lambda route: route.abort())
    await page.clock.run_for(50_000)

    await expect(page.locator("#connection")).to_contain_text("What you see is old.")


class TestWithApiToken:
    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        return environment | {"DASHBOARD_API_TOKEN": API_TOKEN}

    async def test_the_token_leads_back_to_the_asked_page_and_log_out_ends_it(
        self, browser: Browser, prices: Prices
    ) -> None:
        watched = await watch(browser, prices.url)
        page, asked = watched.page, prices.address(LAMP, "?range=1m")
        await page.goto(asked)
        assert "Desk lamp" not in (await page.content())
        await page.get_by_label("Token").fill(API_TOKEN)
        await page.get_by_role("button", name="Log in").click()

        await expect(page.locator("h1")).to_have_text("Desk lamp")
        assert page.url == asked
        assert await watched.check() == []
        await set_alert(page, "9.50")
        await expect(page.locator("#mark-words")).to_contain_text("below 9.50")
        await page.get_by_role("button", name="Log out").click()
        await expect(page.locator("main")).to_contain_text("You are logged out.")
        await page.goto(asked)
        await expect(page.locator("[data-login]")).to_be_visible()

    async def test_the_morning_page_names_no_product(self, browser: Browser, prices: Prices) -> None:
        watched = await watch(browser, prices.url)
        await watched.page.goto(prices.url)

        await expect(watched.page.locator("main")).to_contain_text("Products and prices need the API token.")
        assert "Desk lamp" not in (await watched.page.content())
