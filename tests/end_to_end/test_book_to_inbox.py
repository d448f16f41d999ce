"""The whole way of an order in a browser: a guest books, staff confirm, the email arrives, the guest cancels."""

import re

import aiohttp
import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.both_applications import Applications, add_table
from tests.support.browser import watch
from tests.support.restaurant import EVENING
from tests.support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

TELEPHONE = {"width": 390, "height": 844}
TABLET = {"width": 1180, "height": 820}
TARGETS = "main input:not([type=hidden]), main select, main textarea, main button, main a, main summary"
SMALLEST = 48


async def small_targets(page: Page) -> list[str]:
    """What is too small for a thumb; measured from outside, so without a script too."""
    found = []
    for target in await page.locator(TARGETS).all():
        box = await target.bounding_box()
        if box is not None and box["height"] < SMALLEST:
            found.append(await target.inner_text())
    return found


async def book(page: Page, provider_url: str) -> str:
    """Find and order a table as a guest does; returns the address of the page that says how the order stands."""
    await page.goto(f"{provider_url}/")
    await page.get_by_role("link", name="Book a table").click()
    await page.get_by_label("Guests").fill("3")
    await page.get_by_label("Day").fill(f"{EVENING:%Y-%m-%d}")
    await page.get_by_label("Time").fill("19:00")
    await page.get_by_role("button", name="Find a table").click()
    await expect(page.get_by_role("heading", level=2)).to_contain_text("1 table is free for 3 guests")
    assert await small_targets(page) == []
    await page.get_by_role("link", name=re.compile("Cabin for 4.*Choose")).click()
    await page.get_by_label("Name").fill("شيماء")
    await page.get_by_label("Email address").fill("guest at home")
    await page.get_by_label("Notes").fill("A high chair, please.")
    await page.get_by_role("button", name="Order the table").click()
    await expect(page.get_by_label("Email address")).to_have_accessible_description(re.compile("not a valid email"))
    assert await small_targets(page) == []
    await expect(page.get_by_label("Name")).to_have_value("شيماء")
    await page.get_by_label("Email address").fill("guest@example.com")
    await page.get_by_role("button", name="Order the table").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Your order is on its way")
    assert await small_targets(page) == []
    await page.reload()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Your order is on its way")
    return page.url


async def subjects(provider_url: str) -> list[str]:
    """The subjects of the emails to the guest, oldest first."""
    async with aiohttp.ClientSession() as client, client.get(f"{provider_url}/inbox.json") as answer:
        return [email["subject"] for email in reversed(await answer.json()) if email["to"] == "guest@example.com"]


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
async def test_a_guest_books_staff_confirm_and_the_guest_cancels_while_the_provider_stops_in_between(
    applications: Applications, browser: Browser, scripts: bool
) -> None:
    guest = await watch(browser, applications.provider, java_script_enabled=scripts, viewport=TELEPHONE)
    staff = await watch(browser, applications.dashboard, java_script_enabled=scripts, viewport=TABLET)
    desk = f"{applications.dashboard}/front-desk"
    async with applications.run_dashboard():
        # 1. The guest orders a table, and the order reaches the desk.
        async with applications.run_provider():
            await add_table(applications.provider)
            order = await book(guest.page, applications.provider)
            await staff.page.goto(desk)
            await staff.page.get_by_label("Token").fill("staff")
            await staff.page.get_by_role("button", name="Log in").click()

            async def order_arrived() -> bool:
                await staff.page.goto(desk)
                return await staff.page.get_by_text("شيماء").count() == 1

            await eventually(order_arrived)

            async def first_email_arrived() -> bool:
                return len(await subjects(applications.provider)) == 1

            await eventually(first_email_arrived)

        # 2. Staff confirm while the provider is down: the decision waits in the outbox of the dashboard.
        await staff.page.get_by_role("button", name="Confirm").first.click()
        await expect(staff.page.get_by_role("button", name="Confirm")).to_have_count(0)

        # 3. It arrives after the restart, and so does the email with the button, by which the guest cancels.
        async with applications.run_provider():

            async def is_confirmed() -> bool:
                return (await subjects(applications.provider))[1:] == ["Your table is confirmed"]

            await eventually(is_confirmed)
            await guest.page.goto(order)
            await expect(guest.page.get_by_role("heading", level=1)).to_have_text("Your table is confirmed")
            await guest.page.goto(f"{applications.provider}/book?guests=3&day={EVENING:%Y-%m-%d}&time=19:00")
            await expect(guest.page.get_by_role("heading", level=2)).to_contain_text("No table is free for 3 guests")
            await guest.page.goto(f"{applications.provider}/inbox")
            await guest.page.get_by_role("link", name="Cancel the order").first.click()
            await guest.page.get_by_role("button", name="Cancel the order").click()
            await expect(guest.page.get_by_role("heading")).to_have_text("The order is cancelled")

            # 4. The desk sees that the table is free again, and so does the next guest.
            async def is_cancelled() -> bool:
                await staff.page.goto(desk)
                return "ancelled" in await staff.page.locator("main").inner_text()

            await eventually(is_cancelled)
            await guest.page.goto(f"{applications.provider}/book?guests=3&day={EVENING:%Y-%m-%d}&time=19:00")
            await expect(guest.page.get_by_role("heading", level=2)).to_contain_text("1 table is free for 3 guests")
    assert guest.faults == staff.faults == []
