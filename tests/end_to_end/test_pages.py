"""Every page in a browser: without a fault, the same without a script, usable by keyboard, true when data is old."""

import asyncio
import gzip
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg
import msgspec
import pytest
from playwright.async_api import Browser, Page, Route, StorageState, expect

import dashboard.app
import dashboard.config
import provider.app
import provider.config
from common.config import Secret, read_config
from common.web.html import ASSETS
from common.web.page_frame import FrameState
from common.web.page_session import LIFETIME, hash_session, insert_session
from common.web.resources import Application
from dashboard.board.page_views.words import date_text
from dashboard.bookings.decoding import BookingEvent, RejectedEvent
from dashboard.bookings.queries.ledger import insert_events
from dashboard.bookings.queries.quarantine import upsert_quarantine
from dashboard.front_desk.staff import REALM
from provider.simulated_hotels.simulation import Simulation
from tests.support.applications import free_port
from tests.support.browser import watch
from tests.support.feeds import MAIN_LEDGER
from tests.support.served import served

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

WIDE, NARROW = 1280, 360
MAX_HTML, MAX_COMPRESSED, MAX_CSS, MAX_JS = 120_000, 20_000, 16_384, 8_192
FORBIDDEN = re.compile(r"<style|<script(?! src=)|\sstyle=|\son\w+=|javascript:")
ROOMS = 8
STAFF_SESSION = "session-of-staff"


async def seed(db: asyncpg.Pool, today: date) -> None:
    """Two hotels of which one has a name and rooms, with two years behind them and the nights ahead."""
    history = Simulation(7, 2, ROOMS).history(today - timedelta(days=730), today + timedelta(days=1))
    now = datetime.now(UTC)
    events = [
        msgspec.convert({"id": number, **event._asdict()}, BookingEvent)
        for number, event in enumerate(history, 1)
        if event.event_timestamp <= now
    ]
    async with db.acquire() as connection, connection.transaction():
        await insert_events(connection, MAIN_LEDGER, events)
    await db.execute("INSERT INTO hotel_profile VALUES (1, 'Harbour <b>House</b>', $1, NULL, false)", ROOMS)
    await db.execute("UPDATE feed_progress SET data_through = $1, first_read_at = $1", now)
    await seed_stores(db)
    await seed_products(db)
    await seed_system(db)
    for number in range(1, 5):
        await insert_order(db, number)
    await seed_desk(db)


async def seed_desk(db: asyncpg.Pool) -> None:
    """Confirmed orders of which one overlaps with those that wait, one that was cancelled, and a session of staff."""
    await db.execute(
        """
        INSERT INTO front_desk_order (table_id, id, callback_url, table_type, seats, price, name, guests, starts_at,
                                      minutes, ordered_at, provider_status, was_confirmed, mail_failure)
        SELECT table_id, 100 + table_id, 'http://provider.example/', 'window', 4, 10, 'Ann <b>' || table_id, 2,
               now() - interval '30 minutes', 120, now(), CASE table_id WHEN 3 THEN 'cancelled' ELSE 'confirmed' END,
               table_id = 3, CASE table_id WHEN 2 THEN 'The email did not reach the guest: 550' END
          FROM generate_series(1, 3) AS table_id
        """
    )
    await insert_session(db, hash_session(STAFF_SESSION, Secret("staff")), REALM.kind, LIFETIME)


async def seed_stores(db: asyncpg.Pool) -> None:
    """Three stores that are always open, polled an hour ago; one is down since."""
    await db.execute(
        """
        INSERT INTO store_poll (store_id, polled_at, active)
        SELECT store_id, now() - hours * interval '1 hour', store_id <> 'corner' OR hours > 1
          FROM unnest(ARRAY['corner', 'market', 'harbour']) AS store_id, generate_series(1, 24) AS hours
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


async def seed_products(db: asyncpg.Pool) -> None:
    """Two products with 40 days of prices and two offers each; one is cheaper today than ever, and was sold out."""
    for number, name in enumerate(("Towels <large>", "Hair dryer"), 1):
        product = UUID(int=number)
        await db.execute("INSERT INTO product (product_id, name, description) VALUES ($1, $2, '')", product, name)
        await db.execute(
            """
            INSERT INTO product_refresh (product_id, registered_at, attempted_at, last_success, best_price, week_price)
            VALUES ($1, now(), now(), now(), 100 * $2, 200)
            """,
            product,
            number,
        )
        await db.execute(
            """
            INSERT INTO product_price_change (product_id, at, price)
            SELECT $1, now() - hours * interval '1 hour', price
              FROM (VALUES (960, 200), (600, NULL), (560, 210), (2, 100 * $2::bigint)) AS change (hours, price)
            """,
            product,
            number,
        )
        await db.execute(
            """
            INSERT INTO offer (product_id, offer_id, numeric_id, price, items_in_stock, first_seen, changed_at,
                               last_seen, closed_at)
            SELECT $1, offer_id, true, 100 * $2::bigint, 5, now() - interval '30 days', now(), closed, closed
              FROM (VALUES ('1', NULL), ('2', now() - interval '1 day')) AS offer (offer_id, closed)
            """,
            product,
            number,
        )
        await db.execute(
            """
            INSERT INTO offer_price_change (product_id, offer_id, at, price, items_in_stock)
            SELECT product_id, offer_id, first_seen, price, items_in_stock FROM offer WHERE product_id = $1
            """,
            product,
        )
        await db.execute(
            """
            INSERT INTO product_price_gap (product_id, since, until)
            VALUES ($1, now() - interval '5 days', now() - interval '3 days')
            """,
            product,
        )


async def seed_system(db: asyncpg.Pool) -> None:
    """A value in quarantine, a cut-off, a difference that is open and one that was applied, and a dead alert."""
    await upsert_quarantine(db, "main", [RejectedEvent("<b>\x07{}" * 60, "status must be 1 or 2")])
    await db.execute("INSERT INTO feed_cut_off VALUES ('main', now(), 'at most 1,000 events are sent', now(), now())")
    event = (
        '{"id": 1, "hotel_id": 1, "event_timestamp": "2026-01-01T00:00:00Z", "status": 1, "room_id": 1, '
        '"night_of_stay": "2026-01-02"}'
    )
    await db.execute(
        """
        INSERT INTO feed_difference (feed, event_id, kind, counted, first_found, last_found, applied_at, reason)
        VALUES ('main', 1, 'missing', $1, now(), now(), NULL, NULL),
               ('main', 2, 'missing', $1, now(), now(), now(), 'x')
        """,
        event,
    )
    await db.execute(
        """
        INSERT INTO outbox (topic, subject, event, payload, state, settled_at, last_error)
        VALUES ('alert', 'feed_behind main', '1', '{}', 'dead', now(), 'UpstreamError: POST /hook answered 503')
        """
    )


async def insert_order(db: asyncpg.Pool, number: int) -> None:
    """An order that has waited for a quarter of an hour."""
    await db.execute(
        """
        INSERT INTO front_desk_order (table_id, id, callback_url, table_type, seats, price, starts_at, minutes,
                                      ordered_at, received_at, provider_status)
        SELECT 1, $1, 'http://provider.example/', 'window', 4, 10, now() + interval '1 hour', 60,
               now() - interval '15 minutes', now() - interval '15 minutes', 'waiting'
        """,
        number,
    )


@dataclass(frozen=True)
class Board:
    """A dashboard that is served with data of its own, which no feed changes."""

    app: Application
    url: str
    db: asyncpg.Pool
    today: date

    @property
    def staff(self) -> StorageState:
        """The cookie of the session of staff, as a new context of the browser takes it."""
        cookie: Any = {"name": REALM.cookie, "value": STAFF_SESSION, "url": f"{self.url}{REALM.path}"}
        return {"cookies": [cookie]}

    @property
    def pages(self) -> list[str]:
        """The addresses of all kinds of pages."""
        night, past = self.today + timedelta(days=12), self.today - timedelta(days=30)
        return [
            "/",
            f"/?as_of={past}",
            "/board/hotels",
            "/board/hotels?search=harbour",
            "/board/hotels/1",
            f"/board/hotels/1?as_of={past}&match=date&show=ahead",
            "/board/hotels/2?show=pickup7",
            f"/board/hotels/1/nights/{night}",
            f"/board/hotels/2/nights/{past}",
            f"/board/hotels/1/months/{night:%Y-%m}",
            "/board/stores",
            "/board/stores?period=day&target=99.9&state=up&search=UTC",
            "/board/stores?band=missed",
            "/board/alerts",
            "/board/system",
            "/board/stores/corner",
            f"/board/stores/market?day={self.today - timedelta(days=1)}",
            "/board/stores/nobody",
            "/board/prices",
            "/board/prices?search=dryer&sort=-price",
            f"/board/prices/{UUID(int=1)}",
            f"/board/prices/{UUID(int=1)}?range=1w&offers=all",
            f"/board/prices/{UUID(int=2)}?range=all&notice=marked",
            f"/board/prices/{UUID(int=99)}",
            "/front-desk",
            "/front-desk?search=ann",
            f"/front-desk?day={night}&search=nobody",
            "/front-desk/decline?order=1",
            "/wall",
            "/wall?theme=dark",
            "/board/hotels/99",
            "/board/hotels/1?as_of=2999-01-01",
            "/board/nothing",
        ]


@pytest.fixture
async def board(
    environment: dict[str, str], dashboard_url: Secret, dashboard_db: asyncpg.Pool, today: date
) -> AsyncIterator[Board]:
    await seed(dashboard_db, today)
    config = read_config(dashboard.config.Config, environment)
    app = dashboard.app.create_app(config, dashboard_url)
    async with served(app, free_port()) as url:
        async with aiohttp.ClientSession() as client, client.get(f"{url}/stores/spread") as answer:
            assert answer.status == 200  # the first report on stores is made, so that no page changes by itself
        yield Board(app, url, dashboard_db, today)


async def faults_of(browser: Browser, origin: str, paths: Sequence[str], **settings: Any) -> dict[str, list[str]]:
    """The faults of each page that has some."""
    found = {}
    for path in paths:
        watched = await watch(browser, origin, **settings)
        await watched.page.goto(origin + path)
        if faults := await watched.check():
            found[path] = faults
        await watched.page.context.close()
    return found


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_no_page_has_a_fault(browser: Browser, board: Board, width: int, scheme: str) -> None:
    size = {"width": width, "height": 900}

    settings = {"viewport": size, "color_scheme": scheme, "storage_state": board.staff}
    assert await faults_of(browser, board.url, board.pages, **settings) == {}


@pytest.mark.parametrize("width", [WIDE, NARROW])
async def test_the_page_of_the_provider_has_no_fault(
    browser: Browser, environment: dict[str, str], provider_url: Secret, width: int
) -> None:
    config = read_config(provider.config.Config, environment)
    async with served(provider.app.create_app(config, provider_url), free_port()) as url:
        size = {"width": width, "height": 900}
        assert (
            await faults_of(browser, url, ["/", "/inbox", "/book", "/book?guests=0&day=2020-01-01"], viewport=size)
            == {}
        )


async def test_every_page_is_small_and_says_the_same_without_a_script(browser: Browser, board: Board) -> None:
    contexts = [
        await browser.new_context(java_script_enabled=scripts, storage_state=board.staff) for scripts in (True, False)
    ]
    pages = [await context.new_page() for context in contexts]
    asked = {"Accept": "text/html", "Cookie": f"{REALM.cookie}={STAFF_SESSION}"}
    async with aiohttp.ClientSession(headers=asked) as client:
        for path in board.pages:
            async with client.get(board.url + path) as answer:
                html = await answer.read()
                headers = {"Content-Security-Policy": answer.headers["Content-Security-Policy"]}
            # Both get the same answer: some figures move with the clock.
            scripted, plain = [await text_of(page, board.url + path, html, headers) for page in pages]
            assert scripted == plain, path
            assert len(html) <= MAX_HTML, path
            assert len(gzip.compress(html)) <= MAX_COMPRESSED, path
            assert FORBIDDEN.findall(html.decode()) == [], path
            assert 0 < asset_bytes(html.decode(), "css") <= MAX_CSS, path
            assert 0 < asset_bytes(html.decode(), "js") <= MAX_JS, path
    for context in contexts:
        await context.close()


async def text_of(page: Page, address: str, html: bytes, headers: dict[str, str]) -> str:
    """The text of the main part of a page that is answered with this HTML."""

    async def answer(route: Route) -> None:
        await route.fulfill(body=html, headers=headers, content_type="text/html; charset=utf-8")

    await page.route(lambda url: url == address, answer)
    await page.goto(address)
    return " ".join((await page.locator("main").text_content() or "").split())


def asset_bytes(html: str, kind: str) -> int:
    """The length of all assets of a kind that a page needs."""
    names = re.findall(rf'="/assets/[0-9a-f]+/(\w+\.{kind})"', html)
    return sum(len(ASSETS[name].content) for name in names)


async def test_a_page_says_when_it_is_old_and_when_the_feed_is_late(browser: Browser, board: Board) -> None:
    watched = await watch(browser, board.url)
    page = watched.page
    await page.clock.install(time=datetime.now(UTC))
    await page.goto(f"{board.url}/board/hotels/1")
    await expect(page.locator("#freshness")).not_to_have_class(re.compile("late"))

    await board.db.execute("UPDATE feed_progress SET data_through = $1", datetime.now(UTC) - timedelta(seconds=70))
    await page.clock.run_for(11_000)
    await expect(page.locator("#freshness")).to_have_class(re.compile("late"))
    await expect(page.locator("#freshness")).to_contain_text("1 min behind")

    await page.route("**/*", lambda route: route.abort())
    await page.clock.run_for(30_000)
    await expect(page.locator("#connection")).to_contain_text("What you see is old.")
    await page.unroute("**/*")
    await page.clock.run_for(11_000)
    await expect(page.locator("#connection")).to_be_hidden()
    assert watched.faults == []


async def test_an_event_appears_without_a_reload(browser: Browser, board: Board) -> None:
    watched = await watch(browser, board.url)
    page = watched.page
    await page.clock.install(time=datetime.now(UTC))
    night = board.today + timedelta(days=12)
    await page.goto(f"{board.url}/board/hotels/1/nights/{night}")
    await page.evaluate("window.stays = true")
    before = await page.locator("main").text_content()
    await book(board, 3, night)
    await page.clock.run_for(11_000)

    await expect(page.locator("main")).not_to_have_text(before or "")
    assert await page.evaluate("window.stays")


async def book(board: Board, number: int, night: date) -> None:
    """Count a booking of now."""
    event = BookingEvent(9_000_000 + number, 1, datetime.now(UTC), 1, f"extra {number}", night)
    async with board.db.acquire() as connection, connection.transaction():
        await insert_events(connection, MAIN_LEDGER, [event])


async def test_what_holds_the_focus_is_replaced_when_it_is_let_go(browser: Browser, board: Board) -> None:
    watched = await watch(browser, board.url)
    page, table = watched.page, watched.page.locator("#nights .scroll")
    await page.clock.install(time=datetime.now(UTC))
    await page.goto(f"{board.url}/board/hotels/1")
    row, tile = page.locator("#nights tbody tr").first, page.locator(".tile b").first
    before, tile_before = await row.text_content(), await tile.text_content()
    await table.focus()
    await book(board, 1, board.today)
    await page.clock.run_for(11_000)
    await expect(tile).not_to_have_text(tile_before or "")
    assert await row.text_content() == before

    await table.blur()
    await page.clock.run_for(100)
    await expect(row).not_to_have_text(before or "")


async def test_a_refresh_leaves_selected_text_and_unchanged_sections_alone(browser: Browser, board: Board) -> None:
    watched = await watch(browser, board.url)
    page = watched.page
    await page.clock.install(time=datetime.now(UTC))
    await page.goto(f"{board.url}/board/hotels/1")
    await page.evaluate("document.querySelector('#nights').marked = true")
    await page.evaluate("getSelection().selectAllChildren(document.querySelector('#year'))")
    await insert_order(board.db, 5)
    await page.clock.run_for(11_000)

    await expect(page.locator("#pages .badge")).to_have_text("5 waiting")
    assert await page.evaluate("document.querySelector('#nights').marked")
    assert len(await page.evaluate("getSelection().toString()")) > 100


async def test_a_slow_refresh_does_not_replace_the_books_of_the_slider(browser: Browser, board: Board) -> None:
    watched = await watch(browser, board.url)
    page, then, waiting = watched.page, board.today - timedelta(days=30), asyncio.Event()
    await page.clock.install(time=datetime.now(UTC))
    await page.goto(f"{board.url}/board/hotels/1")

    async def delay(route: Route) -> None:
        answer = await route.fetch()
        waiting.set()
        await page.wait_for_url(re.compile("as_of="))
        await route.fulfill(response=answer)

    await book(board, 2, board.today)
    await page.route(lambda url: "as_of" not in url, delay)
    await page.clock.run_for(11_000)
    await waiting.wait()
    await page.get_by_label("Days before today").fill("-30")

    await expect(page.locator("#books .notice")).to_contain_text(date_text(then))
    await page.unroute_all(behavior="wait")
    await expect(page.locator("#books .notice")).to_contain_text(date_text(then))
    assert f"as_of={then}" in page.url


async def test_keys_of_the_browser_are_left_to_it(browser: Browser, board: Board) -> None:
    watched = await watch(browser, board.url)
    page = watched.page
    await page.goto(f"{board.url}/board/hotels/1")
    await page.goto(f"{board.url}/board/hotels/2")
    await page.evaluate("addEventListener('keydown', (event) => { window.prevented = event.defaultPrevented; })")
    await page.locator("[data-roving] a").first.focus()
    await page.keyboard.press("Shift+ArrowRight")

    assert await page.evaluate("window.prevented") is False


async def test_the_slider_moves_the_books_and_the_address(browser: Browser, board: Board) -> None:
    watched = await watch(browser, board.url)
    page, then = watched.page, board.today - timedelta(days=30)
    await page.goto(f"{board.url}/board/hotels/1")
    await page.get_by_label("Days before today").fill("-30")

    await expect(page).to_have_url(re.compile(f"as_of={then}"))
    await expect(page.locator("#books .notice")).to_contain_text(date_text(then))
    await expect(page.locator(".ago")).to_have_text("30 days ago")
    moved = await page.locator(".tiles").text_content()
    async with aiohttp.ClientSession() as client, client.get(f"{board.url}/summary?as_of={then}") as answer:
        [hotel] = [item for item in (await answer.json())["items"] if item["hotel_id"] == 1]
    tonight = str(hotel["tonight"]["on_the_books"])
    await expect(page.locator(".tile b").first).to_have_text(tonight)
    await page.goto(f"{board.url}/board/hotels/1?as_of={then}")
    assert await page.locator(".tiles").text_content() == moved
    assert watched.faults == []


async def test_the_date_form_does_the_same_without_a_script(browser: Browser, board: Board) -> None:
    then = board.today - timedelta(days=30)
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{board.url}/board/hotels/1")
    await page.get_by_label("Books as of").fill(then.isoformat())
    await page.get_by_role("button", name="Show").click()

    await expect(page).to_have_url(re.compile(f"as_of={then}"))
    await expect(page.locator("#books .notice")).to_contain_text(date_text(then))


async def test_play_moves_by_weeks_to_today_and_stops(browser: Browser, board: Board) -> None:
    watched = await watch(browser, board.url)
    page = watched.page
    await page.goto(f"{board.url}/board/hotels/1?as_of={board.today - timedelta(days=14)}")
    await page.get_by_role("button", name="Play").click()

    await expect(page.locator("#books .notice")).to_contain_text("The books of today")
    await expect(page.get_by_role("button", name="Play")).to_be_visible()
    assert "as_of" not in page.url
    assert watched.faults == []


async def test_play_is_hidden_when_reduced_motion_is_preferred(browser: Browser, board: Board) -> None:
    watched = await watch(browser, board.url, reduced_motion="reduce")
    await watched.page.goto(f"{board.url}/board/hotels/1")

    await expect(watched.page.get_by_label("Days before today")).to_be_visible()
    await expect(watched.page.locator("[data-play]")).to_be_hidden()


async def test_the_calendar_is_one_tab_stop_and_arrows_move_in_it(browser: Browser, board: Board) -> None:
    watched = await watch(browser, board.url)
    page = watched.page
    await page.goto(f"{board.url}/board/hotels/1")
    year = page.locator("[data-roving]")
    links = year.locator("a")
    assert await year.count() == 1
    assert await links.count() >= 365
    assert await year.locator('a[tabindex="0"]').count() == 1

    await links.first.focus()
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("ArrowDown")
    await expect(links.nth(8)).to_be_focused()
    await page.keyboard.press("Home")
    await expect(links.first).to_be_focused()
    await page.keyboard.press("End")
    await expect(links.last).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile(r"/board/hotels/1/nights/\d{4}-\d\d-\d\d$"))


async def test_arrow_keys_read_the_booking_curve(browser: Browser, board: Board) -> None:
    watched = await watch(browser, board.url, viewport={"width": WIDE, "height": 900})
    page, night = watched.page, board.today + timedelta(days=12)
    await page.goto(f"{board.url}/board/hotels/1/nights/{night}")
    figure = page.locator("figure", has=page.locator("svg.wide[data-plot]")).first
    await figure.locator("svg.wide").focus()
    await page.keyboard.press("Home")
    first = await figure.locator("output").text_content()
    await page.keyboard.press("ArrowRight")
    second = await figure.locator("output").text_content()

    rows = await figure.locator("tbody tr").all_text_contents()
    assert len(rows) > 2
    assert re.match(r"\d+ days before: ", first or "")
    assert first != second
    assert watched.faults == []


async def test_the_page_of_an_error_goes_on_asking_and_becomes_the_page(browser: Browser, board: Board) -> None:
    async def fail() -> FrameState:
        raise ConnectionRefusedError

    working = board.app.frame
    board.app.frame = replace(working, read_state=fail)
    watched = await watch(browser, board.url)
    page = watched.page
    await page.clock.install(time=datetime.now(UTC))
    await page.goto(f"{board.url}/board/hotels/1")
    await expect(page.locator("main")).to_contain_text("The database cannot be reached")
    assert await watched.check() == []

    board.app.frame = working
    await page.clock.run_for(6_000)
    await expect(page.locator("h1")).to_have_text("Harbour <b>House</b>")
