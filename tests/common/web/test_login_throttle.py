"""The throttle of failed logins: per pair of login key and address, with waits that double, in one step."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from common.config import Secret
from common.db.pool import BoundedPool, create_pool
from common.web import login_throttle
from common.web.errors import TooManyRequests
from common.web.login_throttle import FAILURE_RETENTION, begin_attempt, delete_failures, delete_old_failures
from tests.support.databases import waits_for_lock
from tests.support.waiting import eventually

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture
async def db(ground_pool: BoundedPool) -> BoundedPool:
    await ground_pool.execute("TRUNCATE failed_login")
    return ground_pool


@pytest.fixture
async def two_replicas(module_url: Secret, db: BoundedPool) -> AsyncIterator[list[BoundedPool]]:
    async with (
        create_pool(module_url, application="one", size=8) as one,
        create_pool(module_url, application="two", size=8) as two,
    ):
        for pool in (one, two):
            pool.acquire_seconds = 120
        yield [one, two]


async def is_admitted(db: asyncpg.Pool, login_key: str = "admin", address: str = HERE) -> bool:
    try:
        await begin_attempt(db, login_key, address)
    except TooManyRequests:
        return False
    return True


async def fail(db: asyncpg.Pool, times: int) -> None:
    """Fail that often, each time after the wait is over."""
    for _ in range(times):
        await db.execute("UPDATE failed_login SET slowed_until = now()")
        assert await is_admitted(db)


async def wait_of(db: asyncpg.Pool) -> float:
    wait: timedelta = await db.fetchval("SELECT slowed_until - failed_at FROM failed_login")
    return wait.total_seconds()


async def test_the_first_failures_cost_nothing_and_then_the_pair_waits(db: asyncpg.Pool) -> None:
    assert [await is_admitted(db) for _ in range(4)] == [True] * 4
    assert await db.fetchval("SELECT slowed_until FROM failed_login") is None
    assert await is_admitted(db)
    assert await wait_of(db) == 1
    await db.execute("UPDATE failed_login SET slowed_until = now() + interval '90 seconds'")
    with pytest.raises(TooManyRequests) as refused:
        await begin_attempt(db, "admin", HERE)
    assert 30 <= int(refused.value.headers["Retry-After"]) <= 90


@pytest.mark.parametrize(("login_key", "address"), [("admin", ELSEWHERE), ("ben", HERE)])
async def test_the_wait_is_that_of_the_own_pair(db: asyncpg.Pool, login_key: str, address: str) -> None:
    await fail(db, 5)
    await is_admitted(db, login_key, address)
    await db.execute("UPDATE failed_login SET slowed_until = now() + interval '1 hour'")
    await db.execute(
        "UPDATE failed_login SET slowed_until = now() + interval '9 hours' WHERE login_key = $1 AND address = $2",
        login_key,
        address,
    )

    waits = [await login_throttle.select_wait(db, *pair) for pair in (("admin", HERE), (login_key, address))]

    assert 3000 < waits[0] <= 3600 < 30_000 < waits[1] <= 32_400


async def test_a_pair_that_failed_again_while_it_would_be_deleted_stays(db: asyncpg.Pool) -> None:
    await is_admitted(db)
    await db.execute("UPDATE failed_login SET failed_at = now() - interval '2 hours'")

    async with db.acquire() as connection, connection.transaction():
        await connection.execute("UPDATE failed_login SET failed_at = clock_timestamp()")
        deletion = asyncio.create_task(delete_old_failures(db, timedelta(0), 10))
        await eventually(lambda: waits_for_lock(db))

    assert await deletion == 0
    assert await db.fetchval("SELECT count(*) FROM failed_login") == 1


async def test_a_stranger_who_fails_elsewhere_does_not_lock_a_user_out(db: asyncpg.Pool) -> None:
    await fail(db, 9)

    assert not await is_admitted(db)
    assert await is_admitted(db, address=ELSEWHERE)
    assert await is_admitted(db, login_key="ben")


async def test_the_wait_doubles_up_to_a_minute(db: asyncpg.Pool) -> None:
    await fail(db, 4)

    waits = []
    for _ in range(9):
        await fail(db, 1)
        waits.append(await wait_of(db))

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


async def test_the_wait_is_a_minute_after_thousands_of_failures_too(db: asyncpg.Pool) -> None:
    await fail(db, 5)
    await db.execute("UPDATE failed_login SET failures = 2000000000")

    await fail(db, 1)

    assert await wait_of(db) == 60


@pytest.mark.parametrize(("age", "failures"), [(timedelta(minutes=59), 10), (timedelta(minutes=61), 1)])
async def test_failures_are_forgiven_after_an_hour_without_one(db: asyncpg.Pool, age: timedelta, failures: int) -> None:
    await fail(db, 9)
    await db.execute("UPDATE failed_login SET failed_at = now() - $1::interval, slowed_until = now()", age)

    assert await is_admitted(db)

    assert await db.fetchval("SELECT failures FROM failed_login") == failures
    assert (await db.fetchval("SELECT slowed_until FROM failed_login") is None) == (failures == 1)


async def test_a_success_forgives_the_failures_of_its_pair_alone(db: asyncpg.Pool) -> None:
    for address in (HERE, ELSEWHERE):
        await is_admitted(db, address=address)
    await is_admitted(db, login_key="ben")

    await delete_failures(db, "admin", HERE)

    rows = await db.fetch("SELECT login_key, address FROM failed_login ORDER BY login_key, address")
    assert [tuple(row) for row in rows] == [("admin", ELSEWHERE), ("ben", HERE)]


async def test_a_refused_attempt_does_not_lengthen_the_wait(db: asyncpg.Pool) -> None:
    await fail(db, 5)
    await db.execute("UPDATE failed_login SET slowed_until = now() + interval '1 hour'")
    before = await db.fetchrow("SELECT * FROM failed_login")

    assert not await is_admitted(db)

    assert await db.fetchrow("SELECT * FROM failed_login") == before


async def test_of_a_thousand_parallel_guesses_at_two_replicas_five_are_evaluated(
    db: asyncpg.Pool, two_replicas: list[BoundedPool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login_throttle, "FIRST_WAIT_SECONDS", 3600)
    monkeypatch.setattr(login_throttle, "MAX_WAIT_SECONDS", 3600)

    admitted = await asyncio.gather(*(is_admitted(two_replicas[number % 2]) for number in range(1000)))

    assert sum(admitted) == 5
    assert await is_admitted(db, address=ELSEWHERE)


async def test_an_attempt_that_was_not_evaluated_can_be_withdrawn(db: asyncpg.Pool) -> None:
    await fail(db, 4)
    assert await is_admitted(db)
    for login_key, address in (("admin", ELSEWHERE), ("ben", HERE)):
        assert await is_admitted(db, login_key, address)

    await login_throttle.update_attempt_withdrawn(db, "admin", HERE)

    rows = await db.fetch("SELECT login_key, address, failures FROM failed_login ORDER BY login_key, address")
    assert [tuple(row) for row in rows] == [("admin", HERE, 4), ("admin", ELSEWHERE, 1), ("ben", HERE, 1)]
    assert await is_admitted(db)


@pytest.mark.parametrize(("wait", "told"), [(0, "1"), (1, "1"), (2, "2")])
async def test_the_wait_is_at_least_a_second(
    db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch, wait: int, told: str
) -> None:
    async def select_wait(*_: object) -> int:
        return wait

    await fail(db, 5)
    await db.execute("UPDATE failed_login SET slowed_until = now() + interval '1 hour'")
    monkeypatch.setattr(login_throttle, "select_wait", select_wait)

    with pytest.raises(TooManyRequests) as refused:
        await begin_attempt(db, "admin", HERE)

    assert refused.value.headers["Retry-After"] == told


async def test_old_failures_are_deleted_a_batch_at_a_time_but_never_within_the_hour(db: asyncpg.Pool) -> None:
    for number in range(5):
        await is_admitted(db, login_key=f"{number}")
    await db.execute("UPDATE failed_login SET failed_at = now() - interval '61 minutes' WHERE login_key < '3'")
    await db.execute("UPDATE failed_login SET failed_at = now() - interval '59 minutes' WHERE login_key = '3'")

    assert [await delete_old_failures(db, timedelta(0), 2) for _ in range(3)] == [2, 1, 0]
    assert timedelta(hours=1) == FAILURE_RETENTION
    assert [row[0] for row in await db.fetch("SELECT login_key FROM failed_login ORDER BY 1")] == ["3", "4"]
