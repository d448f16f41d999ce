"""Reserving and cancelling over HTTP."""

import uuid
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest

from common.web.resources import Application
from tests.support.storefront import Guest

DAY = timedelta(days=1)
OPERATIONS = [
    ("GET", "/properties/available?start_date=2021-01-05&nights=3"),
    ("POST", "/reservations"),
    ("GET", "/reservations/0197a2b4-5c6d-7e8f-9a0b-1c2d3e4f5a6b"),
    ("DELETE", "/reservations/0197a2b4-5c6d-7e8f-9a0b-1c2d3e4f5a6b"),
    ("PATCH", "/reservations/0197a2b4-5c6d-7e8f-9a0b-1c2d3e4f5a6b"),
    ("GET", "/properties"),
    ("POST", "/properties"),
    ("GET", "/properties/hut"),
    ("PATCH", "/properties/hut"),
    ("GET", "/properties/hut/calendar?from=2021-01-05&to=2021-01-06"),
    ("GET", "/properties/hut/calendar.ics"),
    ("GET", "/properties/hut/blocks"),
    ("POST", "/properties/hut/blocks"),
    ("DELETE", "/properties/hut/blocks/0197a2b4-5c6d-7e8f-9a0b-1c2d3e4f5a6b"),
]


@pytest.mark.parametrize("header", [
    None, "", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "Bearer not-a-uuid", "Bearer 1234",
    "Bearer {0197a2b4-5c6d-7e8f-9a0b-1c2d3e4f5a6b}", "Bearer urn:uuid:0197a2b4-5c6d-7e8f-9a0b-1c2d3e4f5a6b",
    "0197a2b4-5c6d-7e8f-9a0b-1c2d3e4f5a6b", "Bearer 0197a2b4-5c6d-7e8f-9a0b-1c2d3e4f5a6b x",
])  # fmt: skip
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_a_token_that_is_not_a_uuid_is_refused(
    provider_app: Application, method: str, path: str, header: str | None
) -> None:
    request: dict[str, Any] = {"method": method, "headers": {} if header is None else {"Authorization": header}}

    answer = await provider_app.test_client().open(path, **request)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="stays"')
    assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_any_uuid_is_a_valid_token(provider_app: Application, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {str(uuid.uuid4()).upper()}"}

    assert (await provider_app.test_client().get("/properties", headers=headers)).status_code == 200


async def test_a_reservation_has_an_id_that_sorts_by_time(guest: Guest, soon: date) -> None:
    await guest.create_property("hut")
    made = []
    for week in range(3):
        answer, reservation = await guest.reserve("hut", soon + 7 * week * DAY, 7)
        assert answer.status_code == 200
        made.append(reservation["reservation_id"])

    assert [uuid.UUID(one).version for one in made] == [7, 7, 7]
    assert sorted(made) == made
    _, found = await guest.get(f"/reservations/{made[1]}")
    assert found == {
        "reservation_id": made[1],
        "property_id": "hut",
        "start_date": (soon + 7 * DAY).isoformat(),
        "nights": 7,
        "created_at": found["created_at"],
        "guests": None,
        "status": "reserved",
        "nights_kept": None,
    }


async def test_a_night_is_sold_once(guest: Guest, new_guest: Callable[[], Guest], soon: date) -> None:
    await guest.create_property("hut")
    await guest.reserve("hut", soon, 3)

    answer, problem = await new_guest().reserve("hut", soon + 2 * DAY, 1)

    assert answer.status_code == 409
    assert answer.content_type == "application/problem+json"
    assert problem["code"] == "not_available"


async def test_a_guest_may_arrive_on_the_day_of_another_departure(guest: Guest, soon: date) -> None:
    await guest.create_property("hut")

    for start, nights in ((soon, 2), (soon + 2 * DAY, 7), (soon - DAY, 1)):
        assert (await guest.reserve("hut", start, nights))[0].status_code == 200


async def test_turnover_keeps_guests_apart(guest: Guest, soon: date) -> None:
    await guest.create_property("hut", turnover_days=1)
    await guest.reserve("hut", soon, 2)

    statuses = [(await guest.reserve("hut", soon + n * DAY, 2))[0].status_code for n in (-2, 2, -3, 3)]

    assert statuses == [409, 409, 200, 200]


async def test_a_cancelled_night_can_be_sold_again(guest: Guest, new_guest: Callable[[], Guest], soon: date) -> None:
    await guest.create_property("hut")
    _, reservation = await guest.reserve("hut", soon, 3)

    assert await guest.cancel(reservation["reservation_id"]) == 204

    assert await guest.available(soon, 3) == ["hut"]
    assert (await new_guest().reserve("hut", soon, 3))[0].status_code == 200
    assert await guest.cancel(reservation["reservation_id"]) == 204
    assert await guest.available(soon, 3) == []
    _, found = await guest.get(f"/reservations/{reservation['reservation_id']}")
    assert found == {**reservation, "status": "cancelled", "nights_kept": 0}


async def test_a_reservation_belongs_to_the_token_that_made_it(
    guest: Guest, new_guest: Callable[[], Guest], soon: date
) -> None:
    await guest.create_property("hut")
    _, reservation = await guest.reserve("hut", soon, 3)
    path = f"/reservations/{reservation['reservation_id']}"

    assert (await new_guest().get(path))[0].status_code == 404
    assert await new_guest().cancel(reservation["reservation_id"]) == 404
    assert (await guest.get(path))[0].status_code == 200


@pytest.mark.parametrize("reservation_id", ["0197a2b4-5c6d-7e8f-9a0b-1c2d3e4f5a6b", "1", "a%00b", "x" * 3000])
async def test_an_unknown_reservation_is_not_found(guest: Guest, reservation_id: str) -> None:
    assert (await guest.get(f"/reservations/{reservation_id}"))[0].status_code == 404
    assert await guest.cancel(reservation_id) == 404


GOOD = {"property_id": "hut", "start_date": "", "nights": 3}


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"property_id": "nowhere"}, ["property_id"]),
        ({"property_id": "no way"}, ["property_id"]),
        ({"property_id": "a\0b"}, ["property_id"]),
        ({"property_id": 7}, ["property_id"]),
        ({"property_id": None}, ["property_id"]),
        ({"nights": 0}, ["nights"]),
        ({"nights": 366}, ["nights"]),
        ({"nights": -1}, ["nights"]),
        ({"nights": "3"}, ["nights"]),
        ({"nights": True}, ["nights"]),
        ({"nights": 1.5}, ["nights"]),
        ({"nights": 10**30}, ["nights"]),
        ({"start_date": "2021-01-05"}, ["start_date"]),
        ({"start_date": "2021-02-30"}, ["start_date"]),
        ({"start_date": "tomorrow"}, ["start_date"]),
        ({"start_date": 20300101}, ["start_date"]),
        ({"guests": 0}, ["guests"]),
        ({"guests": 1001}, ["guests"]),
        ({"guests": "2"}, ["guests"]),
        ({"party": 2}, ["party"]),
        ({"property_id": "", "start_date": "0001-01-01", "nights": 0}, ["property_id", "start_date", "nights"]),
    ],
)
async def test_an_invalid_field_is_named_and_nothing_is_stored(
    guest: Guest, provider_db: asyncpg.Pool, soon: date, changes: dict[str, Any], fields: list[str]
) -> None:
    await guest.create_property("hut")

    answer, problem = await guest.call(
        "POST", "/reservations", json={**GOOD, "start_date": soon.isoformat(), **changes}
    )

    assert answer.status_code == 400
    assert [fault["field"] for fault in problem["errors"]] == fields
    assert await provider_db.fetchval("SELECT count(*) FROM reservation") == 0


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '"hut"', "\xff", '{"nights": NaN}'])
async def test_a_body_that_is_not_a_json_object_is_refused(guest: Guest, body: str) -> None:
    answer, problem = await guest.call("POST", "/reservations", data=body.encode("latin-1"))

    assert answer.status_code == 400
    assert problem["code"] == "invalid"


async def test_stays_begin_from_today_to_730_days_ahead(guest: Guest, today: date) -> None:
    last = today + 730 * DAY
    await guest.create_property("hut")

    starts = [today - DAY, today, last, last + DAY]

    assert [(await guest.reserve("hut", start, 1))[0].status_code for start in starts] == [400, 200, 200, 400]


async def test_the_same_key_reserves_once(guest: Guest, new_guest: Callable[[], Guest], soon: date) -> None:
    await guest.create_property("hut")
    _, first = await guest.reserve("hut", soon, 3, key="k")

    again, second = await guest.reserve("hut", soon, 3, key="k")
    other, _ = await guest.reserve("hut", soon, 4, key="k")
    stranger, _ = await new_guest().reserve("hut", soon, 3, key="k")

    assert (again.status_code, second) == (200, first)
    assert other.status_code == 422
    assert stranger.status_code == 409


async def test_a_refused_reservation_does_not_use_up_its_key(guest: Guest, soon: date) -> None:
    await guest.create_property("hut")
    _, held = await guest.reserve("hut", soon, 3)
    assert (await guest.reserve("hut", soon, 3, key="k"))[0].status_code == 409

    await guest.cancel(held["reservation_id"])

    assert (await guest.reserve("hut", soon, 3, key="k"))[0].status_code == 200


class TestPastStaysAllowed:
    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        return {**environment, "PROVIDER_PAST_STAYS": "allow"}

    async def test_a_stay_may_have_begun(self, guest: Guest) -> None:
        await guest.create_property("hut")

        assert (await guest.reserve("hut", date(2021, 1, 5), 3))[0].status_code == 200
        assert (await guest.reserve("hut", date(1900, 1, 1), 365))[0].status_code == 200
        assert await guest.available(date(2021, 1, 7), 1) == []


async def test_the_documented_example_can_be_reserved(guest: Guest) -> None:
    _, document = await guest.get("/openapi.json")
    body = document["paths"]["/reservations"]["post"]["requestBody"]["content"]["application/json"]
    example = body["example"]
    await guest.create_property(example["property_id"])

    answer, reservation = await guest.call("POST", "/reservations", json=example)

    assert answer.status_code == 200
    assert {name: reservation[name] for name in example} == example
