"""The pages on which guests find and order a table: what the API does, in sentences, once for each form."""

import asyncio
import math
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import urlencode

import asyncpg
import pytest

from common.db.errors import NoConnectionError
from common.instants import format_instant
from common.web.idempotency import StoredResponse, run_once
from common.web.responses import encode_json
from provider.dining import service
from provider.dining.page_views.forms import Contact, Wish
from provider.dining.queries import tables
from provider.dining.routes.book_page.order import OrderForm, scope_of_forms
from tests.support.callers import sent_from
from tests.support.restaurant import EVENING, START, Restaurant

BROWSER = {"Accept": "text/html"}
WHEN = {"guests": "2", "day": f"{EVENING:%Y-%m-%d}", "time": "19:00"}
ANN = {"name": "Ann <Baker>", "email": "ann@example.com", "phone": "", "notes": "A high chair"}
EVENING_WORDS = f"{EVENING:%A}, {EVENING.day} {EVENING:%B}"


async def get(restaurant: Restaurant, path: str, **query: Any) -> tuple[Any, str]:
    response = await restaurant.client.get(f"{path}?{urlencode(query)}" if query else path, headers=BROWSER)
    return response, unescape(await response.get_data(as_text=True))


async def open_form(restaurant: Restaurant, table: int, **changes: str) -> dict[str, str]:
    """The fields of the form that orders a table."""
    response, page = await get(restaurant, "/book/order", **{**WHEN, "table": str(table), **changes})
    assert response.status_code == 200, page
    return fields_of(page)


def fields_of(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))


async def send(restaurant: Restaurant, fields: dict[str, str], **options: Any) -> tuple[Any, str]:
    headers = {**BROWSER, **options.pop("headers", {})}
    response = await restaurant.client.post("/book/order", form=fields, headers=headers, **options)
    return response, unescape(await response.get_data(as_text=True))


def wrong(page: str) -> list[str]:
    return re.findall(r'<p class="wrong" id="wrong-\w+">(.*?)</p>', page)


def notices(page: str) -> list[str]:
    block = re.search(r'<div class="notice bad" role="alert">(.*?)</div>', page, re.DOTALL)
    return re.findall(r"<p>([^<]*)</p>", block[1]) if block else []


async def count(restaurant: Restaurant) -> int:
    return await restaurant.db.fetchval("SELECT count(*) FROM dining_booking")


async def test_without_a_search_the_tables_of_the_next_evening_are_shown(restaurant: Restaurant) -> None:
    table = await restaurant.add_table(seats=4, price=25)

    response, page = await get(restaurant, "/book")

    assert response.status_code == 200
    assert "1 table is free for 2 guests on " in page
    assert f"table={table}" in page
    assert "Times are those of the restaurant, in UTC." in page
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Referrer-Policy"] == "same-origin"
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]


async def test_the_page_shows_the_tables_that_the_api_finds(restaurant: Restaurant) -> None:
    for kind, seats, price in (("regular", 2, 10), ("cabin", 4, 40), ("cabin", 6, 90), ("room", 12, 120)):
        await restaurant.add_table(table_type=kind, seats=seats, price=price)
    taken = await restaurant.add_table(table_type="cabin", seats=4, price=30)
    booking = await restaurant.book(taken, email="ben@example.com", starts_at=START)
    await restaurant.admin("POST", f"accept_booking/?id={booking}")
    criteria = {"guests": "3", "table_type": "cabin", "price_max": "80"}

    _, page = await get(restaurant, "/book", **{**WHEN, **criteria})

    api = await restaurant.client.get(f"/api/customer/view_tables/?{urlencode({**criteria, 'starts_at': START})}")
    assert re.findall(r"[&?]table=(\d+)", page) == [str(each["id"]) for each in await api.get_json()]
    assert f"1 table is free for 3 guests on {EVENING_WORDS}" in page


async def test_only_an_order_that_is_confirmed_for_that_time_takes_a_table(restaurant: Restaurant) -> None:
    table = await restaurant.add_table()
    confirmed_for_the_next_time = await restaurant.book(table, email="ben@example.com")
    await restaurant.admin("POST", f"accept_booking/?id={confirmed_for_the_next_time}")
    await restaurant.book(table, email="cem@example.com", starts_at=START)
    before = await restaurant.book(
        table, email="dan@example.com", starts_at=format_instant(EVENING - timedelta(hours=2))
    )
    await restaurant.admin("POST", f"accept_booking/?id={before}")

    assert "1 table is free for 2 guests" in (await get(restaurant, "/book", **WHEN))[1]
    _, page = await get(restaurant, "/book", **WHEN | {"time": "18:00"})
    assert "No table is free for 2 guests" in page
    assert re.findall(r'#found">(\d\d:\d\d)</a>', page) == ["19:00", "19:30", "20:00"]


async def test_where_nothing_is_free_times_nearby_are_offered(restaurant: Restaurant) -> None:
    table = await restaurant.add_table(seats=4)
    booking = await restaurant.book(table, email="ben@example.com", starts_at=START, minutes=60)
    await restaurant.admin("POST", f"accept_booking/?id={booking}")

    _, page = await get(restaurant, "/book", **WHEN)

    assert "No table is free for 2 guests" in page
    assert re.findall(r'#found">(\d\d:\d\d)</a>', page) == ["17:00", "20:00", "20:30"]
    address = re.findall(r'href="(/book\?[^"]*time=20%3A00[^"]*)#found"', page)[0]
    assert "1 table is free" in (await get(restaurant, address))[1]


async def test_a_time_nearby_on_another_day_says_which(restaurant: Restaurant) -> None:
    table = await restaurant.add_table(seats=4)
    late = EVENING.replace(hour=23)
    booking = await restaurant.book(
        table, email="ben@example.com", starts_at=format_instant(late - timedelta(hours=4)), minutes=330
    )
    await restaurant.admin("POST", f"accept_booking/?id={booking}")

    _, page = await get(restaurant, "/book", **WHEN | {"time": "23:00"})

    next_day = f"{late + timedelta(days=1):%A}"
    assert re.findall(r'#found">(\d\d:\d\d[^<]*)</a>', page) == [f"00:30 on {next_day}", f"01:00 on {next_day}"]


async def test_a_table_that_is_too_small_at_every_time_nearby_is_told_apart_from_one_that_is_taken(
    restaurant: Restaurant,
) -> None:
    assert "No table of this restaurant can be ordered at the moment." in (await get(restaurant, "/book", **WHEN))[1]
    await restaurant.add_table(seats=4, price=20)
    cabin = await restaurant.add_table(table_type="cabin", seats=6, price=30)

    too_large = await get(restaurant, "/book", **WHEN | {"guests": "7", "table_type": "cabin"})
    assert "The largest table has 6 seats." in too_large[1]
    assert "Tables of any kind and price" not in too_large[1]
    query = {**WHEN, "guests": "5", "table_type": "regular", "price_max": "25"}
    _, page = await get(restaurant, "/book", **query)
    assert "The largest table of this kind up to this price has 4 seats." in page
    address = re.findall(r'href="(/book\?[^"]*)#found">Tables of any kind and price', page)[0]
    assert "1 table is free for 5 guests" in (await get(restaurant, address))[1]
    _, page = await get(restaurant, "/book", **WHEN, price_max="5")
    assert "The restaurant has no table up to this price." in page
    booking = await restaurant.book(cabin, email="ben@example.com", starts_at=START, minutes=1440)
    await restaurant.admin("POST", f"accept_booking/?id={booking}")
    tomorrow = EVENING + timedelta(hours=12)
    query = {"guests": "5", "day": f"{tomorrow:%Y-%m-%d}", "time": f"{tomorrow:%H:%M}"}
    assert "Try another day." in (await get(restaurant, "/book", **query))[1]


async def test_of_many_tables_those_that_fit_best_are_shown_and_all_are_counted(restaurant: Restaurant) -> None:
    await restaurant.db.execute(
        "INSERT INTO dining_table (table_type, seats, price, can_be_booked) "
        "SELECT 'regular', 6, 1, true FROM generate_series(1, 1200)"
    )
    dear, cheap = await restaurant.add_table(seats=2, price=9), await restaurant.add_table(seats=2, price=8)

    _, page = await get(restaurant, "/book", **WHEN)

    assert "1,202 tables are free" in page
    assert page.count("Choose</span>") == 50
    assert "These 50 fit best." in page
    assert re.findall(r"[&?]table=(\d+)", page)[:2] == [str(cheap), str(dear)]


@pytest.mark.parametrize(("opens", "closes"), [("02:00", "03:00"), ("07:30", "11:00")])
async def test_nobody_is_blamed_before_a_search(restaurant: Restaurant, opens: str, closes: str) -> None:
    await restaurant.add_table()
    await restaurant.admin("PUT", "opening_hours", json=[{"day": 0, "opens": opens, "closes": closes}])

    response, page = await get(restaurant, "/book", utm_source="mail")

    assert response.status_code == 200
    assert wrong(page) == []
    assert "Please correct" not in page
    assert (f'value="{opens}"' in page) == (opens == "07:30")


async def test_a_wrong_search_is_answered_in_place_with_what_was_typed(restaurant: Restaurant) -> None:
    response, page = await get(restaurant, "/book", guests="many<b>", day="2020-01-01", time="19:00", price_max="x")

    assert response.status_code == 400
    assert wrong(page) == [
        "The number of guests must be a whole number.",
        "The time must be in the future.",
        "Enter a price such as 25 or 25.50.",
    ]
    assert 'value="many<b>"' in page  # unescaped here
    assert "many<b>" not in await (await restaurant.client.get("/book?guests=many<b>")).get_data(as_text=True)


async def test_an_unknown_parameter_is_ignored(restaurant: Restaurant) -> None:
    assert (await get(restaurant, "/book", utm_source="mail"))[0].status_code == 200


async def test_the_house_being_closed_is_said_with_its_hours(restaurant: Restaurant) -> None:
    await restaurant.admin(
        "PUT", "opening_hours", json=[{"day": EVENING.weekday(), "opens": "12:00", "closes": "15:00"}]
    )

    response, page = await get(restaurant, "/book", **WHEN)

    assert response.status_code == 400
    assert wrong(page) == [
        f"The time must be within the opening hours for all 120 minutes: {EVENING:%A} 12:00 to 15:00 (UTC)."
    ]
    assert "<dt>Sunday</dt><dd>" in page


async def test_times_nearby_at_which_the_house_is_open_are_offered(restaurant: Restaurant) -> None:
    await restaurant.add_table()
    hours = [{"day": EVENING.weekday(), "opens": "18:00", "closes": "23:00"}]
    await restaurant.admin("PUT", "opening_hours", json=hours)

    response, page = await get(restaurant, "/book", **WHEN | {"time": "22:00"})

    assert response.status_code == 400
    assert wrong(page)[0].startswith("The time must be within the opening hours")
    assert re.findall(r'#found">(\d\d:\d\d)</a>', page) == ["20:00", "20:30", "21:00"]
    assert page.count('id="found"') == 1


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
