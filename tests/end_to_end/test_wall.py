"""The wall in a browser: large, without scrolling, and never old without saying so."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest
from playwright.async_api import Browser, Page, expect

import dashboard.app
import dashboard.config
from common.config import Secret, read_config
from dashboard.bookings.decoding import BookingEvent
from dashboard.bookings.queries.ledger import insert_events
from tests.support.applications import free_port
from tests.support.browser import watch
from tests.support.feeds import MAIN_LEDGER
from tests.support.served import served

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

OVERFLOW = """[...document.querySelectorAll(".block")].filter(each =>
    each.scrollHeight > each.clientHeight + 1 || each.scrollWidth > each.clientWidth + 1 ||
    each.getBoundingClientRect().bottom > innerHeight || each.getBoundingClientRect().right > innerWidth
).map(each => each.id)"""
FONTS = """[...document.querySelectorAll(".block *")].filter(each =>
    [...each.childNodes].some(node => node.nodeType === 3 && node.data.trim())
).map(each => [!!each.closest("b"), 100 * parseFloat(getComputedStyle(each).fontSize) / innerWidth])"""
"""Whether it is a figure, and the size of its letters in hundredths of the width, of each element with a text."""

Wall = Callable[[int], AbstractAsyncContextManager[str]]


async def seed(db: asyncpg.Pool, today: date, houses: int) -> None:
    """Houses with long names of which one is overbooked; a late feed; stores down, or without data; late orders."""
    now, events = datetime.now(UTC), []
    for hotel in range(1, houses + 1):
        taken = 123 if hotel == 1 else 17 + hotel
        events += [BookingEvent(1000 * hotel + n, hotel, now, 1, f"{hotel}-{n}", today) for n in range(taken)]
        name = f"The Old Corn Exchange Hotel and Conference Centre {hotel}"
        await db.execute("INSERT INTO hotel_profile VALUES ($1, $2, 120, NULL, false)", hotel, name)
    async with db.acquire() as connection, connection.transaction():
        await insert_events(connection, MAIN_LEDGER, events)
    await db.execute(
        "UPDATE feed_progress SET data_through = $1, first_read_at = $1", now - timedelta(hours=3, minutes=44)
    )
    await db.execute(
        """
        INSERT INTO front_desk_order (table_id, id, callback_url, table_type, seats, price, minutes, ordered_at,
                                      received_at, provider_status)
        SELECT 1, number, 'http://provider.example/', 'cabin', 4, 10, 60, now() - interval '75 minutes',
               now() - interval '75 minutes', 'waiting'
          FROM generate_series(1, 128) AS number
        """
    )
    await db.execute(
        """
        INSERT INTO store_poll (store_id, polled_at, active)
        SELECT 9223372036854770000 + number, now() - minutes * interval '1 minute', minutes > 60
          FROM generate_series(1, 1246) AS number, unnest(ARRAY[1500, 20]) AS minutes
         WHERE number <= 12 OR minutes = 1500
        """
    )
    await db.execute(
        """
        INSERT INTO store (store_id, timezone, first_polled_at, last_polled_at)
        SELECT store_id, 'UTC', min(polled_at), max(polled_at) FROM store_poll GROUP BY store_id
        """
    )
    await db.execute(
        """
        INSERT INTO poll_span (span_start, first_polled_at, last_polled_at)
        SELECT date_bin('5 minutes', polled_at, '2000-01-01 00:00:00+00'), min(polled_at), max(polled_at)
          FROM store_poll GROUP BY 1
        """
    )


@pytest.fixture
def wall(environment: dict[str, str], dashboard_url: Secret, dashboard_db: asyncpg.Pool, today: date) -> Wall:
    """Serves a dashboard with a number of houses; yields the address of its wall."""

    @asynccontextmanager
    async def serve(houses: int) -> AsyncIterator[str]:
        await seed(dashboard_db, today, houses)
        app = dashboard.app.create_app(read_config(dashboard.config.Config, environment), dashboard_url)
        async with served(app, free_port()) as url:
            yield f"{url}/wall"

    return serve


async def check_size(page: Page) -> None:
    """Fails unless all is large, and on the screen."""
    assert await page.evaluate(OVERFLOW) == []
    sizes = await page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.scrollHeight, innerWidth, innerHeight]"
    )
    assert sizes[:2] <= sizes[2:]
    fonts = await page.evaluate(FONTS)
    assert min(size for is_figure, size in fonts if is_figure) >= 3
    assert min(size for is_figure, size in fonts if not is_figure) >= 1.5


@pytest.mark.parametrize("houses", [8, 20])
async def test_on_a_screen_of_16_by_9_all_is_large_and_nothing_is_cut_off(
    browser: Browser, wall: Wall, houses: int
) -> None:
    async with wall(houses) as url:
        for width, height in ((1920, 1080), (1280, 720), (3840, 2160)):
            watched = await watch(browser, url.removesuffix("/wall"), viewport={"width": width, "height": height})
            await watched.page.goto(f"{url}?theme=dark")
            await check_size(watched.page)
            assert await watched.page.locator("#tonight li").count() == 8
            assert await watched.page.get_by_text("and 12 more, in the total above").count() == (houses == 20)
            await expect(watched.page.locator("#stores")).to_contain_text(
                "12 of 1,246 stores; nothing is known of 1,234"
            )
            assert await watched.check() == []
            await watched.page.context.close()


async def test_the_theme_is_that_of_the_address_whatever_the_device_prefers(browser: Browser, wall: Wall) -> None:
    async with wall(1) as url:
        colours = []
        for scheme in ("light", "dark"):
            for theme in ("light", "dark"):
                context = await browser.new_context(color_scheme=scheme)
                page = await context.new_page()
                await page.goto(f"{url}?theme={theme}")
                colours.append(await page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert colours[:2] == colours[2:]
    assert colours[0] != colours[1]


async def test_an_order_appears_and_a_lost_connection_frames_the_screen(
    browser: Browser, wall: Wall, dashboard_db: asyncpg.Pool
) -> None:
    async with wall(2) as url:
        watched = await watch(browser, url.removesuffix("/wall"), viewport={"width": 1920, "height": 1080})
        page = watched.page
        await page.clock.install(time=datetime.now(UTC))
        await page.goto(f"{url}?theme=dark")
        await expect(page.locator("#orders")).to_contain_text("128 !")
        await dashboard_db.execute("DELETE FROM front_desk_order WHERE id <= 100")
        await page.clock.run_for(6_000)
        await expect(page.locator("#orders")).to_contain_text("28 !")

        await page.route("**/*", lambda route: route.abort())
        await page.clock.run_for(20_000)
        await expect(page.locator("#connection")).to_contain_text("What you see is old.")
        frame = await page.evaluate("getComputedStyle(document.body, '::after').borderTopWidth")
        assert float(frame.removesuffix("px")) > 20
        assert await page.evaluate(OVERFLOW) == []

        await page.unroute("**/*")
        await page.clock.run_for(6_000)
        await expect(page.locator("#connection")).to_be_hidden()
        await expect(page.locator("body")).not_to_have_class(re.compile("lost"))
        assert watched.faults == []


async def test_without_a_script_the_wall_says_the_same_and_asks_again(browser: Browser, wall: Wall) -> None:
    async with wall(2) as url:
        texts = []
        for scripts in (True, False):
            page = await (await browser.new_context(java_script_enabled=scripts)).new_page()
            await page.goto(url)
            texts.append(await page.locator("main").inner_text())
            asks_again = await page.locator('noscript meta[http-equiv="refresh"]').count()
            assert asks_again == (not scripts)
    assert texts[0] == texts[1]


async def test_a_name_that_reads_from_right_to_left_is_cut_off_at_its_end(
    browser: Browser, wall: Wall, dashboard_db: asyncpg.Pool
) -> None:
    async with wall(1) as url:
        await dashboard_db.execute("UPDATE hotel_profile SET name = $1", "فندق " + "الميناء الكبير " * 9)
        page = await browser.new_page(viewport={"width": 1920, "height": 1080})
        await page.goto(url)
        house = page.locator(".house")
        assert await house.evaluate("each => each.scrollWidth > each.clientWidth")
        assert await house.evaluate("each => getComputedStyle(each).direction") == "rtl"
        assert await house.evaluate("each => getComputedStyle(each).textAlign") == "left"
