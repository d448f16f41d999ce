"""The front desk in a browser: orders appear, answers are sent, sounds are heard, and nothing old looks live."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from playwright.async_api import Browser, Locator, Page, expect

from common.config import Secret, read_config
from common.web.resources import Application
from dashboard.app import create_app
from dashboard.config import Config
from tests.support.applications import free_port
from tests.support.browser import Watched, watch
from tests.support.desk import SECRET, STAFF_TOKEN, Desk
from tests.support.served import served, without_lifespan
from tests.support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

FAKE_AUDIO = """
window.notes = 0;
const sink = { connect: () => sink };
const ramp = { setValueAtTime() {}, exponentialRampToValueAtTime() {} };
window.AudioContext = class {
  currentTime = 0;
  destination = sink;
  resume() {}
  createGain() { return { gain: ramp, connect: () => sink }; }
  createOscillator() {
    return { frequency: { setValueAtTime() { window.notes += 1; } }, connect: () => sink, start() {}, stop() {} };
  }
};
"""
"""Counts the notes that the page plays."""


@dataclass
class DeskServer:
    """A front desk that a browser reaches, and that can be stopped and started on the same port."""

    desk: Desk
    app: Application
    port: int
    running: AsyncExitStack

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        await self.running.enter_async_context(served(without_lifespan(self.app), self.port))

    async def stop(self) -> None:
        await self.running.aclose()


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return {
        **environment,
        "DASHBOARD_ACCOUNTING_SECRET": SECRET.reveal(),
        "DASHBOARD_STAFF_TOKEN": STAFF_TOKEN,
        "DASHBOARD_PROVIDER_URL": "http://provider.example/base",
    }


@pytest.fixture
async def server(
    environment: dict[str, str], dashboard_url: Secret, dashboard_db: asyncpg.Pool
) -> AsyncIterator[DeskServer]:
    app = create_app(read_config(Config, environment), dashboard_url)
    async with app.test_app(), AsyncExitStack() as running:
        made = DeskServer(Desk(app, dashboard_db), app, free_port(), running)
        await made.start()
        yield made


def tonight(hours: float = 2) -> str:
    """An instant so many hours from now."""
    return (datetime.now(UTC) + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:00Z")


def early_zone() -> str:
    """A time zone in which the next hours are still today."""
    return "UTC" if datetime.now(UTC).hour < 18 else "America/Los_Angeles"


async def open_desk(browser: Browser, server: DeskServer, query: str = "", **settings: Any) -> Watched:
    """The page after the log-in, whose clock moves only as the test says."""
    watched = await watch(browser, server.url, **settings)
    page = watched.page
    await page.add_init_script(FAKE_AUDIO)
    if settings.get("java_script_enabled", True):
        await page.clock.install(time=datetime.now(UTC))
    await page.goto(f"{server.url}/front-desk{query}")
    await page.get_by_label("Token").fill(STAFF_TOKEN)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("heading", name="Front desk")).to_be_visible()
    return watched


def card(page: Page, number: int) -> Locator:
    return page.locator(f"#order-{number}")


async def test_a_reason_that_is_being_typed_outlives_a_log_in_in_another_tab(
    browser: Browser, server: DeskServer
) -> None:
    await server.desk.receive(id=1, starts_at=tonight())
    watched = await open_desk(browser, server)
    page = watched.page
    await card(page, 1).get_by_text("Decline", exact=True).click()
    reason = card(page, 1).get_by_role("textbox")
    await reason.fill("The hall is flooded")

    other = await page.context.new_page()
    await other.goto(f"{server.url}/front-desk")
    await other.get_by_role("button", name="Log out").click()
    await expect(other.get_by_label("Token")).to_be_visible()
    await page.clock.run_for(4000)
    await expect(page.locator("#session")).to_be_visible()
    decline = card(page, 1).get_by_role("button", name="Yes, decline")
    await expect(decline).to_be_disabled()

    await other.get_by_label("Token").fill(STAFF_TOKEN)
    await other.get_by_role("button", name="Log in").click()
    await expect(other.get_by_role("heading", name="Front desk")).to_be_visible()
    await page.clock.run_for(4000)
    await expect(reason).to_have_value("The hall is flooded")
    await decline.click()
    await expect(page.locator("#news")).to_contain_text("your refusal")
    assert [order["decline_reason"] for order in await server.desk.orders()] == ["The hall is flooded"]


async def test_an_order_appears_within_four_seconds_and_the_focus_stays_on_its_button(
    browser: Browser, server: DeskServer
) -> None:
    await server.desk.receive(id=1, starts_at=tonight())
    watched = await open_desk(browser, server)
    page = watched.page
    await expect(page).to_have_title("(1) Front desk")
    await page.evaluate("window.stays = true")
    button = card(page, 1).get_by_role("button", name="Confirm")
    await button.focus()
    await button.evaluate("(element) => { element.marked = true; }")

    await server.desk.receive(id=2, name="Ben", guests=4, starts_at=tonight())
    await page.clock.run_for(4000)

    await expect(card(page, 2)).to_contain_text("Ben, 4 guests")
    await expect(page).to_have_title("(2) Front desk")
    await expect(button).to_be_focused()
    assert await button.evaluate("(element) => element.marked")
    assert await page.evaluate("window.stays")
    await expect(page.locator("#news")).to_have_text(
        re.compile(r"^New order: \u2068Ben\u2069, 4, (Tomorrow )?\d\d:\d\d$")
    )
    assert await page.locator("#news").get_attribute("role") == "status"
    assert watched.faults == []


async def test_cards_stay_in_the_order_of_waiting_and_leave_when_they_are_answered_elsewhere(
    browser: Browser, server: DeskServer
) -> None:
    for number in (1, 2, 3):
        await server.desk.receive(id=number, starts_at=tonight())
    page = (await open_desk(browser, server)).page
    held = card(page, 2).get_by_role("button", name="Confirm")
    await held.focus()
    await server.desk.decide("decline", 1)
    await server.desk.decide("decline", 2)
    await server.desk.receive(id=4, starts_at=tonight())
    await page.clock.run_for(4000)

    ids = "(cards) => cards.map((card) => card.id)"
    await expect(card(page, 4)).to_be_visible()
    assert await page.locator("#cards > *").evaluate_all(ids) == ["order-2", "order-3", "order-4"]
    await expect(held).to_be_focused()
    await held.blur()
    await page.clock.run_for(100)
    assert await page.locator("#cards > *").evaluate_all(ids) == ["order-3", "order-4"]
    await expect(page.locator("#settled")).to_contain_text("Refusal on its way to the restaurant")


async def test_the_day_and_the_facts_of_a_card_are_renewed_while_the_focus_is_beside_them(
    browser: Browser, server: DeskServer
) -> None:
    await server.desk.receive(id=1, starts_at=tonight(), timezone=early_zone())
    page = (await open_desk(browser, server, viewport={"width": 1280, "height": 900})).page
    await expect(page.locator(".slot")).to_have_count(1)
    await page.locator("#plan th").last.click()
    await expect(page.get_by_role("region", name="The day by table")).to_be_focused()
    await server.desk.receive(id=2, starts_at=tonight(2.5), status="confirmed", timezone=early_zone())
    await page.clock.run_for(4000)
    await expect(page.locator(".slot.confirmed")).to_have_count(1)
    await expect(page.locator("#day-sentence")).to_contain_text("1 order confirmed")
    await expect(page.get_by_role("region", name="The day by table")).to_be_focused()

    reason = card(page, 1).get_by_role("textbox")
    await card(page, 1).locator("summary").click()
    await reason.fill("We are")
    await server.desk.receive(id=1, mail_failure="550 no such mailbox")
    await page.clock.run_for(4000)
    await expect(card(page, 1)).to_contain_text("550 no such mailbox")
    await expect(card(page, 1)).to_contain_text("Table 3001 is confirmed")
    await expect(reason).to_be_focused()
    await expect(reason).to_have_value("We are")


async def test_orders_that_come_together_are_announced_together(browser: Browser, server: DeskServer) -> None:
    page = (await open_desk(browser, server)).page
    for number, name in ((1, "Ann"), (2, "Ben")):
        await server.desk.receive(id=number, name=name, guests=2, starts_at=None)
    await page.clock.run_for(4000)

    await expect(page.locator("#news")).to_have_text("New order: \u2068Ann\u2069, 2; New order: \u2068Ben\u2069, 2")


async def test_an_order_beyond_those_shown_is_announced_and_one_that_moves_up_is_not(
    browser: Browser, server: DeskServer
) -> None:
    for number in range(1, 21):
        await server.desk.receive(id=number, starts_at=None)
    page = (await open_desk(browser, server)).page
    await page.get_by_role("button", name="Sound").click()
    heard = await notes(page)
    await server.desk.receive(id=21, name="Zoe", starts_at=None)
    await page.clock.run_for(4000)
    await expect(page.locator("#news")).to_have_text("One more order waits")
    assert await notes(page) == heard + 2
    await expect(page.locator("#waiting-more")).to_contain_text("1 more follows")
    await page.get_by_role("button", name="Seen").click()

    await server.desk.receive(id=1, status="cancelled")
    await page.clock.run_for(4000)
    await expect(card(page, 21)).to_be_visible()
    await expect(page.locator("#news")).not_to_contain_text("Zoe")
    assert await notes(page) == heard + 2


@pytest.mark.parametrize("width", [1280, 820, 360])
async def test_every_target_can_be_hit_with_a_finger(browser: Browser, server: DeskServer, width: int) -> None:
    await server.desk.receive(id=1, starts_at=tonight(1), minutes=30, timezone=early_zone())
    await server.desk.receive(
        id=2, starts_at=tonight(1), minutes=30, timezone=early_zone(), status="confirmed", table_id=4
    )
    await server.desk.receive(id=3, starts_at=tonight(1), timezone=early_zone(), status="waiting")
    watched = await open_desk(browser, server, "?search=ann", viewport={"width": width, "height": 900})
    page = watched.page
    await card(page, 1).get_by_text("Decline", exact=True).click()

    targets = page.locator("main").locator(
        "button, summary, input:not([type=hidden]), textarea, .slot, nav a, a.button"
    )
    small = []
    for target in await targets.all():
        box = await target.bounding_box() if await target.is_visible() else None
        if box is not None and min(box["width"], box["height"]) < 48:
            small.append((await target.evaluate("(element) => element.outerHTML.slice(0, 200)"), box))
    assert small == []

    confirm = await card(page, 1).get_by_role("button", name="Confirm").bounding_box()
    decline = await card(page, 1).locator("summary").bounding_box()
    assert confirm is not None
    assert decline is not None
    assert min(confirm["height"], decline["height"]) >= 64
    assert round(decline["x"] - confirm["x"] - confirm["width"]) == 16
    assert await watched.check() == []


async def test_an_answer_is_sent_without_leaving_the_page(browser: Browser, server: DeskServer) -> None:
    for number in (1, 2):
        await server.desk.receive(id=number, starts_at=tonight())
    watched = await open_desk(browser, server)
    page = watched.page
    await page.evaluate("window.stays = true")
    await card(page, 1).get_by_role("button", name="Confirm").click()
    await expect(page.locator("#news")).to_contain_text("Sent to the restaurant: your confirmation.")
    await page.clock.run_for(1000)
    await expect(page.locator("#cards > *")).to_have_count(1)
    await expect(page.locator("#settled")).to_contain_text("Confirmation on its way to the restaurant")

    await page.clock.run_for(600)  # the card has moved up
    await card(page, 2).locator("summary").click()
    await card(page, 2).get_by_label("Reason for the guest").fill("We are full.")
    await card(page, 2).get_by_role("button", name="Yes, decline").click()
    await expect(page.locator("#news")).to_contain_text("your refusal")
    await page.clock.run_for(1000)
    await expect(page.locator("#cards")).to_contain_text("No order is waiting.")
    assert await page.evaluate("window.stays")
    orders = {order["id"]: order for order in await server.desk.orders()}
    assert (orders[1]["status"], orders[2]["status"]) == ("confirmed", "declined")
    assert orders[2]["decline_reason"] == "We are full."
    assert watched.faults == []


async def test_a_refused_reason_is_given_back_with_the_fault(browser: Browser, server: DeskServer) -> None:
    await server.desk.receive(id=1, starts_at=tonight())
    page = (await open_desk(browser, server)).page
    await card(page, 1).locator("summary").click()
    await card(page, 1).get_by_role("textbox").fill("We are\u202e full.")
    await card(page, 1).get_by_role("button", name="Yes, decline").click()

    await expect(page.get_by_role("alert")).to_contain_text("characters that turn or hide text")
    await expect(page.get_by_role("textbox", name="Reason")).to_have_value("We are\u202e full.")


async def test_a_reason_that_is_being_written_survives_a_refresh(browser: Browser, server: DeskServer) -> None:
    await server.desk.receive(id=1, starts_at=tonight())
    page = (await open_desk(browser, server)).page
    await card(page, 1).locator("summary").click()
    await card(page, 1).get_by_role("textbox").fill("We are")
    await card(page, 1).get_by_role("textbox").blur()
    await server.desk.receive(id=1, mail_failure="550 no such mailbox")
    await page.clock.run_for(4000)

    await expect(card(page, 1)).to_contain_text("550 no such mailbox")
    await expect(card(page, 1).get_by_role("textbox")).to_be_visible()
    await expect(card(page, 1).get_by_role("textbox")).to_have_value("We are")


async def test_a_tap_on_a_card_that_has_just_moved_under_the_finger_does_nothing(
    browser: Browser, server: DeskServer
) -> None:
    for number in (1, 2):
        await server.desk.receive(id=number, starts_at=tonight())
    page = (await open_desk(browser, server)).page
    await server.desk.decide("confirm", 1)
    await page.clock.run_for(3100)
    await expect(page.locator("#cards > *")).to_have_count(1)
    await card(page, 2).get_by_role("button", name="Confirm").click()
    assert [order["status"] for order in await server.desk.orders("?status=waiting")] == ["waiting"]

    await page.clock.run_for(600)
    await card(page, 2).get_by_role("button", name="Confirm").click()
    await expect(page.locator("#news")).to_contain_text("Sent to the restaurant")


async def test_a_page_whose_server_has_died_says_so_and_has_no_enabled_button(
    browser: Browser, server: DeskServer
) -> None:
    await server.desk.receive(id=1, starts_at=tonight())
    page = (await open_desk(browser, server)).page
    await page.clock.run_for(4000)
    await expect(page.locator("#connection")).to_be_hidden()
    await server.stop()

    await page.clock.run_for(20_000)
    await expect(page.locator("#connection")).to_contain_text("Not connected since")
    assert await page.locator("button:enabled").count() == 0
    assert "Not connected" in (await page.locator("button").first.get_attribute("title") or "")
    await server.start()
    await page.clock.run_for(5000)
    await expect(page.locator("#connection")).to_be_hidden()
    await page.clock.run_for(1000)
    assert await page.locator("button:disabled").count() == 0


async def test_a_clock_that_is_set_back_makes_no_page_look_live(browser: Browser, server: DeskServer) -> None:
    page = (await open_desk(browser, server)).page
    await page.clock.run_for(4000)
    await page.clock.set_system_time(datetime.now(UTC) - timedelta(hours=1))
    await server.desk.receive(id=1, starts_at=None)
    await page.clock.run_for(4000)
    await expect(card(page, 1)).to_be_visible()

    await server.stop()
    await page.clock.run_for(4000)
    await page.clock.set_system_time(datetime.now(UTC) - timedelta(hours=2))
    await page.clock.run_for(4000)
    await expect(page.locator("#connection")).to_be_visible()


async def test_an_answer_that_finds_no_server_says_so(browser: Browser, server: DeskServer) -> None:
    await server.desk.receive(id=1, starts_at=tonight())
    page = (await open_desk(browser, server)).page
    await server.stop()
    await card(page, 1).get_by_role("button", name="Confirm").click()

    await expect(page.locator("#news")).to_contain_text("No answer from the server.")
    await expect(card(page, 1)).to_be_visible()
    assert (await server.desk.orders())[0]["status"] == "waiting"


async def test_a_session_that_has_ended_is_told_without_leaving_the_page(browser: Browser, server: DeskServer) -> None:
    await server.desk.receive(id=1, starts_at=tonight())
    page = (await open_desk(browser, server)).page
    await page.clock.run_for(4000)
    await server.desk.db.execute("DELETE FROM page_session")
    await page.clock.run_for(5000)

    await expect(page.locator("#session")).to_be_visible()
    await expect(page.locator("#session")).to_contain_text("Your session is over.")
    await page.clock.run_for(1000)
    assert await page.locator("button:enabled").count() == 0
    await expect(card(page, 1)).to_be_visible()
    box = await page.get_by_role("link", name="Log in again").bounding_box()
    assert box is not None
    assert box["height"] >= 48
    await page.get_by_role("link", name="Log in again").click()
    await page.get_by_label("Token").fill(STAFF_TOKEN)
    await page.get_by_role("button", name="Log in").click()
    await expect(card(page, 1).get_by_role("button", name="Confirm")).to_be_enabled()


async def pass_time(page: Page, seconds: int) -> None:
    """Let the page's clock go on, as slowly as the server answers: else the page would take it for lost."""
    for _ in range(0, seconds, 3):
        await page.clock.run_for(3000)
        await eventually(lambda: page.evaluate("!asking"))


async def notes(page: Page) -> int:
    count: int = await page.evaluate("window.notes")
    return count


async def test_a_new_order_is_heard_every_twenty_seconds_until_somebody_has_seen_it(
    browser: Browser, server: DeskServer
) -> None:
    page = (await open_desk(browser, server)).page
    sound, seen = page.get_by_role("button", name="Sound"), page.get_by_role("button", name="Seen")
    await server.desk.receive(id=1, starts_at=tonight())
    await page.clock.run_for(4000)
    await expect(card(page, 1)).to_be_visible()
    await expect(seen).to_be_visible()
    assert await notes(page) == 0, "nobody has switched the sound on"

    await sound.click()
    await expect(sound).to_have_attribute("aria-pressed", "true")
    assert await notes(page) == 2, "it is heard when it is switched on"
    await server.desk.receive(id=2, starts_at=tonight())
    await page.clock.run_for(4000)
    await expect(card(page, 2)).to_have_class(re.compile(r"\bnew\b"))
    assert await notes(page) == 4
    await pass_time(page, 21)
    assert await notes(page) == 6

    await seen.click()
    await expect(seen).to_be_hidden()
    await expect(card(page, 2)).not_to_have_class(re.compile(r"\bnew\b"))
    await pass_time(page, 45)
    assert await notes(page) == 6


async def test_the_sound_ends_when_nothing_new_waits_and_is_remembered_after_a_reload(
    browser: Browser, server: DeskServer
) -> None:
    page = (await open_desk(browser, server)).page
    sound = page.get_by_role("button", name="Sound")
    await sound.click()
    await server.desk.receive(id=1, starts_at=tonight())
    await page.clock.run_for(4000)
    await expect(card(page, 1)).to_be_visible()
    await server.desk.decide("confirm", 1)
    await page.clock.run_for(4000)
    await expect(page.locator("#cards")).to_contain_text("No order is waiting.")
    before = await notes(page)
    await pass_time(page, 45)
    assert await notes(page) == before

    await page.reload()
    await expect(sound).to_have_attribute("aria-pressed", "false")
    await page.get_by_role("heading", name="Front desk").click()
    await expect(sound).to_have_attribute("aria-pressed", "true")
    await sound.click()
    await page.reload()
    await page.get_by_role("heading", name="Front desk").click()
    await expect(sound).to_have_attribute("aria-pressed", "false")


async def test_an_order_that_waits_again_is_told_from_a_new_one(browser: Browser, server: DeskServer) -> None:
    await server.desk.receive(id=1, starts_at=tonight())
    page = (await open_desk(browser, server)).page
    await card(page, 1).get_by_role("button", name="Confirm").click()
    await expect(page.locator("#news")).to_contain_text("Sent")
    await page.clock.run_for(1000)
    await expect(page.locator("#cards")).to_contain_text("No order is waiting.")
    await server.desk.db.execute(
        """
        UPDATE front_desk_order
           SET decision = NULL, decided_at = NULL, decided_by = NULL, refusal_reason = 'It is taken.',
               changed_at = clock_timestamp(), updated_at = clock_timestamp()
        """
    )
    await page.clock.run_for(4000)

    await expect(page.locator("#news")).to_contain_text("Waits again: \u2068Ann\u2069, 3")
    await expect(card(page, 1)).to_contain_text("It is taken.")


async def test_everything_works_without_a_script(browser: Browser, server: DeskServer) -> None:
    for number in (1, 2):
        await server.desk.receive(id=number, name=f"Guest {number}", starts_at=tonight(), timezone=early_zone())
    page = (await open_desk(browser, server, java_script_enabled=False)).page
    assert await page.locator("noscript meta[http-equiv=refresh]").count() == 1
    await expect(page.get_by_role("button", name="Sound")).to_be_hidden()

    await card(page, 1).get_by_role("button", name="Confirm").click()
    await expect(page.get_by_role("status").first).to_contain_text("Sent to the restaurant")
    await expect(card(page, 1)).to_contain_text("Confirmation on its way")
    await card(page, 2).locator("summary").click()
    await card(page, 2).get_by_role("textbox").fill("We are full.")
    await card(page, 2).get_by_role("button", name="Yes, decline").click()
    await expect(card(page, 2)).to_contain_text("Reason for the guest: We are full.")
    await page.get_by_role("searchbox").fill("guest 1")
    await page.get_by_role("button", name="Search").click()
    await expect(page.locator("#found")).to_contain_text("1 order found for “guest 1”")
    await page.get_by_role("link", name="Tomorrow").click()
    await expect(page.locator("#day")).to_contain_text("No table is confirmed or asked for.")
    await page.get_by_role("link", name="Today", exact=True).click()
    await expect(page.locator(".slot")).to_have_count(1)


async def test_a_phone_shows_who_waits_and_then_the_day_as_a_list(browser: Browser, server: DeskServer) -> None:
    await server.desk.receive(id=1, starts_at=tonight(0.2), timezone=early_zone())
    await server.desk.receive(
        id=2, starts_at=tonight(0.2), timezone=early_zone(), name="Wolfeschlegelsteinhausenbergerdorff" * 2
    )
    page = (await open_desk(browser, server, viewport={"width": 360, "height": 800})).page

    await expect(page.locator(".timetable")).to_be_hidden()
    await expect(page.locator(".list")).to_contain_text("Ann")
    waiting, day = await page.locator("#waiting").bounding_box(), await page.locator("#day").bounding_box()
    assert waiting is not None
    assert day is not None
    assert waiting["y"] + waiting["height"] <= day["y"]
    table = await page.locator(".list").bounding_box()
    assert table is not None
    assert table["x"] + table["width"] <= 360


async def test_the_print_is_the_day_as_a_list(browser: Browser, server: DeskServer) -> None:
    await server.desk.receive(id=1, starts_at=tonight(0.2), timezone=early_zone())
    page = (await open_desk(browser, server)).page
    await page.emulate_media(media="print")

    await expect(page.locator(".list")).to_contain_text("Ann")
    for hidden in ("#cards", ".timetable", ".tools", "#settled", "header.frame nav"):
        await expect(page.locator(hidden).first).to_be_hidden()
    shown = [word for word in (await page.locator("main").inner_text()).split() if word in ("Confirm", "Decline")]
    assert shown == []


async def test_two_pages_of_one_desk_agree(browser: Browser, server: DeskServer) -> None:
    await server.desk.receive(id=1, starts_at=tonight())
    one, other = await asyncio.gather(open_desk(browser, server), open_desk(browser, server))
    await card(one.page, 1).get_by_role("button", name="Confirm").click()
    await expect(one.page.locator("#news")).to_contain_text("Sent")
    await card(other.page, 1).locator("summary").click()
    await card(other.page, 1).get_by_role("button", name="Yes, decline").click()

    await expect(other.page.locator("#news")).to_contain_text("This order is no longer waiting.")
    await other.page.clock.run_for(1000)
    await expect(other.page.locator("#settled")).to_contain_text("Confirmation on its way")
