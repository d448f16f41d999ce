"""Forms on plain HTTP at a name, as on a tablet in the house: browsers say by Origin alone where a form comes from."""

import pytest
from playwright.async_api import Browser, expect

from tests.support.both_applications import Applications, add_table
from tests.support.browser import PLAIN_HOST, watch
from tests.support.restaurant import EVENING

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]


def at_name(url: str) -> str:
    return url.replace("127.0.0.1", PLAIN_HOST)


async def test_staff_log_in(applications: Applications, browser: Browser) -> None:
    async with applications.run_dashboard():
        watched = await watch(browser, at_name(applications.dashboard))
        page = watched.page
        await page.goto(f"{watched.origin}/front-desk")
        await page.get_by_label("Token").fill("staff")
        await page.get_by_role("button", name="Log in").click()

        await expect(page.get_by_role("button", name="Log out")).to_be_visible()


async def test_a_guest_books(applications: Applications, browser: Browser) -> None:
    async with applications.run_provider():
        await add_table(applications.provider)
        watched = await watch(browser, at_name(applications.provider))
        page = watched.page
        await page.goto(f"{watched.origin}/book?guests=2&day={EVENING:%Y-%m-%d}&time=19:00")
        await page.get_by_role("link", name="Choose").click()
        await page.get_by_label("Email address").fill("ann@example.com")
        await page.get_by_role("button", name="Order the table").click()

        await expect(page.get_by_role("heading", level=1)).to_have_text("Your order is on its way")
