"""POST /events under concurrency: many senders, one commit; failures; ids."""

import asyncio
import json
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from quart.typing import TestClientProtocol as Client

import provider.app
import provider.config
from common.config import Secret, read_config
from common.db.migrate import migrate
from common.devstack.embedded import attach
from common.web.resources import Application
from provider.booking_events import queries, service
from provider.booking_events.inputs import EventInput
from provider.booking_events.models import NewEvent, StoredEvent
from tests.support.databases import waits_for_lock
from tests.support.feeds import event
from tests.support.processes import kill, postmaster_pid
from tests.support.waiting import eventually

OWN_REGION = 2**52


def without_id(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**event(1), **changes}.items() if name != "id"}


async def test_two_hundred_at_once_with_and_without_ids_are_all_stored_once(
    client: Client, provider_db: asyncpg.Pool
) -> None:
    bodies = [event(n, room_id=n) if n % 2 else without_id(room_id=n) for n in range(1, 201)]

    answers = await asyncio.gather(*(client.post("/events", json=body) for body in bodies))

    assert {answer.status_code for answer in answers} == {201}
    stored = [await answer.get_json() for answer in answers]
    assert [each["room_id"] for each in stored] == list(range(1, 201))
    assert len({each["id"] for each in stored}) == 200
    assert all(each["id"] == body.get("id", each["id"]) for each, body in zip(stored, bodies, strict=True))
    assert await provider_db.fetchval("SELECT count(*) FROM booking_event") == 200


async def test_an_assigned_id_is_never_one_that_a_client_has_used(client: Client) -> None:
    first = (await (await client.post("/events", json=without_id())).get_json())["id"]
    assert OWN_REGION <= first < 2**53
    near_ids = [first + step for step in range(1, 101)]
    answers = await asyncio.gather(
        *(client.post("/events", json=event(each)) for each in near_ids),
        *(client.post("/events", json=without_id()) for _ in range(100)),
    )
    assigned = [(await answer.get_json())["id"] for answer in answers[100:]]
    # Some of these are drawn already, others will be drawn later.
    following_ids = {first + 1000 * step for step in range(150, 250)} - set(assigned)
    batch = await client.post("/events/batch", json=[event(each) for each in following_ids])
    later = [await client.post("/events", json=without_id()) for _ in range(200)]

    assigned += [(await answer.get_json())["id"] for answer in later]
    assert {answer.status_code for answer in [*answers, batch, *later]} == {201}
    assert len(set(assigned)) == len(assigned)
    assert not set(assigned) & {*near_ids, *following_ids}


async def test_given_and_assigned_ids_of_a_batch_do_not_collide(client: Client, provider_db: asyncpg.Pool) -> None:
    last = await provider_db.fetchval("SELECT nextval('booking_event_id')")
    await client.post("/events/batch", json=[event(last + 1000 * step) for step in range(1, 50)])
    batch = [without_id(), event(last + 50_000, room_id=2), event(last + 51_000, room_id=2), without_id()]

    answer = await client.post("/events/batch", json=batch)

    assert await answer.get_json() == {"stored": 4, "duplicates": 0}
    assert await provider_db.fetchval("SELECT count(*) FROM booking_event WHERE room_id = '2'") == 2


def an_event(event_id: int | None, room_id: int) -> EventInput:
    at = datetime(2020, 1, 1, tzinfo=UTC)
    return EventInput.model_construct(
        id=event_id, hotel_id=1, event_timestamp=at, status=1, room_id=str(room_id), night_of_stay=at.date()
    )


async def test_an_event_whose_drawn_id_a_client_has_used_is_stored_under_the_next_and_the_others_once(
    provider_db: asyncpg.Pool,
) -> None:
    used, *free = range(2**52, 2**52 + 4)
    given = [an_event(None, room) for room in (1, 2, 3)]
    await service.store_one(provider_db, an_event(used, 9))
    drawn = iter([used, *free])

    async def draw(count: int) -> list[int]:
        return [next(drawn) for _ in range(count)]

    results = await service.store_events(provider_db, given, draw)

    assert [result.is_new for result in results if isinstance(result, StoredEvent)] == [True] * 3
    assert [result.id for result in results if isinstance(result, StoredEvent)] == [free[2], free[0], free[1]]
    assert await provider_db.fetchval("SELECT count(*) FROM booking_event") == 4


async def test_of_many_events_with_one_id_one_is_stored_and_the_others_are_conflicts(
    client: Client, provider_db: asyncpg.Pool
) -> None:
    claims = [event(7, hotel_id=20 - n) for n in range(20)]

    answers = await asyncio.gather(*(client.post("/events", json=claim) for claim in claims))

    statuses = [answer.status_code for answer in answers]
    assert sorted(statuses) == [201] + [409] * 19
    winner = claims[statuses.index(201)]
    assert await answers[statuses.index(201)].get_json() == winner
    assert await (await client.get("/events/7")).get_json() == winner


async def test_a_conflict_does_not_affect_the_other_events_of_its_group(client: Client) -> None:
    await client.post("/events", json=event(50))
    bodies = [event(n, hotel_id=2) for n in range(1, 101)]

    answers = await asyncio.gather(*(client.post("/events", json=body) for body in bodies))

    assert [answer.status_code for answer in answers] == [409 if n == 50 else 201 for n in range(1, 101)]
    assert len(await (await client.get("/events?hotel_id=2")).get_json()) == 99


async def test_the_same_event_many_times_at_once_is_stored_once(client: Client) -> None:
    answers = await asyncio.gather(*(client.post("/events", json=event(5)) for _ in range(50)))

    assert sorted(answer.status_code for answer in answers) == [200] * 49 + [201]
    assert {json.dumps(await answer.get_json()) for answer in answers} == {json.dumps(event(5))}


async def test_cancelled_requests_do_not_affect_the_others(
    provider_app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = asyncio.Event()
    insert_events = queries.insert_events

    async def slow(db: Any, events: Sequence[NewEvent]) -> dict[int, str]:
        await release.wait()
        return await insert_events(db, events)

    taken: list[int | None] = []
    store = service.EventWriter.store

    async def recorded(self: service.EventWriter, given: EventInput) -> StoredEvent:
        taken.append(given.id)
        return await store(self, given)

    monkeypatch.setattr(queries, "insert_events", slow)
    monkeypatch.setattr(service.EventWriter, "store", recorded)
    client = provider_app.test_client()
    sent = [asyncio.create_task(client.post("/events", json=event(n))) for n in range(1, 21)]
    await eventually(lambda: len(taken) == 20)
    for task in sent[::2]:
        task.cancel()
    release.set()

    answers = await asyncio.gather(*sent, return_exceptions=True)

    assert all(isinstance(answer, asyncio.CancelledError) for answer in answers[::2])
    assert {answer.status_code for answer in answers[1::2]} == {201}  # type: ignore[union-attr]  # none of these was cancelled
    assert (await client.post("/events", json=event(99))).status_code == 201


async def test_an_event_that_waits_for_a_lock_does_not_block_the_others(
    client: Client, provider_db: asyncpg.Pool
) -> None:
    async with provider_db.acquire() as other:
        held = other.transaction()
        await held.start()
        await other.execute(
            "INSERT INTO booking_event (id, hotel_id, event_timestamp, status, room_id, night_of_stay)"
            " VALUES (5, 1, now(), 1, '1', now())"
        )
        waiting = asyncio.create_task(client.post("/events", json=event(5)))
        await eventually(lambda: waits_for_lock(provider_db))
        answers = await asyncio.gather(*(client.post("/events", json=event(n)) for n in range(6, 26)))
        assert not waiting.done()
        await held.rollback()

    assert {answer.status_code for answer in answers} == {201}
    assert (await waiting).status_code == 201


async def test_an_event_that_arrives_after_a_group_is_stuck_does_not_wait_for_it(
    client: Client, provider_db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "STUCK_SECONDS", 0)
    async with provider_db.acquire() as other:
        held = other.transaction()
        await held.start()
        await other.execute(
            "INSERT INTO booking_event (id, hotel_id, event_timestamp, status, room_id, night_of_stay)"
            " VALUES (5, 1, now(), 1, '1', now())"
        )
        stuck = asyncio.create_task(client.post("/events", json=event(5)))
        await eventually(lambda: waits_for_lock(provider_db))
        answer = await client.post("/events", json=event(6))
        assert not stuck.done()
        await held.rollback()

    assert answer.status_code == 201
    assert (await stuck).status_code == 201


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (ConnectionResetError("gone"), 503),
        (asyncpg.ConnectionDoesNotExistError("gone"), 503),
        (asyncpg.PostgresSyntaxError("ours"), 500),
        (LookupError("ours"), 500),
    ],
)
async def test_a_failing_statement_is_answered_to_all_senders_and_the_writer_continues(
    client: Client, monkeypatch: pytest.MonkeyPatch, fault: Exception, status: int
) -> None:
    async def failing(*_: Any) -> dict[int, str]:
        raise fault

    with monkeypatch.context() as broken:
        broken.setattr(queries, "insert_events", failing)
        broken.setattr(queries, "insert_events_of_node", failing)
        answers = await asyncio.gather(*(client.post("/events", json=without_id()) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {status}
    assert {answer.content_type for answer in answers} == {"application/problem+json"}

    assert (await client.post("/events", json=event(1))).status_code == 201
    assert [each["id"] for each in await (await client.get("/events")).get_json()] == [1]


async def test_events_are_stored_again_after_postgresql_was_killed(environment: dict[str, str]) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="nightaudit-test-") as place,
        attach(Path(place)) as server,  # durable, unlike the server of the other tests
    ):
        Path(place).chmod(0o711)
        server.ensure_database("provider")
        url = Secret(server.url("provider"))
        await migrate(url, provider.app.MIGRATIONS)
        app = provider.app.create_app(read_config(provider.config.Config, environment), url)
        async with app.test_app():
            client = app.test_client()
            before = await asyncio.gather(*(client.post("/events", json=event(n)) for n in range(100, 140)))
            kill(postmaster_pid(Path(place)))
            answers = await asyncio.gather(*(client.post("/events", json=event(n)) for n in range(2, 42)))
            await asyncio.to_thread(server.ensure_running)
            again = await asyncio.gather(*(client.post("/events", json=event(n)) for n in range(2, 42)))
            stored = await (await client.get("/events")).get_json()

    assert {answer.status_code for answer in before} == {201}
    for answer in answers:
        assert answer.status_code == 503
        assert answer.content_type == "application/problem+json"
        assert int(answer.headers["Retry-After"]) >= 1
    assert {answer.status_code for answer in again} == {201}
    assert stored == [event(n) for n in [*range(2, 42), *range(100, 140)]]


async def test_an_answer_comes_after_its_commit(client: Client, provider_db: asyncpg.Pool) -> None:
    answers = await asyncio.gather(*(_post_and_look(client, provider_db, n) for n in range(1, 51)))

    assert answers == [True] * 50


async def _post_and_look(client: Client, db: asyncpg.Pool, event_id: int) -> bool:
    assert (await client.post("/events", json=event(event_id))).status_code == 201
    return await db.fetchval("SELECT count(*) FROM booking_event WHERE id = $1", event_id) == 1


async def test_no_writing_transaction_lasts_longer_than_the_lookback(provider_app: Application) -> None:
    pools = provider_app.resources.pools
    for pool in (pools.requests, pools.jobs):
        for setting in ("transaction_timeout", "idle_in_transaction_session_timeout", "statement_timeout"):
            assert await pool.fetchval("SELECT setting::int FROM pg_settings WHERE name = $1", setting) in range(
                1, 60_001
            )
        assert await pool.fetchval("SHOW synchronous_commit") != "local"


async def test_a_key_makes_a_post_repeatable(client: Client, provider_db: asyncpg.Pool) -> None:
    key = {"Idempotency-Key": "k" * 255}
    first = await client.post("/events", json=without_id(), headers=key)
    again = await client.post("/events", json=without_id(), headers=key)
    other = await client.post("/events", json=without_id(room_id=2), headers=key)

    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert await first.get_data() == await again.get_data()
    assert first.headers["Location"] == again.headers["Location"]
    assert await provider_db.fetchval("SELECT count(*) FROM booking_event") == 1
    assert (await client.post("/events", json=without_id(), headers={"Idempotency-Key": "k" * 256})).status_code == 400


async def test_a_key_of_a_conflict_is_free_again(client: Client) -> None:
    await client.post("/events", json=event(1))
    key = {"Idempotency-Key": "one"}

    assert (await client.post("/events", json=event(1, hotel_id=2), headers=key)).status_code == 409
    assert (await client.post("/events", json=event(2), headers=key)).status_code == 201


async def test_twenty_posts_of_one_key_at_once_store_one_event(client: Client, provider_db: asyncpg.Pool) -> None:
    key = {"Idempotency-Key": "same"}
    answers = await asyncio.gather(*(client.post("/events", json=without_id(), headers=key) for _ in range(20)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({await answer.get_data() for answer in answers}) == 1
    assert await provider_db.fetchval("SELECT count(*) FROM booking_event") == 1
