"""The feed over HTTP."""

from typing import Any

import pytest

from common.web.resources import Application

EVENT = {
    "hotel_id": 1,
    "event_timestamp": "2020-01-01T00:00:00.000000Z",
    "status": 1,
    "room_id": 4711,
    "night_of_stay": "2020-01-05",
}


async def post(app: Application, **changes: Any) -> Any:
    return await app.test_client().post("/events", json={**EVENT, **changes})


async def test_an_event_is_returned_as_it_was_sent(provider_app: Application) -> None:
    answer = await post(provider_app, id=7)

    assert answer.status_code == 201
    assert answer.headers["Location"] == "/events/7"
    assert await answer.get_json() == {"id": 7, **EVENT}
    assert await (await provider_app.test_client().get("/events/7")).get_json() == {"id": 7, **EVENT}
    assert await (await provider_app.test_client().get("/events")).get_json() == [{"id": 7, **EVENT}]


async def test_the_same_event_again_stores_nothing(provider_app: Application) -> None:
    await post(provider_app, id=7)

    answer = await post(provider_app, id=7, event_timestamp="2020-01-01T02:00:00+02:00")

    assert answer.status_code == 200
    assert len(await (await provider_app.test_client().get("/events")).get_json()) == 1


async def test_a_uuid_in_the_other_case_is_the_same_event(provider_app: Application) -> None:
    room = "6f1c2b1e-9a51-4c3f-8f57-0d5b7f5a2c11"
    await post(provider_app, id=7, room_id=room)

    answer = await post(provider_app, id=7, room_id=room.upper())
    batch = [{**EVENT, "id": 7, "room_id": room.upper()}]
    again = await provider_app.test_client().post("/events/batch", json=batch)

    assert answer.status_code == 200
    assert (await answer.get_json())["room_id"] == room
    assert await again.get_json() == {"stored": 0, "duplicates": 1}


async def test_the_same_id_with_other_content_is_a_conflict(provider_app: Application) -> None:
    await post(provider_app, id=7)

    answer = await post(provider_app, id=7, room_id=4712)

    assert answer.status_code == 409
    assert answer.content_type == "application/problem+json"
    assert (await answer.get_json())["code"] == "event_exists"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hotel_id", 0),
        ("hotel_id", 2**63),
        ("hotel_id", "1"),
        ("status", 3),
        ("status", True),
        ("room_id", "no uuid"),
        ("room_id", 1.5),
        ("night_of_stay", "2020-02-30"),
        ("night_of_stay", "1899-12-31"),
        ("night_of_stay", "2200-01-01"),
        ("event_timestamp", "1899-12-31T23:59:59.999999Z"),
        ("event_timestamp", "1900-01-01T00:59:59+01:00"),
        ("room_id", 2**63),
        ("room_id", "4711"),
        ("room_id", "6f1c2b1e9a514c3f8f570d5b7f5a2c11"),
        ("id", 2**63),
        ("event_timestamp", "2020-01-01T00:00:00"),
        ("event_timestamp", 1577836800),
        ("event_timestamp", "15778368"),
        ("event_timestamp", "2999-01-01T00:00:00.000000Z"),
        ("id", -1),
        ("surprise", 1),
    ],
)
async def test_an_invalid_field_is_named_and_nothing_is_stored(
    provider_app: Application, field: str, value: Any
) -> None:
    answer = await post(provider_app, **{field: value})

    assert answer.status_code == 400
    assert [fault["field"] for fault in (await answer.get_json())["errors"]] == [field]
    assert await (await provider_app.test_client().get("/events")).get_json() == []


async def test_all_faults_are_named_at_once(provider_app: Application) -> None:
    wrong = {
        "id": 0,
        "hotel_id": None,
        "event_timestamp": "2999-01-01T00:00:00.000000Z",
        "status": 3,
        "room_id": "",
        "x": 1,
    }

    answer = await provider_app.test_client().post("/events", json=wrong)

    assert answer.status_code == 400
    assert {fault["field"] for fault in (await answer.get_json())["errors"]} == {*wrong, "night_of_stay"}


@pytest.mark.parametrize("night", ["1900-01-01", "2199-12-31"])
async def test_the_first_and_the_last_night_are_stored_and_found(provider_app: Application, night: str) -> None:
    answer = await post(provider_app, id=7, event_timestamp="1900-01-01T00:00:00.000000Z", night_of_stay=night)

    assert answer.status_code == 201
    all_of_time = "/events?night_of_stay__gte=0001-01-01&night_of_stay__lte=9999-12-31&updated__gte=0001-01-01"
    assert len(await (await provider_app.test_client().get(f"{all_of_time}&updated__lte=9999-12-31")).get_json()) == 1


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"{}", "text/plain", 415),
        (b" " * 2_000_000, "application/json", 413),
    ],
    ids=range(6),
)
async def test_a_body_that_is_not_an_event_is_refused(
    provider_app: Application, body: bytes, media_type: str, status: int
) -> None:
    answer = await provider_app.test_client().post("/events", data=body, headers={"Content-Type": media_type})

    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
