"""Parties that fit, notice, tables that are free, and what staff may force."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.restaurant import EVENING, START, Restaurant, evening_at


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return environment | {"PROVIDER_NOTICE_MINUTES": "60"}


async def errors_of(response: Any) -> list[tuple[str, str]]:
    assert response.status_code == 400
    return [(error["field"], error["message"]) for error in (await response.get_json())["errors"]]


async def test_a_party_must_fit_the_table(restaurant: Restaurant) -> None:
    table = await restaurant.add_table(seats=4)

    assert (await restaurant.post_order(table, email="ann@example.com", guests=4)).status_code == 201
    refused = await restaurant.post_order(table, email="ann@example.com", guests=5)
    assert await errors_of(refused) == [("guests", "must be at most 4, the number of seats of the table")]


async def test_an_order_must_be_placed_in_time_and_all_faults_are_named(restaurant: Restaurant) -> None:
    table = await restaurant.add_table(seats=1)
    now = datetime.now(UTC)
    soon, later = ((now + timedelta(minutes=each)).isoformat() for each in (59, 61))

    refused = await restaurant.post_order(table, email="ann@example.com", starts_at=soon, guests=2)
    assert await errors_of(refused) == [
        ("guests", "must be at most 1, the number of seats of the table"),
        ("starts_at", "must be at least 60 minutes ahead"),
    ]
    assert (await restaurant.post_order(table, email="ann@example.com", starts_at=later)).status_code == 201
    assert (await restaurant.post_order(table, email="ann@example.com")).status_code == 201


async def test_staff_need_no_notice_and_force_the_rest(restaurant: Restaurant) -> None:
    table = await restaurant.add_table(seats=2)
    hours = [{"day": EVENING.weekday(), "opens": "18:00", "closes": "23:00"}]
    await restaurant.admin("PUT", "opening_hours", json=hours)
    order = {"phone": "+4930123456", "guests": 3, "starts_at": evening_at("04:00")}
    path = f"set_booking/?id={table}"

    fields = [field for field, _ in await errors_of(await restaurant.admin("POST", path, json=order))]
    assert fields == ["guests", "starts_at"]
    forced = await restaurant.admin("POST", path, json=order | {"force": True})
    assert (forced.status_code, (await forced.get_json())["guests"]) == (201, 3)
    overlapping = await restaurant.admin("POST", path, json=order | {"force": True})
    assert overlapping.status_code == 409

    await restaurant.admin("PUT", "opening_hours", json=[])
    soon = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    unhurried = {"phone": "+4930123456", "starts_at": soon, "minutes": 30}
    assert (await restaurant.admin("POST", path, json=unhurried)).status_code == 201


async def test_guests_cannot_force(restaurant: Restaurant) -> None:
    table = await restaurant.add_table()

    refused = await restaurant.post_order(table, email="ann@example.com", force=True)
    assert [field for field, _ in await errors_of(refused)] == ["force"]


async def test_tables_that_are_confirmed_for_a_time_are_not_offered_for_it(restaurant: Restaurant) -> None:
    small, large, waiting = [await restaurant.add_table(seats=seats) for seats in (2, 6, 6)]
    booking = {"phone": "+4930123456", "starts_at": START, "minutes": 60}
    await restaurant.admin("POST", f"set_booking/?id={large}", json=booking)
    await restaurant.admin("POST", f"set_booking/?id={small}", json={"phone": "+4930123456"})  # for the next visit
    await restaurant.book(waiting, email="ann@example.com", starts_at=START)

    async def free(**criteria: Any) -> list[int]:
        by_query = await restaurant.client.get("/api/customer/view_tables/", query_string=criteria)
        by_body = await restaurant.client.post("/api/customer/view_tables/", json=criteria)
        assert (by_query.status_code, by_body.status_code) == (200, 200)
        found = await by_query.get_json()
        assert found == await by_body.get_json()
        return [table["id"] for table in found]

    assert await free(starts_at=START, minutes=60) == [small, waiting]
    assert await free(starts_at=evening_at("18:00"), minutes=60) == [small, large, waiting]
    assert await free(starts_at=evening_at("18:00"), minutes=61) == [small, waiting]
    assert await free(starts_at=evening_at("19:59"), minutes=10) == [small, waiting]
    assert await free(starts_at=evening_at("20:00")) == [small, large, waiting]
    assert await free(guests=3) == [large, waiting]
    assert await free(starts_at=START, guests=3) == [waiting]
    assert await free(guests=7) == []


@pytest.mark.parametrize(
    ("query", "field"),
    [("minutes=60", "minutes"), ("starts_at=2001-01-01T00:00:00Z", "starts_at"), ("starts_at=soon", "starts_at"),
     ("guests=0", "guests"), ("guests=101", "guests"), (f"starts_at={START}&minutes=1441", "minutes"),
     ("starts_at=0001-01-01T00:00", "starts_at"), ("starts_at=9999-12-31T23:59", "starts_at")],
)  # fmt: skip
async def test_an_invalid_time_or_party_of_a_search_is_named(restaurant: Restaurant, query: str, field: str) -> None:
    response = await restaurant.client.get(f"/api/customer/view_tables/?{query}")

    assert [each for each, _ in await errors_of(response)] == [field]


async def test_a_search_for_a_time_that_nobody_can_order_says_so(restaurant: Restaurant) -> None:
    soon = (datetime.now(UTC) + timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M:%SZ")

    response = await restaurant.client.get(f"/api/customer/view_tables/?starts_at={soon}")
    assert await errors_of(response) == [("starts_at", "must be at least 60 minutes ahead")]


async def test_an_order_that_fits_what_was_offered_is_accepted(restaurant: Restaurant) -> None:
    await restaurant.add_table(seats=4)
    question = {"starts_at": START, "minutes": 90, "guests": 4}

    [offered] = await (await restaurant.client.get("/api/customer/view_tables/", query_string=question)).get_json()
    assert (await restaurant.post_order(offered["id"], email="ann@example.com", **question)).status_code == 201
