"""Orders on the page for guests that are refused: why, with what was typed, and what may be sent instead."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from common.db.errors import NoConnectionError
from provider.dining import service
from provider.dining.queries import tables
from tests.support.book_page import ANN, WHEN, count, fields_of, get, notices, open_form, send, wrong
from tests.support.restaurant import EVENING, START, Restaurant


async def test_faults_stand_beside_their_fields_and_nothing_typed_is_lost(restaurant: Restaurant) -> None:
    fields = await open_form(restaurant, await restaurant.add_table()) | ANN
    typed = {"name": "Ann\u202e", "email": "ann at home", "notes": "<i>quiet</i>"}

    response, page = await send(restaurant, fields | typed)

    assert response.status_code == 400
    assert [each.partition(":")[0] for each in wrong(page)] == [
        "This must not contain control characters, line breaks or invisible characters.",
        "This is not a valid email address",
    ]
    assert 'value="ann at home"' in page
    assert "<i>quiet</i></textarea>" in page
    assert 'aria-describedby="wrong-email"' in page
    assert fields_of(page)["token"] == fields["token"]
    assert await count(restaurant) == 0
    assert (await send(restaurant, fields_of(page) | ANN))[0].status_code == 303


async def test_a_guest_without_an_address_is_asked_for_one(restaurant: Restaurant) -> None:
    fields = await open_form(restaurant, await restaurant.add_table())

    response, page = await send(restaurant, fields | ANN | {"email": ""})

    assert response.status_code == 400
    assert wrong(page) == ["Enter an email address or a phone number, so that the restaurant can answer."]


async def test_a_guest_with_a_phone_number_alone_is_answered_by_text_message(restaurant: Restaurant) -> None:
    fields = await open_form(restaurant, await restaurant.add_table())

    response, _ = await send(restaurant, fields | {"phone": "+49 30 123456"})

    assert "The restaurant answers by text message." in (await get(restaurant, response.headers["Location"]))[1]


async def test_a_table_that_was_taken_meanwhile_is_said_and_another_one_can_be_ordered(restaurant: Restaurant) -> None:
    table, other = await restaurant.add_table(), await restaurant.add_table(price=7)
    fields = await open_form(restaurant, table) | ANN
    booking = await restaurant.book(table, email="ben@example.com", starts_at=START)
    await restaurant.admin("POST", f"accept_booking/?id={booking}")

    response, page = await send(restaurant, fields)

    assert response.status_code == 409
    assert notices(page)[0] == "This table is not free at that time any more."
    assert re.findall(r'type="radio" name="table" value="([^"]*)"', page) == [f"{other}/7.00 EUR"]
    assert 'value="Ann <Baker>"' in page
    assert await count(restaurant) == 1
    response, _ = await send(restaurant, fields_of(page) | ANN | {"table": f"{other}/7.00 EUR"})
    assert response.status_code == 303


@pytest.mark.parametrize("change", ["taken", "closed", "unknown"])
async def test_the_form_of_a_table_that_is_not_free_offers_the_others(restaurant: Restaurant, change: str) -> None:
    table, other = await restaurant.add_table(), await restaurant.add_table()
    if change == "taken":
        booking = await restaurant.book(table, email="ben@example.com", starts_at=START)
        await restaurant.admin("POST", f"accept_booking/?id={booking}")
    elif change == "closed":
        await restaurant.admin("PATCH", "update_table/", json={"id": table, "can_be_booked": False})

    response, page = await get(
        restaurant, "/book/order", **WHEN, table=str(table if change != "unknown" else table + 100)
    )

    assert response.status_code == 409
    assert notices(page)[0] == "This table is not free at that time any more."
    assert re.findall(r'type="radio" name="table" value="(\d+)/', page) == [
        str(each) for each in (table, other) if change == "unknown" or each == other
    ]
    assert "<h1>Your order</h1>" in page


async def test_a_table_that_was_closed_meanwhile_is_said(restaurant: Restaurant) -> None:
    table = await restaurant.add_table()
    fields = await open_form(restaurant, table) | ANN
    await restaurant.admin("PATCH", "update_table/", json={"id": table, "can_be_booked": False})

    response, page = await send(restaurant, fields)

    assert response.status_code == 409
    assert notices(page)[0] == "The table is closed for booking."
    assert await count(restaurant) == 0


async def test_of_a_table_that_was_closed_in_a_house_that_is_closed_then_both_is_said(restaurant: Restaurant) -> None:
    table = await restaurant.add_table()
    fields = await open_form(restaurant, table) | ANN
    await restaurant.admin("PATCH", "update_table/", json={"id": table, "can_be_booked": False})
    hours = [{"day": EVENING.weekday(), "opens": "10:00", "closes": "11:00"}]
    await restaurant.admin("PUT", "opening_hours", json=hours)

    response, page = await send(restaurant, fields)

    assert response.status_code == 409
    assert notices(page)[0] == "The table is closed for booking."
    assert wrong(page)[0].startswith("The time must be within the opening hours")


async def test_where_the_last_table_was_taken_another_time_is_chosen_in_the_same_form(restaurant: Restaurant) -> None:
    table = await restaurant.add_table()
    fields = await open_form(restaurant, table) | ANN
    booking = await restaurant.book(table, email="ben@example.com", starts_at=START)
    await restaurant.admin("POST", f"accept_booking/?id={booking}")

    response, page = await send(restaurant, fields)

    assert response.status_code == 409
    assert notices(page)[0] == "This table is not free at that time any more."
    assert 'type="time" required value="19:00"' in page
    assert 'value="ann@example.com"' in page
    again = fields_of(page) | ANN | WHEN | {"time": "21:30"}
    assert (await send(restaurant, again))[0].status_code == 303
    starts = await restaurant.db.fetch("SELECT starts_at FROM dining_booking ORDER BY id")
    assert [row["starts_at"] for row in starts] == [EVENING, EVENING + timedelta(minutes=150)]


async def test_another_price_than_was_shown_is_said_before_anything_is_ordered(restaurant: Restaurant) -> None:
    table = await restaurant.add_table(price=10)
    fields = await open_form(restaurant, table) | ANN
    await restaurant.admin("PATCH", "update_table/", json={"id": table, "price": 12.5})

    response, page = await send(restaurant, fields)

    assert response.status_code == 409
    assert notices(page)[0] == "The price of this table has changed: 12.50 EUR."
    assert await count(restaurant) == 0
    assert (await send(restaurant, fields_of(page) | ANN))[0].status_code == 303


async def test_a_time_that_has_passed_meanwhile_is_corrected_in_the_same_form(restaurant: Restaurant) -> None:
    fields = await open_form(restaurant, await restaurant.add_table()) | ANN
    past = datetime.now(UTC) - timedelta(hours=3)

    response, page = await send(restaurant, fields | {"day": f"{past:%Y-%m-%d}", "time": f"{past:%H:%M}"})

    assert response.status_code == 400
    assert wrong(page) == ["The time must be in the future."]
    assert 'value="ann@example.com"' in page
    assert await count(restaurant) == 0
    assert (await send(restaurant, fields_of(page) | ANN | WHEN))[0].status_code == 303


async def test_a_house_that_closes_meanwhile_is_said(restaurant: Restaurant) -> None:
    fields = await open_form(restaurant, await restaurant.add_table()) | ANN
    await restaurant.admin(
        "PUT", "opening_hours", json=[{"day": EVENING.weekday(), "opens": "10:00", "closes": "11:00"}]
    )

    response, page = await send(restaurant, fields)

    assert response.status_code == 400
    assert wrong(page)[0].startswith("The time must be within the opening hours")


@pytest.mark.parametrize(
    ("guests", "sentence"),
    [
        ("", "The number of guests is missing."),
        ("5", "The number of guests must be at most 4, the number of seats of the table."),
    ],
)
async def test_an_order_without_guests_or_with_too_many_is_refused(
    restaurant: Restaurant, guests: str, sentence: str
) -> None:
    fields = await open_form(restaurant, await restaurant.add_table(seats=4)) | ANN

    response, page = await send(restaurant, fields | {"guests": guests})

    assert response.status_code == 400
    assert wrong(page) == [sentence]
    assert await count(restaurant) == 0


@pytest.mark.parametrize("table", ["", "x", "-1", "٣", "9" * 30])
async def test_the_form_without_a_table_leads_to_the_search(restaurant: Restaurant, table: str) -> None:
    response, _ = await get(restaurant, "/book/order", **WHEN, table=table)

    assert response.status_code == 303
    assert response.headers["Location"] == f"/book?{urlencode(WHEN)}"


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}]
)
async def test_a_form_of_another_site_is_refused(restaurant: Restaurant, headers: dict[str, str]) -> None:
    fields = await open_form(restaurant, await restaurant.add_table()) | ANN

    response, page = await send(restaurant, fields, headers=headers)

    assert response.status_code == 403
    assert "another site" in page
    assert await count(restaurant) == 0


@pytest.mark.parametrize(
    "change",
    [
        *({"token": token} for token in ("", "x" * 31, "x" * 33, "x" * 31 + "/", "x" * 31 + "\0", "x" * 31 + "é")),
        *({"table": table} for table in ("", "9" * 30, "-1", "٣")),
    ],
)
async def test_a_form_that_is_not_ours_is_refused(restaurant: Restaurant, change: dict[str, str]) -> None:
    fields = await open_form(restaurant, await restaurant.add_table()) | ANN

    response, page = await send(restaurant, fields | change)

    assert response.status_code == 400
    assert "The form is not complete." in page


async def test_a_form_that_is_too_large_is_refused(restaurant: Restaurant) -> None:
    fields = await open_form(restaurant, await restaurant.add_table()) | ANN

    assert (await send(restaurant, fields | {"notes": "x" * 20_000}))[0].status_code == 413


async def test_while_the_database_is_away_nothing_typed_is_lost(
    restaurant: Restaurant, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = await open_form(restaurant, await restaurant.add_table()) | ANN

    async def fail(*_: Any) -> None:
        raise NoConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(service, "place_order", fail)
        response, page = await send(restaurant, fields)

    assert response.status_code == 503
    assert notices(page)[1] == "Send the form again: it is ordered once, however often you send it."
    assert 'value="ann@example.com"' in page
    assert (await send(restaurant, fields_of(page) | ANN))[0].status_code == 303


async def test_while_the_database_is_away_a_form_with_a_fault_is_not_lost_either(
    restaurant: Restaurant, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = await open_form(restaurant, await restaurant.add_table()) | ANN | {"email": "ann at home"}

    async def fail(*_: Any) -> None:
        raise NoConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(tables, "select_bookable_tables", fail)
        response, page = await send(restaurant, fields)

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "2"
    assert 'value="ann at home"' in page
    assert "Nothing was ordered" not in page
