"""Tables and orders over HTTP."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from provider.dining import inputs
from tests.support.restaurant import START, Restaurant, evening_at


async def test_a_table_is_added_and_changed(restaurant: Restaurant) -> None:
    response = await restaurant.admin(
        "POST", "add_table/", json={"table_type": "cabin", "seats": 6, "price": 19.99, "can_be_booked": True}
    )
    table = await response.get_json()
    assert response.status_code == 201
    assert table == {"id": 3001, "table_type": "cabin", "seats": 6, "price": 19.99, "can_be_booked": True}

    response = await restaurant.admin("PATCH", "update_table/", json={"id": 3001, "price": 25})
    assert response.status_code == 200
    assert await response.get_json() == table | {"price": 25}
    prices = await (await restaurant.admin("GET", "view_prices/?id=3001")).get_json()
    assert [point["price"] for point in prices] == [19.99, 25]


async def test_a_table_can_be_added_without_a_body(restaurant: Restaurant) -> None:
    response = await restaurant.admin("POST", "add_table/")

    assert response.status_code == 201
    assert await response.get_json() == {
        "id": 3001, "table_type": "regular", "seats": 2, "price": 0, "can_be_booked": True
    }  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("table_type", "garden"), ("table_type", 1), ("seats", 0), ("seats", 101), ("seats", "4"), ("seats", 2.5),
        ("price", -1), ("price", 100_000), ("price", 1.005), ("price", "10"), ("price", True), ("price", 1e300),
        ("can_be_booked", 1), ("surprise", 1),
    ],
)  # fmt: skip
async def test_an_invalid_field_of_a_table_is_named(restaurant: Restaurant, field: str, value: Any) -> None:
    response = await restaurant.admin("POST", "add_table/", json={field: value})

    assert response.status_code == 400
    assert [error["field"] for error in (await response.get_json())["errors"]] == [field]


async def test_a_bulk_change_applies_completely_or_not_at_all(restaurant: Restaurant) -> None:
    first, second = await restaurant.add_table(seats=2), await restaurant.add_table(seats=4)

    response = await restaurant.admin(
        "POST",
        "tables/bulk",
        json={
            "add": [{"seats": 8, "price": 12.5}, {"table_type": "room"}],
            "update": [{"id": second, "can_be_booked": False}, {"id": first, "price": 3}],
        },
    )
    result = await response.get_json()
    assert response.status_code == 201
    assert [(table["seats"], table["price"]) for table in result["added"]] == [(8, 12.5), (2, 0)]
    assert [(table["id"], table["can_be_booked"]) for table in result["updated"]] == [(second, False), (first, True)]

    refused = await restaurant.admin(
        "POST", "tables/bulk", json={"add": [{}], "update": [{"id": first, "seats": 9}, {"id": 999_999}]}
    )
    assert refused.status_code == 404
    assert [error["field"] for error in (await refused.get_json())["errors"]] == ["update.1.id"]
    tables = await (await restaurant.admin("GET", "view_tables/")).get_json()
    assert [table["seats"] for table in tables] == [2, 4, 8, 2]


async def test_tables_are_found_by_type_seats_and_price(restaurant: Restaurant) -> None:
    hall = await restaurant.add_table(table_type="regular", seats=2, price=10)
    cabin = await restaurant.add_table(table_type="cabin", seats=4, price=20.5)
    await restaurant.add_table(table_type="cabin", seats=4, price=20.5, can_be_booked=False)

    async def found(criteria: dict[str, Any]) -> list[int]:
        by_query = await (await restaurant.client.get("/api/customer/view_tables/", query_string=criteria)).get_json()
        by_body = await (await restaurant.client.post("/api/customer/view_tables/", json=criteria)).get_json()
        assert by_query == by_body
        return [table["id"] for table in by_query]

    assert await found({}) == [hall, cabin]
    assert await found({"table_type": "cabin"}) == [cabin]
    assert await found({"seats_min": 3}) == [cabin]
    assert await found({"seats_max": 3}) == [hall]
    assert await found({"price_min": 20.5}) == [cabin]
    assert await found({"price_max": 20.49}) == [hall]
    assert await found({"table_type": "room"}) == []
    offers = await (await restaurant.client.get("/api/customer/view_tables/?seats_min=3")).get_json()
    assert offers == [{"id": cabin, "table_type": "cabin", "seats": 4, "price": 20.5}]


@pytest.mark.parametrize(
    "query", ["seats_min=x", "price_max=-1", "table_type=garden", "seats_min=5&seats_max=4", "seat=4", "cursor=x"]
)
async def test_an_invalid_table_filter_is_refused(restaurant: Restaurant, query: str) -> None:
    response = await restaurant.client.get(f"/api/customer/view_tables/?{query}")

    assert response.status_code == 400
    assert (await response.get_json())["errors"]


async def test_tables_are_listed_in_pages_on_request(restaurant: Restaurant) -> None:
    ids = [await restaurant.add_table() for _ in range(5)]

    seen, path = [], "/api/customer/view_tables/?limit=2&seats_max=2"
    while path:
        response = await restaurant.client.get(path)
        seen += [table["id"] for table in await response.get_json()]
        path = response.headers.get("Link", "").partition(">")[0].removeprefix("<")
    assert seen == ids


async def test_an_order_waits_and_the_table_remains_bookable(restaurant: Restaurant) -> None:
    table = await restaurant.add_table(price=15)

    response = await restaurant.post_order(
        table, email="Ann@Example.com", phone="+49 (30) 123456", name=" Ann ", guests=2, starts_at=START, minutes=90
    )

    assert response.status_code == 201
    booking = await response.get_json()
    assert booking["status"] == "waiting"
    assert (booking["email"], booking["phone"], booking["name"]) == ("Ann@example.com", "+4930123456", "Ann")
    assert (booking["starts_at"], booking["minutes"], booking["price"]) == (START, 90, 15)
    assert len(await (await restaurant.client.get("/api/customer/view_tables/")).get_json()) == 1


@pytest.mark.parametrize(
    ("order", "field"),
    [
        ({}, "phone"),
        ({"name": "Ann"}, "phone"),
        ({"email": "ann"}, "email"),
        ({"email": "ann@example.com\r\nBcc: eve@example.com"}, "email"),
        ({"email": "ann@example.com, eve@example.com"}, "email"),
        ({"email": "Ann <ann@example.com>"}, "email"),
        ({"phone": "12345"}, "phone"),
        ({"phone": "+49"}, "phone"),
        ({"phone": "+4930123456;ext=1"}, "phone"),
        ({"email": "ann@example.com", "phone": "+1555"}, "phone"),
        ({"email": "ann@example.com", "name": "Ann\r\nBcc: eve@example.com"}, "name"),
        ({"email": "ann@example.com", "name": "Ann\u0000"}, "name"),
        ({"email": "ann@example.com", "guests": 0}, "guests"),
        ({"email": "ann@example.com", "starts_at": "2999-01-01"}, "starts_at"),
        ({"email": "ann@example.com", "starts_at": "2001-01-01T19:00:00Z"}, "starts_at"),
        ({"email": "ann@example.com", "starts_at": "9999-12-31T23:59:59Z"}, "starts_at"),
        ({"email": "ann@example.com", "minutes": 0}, "minutes"),
        ({"email": "ann@example.com", "table": 1}, "table"),
    ],
)
async def test_an_invalid_field_of_an_order_is_named(restaurant: Restaurant, order: dict[str, Any], field: str) -> None:
    table = await restaurant.add_table()

    response = await restaurant.client.post(f"/api/customer/book_table/?id={table}", json=order)

    assert response.status_code == 400
    assert [error["field"] for error in (await response.get_json())["errors"]] == [field]


@pytest.mark.parametrize(
    ("order", "fields"),
    [
        ({"guests": 0, "starts_at": "2001-01-01T19:00:00Z"}, ["phone", "guests", "starts_at"]),
        ({"email": "ann", "phone": None, "minutes": 0}, ["email", "minutes"]),
        ({"phone": "12345", "starts_at": "2001-01-01T19:00:00Z", "table": 1}, ["phone", "starts_at", "table"]),
    ],
)
async def test_all_invalid_fields_of_an_order_are_named(
    restaurant: Restaurant, order: dict[str, Any], fields: list[str]
) -> None:
    table = await restaurant.add_table()

    responses = [
        await restaurant.client.post(f"/api/customer/book_table/?id={table}", json=order),
        await restaurant.admin("POST", f"set_booking/?id={table}", json=order),
    ]

    for response in responses:
        assert response.status_code == 400
        assert [error["field"] for error in (await response.get_json())["errors"]] == fields


async def test_a_repeated_order_gets_the_same_answer_after_its_start(
    restaurant: Restaurant, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = await restaurant.add_table()
    an_hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()

    async def order(key: str) -> Any:
        json = {"email": "ann@example.com", "starts_at": an_hour_ago}
        path = f"/api/customer/book_table/?id={table}"
        return await restaurant.client.post(path, json=json, headers={"Idempotency-Key": key})

    with monkeypatch.context() as earlier:
        earlier.setattr(inputs, "START_GRACE", timedelta(hours=2))
        first = await order("k")

    again = await order("k")

    assert (first.status_code, again.status_code) == (201, 201)
    assert await first.get_json() == await again.get_json()
    assert (await order("another")).status_code == 400


async def test_a_closed_or_unknown_table_cannot_be_ordered(restaurant: Restaurant) -> None:
    closed = await restaurant.add_table(can_be_booked=False)

    assert (await restaurant.post_order(closed)).status_code == 409
    assert (await restaurant.post_order(closed + 1)).status_code == 404
    assert (await restaurant.post_order(2**63 - 1)).status_code == 404
    assert (await restaurant.client.post("/api/customer/book_table/", json={})).status_code == 400


async def test_an_order_repeated_with_its_idempotency_key_is_one_order(restaurant: Restaurant) -> None:
    table = await restaurant.add_table()
    call = {"json": {"email": "ann@example.com"}, "headers": {"Idempotency-Key": "k"}}

    first = await restaurant.client.post(f"/api/customer/book_table/?id={table}", **call)
    again = await restaurant.client.post(f"/api/customer/book_table/?id={table}", **call)

    assert (first.status_code, again.status_code) == (201, 201)
    assert await first.get_json() == await again.get_json()
    assert await restaurant.db.fetchval("SELECT count(*) FROM dining_booking") == 1


STEPS = {
    ("waiting", "accept"): "confirmed",
    ("waiting", "cancel"): "declined",
    ("confirmed", "cancel"): "cancelled",
}


@pytest.mark.parametrize("previous", [[], ["accept"], ["cancel"], ["accept", "cancel"]])
@pytest.mark.parametrize("step", ["accept", "cancel"])
async def test_the_status_changes_only_as_allowed(restaurant: Restaurant, previous: list[str], step: str) -> None:
    booking = await restaurant.book(await restaurant.add_table())
    for earlier in previous:
        assert (await restaurant.admin("POST", f"{earlier}_booking/?id={booking}")).status_code == 200
    before = await restaurant.status(booking)

    response = await restaurant.admin("POST", f"{step}_booking/?id={booking}")

    target = STEPS.get((before, step))
    assert response.status_code == (200 if target else 409)
    assert await restaurant.status(booking) == (target or before)


async def test_every_status_change_is_recorded_with_its_actor(restaurant: Restaurant) -> None:
    booking = await restaurant.book(await restaurant.add_table())
    await restaurant.admin("POST", f"accept_booking/?id={booking}")
    await restaurant.admin("POST", f"cancel_booking/?id={booking}")

    history = await (await restaurant.admin("GET", f"view_booking/?id={booking}")).get_json()

    assert [(change["status"], change["changed_by"]) for change in history["changes"]] == [
        ("waiting", "guest"), ("confirmed", "admin: admin"), ("cancelled", "admin: admin")
    ]  # fmt: skip


async def test_staff_can_add_a_confirmed_booking(restaurant: Restaurant) -> None:
    table = await restaurant.add_table(can_be_booked=False)
    order = {"phone": "+4930123456", "starts_at": START, "minutes": 60}

    response = await restaurant.admin("POST", f"set_booking/?id={table}", json=order)
    assert response.status_code == 201
    assert (await response.get_json())["status"] == "confirmed"

    late = order | {"starts_at": evening_at("19:59")}
    response = await restaurant.admin("POST", f"set_booking/?id={table}", json=late)
    assert (response.status_code, (await response.get_json())["code"]) == (409, "overlapping")
    after = order | {"starts_at": evening_at("20:00")}
    assert (await restaurant.admin("POST", f"set_booking/?id={table}", json=after)).status_code == 201
    assert (await restaurant.admin("POST", f"set_booking/?id={table + 1}", json=order)).status_code == 404


async def test_active_bookings_are_waiting_or_confirmed(restaurant: Restaurant) -> None:
    table = await restaurant.add_table()
    bookings = [await restaurant.book(table) for _ in range(4)]
    await restaurant.admin("POST", f"accept_booking/?id={bookings[1]}")
    await restaurant.admin("POST", f"cancel_booking/?id={bookings[2]}")

    first = await restaurant.admin("GET", "view_active_bookings/?limit=2")
    assert [booking["id"] for booking in await first.get_json()] == bookings[:2]
    rest = await restaurant.client.get(
        first.headers["Link"].partition(">")[0].removeprefix("<"), headers=restaurant.headers
    )
    assert [booking["id"] for booking in await rest.get_json()] == bookings[3:]
    assert "Link" not in rest.headers


async def test_unknown_bookings_are_not_found(restaurant: Restaurant) -> None:
    for path in ("accept_booking/", "cancel_booking/"):
        assert (await restaurant.admin("POST", f"{path}?id=1")).status_code == 404
        assert (await restaurant.admin("POST", path)).status_code == 400
        assert (await restaurant.admin("POST", f"{path}?id=0")).status_code == 400


async def test_the_answer_to_a_path_without_its_trailing_slash_names_the_right_one(restaurant: Restaurant) -> None:
    response = await restaurant.client.post("/api/customer/book_table?id=7", json={"email": "ann@example.com"})

    assert (response.status_code, response.mimetype) == (404, "application/problem+json")
    assert "use /api/customer/book_table/." in (await response.get_json())["detail"]


@pytest.mark.parametrize("booked_times", [(START, START), (START, evening_at("20:59"))], ids=["same", "later"])
async def test_of_two_overlapping_orders_one_is_confirmed(
    restaurant: Restaurant, booked_times: tuple[str, str]
) -> None:
    table = await restaurant.add_table()
    pair = [await restaurant.book(table, email="ann@example.com", starts_at=time) for time in booked_times]

    responses = await asyncio.gather(*(restaurant.admin("POST", f"accept_booking/?id={each}") for each in pair))

    assert sorted(response.status_code for response in responses) == [200, 409]
