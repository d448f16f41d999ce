"""The page of a store in a browser: its strip by keyboard, its refresh, its badge."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import asyncpg
import pytest
from playwright.async_api import Browser, Page, expect

import dashboard.app
import dashboard.config
from common.config import Secret, read_config
from tests.dashboard.uptime.fleet import Store, every_day, load
from tests.support.applications import free_port
from tests.support.browser import watch
from tests.support.served import served

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

STORE = "a/b " + "8139926242460185114" * 5
SIZES = pytest.mark.parametrize(("width", "days", "size"), [(1280, 90, "wide"), (360, 30, "narrow")])


@pytest.fixture
async def store(
    environment: dict[str, str], dashboard_url: Secret, dashboard_db: asyncpg.Pool
) -> AsyncIterator[tuple[str, str]]:
    """The origin of a served dashboard, and the address of a store that was polled every hour and is down now."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    polls = [(now - timedelta(hours=hours), hours > 1 and hours % 50 != 7) for hours in range(1, 24 * 100)]
    await load(dashboard_db, {STORE: Store(polls, every_day("00:00", "24:00"), "UTC")})
    app = dashboard.app.create_app(read_config(dashboard.config.Config, environment), dashboard_url)
    async with served(app, free_port()) as url:
        yield url, f"{url}/board/stores/{quote(STORE, safe='')}"


async def focused_name(page: Page) -> str:
    return str(await page.evaluate("document.activeElement.getAttribute('aria-label')"))


@SIZES
async def test_the_strip_is_one_tab_stop_and_keys_move_by_a_day_and_a_week(
    browser: Browser, store: tuple[str, str], width: int, days: int, size: str
) -> None:
    origin, address = store
    watched = await watch(browser, origin, viewport={"width": width, "height": 900})
    page = watched.page
    await page.goto(address)
    strip = page.locator(f"#strip svg.{size}")
    links = strip.locator("a")
    await expect(links).to_have_count(days)
    assert await strip.locator('a[tabindex="0"]').count() == 1

    await page.locator("#figures a").focus()
    await page.keyboard.press("Tab")
    await expect(links.nth(days - 1)).to_be_focused()
    for key, place in (
        ("ArrowLeft", days - 2),
        ("PageUp", days - 9),
        ("ArrowUp", days - 16),
        ("ArrowRight", days - 15),
        ("PageDown", days - 8),
        ("Home", 0),
        ("ArrowLeft", 0),
        ("End", days - 1),
    ):
        await page.keyboard.press(key)
        await expect(links.nth(place)).to_be_focused()
    await expect(page.locator("#strip output")).to_have_text(await focused_name(page))
    await page.keyboard.press("Tab")
    await expect(page.locator("#strip summary")).to_be_focused()
    assert watched.faults == []


@SIZES
async def test_every_day_opens_by_the_keyboard_and_stays_the_way_in(
    browser: Browser, store: tuple[str, str], width: int, days: int, size: str
) -> None:
    origin, address = store
    watched = await watch(browser, origin, viewport={"width": width, "height": 900})
    page = watched.page
    await page.goto(address)
    links = page.locator(f"#strip svg.{size} a")
    await links.nth(days - 1).focus()
    await page.keyboard.press("PageUp")
    name = await focused_name(page)
    await page.keyboard.press("Enter")

    await expect(page).to_have_url(re.compile(r"\?day=\d{4}-\d\d-\d\d#day$"))
    await expect(page.locator("#day h2")).to_be_visible()
    day = datetime.strptime(name.split(":")[0], "%b %d %Y")  # noqa: DTZ007 - a day has no zone
    await expect(page.locator("#day h2")).to_have_text(f"{day:%A} {day.day} {day:%B %Y}")
    await expect(links.nth(days - 8)).to_have_attribute("tabindex", "0")
    assert await watched.check() == []


async def test_the_days_have_names_and_the_pointer_shows_them(browser: Browser, store: tuple[str, str]) -> None:
    origin, address = store
    watched = await watch(browser, origin, viewport={"width": 1280, "height": 900})
    page = watched.page
    await page.goto(address)
    link = page.locator("#strip svg.wide a").nth(80)
    name = await link.get_attribute("aria-label") or ""
    await link.hover()

    assert re.fullmatch(r"\w{3} \d+ \d{4}: [\d.]+% uptime, \w+ incidents?", name)
    await expect(page.locator("#strip output")).to_have_text(name)


async def test_the_state_changes_without_a_reload_and_the_page_is_not_lost_in_between(
    browser: Browser, store: tuple[str, str], dashboard_db: asyncpg.Pool
) -> None:
    origin, address = store
    watched = await watch(browser, origin)
    page = watched.page
    await page.clock.install(time=datetime.now(UTC))
    await page.goto(address)
    await expect(page.locator("[data-figure=state]")).to_have_text("Down")
    await page.evaluate("window.stays = true")
    await page.clock.run_for(40_000)
    await expect(page.locator("#connection")).to_be_hidden()
    at = datetime.now(UTC)
    await dashboard_db.execute("INSERT INTO store_poll VALUES ($1, $2, true)", STORE, at)
    await dashboard_db.execute("UPDATE store SET last_polled_at = $1", at)
    await dashboard_db.execute(
        "INSERT INTO store_import (kind, source, made_by, rows, new, changed, rejected_total, rejected, notices,"
        " started_at) VALUES ('status', 'x', 'y', 1, 1, true, 0, '[]', '{}', $1)",
        at,
    )
    await page.clock.run_for(25_000)

    await expect(page.locator("[data-figure=state]")).to_have_text("Up")
    await expect(page.locator("#badge svg")).to_have_attribute("aria-label", re.compile("^Store up, "))
    assert await page.evaluate("window.stays")


async def test_the_badge_is_a_picture_in_any_page(browser: Browser, store: tuple[str, str]) -> None:
    origin, address = store
    watched = await watch(browser, origin)
    page = watched.page
    await page.set_content(f'<img src="{address}/badge.svg" alt="The state of a store">')
    picture = page.get_by_alt_text("The state of a store")

    assert await picture.evaluate("async image => { await image.decode(); return image.naturalHeight; }") == 20
    await page.goto(f"{address}/badge.svg")
    assert await page.evaluate("window.violations") == []


async def test_the_page_prints_on_three_sheets_at_most(browser: Browser, store: tuple[str, str]) -> None:
    origin, address = store
    watched = await watch(browser, origin)
    await watched.page.goto(address)
    sheets = await watched.page.pdf(prefer_css_page_size=True)

    assert len(re.findall(rb"/Type\s*/Page\b", sheets)) <= 3
