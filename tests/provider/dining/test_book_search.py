"""The page on which guests find a table: what the API finds, in sentences."""

import re
from datetime import timedelta
from urllib.parse import urlencode

import pytest

from common.instants import format_instant
from tests.support.book_page import WHEN, get, wrong
from tests.support.restaurant import EVENING, START, Restaurant

EVENING_WORDS = f"{EVENING:%A}, {EVENING.day} {EVENING:%B}"


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
