"""The pages on which guests order a table: what the API does, once for each form."""

import asyncio
import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from common.web.idempotency import StoredResponse, run_once
from common.web.responses import encode_json
from provider.dining.page_views.forms import Contact, Wish
from provider.dining.routes.book_page.order import OrderForm, scope_of_forms
from tests.support.book_page import ANN, count, get, notices, open_form, send, wrong
from tests.support.callers import sent_from
from tests.support.restaurant import EVENING, Restaurant


async def test_an_order_is_stored_as_the_api_stores_it_and_a_reload_does_not_repeat_it(restaurant: Restaurant) -> None:
    table = await restaurant.add_table(seats=4, price=25)
    fields = await open_form(restaurant, table) | ANN

    response, _ = await send(restaurant, fields)

    assert response.status_code == 303
    [booking] = await restaurant.db.fetch("SELECT * FROM dining_booking")
    assert (booking["name"], booking["email"], booking["notes"]) == ("Ann <Baker>", "ann@example.com", "A high chair")
    assert (booking["starts_at"], booking["guests"], booking["status"]) == (EVENING, 2, "waiting")
    topics = await restaurant.db.fetch("SELECT topic FROM outbox ORDER BY topic")
    assert [row["topic"] for row in topics] == ["accounting", "mail"]
    for _ in range(2):
        sent, page = await get(restaurant, response.headers["Location"])
        assert sent.status_code == 200
        assert "Your order is on its way" in page
        assert "The restaurant answers by email." in page
    assert await count(restaurant) == 1


async def test_the_page_of_a_sent_order_has_no_name_no_address_and_no_link_that_cancels(restaurant: Restaurant) -> None:
    table = await restaurant.add_table(seats=4)
    response, _ = await send(restaurant, await open_form(restaurant, table) | ANN)

    sent, page = await get(restaurant, response.headers["Location"])

    assert f"{EVENING:%A}, {EVENING.day} {EVENING:%B %Y}, 19:00 UTC" in page
    assert not re.search(r"Ann|example\.com|high chair|cancel_booking", page)
    assert sent.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("token", ["abc", "x" * 32, "x" * 31 + "%00", "%ff"])
async def test_the_address_of_a_sent_order_that_does_not_exist_is_not_found(restaurant: Restaurant, token: str) -> None:
    response, page = await get(restaurant, f"/book/sent/{token}")

    assert response.status_code == 404
    assert "No order was sent here within two days." in page


@pytest.mark.parametrize(
    ("decision", "title", "sentence"),
    [
        ("accept_booking", "Your table is confirmed", "looks forward to seeing you"),
        ("cancel_booking", "The restaurant cannot offer you this table", "No table is reserved for you."),
    ],
)
async def test_the_page_of_a_sent_order_says_how_it_stands_now(
    restaurant: Restaurant, decision: str, title: str, sentence: str
) -> None:
    response, _ = await send(restaurant, await open_form(restaurant, await restaurant.add_table()) | ANN)
    booking = await restaurant.db.fetchval("SELECT id FROM dining_booking")
    assert (await restaurant.admin("POST", f"{decision}/?id={booking}")).status_code == 200

    _, page = await get(restaurant, response.headers["Location"])

    assert f"<h1>{title}</h1>" in page
    assert sentence in page
    assert "is on its way" not in page
    assert "Until it has confirmed" not in page


async def test_a_double_click_orders_once(restaurant: Restaurant) -> None:
    fields = await open_form(restaurant, await restaurant.add_table()) | ANN

    answers = await asyncio.gather(*(send(restaurant, fields) for _ in range(4)))

    assert {(response.status_code, response.headers["Location"]) for response, _ in answers} == {
        (303, f"/book/sent/{fields['token']}")
    }
    assert await count(restaurant) == 1


async def test_a_form_is_sent_again_from_another_address_of_the_same_telephone(restaurant: Restaurant) -> None:
    fields = await open_form(restaurant, await restaurant.add_table()) | ANN

    for address in ("192.0.2.1", "192.0.2.2"):
        response, _ = await send(restaurant, fields, scope_base=sent_from(address))
        assert response.status_code == 303
    assert await count(restaurant) == 1


async def test_what_is_changed_in_a_form_that_was_sent_is_not_ordered_and_the_page_says_so(
    restaurant: Restaurant,
) -> None:
    fields = await open_form(restaurant, await restaurant.add_table()) | ANN
    await send(restaurant, fields)

    response, _ = await send(restaurant, fields | {"name": "Ben"})

    _, page = await get(restaurant, response.headers["Location"])
    assert "What you changed after that was not ordered." in page
    assert await count(restaurant) == 1


async def test_a_form_that_is_sent_again_after_its_time_leads_to_its_order(restaurant: Restaurant) -> None:
    table = await restaurant.add_table()
    booking = await restaurant.book(table)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    fields = await open_form(restaurant, table) | ANN | {"day": f"{yesterday:%Y-%m-%d}"}
    wish = Wish(fields["guests"], fields["day"], fields["time"])
    sent = OrderForm(str(table), "no charge", fields["token"], wish, Contact(**ANN))

    async def store(_: Any) -> StoredResponse:
        return StoredResponse(201, encode_json({"id": booking}))

    await run_once(restaurant.db, scope_of_forms(), sent.token, sent.fingerprint(), store)
    response, _ = await send(restaurant, fields)

    assert response.headers["Location"] == f"/book/sent/{sent.token}"
    assert f"no. {booking}" in (await get(restaurant, response.headers["Location"]))[1]
    assert await count(restaurant) == 1


async def test_the_person_is_erased_from_the_stored_answer_too(restaurant: Restaurant) -> None:
    response, _ = await send(restaurant, await open_form(restaurant, await restaurant.add_table()) | ANN)

    await restaurant.admin("POST", "erase_guest/", json={"email": "ann@example.com"})

    assert await restaurant.db.fetchval("SELECT count(*) FROM idempotency_key") == 0
    assert (await get(restaurant, response.headers["Location"]))[0].status_code == 404


async def test_the_landing_page_and_the_inbox_lead_to_it(restaurant: Restaurant) -> None:
    assert '<a href="/book">Book a table</a>' in (await get(restaurant, "/"))[1]


class TestInBerlin:
    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        return environment | {"PROVIDER_TIMEZONE": "Europe/Berlin"}

    async def test_the_hour_that_comes_twice_is_chosen_and_ordered(
        self, restaurant: Restaurant, provider_db: asyncpg.Pool
    ) -> None:
        table = await restaurant.add_table()
        night = next_change_of_clocks("back")
        when = {"guests": "2", "day": night, "time": "02:30"}

        response, page = await get(restaurant, "/book", **when)
        assert response.status_code == 400
        assert wrong(page) == ["02:30 comes twice that day, since the clocks go back. Choose one of the two."]
        assert re.findall(r'name="offset" value="([^"]*)"', page) == ["+02:00", "+01:00"]

        fields = await open_form(restaurant, table, **when, offset="+01:00")
        await send(restaurant, fields | ANN)
        start = await provider_db.fetchval("SELECT starts_at FROM dining_booking")
        assert f"{start:%Y-%m-%d %H:%M}" == f"{night} 01:30"

    async def test_the_hour_that_is_skipped_is_said(self, restaurant: Restaurant) -> None:
        night = next_change_of_clocks("ahead")

        response, page = await get(restaurant, "/book", guests="2", day=night, time="02:30")

        assert response.status_code == 400
        assert wrong(page) == ["The time does not exist on that day: the clocks skip it. Choose another one."]
        assert "Times are those of the restaurant (Europe/Berlin)." in page


def next_change_of_clocks(direction: str) -> str:
    """The last Sunday of October or of March that comes next."""
    month = 10 if direction == "back" else 3
    today = datetime.now(UTC).date() + timedelta(days=1)
    sundays = [day for day in (today + timedelta(days=ahead) for ahead in range(366)) if day.weekday() == 6]
    return min(day for day in sundays if day.month == month and (day + timedelta(days=7)).month != month).isoformat()


class TestLimited:
    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        return environment | {"PROVIDER_ORDERS_PER_HOUR": "2"}

    async def test_too_many_orders_are_refused_with_what_was_typed(self, restaurant: Restaurant) -> None:
        table = await restaurant.add_table()
        for number in range(2):
            fields = await open_form(restaurant, table) | ANN | {"email": f"guest{number}@example.com"}
            assert (await send(restaurant, fields))[0].status_code == 303
        api = await restaurant.post_order(table, email="guest2@example.com")
        assert api.status_code == 429

        fields = await open_form(restaurant, table) | ANN
        response, page = await send(restaurant, fields)

        assert response.status_code == 429
        assert "Retry-After" in response.headers
        wait = math.ceil(int(response.headers["Retry-After"]) / 60)
        assert notices(page)[0] == (
            f"Too many orders were sent from here, or to you, within an hour. Try again in {wait} min."
        )
        assert 'value="ann@example.com"' in page
        await restaurant.db.execute("DELETE FROM rate_limit")
        assert (await send(restaurant, fields))[0].status_code == 303


class TestOutsideTheDemo:
    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        return {name: value for name, value in environment.items() if name != "NIGHTAUDIT_DEMO"} | {
            "PROVIDER_ADMIN_PASSWORD": "a-password-of-the-admin",
            "PROVIDER_JWT_SECRET": "a-secret-that-signs-the-tokens-of-staff",
        }

    async def test_the_page_works_and_names_no_inbox(self, restaurant: Restaurant) -> None:
        await restaurant.db.execute(
            "INSERT INTO dining_table (table_type, seats, price, can_be_booked) VALUES ('regular', 2, 1, true)"
        )
        table = await restaurant.db.fetchval("SELECT table_id FROM dining_table")

        response, _ = await send(restaurant, await open_form(restaurant, table) | ANN)

        _, page = await get(restaurant, response.headers["Location"])
        assert "Your order is on its way" in page
        assert "inbox" not in page
