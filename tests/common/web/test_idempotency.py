"""Idempotency-Key: repetitions of a request get the same response, and create once."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from common.web.idempotency import KEY_RETENTION, delete_old_keys
from common.web.resources import Application
from tests.support.callers import sent_from

KEY = {"Idempotency-Key": "one"}


async def create(
    app: Application, headers: dict[str, str] | None = KEY, *, address: str = "192.0.2.1", **body: Any
) -> Any:
    return await app.test_client().post(
        "/things", json={"name": "a", **body}, headers=headers, scope_base=sent_from(address)
    )


async def count(db: asyncpg.Pool, table: str = "thing") -> int:
    number: int = await db.fetchval(f"SELECT count(*) FROM {table}")
    return number


async def test_a_repeated_request_gets_the_same_response(ground: Application, ground_pool: asyncpg.Pool) -> None:
    first, again = await create(ground), await create(ground)

    assert (first.status_code, again.status_code) == (201, 201)
    assert await first.get_data() == await again.get_data()
    assert first.headers["Location"] == again.headers["Location"]
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert first.headers["X-Request-ID"] != again.headers["X-Request-ID"]
    assert await count(ground_pool) == 1


async def test_another_body_with_the_key_is_422_and_creates_nothing(
    ground: Application, ground_pool: asyncpg.Pool
) -> None:
    await create(ground)
    other = await create(ground, name="b")

    assert other.status_code == 422
    assert other.content_type == "application/problem+json"
    assert (await other.get_json())["code"] == "idempotency_key_reused"
    assert await count(ground_pool) == 1


async def test_without_a_key_every_request_creates(ground: Application, ground_pool: asyncpg.Pool) -> None:
    for _ in range(2):
        assert (await create(ground, None)).status_code == 201
    assert await count(ground_pool) == 2
    assert await count(ground_pool, "idempotency_key") == 0


async def test_concurrent_requests_with_one_key_create_once(ground: Application, ground_pool: asyncpg.Pool) -> None:
    answers = await asyncio.gather(*(create(ground) for _ in range(20)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({await answer.get_data() for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert await count(ground_pool) == 1


async def test_concurrent_requests_with_one_key_and_two_bodies_create_once(
    ground: Application, ground_pool: asyncpg.Pool
) -> None:
    answers = await asyncio.gather(*(create(ground, name="ab"[number % 2]) for number in range(10)))

    assert sorted(answer.status_code for answer in answers) == [201] * 5 + [422] * 5
    assert await count(ground_pool) == 1


async def test_a_failed_request_stores_neither_the_thing_nor_the_key(
    ground: Application, ground_pool: asyncpg.Pool
) -> None:
    assert (await create(ground, name="impossible")).status_code == 503
    assert await count(ground_pool) == 0
    assert await count(ground_pool, "idempotency_key") == 0
    assert (await create(ground, name="possible")).status_code == 201


async def test_a_refused_body_does_not_use_up_the_key(ground: Application) -> None:
    assert (await create(ground, size=99)).status_code == 400
    assert (await create(ground)).status_code == 201


async def test_the_key_is_stored_in_the_transaction_that_creates(
    ground: Application, ground_pool: asyncpg.Pool
) -> None:
    await create(ground)
    rows = await ground_pool.fetch("SELECT xmin::text FROM thing UNION SELECT xmin::text FROM idempotency_key")
    assert len(rows) == 1


@pytest.mark.parametrize(("length", "status"), [(1, 201), (255, 201), (256, 400), (4000, 400)])
async def test_a_key_has_up_to_255_characters(ground: Application, length: int, status: int) -> None:
    answer = await create(ground, {"Idempotency-Key": "k" * length})
    assert answer.status_code == status
    if status == 400:
        assert [each["field"] for each in (await answer.get_json())["errors"]] == ["Idempotency-Key"]


async def test_an_empty_key_is_refused(ground: Application) -> None:
    assert (await create(ground, {"Idempotency-Key": ""})).status_code == 400


async def test_a_key_may_contain_any_character_of_a_header(ground: Application, ground_pool: asyncpg.Pool) -> None:
    for _ in range(2):
        assert (await create(ground, {"Idempotency-Key": "ключ 'quoted\" \xe4;--"})).status_code == 201
    assert await count(ground_pool) == 1


async def test_two_addresses_may_use_the_same_key(ground: Application, ground_pool: asyncpg.Pool) -> None:
    first = await create(ground, name="a")
    other = await create(ground, name="b", address="192.0.2.2")
    again = await create(ground, name="b", address="192.0.2.2")

    assert [answer.status_code for answer in (first, other, again)] == [201, 201, 201]
    assert await other.get_data() == await again.get_data() != await first.get_data()
    assert await count(ground_pool) == 2


async def test_a_credential_is_the_caller_wherever_it_calls_from(
    ground: Application, ground_pool: asyncpg.Pool
) -> None:
    ann, ben = ({**KEY, "Authorization": f"Bearer {name}"} for name in ("ann", "ben"))
    first = await create(ground, ann)
    again = await create(ground, ann, address="192.0.2.2")
    other = await create(ground, ben, name="b")
    anonymous = await create(ground, name="c")

    assert again.headers["Idempotent-Replayed"] == "true"
    assert await first.get_data() == await again.get_data()
    assert (other.status_code, anonymous.status_code) == (201, 201)
    assert await count(ground_pool) == 3
    stored = await ground_pool.fetch("SELECT scope FROM idempotency_key")
    assert not any("ann" in row["scope"] or "192.0.2" in row["scope"] for row in stored)


async def test_keys_are_deleted_a_batch_at_a_time_oldest_first(ground: Application, ground_pool: asyncpg.Pool) -> None:
    for number in range(3):
        await create(ground, {"Idempotency-Key": f"{number}"})
    await ground_pool.execute("UPDATE idempotency_key SET created_at = now() - make_interval(days => 10 - key::int)")

    assert await delete_old_keys(ground_pool, KEY_RETENTION, 2) == 2
    assert await ground_pool.fetchval("SELECT key FROM idempotency_key") == "2"
    assert [await delete_old_keys(ground_pool, KEY_RETENTION, 2) for _ in range(2)] == [1, 0]


async def test_keys_are_kept_for_a_day_and_deleted_later(ground: Application, ground_pool: asyncpg.Pool) -> None:
    assert timedelta(hours=24) <= KEY_RETENTION
    await create(ground)
    assert await delete_old_keys(ground_pool, KEY_RETENTION, 100) == 0
    await ground_pool.execute("UPDATE idempotency_key SET created_at = created_at - $1::interval", KEY_RETENTION)
    await create(ground, {"Idempotency-Key": "two"})
    assert await delete_old_keys(ground_pool, KEY_RETENTION, 100) == 1
    assert await ground_pool.fetchval("SELECT key FROM idempotency_key") == "two"
