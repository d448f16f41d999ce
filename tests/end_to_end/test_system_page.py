"""The page of the system in a browser: an operator sees what breaks without a reload, and repairs it by buttons."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import pytest
from playwright.async_api import Browser, expect

import dashboard.app
import dashboard.config
from common.config import Secret, read_config
from tests.support.applications import free_port
from tests.support.browser import watch
from tests.support.served import served

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

TOKEN = "the-token-of-operators"


@pytest.fixture
async def url(environment: dict[str, str], dashboard_url: Secret) -> AsyncIterator[str]:
    """A dashboard whose operators need a token."""
    config = read_config(dashboard.config.Config, environment | {"DASHBOARD_OPERATIONS_TOKEN": TOKEN})
    async with served(dashboard.app.create_app(config, dashboard_url), free_port()) as address:
        yield address


async def give_up(db: asyncpg.Pool, event: str) -> None:
    """A message to the receiver of alerts that was given up."""
    await db.execute(
        """
        INSERT INTO outbox (topic, subject, event, payload, state, settled_at, last_error)
        VALUES ('alert', 'feed_behind main', $1, '{}', 'dead', now(), 'UpstreamError: POST /hook answered 503')
        """,
        event,
    )


@pytest.mark.parametrize("scripts", [True, False])
async def test_an_operator_logs_in_and_retries_what_was_given_up(
    browser: Browser, url: str, dashboard_db: asyncpg.Pool, scripts: bool
) -> None:
    await give_up(dashboard_db, "17")
    watched = await watch(browser, url, java_script_enabled=scripts)
    page = watched.page
    await page.goto(f"{url}/board/system")
    await page.get_by_label("Token").fill(TOKEN)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.locator("#state")).to_contain_text("1 message was given up: alerts to their receiver.")

    await page.get_by_role("button", name=re.compile("^Retry message")).click()
    await expect(page.get_by_role("status").first).to_contain_text("was made due: it is sent within a few seconds.")
    await expect(page.locator("#state")).to_contain_text("Everything works.")
    assert await dashboard_db.fetchval("SELECT state FROM outbox") == "waiting"

    await page.get_by_role("button", name="Run now: Deleting old rows").click()
    await expect(page.get_by_role("status").first).to_contain_text("“Deleting old rows”")
    await page.get_by_role("button", name="Log out").click()
    await expect(page.get_by_role("status").first).to_contain_text("You are logged out.")
    if scripts:
        assert watched.faults == []


async def test_a_reload_does_not_say_again_what_a_form_did(
    browser: Browser, url: str, dashboard_db: asyncpg.Pool
) -> None:
    await give_up(dashboard_db, "17")
    watched = await watch(browser, url)
    page, statuses = watched.page, watched.page.get_by_role("status")
    await page.goto(f"{url}/board/system?utm_source=mail")
    await page.get_by_label("Token").fill("wrong")
    await page.get_by_role("button", name="Log in").click()
    await expect(statuses.first).to_have_text("This token is not valid.")
    await page.reload()
    await expect(statuses.filter(has_text="not valid")).to_have_count(0)
    await page.get_by_label("Token").fill(TOKEN)
    await page.get_by_role("button", name="Log in").click()
    await expect(page).to_have_url(f"{url}/board/system?utm_source=mail")

    await page.get_by_role("button", name=re.compile("^Retry message")).click()
    await expect(statuses.first).to_contain_text("was made due")
    await expect(page).to_have_url(f"{url}/board/system")
    await page.reload()
    await expect(page.locator("#state")).to_contain_text("Everything works.")
    await expect(statuses.filter(has_text="was made due")).to_have_count(0)
    assert watched.faults == []


async def test_what_breaks_comes_to_the_top_without_a_reload(
    browser: Browser, url: str, dashboard_db: asyncpg.Pool
) -> None:
    watched = await watch(browser, url)
    page = watched.page
    await page.clock.install(time=datetime.now(UTC))
    await page.goto(f"{url}/board/system")
    await page.get_by_label("Token").fill(TOKEN)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.locator("#state")).to_contain_text("Everything works.")
    await page.evaluate("window.stays = true")

    await give_up(dashboard_db, "17")
    await page.clock.run_for(11_000)
    await expect(page.locator("#state .headline")).to_have_text("1 message was given up: alerts to their receiver.")
    await expect(page).to_have_title("(1) System – Nightaudit")
    assert await page.evaluate("window.stays")

    await page.locator("#state .headline a").click()
    await expect(page.locator("#outbox")).to_be_in_viewport()
    assert watched.faults == []
