"""POST /events/batch: all or nothing."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from quart.typing import TestClientProtocol as Client

from provider.booking_events import service
from tests.support.feeds import event

NDJSON = {"Content-Type": "application/x-ndjson"}


def lines(events: Sequence[Any], end: str = "\n") -> bytes:
    return "".join(json.dumps(each) + end for each in events).encode()


async def post(client: Client, form: str, events: Sequence[Any], **headers: str) -> Any:
    if form == "array":
        return await client.post("/events/batch", json=events, headers=headers)
    return await client.post("/events/batch", data=lines(events), headers={**NDJSON, **headers})


async def faults(answer: Any) -> set[str]:
    return {fault["field"] for fault in (await answer.get_json())["errors"]}


async def count(db: asyncpg.Pool) -> int:
    return await db.fetchval("SELECT count(*) FROM booking_event")


forms = pytest.mark.parametrize("form", ["array", "lines"])


@pytest.fixture(params=[1, service.MIN_COPIED], ids=["copied", "inserted"])
def copied_or_inserted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batches of the test are small; they are stored by COPY, as large ones are, and by one statement."""
    monkeypatch.setattr(service, "MIN_COPIED", request.param)


@pytest.mark.usefixtures("copied_or_inserted")
@forms
async def test_a_batch_counts_new_events_and_duplicates(client: Client, form: str, provider_db: asyncpg.Pool) -> None:
    first = await post(client, form, [event(1), event(2)])
    again = await post(client, form, [event(2, "2020-01-01T05:30:00+05:30"), event(3), event(1)])

    assert first.status_code == again.status_code == 201
    assert await first.get_json() == {"stored": 2, "duplicates": 0}
    assert await again.get_json() == {"stored": 1, "duplicates": 2}
    assert await count(provider_db) == 3


@forms
async def test_every_fault_of_every_line_is_named_and_nothing_is_stored(
    client: Client, form: str, provider_db: asyncpg.Pool
) -> None:
    await client.post("/events", json=event(9))
    ahead = (datetime.now(UTC) + timedelta(days=1, minutes=5)).isoformat()
    without_hotel = {name: value for name, value in event(5).items() if name != "hotel_id"}
    batch = [
        event(1),
        event(2, status=3),
        event(0, "2020-01-01T00:00:00", night="2020-02-30"),
        event(4, ahead, status=0),
        without_hotel,
        {**event(6), "surprise": 1},
        event(9, hotel_id=2),  # a clash beside real faults
        "no event",
    ]

    answer = await post(client, form, batch)

    assert answer.status_code == 400
    assert answer.content_type == "application/problem+json"
    assert await faults(answer) == {
        "lines.2.status",
        "lines.3.id",
        "lines.3.event_timestamp",
        "lines.3.night_of_stay",
        "lines.4.event_timestamp",
        "lines.4.status",
        "lines.5.hotel_id",
        "lines.6.surprise",
        "lines.8",
    }
    assert await count(provider_db) == 1


@pytest.mark.usefixtures("copied_or_inserted")
@forms
async def test_ids_with_other_content_are_a_conflict_that_names_their_lines(
    client: Client, form: str, provider_db: asyncpg.Pool
) -> None:
    await post(client, form, [event(1), event(2), event(3)])

    answer = await post(client, form, [event(4), event(2, hotel_id=2), event(3), event(1, status=2)])

    assert answer.status_code == 409
    assert answer.content_type == "application/problem+json"
    assert await faults(answer) == {"lines.2.id", "lines.4.id"}
    assert await count(provider_db) == 3


@pytest.mark.usefixtures("copied_or_inserted")
@forms
async def test_a_repeated_event_in_a_batch_is_a_duplicate(client: Client, form: str, provider_db: asyncpg.Pool) -> None:
    same = await post(client, form, [event(1), event(2), event(1)])
    assert await same.get_json() == {"stored": 2, "duplicates": 1}

    other = await post(client, form, [event(5, hotel_id=9), event(6), event(5, hotel_id=1)])
    assert other.status_code == 409
    assert await faults(other) == {"lines.3.id"}
    assert await count(provider_db) == 2


async def test_lines_are_counted_as_in_the_body_with_any_line_ends(client: Client) -> None:
    body = b"\r\n" + lines([event(1)], "\r\n") + b"\n  \n" + lines([event(2, status=5)], "\r\n") + b"\n" + b"{"

    answer = await client.post("/events/batch", data=body, headers=NDJSON)

    assert answer.status_code == 400
    assert await faults(answer) == {"lines.5.status", "lines.7"}
    await client.post("/events", json=event(1))
    clash = await client.post("/events/batch", data=b"\n\r\n" + lines([event(1, status=2)], ""), headers=NDJSON)
    assert clash.status_code == 409
    assert await faults(clash) == {"lines.3.id"}
    good = await client.post(
        "/events/batch", data=b"\n" + lines([event(7)], "\r\n") + lines([event(8)], ""), headers=NDJSON
    )
    assert await good.get_json() == {"stored": 2, "duplicates": 0}


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"{}", "application/json", 400),
        (b"null", "application/json", 400),
        (b"[", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"[" + b"1," * 4_000_000 + b"1]", "application/json", 400),
        (b"", "application/x-ndjson", 400),
        (b"\n\r\n \n", "application/x-ndjson", 400),
        (b"\xff\n", "application/x-ndjson", 400),
        (b"1\n" * 1_000_000, "application/x-ndjson", 400),
        (b"[]", "text/csv", 415),
        (b"[]", "application/json; charset=utf-8", 400),
        (b" " * (16 * 1024 * 1024 + 1), "application/json", 413),
    ],
    ids=range(15),
)
async def test_an_invalid_batch_is_refused(client: Client, body: bytes, media_type: str, status: int) -> None:
    answer = await client.post("/events/batch", data=body, headers={"Content-Type": media_type})

    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    assert len(await answer.get_data()) < 2000


@forms
async def test_a_batch_of_ten_thousand_is_accepted_and_a_larger_one_refused(
    client: Client, form: str, provider_db: asyncpg.Pool
) -> None:
    events = [event(n) for n in range(1, 10_002)]

    assert (await post(client, form, events)).status_code == 400
    assert await count(provider_db) == 0
    assert await (await post(client, form, events[1:])).get_json() == {"stored": 10_000, "duplicates": 0}
    assert await count(provider_db) == 10_000


async def test_a_batch_near_the_limit_of_bytes_is_accepted(client: Client) -> None:
    body = lines([event(1)]) + b"\n" * (16 * 1024 * 1024 - 1000)

    assert (await client.post("/events/batch", data=body, headers=NDJSON)).status_code == 201


async def test_a_key_makes_a_batch_repeatable(client: Client, provider_db: asyncpg.Pool) -> None:
    batch = [{name: value for name, value in event(1).items() if name != "id"}] * 3
    answers = await asyncio.gather(*(post(client, "lines", batch, **{"Idempotency-Key": "k"}) for _ in range(5)))

    assert [await answer.get_json() for answer in answers] == [{"stored": 3, "duplicates": 0}] * 5
    assert await count(provider_db) == 3
    assert (await post(client, "lines", batch[1:], **{"Idempotency-Key": "k"})).status_code == 422


@pytest.mark.usefixtures("copied_or_inserted")
async def test_batches_with_the_same_ids_in_another_order_do_not_deadlock(
    client: Client, provider_db: asyncpg.Pool
) -> None:
    events = [event(n) for n in range(1, 1001)]
    answers = await asyncio.gather(*(post(client, "array", events[:: 1 if n % 2 else -1]) for n in range(8)))

    assert {answer.status_code for answer in answers} == {201}
    assert sum([(await answer.get_json())["stored"] for answer in answers]) == 1000
    assert await count(provider_db) == 1000
