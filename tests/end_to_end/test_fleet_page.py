"""The page of the fleet in a browser: it stays current, and its filters work without a script."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import pytest
from playwright.async_api import Browser, expect

import dashboard.app
import dashboard.config
from common.config import Secret, read_config
from tests.dashboard.uptime.fleet import Store
from tests.dashboard.uptime.test_fleet_page import hourly, load_fleet
from tests.support.applications import free_port
from tests.support.browser import watch
from tests.support.served import served

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
async def url(environment: dict[str, str], dashboard_url: Secret, dashboard_db: asyncpg.Pool) -> AsyncIterator[str]:
    """The address of a dashboard with two stores, both up."""
    now = datetime.now(UTC)
    await load_fleet(
        dashboard_db,
        {"corner": Store(hourly(now), timezone="Europe/Berlin"), "market": Store(hourly(now), timezone="UTC")},
    )
    app = dashboard.app.create_app(read_config(dashboard.config.Config, environment), dashboard_url)
    async with served(app, free_port()) as address:
        yield address


async def test_a_store_that_goes_down_is_on_the_page_without_a_reload(
    browser: Browser, url: str, dashboard_db: asyncpg.Pool
) -> None:
    watched = await watch(browser, url)
    page = watched.page
    await page.clock.install(time=datetime.now(UTC))
    await page.goto(f"{url}/board/stores")
    await expect(page.locator("#headline")).to_contain_text("None of 2 stores is down now.")
    now = datetime.now(UTC)
    down = Store(hourly(now, lambda hour: hour == 0), timezone="Europe/Berlin")
    await load_fleet(dashboard_db, {"corner": down, "market": Store(hourly(now), timezone="UTC")})
    await page.clock.run_for(61_000)

    await expect(page.locator("#headline")).to_contain_text("1 of 2 stores is down now.")
    await expect(page.locator('[data-store="corner"]')).to_contain_text("Down")
    await expect(page.locator("[data-store]").first).to_have_attribute("data-store", "corner")
    assert watched.faults == []


async def test_filters_work_without_a_script(browser: Browser, url: str) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{url}/board/stores")
    await page.get_by_label("Search").fill("berlin")
    await page.get_by_label("Target in per cent").fill("99,5")
    await page.get_by_role("button", name="Show").click()

    await expect(page.locator("[data-store]")).to_have_count(1)
    await expect(page.locator("#stores h2")).to_have_text("Stores, with “berlin”, worst first")
    assert re.search(r"search=berlin.*target=99%2C5", page.url)
    await page.get_by_role("link", name="All stores").click()
    await expect(page.locator("[data-store]")).to_have_count(2)
    await page.get_by_role("link", name="2 stores: 100%").click()
    await expect(page).to_have_url(re.compile(r"target=99\.5&band=100$"))
    await expect(page.locator('.bands [aria-current="true"]')).to_contain_text("100%")


@pytest.mark.parametrize("width", [1280, 820, 390])
async def test_a_very_long_id_hides_no_figure_and_each_column_keeps_its_heading(
    browser: Browser, url: str, dashboard_db: asyncpg.Pool, width: int
) -> None:
    now = datetime.now(UTC)
    await load_fleet(dashboard_db, {"x" * 100: Store(hourly(now), timezone="America/Argentina/Buenos_Aires")})
    page = await browser.new_page(viewport={"width": width, "height": 800})
    await page.goto(f"{url}/board/stores")
    await expect(page.locator("[data-store]")).to_have_count(1)
    strip = await page.locator("[data-store] svg").bounding_box()
    assert strip is not None
    assert strip["x"] + strip["width"] <= width
    if width > 704:  # on a phone the table is a list
        headings = page.locator(".stores thead th:visible")
        cells = page.locator("[data-store] > :visible")
        assert await headings.count() == await cells.count()
    await page.close()


async def test_a_report_is_made_without_a_script(browser: Browser, url: str) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{url}/board/stores")
    await page.get_by_role("button", name="Make one now").click()

    await expect(page).to_have_url(re.compile(r"/board/stores#reports$"))
    await expect(page.locator("[data-report]")).to_have_count(1)
