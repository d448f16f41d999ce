"""Properties over HTTP."""

import uuid
from datetime import date, timedelta
from typing import Any

import pytest

from tests.support.storefront import Guest

DAY = timedelta(days=1)


async def test_a_property_is_returned_as_it_was_sent(guest: Guest) -> None:
    given = {
        "property_id": "xE6vqTqA6LTwpE",
        "description": "Villa 🏡 by the lake",
        "turnover_days": 1,
        "on_sale": False,
        "timezone": "Asia/Kathmandu",
        "min_nights": 3,
        "max_guests": 4,
    }

    answer, created = await guest.call("POST", "/properties", json={**given, "hotel_id": 3, "room_id": 17})

    assert answer.status_code == 201
    assert answer.headers["Location"] == "/properties/xE6vqTqA6LTwpE"
    assert created == {**given, "hotel_id": 3, "room_id": 17}
    assert (await guest.get("/properties/xE6vqTqA6LTwpE"))[1] == created
    assert (await guest.get("/properties"))[1] == [created]


@pytest.mark.parametrize(
    "description",
    ["A hut\r\nin a meadow\n\twith a stove", "کلبه\u200cای در چمن", "श्री क्\u200dष", "7", "Hütte 🏡 «à côté»", "小屋"],
)
async def test_a_description_may_have_lines_and_any_letters(guest: Guest, description: str) -> None:
    await guest.create_property("hut", description=description)

    assert (await guest.get("/properties/hut"))[1]["description"] == description


async def test_an_id_is_assigned_when_none_is_given(guest: Guest) -> None:
    first = await guest.create_property()
    second = await guest.create_property()

    assert uuid.UUID(first).version == 7
    assert first < second
    assert (await guest.get(f"/properties/{first}"))[0].status_code == 200


async def test_an_id_that_exists_is_a_conflict(guest: Guest) -> None:
    await guest.create_property("hut")

    answer, problem = await guest.call("POST", "/properties", json={"property_id": "hut", "description": "Another"})

    assert answer.status_code == 409
    assert problem["code"] == "property_exists"
    assert (await guest.get("/properties/hut"))[1]["description"] == "A place to sleep"


async def test_the_same_key_creates_one_property(guest: Guest) -> None:
    wish = {"description": "A place to sleep"}
    first, one = await guest.call("POST", "/properties", json=wish, key="k")
    again, two = await guest.call("POST", "/properties", json=wish, key="k")
    other, _ = await guest.call("POST", "/properties", json={"description": "Another"}, key="k")

    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert one == two
    assert len((await guest.get("/properties"))[1]) == 1


GOOD = {"property_id": "hut", "description": "A place to sleep"}


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"property_id": "available"}, ["property_id"]),
        ({"property_id": ".."}, ["property_id"]),
        ({"property_id": "a/b"}, ["property_id"]),
        ({"property_id": "hut\n"}, ["property_id"]),
        ({"property_id": "x" * 65}, ["property_id"]),
        ({"property_id": ""}, ["property_id"]),
        ({"description": ""}, ["description"]),
        ({"description": None}, ["description"]),
        ({"description": "a\0b"}, ["description"]),
        ({"description": "a\x07b"}, ["description"]),
        ({"description": "A hut \u202etuh"}, ["description"]),
        ({"description": "A\u200bhut"}, ["description"]),
        ({"description": "A\u200dhut"}, ["description"]),
        ({"description": "\ufeffA hut"}, ["description"]),
        ({"description": "…!"}, ["description"]),
        ({"description": " \n "}, ["description"]),
        ({"description": "x" * 2001}, ["description"]),
        ({"turnover_days": -1}, ["turnover_days"]),
        ({"turnover_days": 366}, ["turnover_days"]),
        ({"turnover_days": "1"}, ["turnover_days"]),
        ({"turnover_days": None}, ["turnover_days"]),
        ({"hotel_id": 1}, ["room_id"]),
        ({"room_id": 1}, ["hotel_id"]),
        ({"hotel_id": 0, "room_id": 0}, ["hotel_id", "room_id"]),
        ({"hotel_id": 2**63, "room_id": "attic"}, ["hotel_id", "room_id"]),
        ({"hotel_id": "1", "room_id": True}, ["hotel_id", "room_id"]),
        ({"hotel_id": 1, "room_id": uuid.UUID(int=5).hex}, ["room_id"]),  # the feed takes UUIDs with hyphens alone
        ({"on_sale": "yes"}, ["on_sale"]),
        ({"on_sale": None}, ["on_sale"]),
        ({"timezone": "CET"}, ["timezone"]),
        ({"timezone": "Europe/Atlantis"}, ["timezone"]),
        ({"timezone": "../Europe/Berlin"}, ["timezone"]),
        ({"timezone": "Europe/Berlin\0"}, ["timezone"]),
        ({"timezone": 1}, ["timezone"]),
        ({"timezone": ""}, ["timezone"]),
        ({"min_nights": 0, "max_guests": 0}, ["min_nights", "max_guests"]),
        ({"min_nights": 366, "max_guests": 1001}, ["min_nights", "max_guests"]),
        ({"min_nights": None}, ["min_nights"]),
        ({"min_nights": True, "max_guests": "2"}, ["min_nights", "max_guests"]),
        ({"colour": "red"}, ["colour"]),
    ],
)
async def test_an_invalid_field_is_named_and_nothing_is_stored(
    guest: Guest, changes: dict[str, Any], fields: list[str]
) -> None:
    answer, problem = await guest.call("POST", "/properties", json={**GOOD, **changes})

    assert answer.status_code == 400
    assert [fault["field"] for fault in problem["errors"]] == fields
    assert (await guest.get("/properties"))[1] == []


@pytest.mark.parametrize("body", ['"\\ud800"', '{"description": "\\ud800"}'])
async def test_half_a_character_is_refused(guest: Guest, body: str) -> None:
    assert (await guest.call("POST", "/properties", data=body))[0].status_code == 400


async def test_absent_fields_keep_their_values(guest: Guest) -> None:
    await guest.create_property("hut", turnover_days=1, hotel_id=3, room_id=str(uuid.UUID(int=5)))

    answer, changed = await guest.call("PATCH", "/properties/hut", json={"description": "New windows"})

    assert answer.status_code == 200
    assert changed == {
        "property_id": "hut",
        "description": "New windows",
        "turnover_days": 1,
        "on_sale": True,
        "timezone": None,
        "min_nights": 1,
        "max_guests": None,
        "hotel_id": 3,
        "room_id": str(uuid.UUID(int=5)),
    }
    assert (await guest.call("PATCH", "/properties/hut", json={}))[1] == changed
    _, unlinked = await guest.call("PATCH", "/properties/hut", json={"hotel_id": None, "room_id": None})
    assert (unlinked["hotel_id"], unlinked["room_id"], unlinked["turnover_days"]) == (None, None, 1)
    rules = {"on_sale": False, "timezone": "Europe/Lisbon", "min_nights": 2, "max_guests": 5}
    assert (await guest.call("PATCH", "/properties/hut", json=rules))[1] == {**unlinked, **rules}
    lifted = {"timezone": None, "max_guests": None}
    assert (await guest.call("PATCH", "/properties/hut", json=lifted))[1] == {**unlinked, **rules, **lifted}


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"description": None}, ["description"]),
        ({"turnover_days": None}, ["turnover_days"]),
        ({"hotel_id": 1}, ["room_id"]),
        ({"room_id": None}, ["hotel_id"]),
        ({"hotel_id": 1, "room_id": None}, ["room_id"]),
        ({"property_id": "other"}, ["property_id"]),
        ({"turnover_days": 366, "description": ""}, ["description", "turnover_days"]),
        ({"on_sale": None, "min_nights": None}, ["on_sale", "min_nights"]),
        ({"timezone": "EST", "max_guests": 0}, ["timezone", "max_guests"]),
    ],
)
async def test_an_invalid_change_is_named(guest: Guest, changes: dict[str, Any], fields: list[str]) -> None:
    await guest.create_property("hut")

    answer, problem = await guest.call("PATCH", "/properties/hut", json=changes)

    assert answer.status_code == 400
    assert [fault["field"] for fault in problem["errors"]] == fields


@pytest.mark.parametrize("property_id", ["nowhere", "no%20way", "a%00b"])
async def test_an_unknown_property_is_not_found(guest: Guest, property_id: str) -> None:
    assert (await guest.get(f"/properties/{property_id}"))[0].status_code == 404
    assert (await guest.call("PATCH", f"/properties/{property_id}", json={}))[0].status_code == 404


async def test_a_longer_turnover_applies_to_later_reservations(guest: Guest, soon: date) -> None:
    await guest.create_property("hut")
    _, first = await guest.reserve("hut", soon, 2)
    _, second = await guest.reserve("hut", soon + 2 * DAY, 2)

    await guest.call("PATCH", "/properties/hut", json={"turnover_days": 2})

    assert await guest.calendar("hut", soon, 7) == [*["taken"] * 4, *["turnover"] * 2, "free"]
    assert (await guest.reserve("hut", soon + 5 * DAY, 1))[0].status_code == 409
    assert (await guest.reserve("hut", soon - 2 * DAY, 1))[0].status_code == 409
    await guest.cancel(second["reservation_id"])
    assert await guest.calendar("hut", soon, 5) == ["taken", "taken", "turnover", "turnover", "free"]
    await guest.call("PATCH", "/properties/hut", json={"turnover_days": 0})
    assert (await guest.reserve("hut", soon + 2 * DAY, 1))[0].status_code == 200
    assert await guest.cancel(first["reservation_id"]) == 204


async def test_all_properties_are_paged_by_id(guest: Guest) -> None:
    for name in ("b", "a", "C", "_d", "0"):
        await guest.create_property(name)
    path = "/properties?limit=2"
    seen: list[str] = []
    while path:
        answer, page = await guest.get(path)
        seen += [each["property_id"] for each in page]
        path = answer.headers.get("Link", "").partition(">")[0].removeprefix("<")

    assert seen == ["0", "C", "_d", "a", "b"]


async def test_the_path_of_the_search_is_not_a_property(guest: Guest) -> None:
    answer, _ = await guest.call("PATCH", "/properties/available", json={"turnover_days": 1})

    assert answer.status_code == 405
    assert sorted(answer.headers["Allow"].split(", ")) == ["GET", "HEAD", "OPTIONS"]
