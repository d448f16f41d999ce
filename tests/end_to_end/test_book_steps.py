"""Each step of ordering a table in a browser, as it succeeds and as it fails."""

from urllib.parse import urlencode

import pytest
from playwright.async_api import Browser, expect

from tests.support.both_applications import Applications, add_table
from tests.support.browser import watch
from tests.support.restaurant import EVENING

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

WHEN = {"guests": "3", "day": f"{EVENING:%Y-%m-%d}", "time": "19:00"}


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_no_step_of_an_order_has_a_fault(
    applications: Applications, browser: Browser, width: int, scheme: str
) -> None:
    settings = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    guest = await watch(browser, applications.provider, **settings)
    page = guest.page
    search = f"{applications.provider}/book?"
    async with applications.run_provider():
        await add_table(applications.provider)
        for query in (WHEN, WHEN | {"guests": "9", "table_type": "cabin"}, {"guests": "0", "day": "2020-01-01"}):
            await page.goto(search + urlencode(query))
            assert await guest.check() == []

        # A form with faults of the guest's details, and then of the time, which the same form corrects.
        await page.goto(f"{applications.provider}/book/order?{urlencode(WHEN | {'table': '1'})}")
        assert await guest.check() == []
        await page.get_by_label("Email address").fill("x@")
        await page.get_by_label("Phone number").fill("1")
        await page.get_by_role("button", name="Order the table").click()
        await expect(page.locator(".wrong")).to_have_count(2)
        assert await guest.check() == []
        await page.get_by_label("Email address").fill("ann@example.com")
        await page.get_by_label("Phone number").fill("")
        await page.locator("input[name=day]").evaluate("field => { field.value = '2020-01-01'; }")
        await page.get_by_role("button", name="Order the table").click()
        await expect(page.get_by_label("Day")).to_have_accessible_description("The time must be in the future.")
        assert await guest.check() == []
        await page.get_by_label("Day").fill(WHEN["day"])
        await page.get_by_role("button", name="Order the table").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Your order is on its way")
        assert await guest.check() == []
