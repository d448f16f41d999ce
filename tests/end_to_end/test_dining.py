"""Guests, emails and the front desk in a browser, with both applications."""

import os
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.both_applications import Applications
from tests.support.browser import TIMEOUT_MS
from tests.support.restaurant import evening_at
from tests.support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

STAFF = {"Authorization": "Bearer staff"}


class Guest:
    """Guests of the restaurant, and its admin, as clients of the provider's API."""

    def __init__(self, client: aiohttp.ClientSession, provider_url: str) -> None:
        self.client = client
        self.url = provider_url

    async def add_table(self) -> int:
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
        """Return the subjects of the emails to a guest, oldest first."""
        async with self.client.get(f"{self.url}/inbox.json") as answer:
            emails = await answer.json()
        return [email["subject"] for email in reversed(emails) if email["to"] == f"{name.lower()}@example.com"]


def screenshot_options(name: str) -> dict[str, Any]:
    """Return the options of a screenshot, which is stored if NIGHTAUDIT_SHOTS names a directory."""
    folder = os.environ.get("NIGHTAUDIT_SHOTS")
    return {"path": Path(folder) / f"{name}.png", "full_page": True} if folder else {}


RECEIVED, CONFIRMED = "We have received your order for a table", "Your table is confirmed"
DECLINED, CANCELLED = "We cannot offer you the table", "Your table is cancelled"


async def open_page(browser: Browser, **settings: Any) -> Page:
    """Open a page in a new session, with a time-out for slow machines."""
    page = await (await browser.new_context(**settings)).new_page()
    page.set_default_timeout(TIMEOUT_MS)
    return page


async def log_in(browser: Browser, applications: Applications) -> Page:
    page = await open_page(browser, java_script_enabled=False)
    await page.goto(f"{applications.dashboard}/front-desk")
    await page.screenshot(**screenshot_options("login"))
    await page.get_by_label("Token").fill("staff")
    await page.get_by_role("button", name="Log in").click()
    return page


async def test_staff_confirm_one_order_and_decline_another_while_the_provider_is_down(
    applications: Applications, browser: Browser
) -> None:
    async with aiohttp.ClientSession() as client, applications.run_dashboard():
        guest = Guest(client, applications.provider)
        async with applications.run_provider():
            table = await guest.add_table()
            ann = await guest.order(table, "Ann", evening_at("19:00"))
            ben = await guest.order(table, "Ben", evening_at("20:00"))
            eve = await guest.order(table, "Eve", evening_at("20:30"))
            page = await log_in(browser, applications)

            async def all_arrived() -> bool:
                await page.goto(f"{applications.dashboard}/front-desk")
                return await page.get_by_role("button", name="Confirm").count() == 3

            await eventually(all_arrived)
        await page.screenshot(**screenshot_options("front-desk-waiting"))
        await page.locator(f"#order-{ann}").get_by_role("button", name="Confirm").click()
        await page.locator(f"#order-{ben} summary").click()
        await page.locator(f"#order-{ben}").get_by_role("button", name="Yes, decline").click()
        await page.locator(f"#order-{eve}").get_by_role("button", name="Confirm").click()
        await expect(page.locator(f"#order-{ann}")).to_contain_text("on its way to the restaurant")
        await page.screenshot(**screenshot_options("front-desk-on-its-way"))

        async with applications.run_provider():

            async def all_delivered() -> bool:
                await page.goto(f"{applications.dashboard}/front-desk")
                return await page.get_by_text("on its way").count() == 0

            await eventually(all_delivered)
            await page.screenshot(**screenshot_options("front-desk-settled"))
            await expect(page.locator(f"#order-{ann}")).to_contain_text("Confirmed")
            await expect(page.locator(f"#order-{ben}")).to_contain_text("Declined")
            await expect(page.locator(f"#order-{eve}")).to_contain_text("The last decision did not take effect")
            await expect(page.locator(f"#order-{eve}")).to_contain_text("already confirmed for another booking")
            await expect(page.locator(f"#order-{eve}").get_by_text("Decline", exact=True)).to_be_visible()

            async def emails_arrived() -> bool:
                return len(await guest.subjects("Ann") + await guest.subjects("Ben")) == 4

            await eventually(emails_arrived)
            assert await guest.subjects("Ann") == [RECEIVED, CONFIRMED]
            assert await guest.subjects("Ben") == [RECEIVED, DECLINED]
            assert await guest.subjects("Eve") == [RECEIVED]


async def test_a_guest_cancels_by_the_button_of_the_email_and_staff_see_it(
    applications: Applications, browser: Browser
) -> None:
    async with aiohttp.ClientSession() as client, applications.run_dashboard(), applications.run_provider():
        guest = Guest(client, applications.provider)
        order = await guest.order(await guest.add_table(), "Ann", evening_at("19:00"))
        page = await open_page(browser, java_script_enabled=False)

        async def email_arrived() -> bool:
            await page.goto(f"{applications.provider}/inbox")
            return await page.get_by_role("link", name="Cancel the order").count() == 1

        await eventually(email_arrived)
        await page.screenshot(**screenshot_options("inbox"))
        await page.get_by_role("link", name="Cancel the order").click()
        await page.screenshot(**screenshot_options("cancel"))
        await page.get_by_role("button", name="Cancel the order").click()
        await expect(page.get_by_role("heading")).to_have_text("The order is cancelled")
        await page.screenshot(**screenshot_options("cancelled"))

        async def emails_arrived() -> bool:
            return await guest.subjects("Ann") == [RECEIVED, CANCELLED]

        await eventually(emails_arrived)
        staff = await log_in(browser, applications)

        async def cancellation_is_shown() -> bool:
            await staff.goto(f"{applications.dashboard}/front-desk")
            return "Cancelled" in (await staff.locator("main").inner_text())

        await eventually(cancellation_is_shown)
        assert await staff.locator(f"#order-{order}").get_by_role("button").count() == 0


async def test_a_browser_reports_no_errors_on_the_pages(applications: Applications, browser: Browser) -> None:
    errors: list[str] = []
    async with aiohttp.ClientSession() as client, applications.run_dashboard(), applications.run_provider():
        guest = Guest(client, applications.provider)
        await guest.order(await guest.add_table(), "Ann", evening_at("19:00"))
        page = await open_page(browser, color_scheme="dark")
        page.on("console", lambda message: errors.append(message.text))
        page.on("pageerror", lambda error: errors.append(str(error)))

        async def email_arrived() -> bool:
            await page.goto(f"{applications.provider}/inbox")
            return await page.get_by_role("link", name="Cancel the order").count() == 1

        await eventually(email_arrived)
        await page.screenshot(**screenshot_options("inbox-dark"))
        await page.get_by_role("link", name="Cancel the order").click()
        await page.screenshot(**screenshot_options("cancel-dark"))
        await page.goto(f"{applications.dashboard}/front-desk")
        await page.get_by_label("Token").fill("wrong")
        await page.get_by_role("button", name="Log in").click()
        await expect(page.get_by_role("status").first).to_have_text("This token is not valid.")
        await page.get_by_label("Token").fill("staff")
        await page.get_by_role("button", name="Log in").click()
        await expect(page.get_by_role("heading", name="Waiting")).to_be_visible()
        await page.set_viewport_size({"width": 390, "height": 800})
        await page.screenshot(**screenshot_options("front-desk-dark-narrow"))
    assert errors == []


async def test_nothing_is_cut_off_on_a_telephone(applications: Applications, browser: Browser) -> None:
    """At 390 px no page is wider than the screen, and each leads home, even with the longest names."""
    long_name = "Wolfeschlegelsteinhausenbergerdorff " * 2
    async with aiohttp.ClientSession() as client, applications.run_dashboard(), applications.run_provider():
        guest = Guest(client, applications.provider)
        table = await guest.add_table()
        body = {"email": f"{'a' * 64}@{'b' * 60}.example", "name": long_name.strip()}
        async with client.post(f"{applications.provider}/api/customer/book_table/?id={table}", json=body) as answer:
            assert answer.status == 201, await answer.text()
        page = await log_in(browser, applications)
        await page.set_viewport_size({"width": 390, "height": 800})

        async def order_arrived() -> bool:
            await page.goto(f"{applications.dashboard}/front-desk")
            return await page.get_by_role("button", name="Confirm").count() == 1

        async def email_arrived() -> bool:
            await page.goto(f"{applications.provider}/inbox")
            return await page.get_by_role("link", name="Cancel the order").count() == 1

        for name, arrived, home in (
            ("front-desk-narrow", order_arrived, "Nightaudit"),
            ("inbox-narrow", email_arrived, "Provider"),
        ):
            await eventually(arrived)
            await page.screenshot(**screenshot_options(name))
            assert await overflow(page) == []
            await expect(page.get_by_role("link", name=home)).to_have_attribute("href", "/")
        await page.get_by_role("link", name="Cancel the order").click()
        await page.screenshot(**screenshot_options("cancel-narrow"))
        assert await overflow(page) == []


async def overflow(page: Page) -> list[str]:
    """Return the elements that reach beyond the screen, or whose content is cut off."""
    found: list[str] = await page.evaluate(
        """[...document.querySelectorAll("body, body *")].filter(each =>
            each.getBoundingClientRect().right > innerWidth + 1 ||
            (each.scrollWidth > each.clientWidth + 1 && getComputedStyle(each).overflowX == "hidden")
        ).map(each => each.outerHTML.slice(0, 100))"""
    )
    return found
