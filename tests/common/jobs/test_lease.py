"""A job's lease in PostgreSQL: claimed by one, guarding what is written, taken over when it is over."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from common.db.pool import transaction
from common.jobs import lease as job_lease
from common.jobs.lease import Job, Lease, LeaseLostError, claim_lease, extend_lease, release_lease
from tests.support.databases import waits_for_lock
from tests.support.waiting import eventually


async def nothing(_: Lease) -> dict[str, int | float]:
    return {}


WORK = Job("work", 3600, nothing)


@pytest.fixture
def db(ground_pool: asyncpg.Pool) -> asyncpg.Pool:
    return ground_pool


async def expire(db: asyncpg.Pool) -> None:
    """The time of the lease is over, and nobody has renewed or released it."""
    await db.execute("UPDATE job SET expires_at = clock_timestamp() - interval '1 second'")


async def test_claims_at_once_give_one_lease(db: asyncpg.Pool) -> None:
    epochs = await asyncio.gather(*(claim_lease(db, WORK, f"owner {number}") for number in range(10)))
    assert sorted(epoch for epoch in epochs if epoch is not None) == [1]


async def test_a_job_is_claimed_again_when_it_is_due_and_not_before(db: asyncpg.Pool) -> None:
    epoch = await claim_lease(db, WORK, "a")
    assert epoch == 1
    await release_lease(db, Lease("work", "a", epoch), WORK, None, {}, failed=False)
    assert await claim_lease(db, WORK, "b") is None
    await db.execute("UPDATE job SET due_at = clock_timestamp()")
    assert await claim_lease(db, WORK, "b") == 2


async def test_a_killed_owners_job_does_not_wait_for_the_rest_of_a_long_interval(db: asyncpg.Pool) -> None:
    await claim_lease(db, Job("work", 86400, nothing), "killed")
    await expire(db)
    assert await claim_lease(db, Job("work", 86400, nothing), "other") == 2


async def test_a_tick_comes_often_enough_to_take_over_within_lease_and_interval() -> None:
    assert job_lease.tick_seconds(Job("work", 1, nothing)) == 1
    assert job_lease.tick_seconds(Job("work", 86400, nothing)) <= 5


async def test_a_stalled_owner_cannot_write_after_a_take_over(db: asyncpg.Pool) -> None:
    old = Lease("work", "old", await claim_lease(db, WORK, "old") or 0)
    await expire(db)
    async with transaction(db) as connection:
        await old.guard(connection)  # nobody took over yet
    new = Lease("work", "new", await claim_lease(db, WORK, "new") or 0)
    with pytest.raises(LeaseLostError):
        async with transaction(db) as connection:
            await old.guard(connection)
    async with transaction(db) as connection:
        await new.guard(connection)
    assert not await extend_lease(db, old)
    await release_lease(db, old, WORK, None, {"old": 1}, failed=False)
    async with transaction(db) as connection:
        await new.guard(connection)


async def test_a_lease_that_was_given_back_guards_nothing(db: asyncpg.Pool) -> None:
    lease = Lease("work", "a", await claim_lease(db, WORK, "a") or 0)
    await release_lease(db, lease, WORK, None, {}, failed=False)
    with pytest.raises(LeaseLostError):
        async with transaction(db) as connection:
            await lease.guard(connection)


async def test_a_take_over_waits_for_a_write_under_way_and_a_renewal_does_not(db: asyncpg.Pool) -> None:
    lease = Lease("work", "a", await claim_lease(db, WORK, "a") or 0)
    async with transaction(db) as connection:
        await lease.guard(connection)
        assert await extend_lease(db, lease)
        await expire(db)
        take_over = asyncio.create_task(claim_lease(db, WORK, "b"))
        await eventually(lambda: waits_for_lock(db))
        assert not take_over.done()
    assert await take_over == 2


async def test_the_wait_after_failures_doubles_up_to_a_limit_and_starts_anew_after_a_success(db: asyncpg.Pool) -> None:
    async def wait_after(*, failed: bool) -> timedelta:
        epoch = await claim_lease(db, WORK, "a", even_if_not_due=True)
        assert epoch is not None
        await release_lease(db, Lease("work", "a", epoch), WORK, "no", {}, failed=failed)
        waits: timedelta = await db.fetchval("SELECT due_at - last_finished FROM job")
        return waits

    waits = [round((await wait_after(failed=True)).total_seconds()) for _ in range(8)]
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]
    await wait_after(failed=False)
    assert round((await wait_after(failed=True)).total_seconds()) == 1
