"""Guests, mails and the front desk in a browser, over two real applications."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

import dashboard.app
import dashboard.config
import provider.app
import provider.config
from common.config import Secret, read_config
from tests.support.applications import free_port
from tests.support.served import served
from tests.support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

PATIENCE_MS = 60_000

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip

STAFF = {"Authorization": "Bearer staff"}


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        if os.environ.get("CI") == "true":
            pytest.fail("Chromium is not installed, and CI has to have it")
        pytest.skip("Chromium is not installed")
    async with async_playwright() as play:
        expect.set_options(timeout=PATIENCE_MS)
        started = await play.chromium.launch(executable_path=executable, args=FLAGS, timeout=2 * PATIENCE_MS)
        try:
            yield started
        finally:
            await started.close()


class House:
    """Both applications; each can be stopped and started again on its port."""

    def __init__(self, environment: dict[str, str], provider_url: Secret, dashboard_url: Secret) -> None:
        ports = free_port(), free_port()
        self.provider, self.dashboard = (f"http://127.0.0.1:{port}" for port in ports)
        self.ports = ports
        self.databases = provider_url, dashboard_url
        self.environment = {
            **environment,
            "PROVIDER_PUBLIC_URL": self.provider,
            "PROVIDER_ACCOUNTING_URL": f"{self.dashboard}/front-desk",
            "DASHBOARD_PROVIDER_URL": self.provider,
            "PROVIDER_OUTBOX_SECONDS": "0.2",
            "DASHBOARD_OUTBOX_SECONDS": "0.2",
        }

    def provider_runs(self) -> Any:
        config = read_config(provider.config.Config, self.environment)
        return served(provider.app.create_app(config, self.databases[0]), self.ports[0])

    def dashboard_runs(self) -> Any:
        config = read_config(dashboard.config.Config, self.environment)
        return served(dashboard.app.create_app(config, self.databases[1]), self.ports[1])


@pytest.fixture
def house(environment: dict[str, str], provider_url: Secret, dashboard_url: Secret) -> House:
    return House(environment, provider_url, dashboard_url)


class Guest:
    """Somebody who uses the provider's API, and the admin who set up the restaurant."""

    def __init__(self, client: aiohttp.ClientSession, provider_url: str) -> None:
        self.client = client
        self.url = provider_url

    async def table(self) -> int:
        login = {"username": "admin", "password": "1"}
        async with self.client.post(f"{self.url}/api/token/", json=login) as answer:
            headers = {"Authorization": f"Bearer {(await answer.json())['access']}"}
        table = {"table_type": "cabin", "seats": 4, "price": 25.5}
        async with self.client.post(f"{self.url}/api/admin/add_table/", json=table, headers=headers) as answer:
            return (await answer.json())["id"]

    async def order(self, table: int, name: str, start: str) -> int:
        body = {"email": f"{name.lower()}@example.com", "name": name, "guests": 3, "starts_at": start}
        async with self.client.post(f"{self.url}/api/customer/book_table/?id={table}", json=body) as answer:
            assert answer.status == 201, await answer.text()
            return (await answer.json())["id"]

    async def subjects(self, name: str) -> list[str]:
        """The subjects of the mails to somebody, oldest first."""
        async with self.client.get(f"{self.url}/inbox.json") as answer:
            mails = await answer.json()
        return [mail["subject"] for mail in reversed(mails) if mail["to"] == f"{name.lower()}@example.com"]


def shot(name: str) -> dict[str, Any]:
    """Where a screenshot goes, if anybody wants to see it."""
    folder = os.environ.get("NIGHTAUDIT_SHOTS")
    return {"path": Path(folder) / f"{name}.png", "full_page": True} if folder else {}


RECEIVED, CONFIRMED = "We have received your order for a table", "Your table is confirmed"
DECLINED, CANCELLED = "We cannot offer you the table", "Your table is cancelled"


async def opened(browser: Browser, **settings: Any) -> Page:
    """A page in a session of its own, which waits as long as a slow machine needs."""
    page = await (await browser.new_context(**settings)).new_page()
    page.set_default_timeout(PATIENCE_MS)
    return page


async def logged_in(browser: Browser, house: House) -> Page:
    page = await opened(browser, java_script_enabled=False)
    await page.goto(f"{house.dashboard}/front-desk")
    await page.screenshot(**shot("login"))
    await page.get_by_label("Staff token").fill("staff")
    await page.get_by_role("button", name="Log in").click()
    return page


async def test_staff_confirm_one_order_and_decline_another_while_the_provider_is_down(
    house: House, browser: Browser
) -> None:
    async with aiohttp.ClientSession() as client, house.dashboard_runs():
        guest = Guest(client, house.provider)
        async with house.provider_runs():
            table = await guest.table()
            ann = await guest.order(table, "Ann", "2999-01-01T19:00:00Z")
            ben = await guest.order(table, "Ben", "2999-01-01T20:00:00Z")
            eve = await guest.order(table, "Eve", "2999-01-01T20:30:00Z")
            page = await logged_in(browser, house)

            async def all_there() -> bool:
                await page.goto(f"{house.dashboard}/front-desk")
                return await page.get_by_role("button", name="Confirm").count() == 3

            await eventually(all_there)
        await page.screenshot(**shot("front-desk-waiting"))
        await page.locator(f"#order-{ann}").get_by_role("button", name="Confirm").click()
        await page.locator(f"#order-{ben}").get_by_role("button", name="Decline").click()
        await page.locator(f"#order-{eve}").get_by_role("button", name="Confirm").click()
        await expect(page.locator(f"#order-{ann}")).to_contain_text("on its way to the restaurant")
        await page.screenshot(**shot("front-desk-on-its-way"))

        async with house.provider_runs():

            async def settled() -> bool:
                await page.goto(f"{house.dashboard}/front-desk")
                return await page.get_by_text("on its way").count() == 0

            await eventually(settled)
            await page.screenshot(**shot("front-desk-settled"))
            await expect(page.locator(f"#order-{ann}")).to_contain_text("Confirmed")
            await expect(page.locator(f"#order-{ben}")).to_contain_text("Declined")
            await expect(page.locator(f"#order-{eve}")).to_contain_text("Refused")
            await expect(page.locator(f"#order-{eve}")).to_contain_text("already confirmed for another booking")

            async def told() -> bool:
                return len(await guest.subjects("Ann") + await guest.subjects("Ben")) == 4

            await eventually(told)
            assert await guest.subjects("Ann") == [RECEIVED, CONFIRMED]
            assert await guest.subjects("Ben") == [RECEIVED, DECLINED]
            assert await guest.subjects("Eve") == [RECEIVED]


async def test_a_guest_cancels_by_the_button_of_the_mail_and_staff_see_it(house: House, browser: Browser) -> None:
    async with aiohttp.ClientSession() as client, house.dashboard_runs(), house.provider_runs():
        guest = Guest(client, house.provider)
        order = await guest.order(await guest.table(), "Ann", "2999-01-01T19:00:00Z")
        page = await opened(browser, java_script_enabled=False)

        async def arrived() -> bool:
            await page.goto(f"{house.provider}/inbox")
            return await page.get_by_role("link", name="Cancel the order").count() == 1

        await eventually(arrived)
        await page.screenshot(**shot("inbox"))
        await page.get_by_role("link", name="Cancel the order").click()
        await page.screenshot(**shot("cancel"))
        await page.get_by_role("button", name="Cancel the order").click()
        await expect(page.get_by_role("heading")).to_have_text("The order is cancelled")
        await page.screenshot(**shot("cancelled"))

        async def told() -> bool:
            return await guest.subjects("Ann") == [RECEIVED, CANCELLED]

        await eventually(told)
        staff = await logged_in(browser, house)

        async def seen() -> bool:
            await staff.goto(f"{house.dashboard}/front-desk")
            return "Cancelled" in (await staff.locator("main").inner_text())

        await eventually(seen)
        assert await staff.locator(f"#order-{order}").get_by_role("button").count() == 0


async def test_the_pages_hold_no_fault_that_a_browser_reports(house: House, browser: Browser) -> None:
    faults: list[str] = []
    async with aiohttp.ClientSession() as client, house.dashboard_runs(), house.provider_runs():
        guest = Guest(client, house.provider)
        await guest.order(await guest.table(), "Ann", "2999-01-01T19:00:00Z")
        page = await opened(browser, color_scheme="dark")
        page.on("console", lambda message: faults.append(message.text))
        page.on("pageerror", lambda error: faults.append(str(error)))

        async def arrived() -> bool:
            await page.goto(f"{house.provider}/inbox")
            return await page.get_by_role("link", name="Cancel the order").count() == 1

        await eventually(arrived)
        await page.screenshot(**shot("inbox-dark"))
        await page.get_by_role("link", name="Cancel the order").click()
        await page.screenshot(**shot("cancel-dark"))
        await page.goto(f"{house.dashboard}/front-desk")
        await page.get_by_label("Staff token").fill("wrong")
        await page.get_by_role("button", name="Log in").click()
        await expect(page.get_by_role("status")).to_have_text("Invalid staff token.")
        await page.get_by_label("Staff token").fill("staff")
        await page.get_by_role("button", name="Log in").click()
        await expect(page.get_by_role("heading", name="Waiting")).to_be_visible()
        await page.set_viewport_size({"width": 390, "height": 800})
        await page.screenshot(**shot("front-desk-dark-narrow"))
    assert faults == []
