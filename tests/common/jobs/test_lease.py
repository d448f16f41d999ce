"""The lease of a job: one owner at a time, whose writes it guards, and a new owner after it has expired."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from common.db.pool import transaction
from common.jobs import lease as job_lease
from common.jobs.lease import (
    Job,
    Lease,
    LeaseLostError,
    claim_lease,
    extend_lease,
    make_job_due,
    release_lease,
    select_jobs,
)
from tests.support.databases import waits_for_lock
from tests.support.waiting import eventually


async def nothing(_: Lease) -> dict[str, int | float]:
    return {}


WORK = Job("work", 3600, nothing)


@pytest.fixture
def db(ground_pool: asyncpg.Pool) -> asyncpg.Pool:
    return ground_pool


async def expire(db: asyncpg.Pool) -> None:
    """Let the lease expire without an extension or a release."""
    await db.execute("UPDATE job SET expires_at = clock_timestamp() - interval '1 second'")


async def test_of_several_claims_at_the_same_time_one_succeeds(db: asyncpg.Pool) -> None:
    epochs = await asyncio.gather(*(claim_lease(db, WORK, f"owner {number}") for number in range(10)))
    assert sorted(epoch for epoch in epochs if epoch is not None) == [1]


async def test_a_job_cannot_be_claimed_again_before_it_is_due(db: asyncpg.Pool) -> None:
    epoch = await claim_lease(db, WORK, "a")
    assert epoch == 1
    await release_lease(db, Lease("work", "a", epoch), None, {})
    assert await claim_lease(db, WORK, "b") is None
    await db.execute("UPDATE job SET due_at = clock_timestamp()")
    assert await claim_lease(db, WORK, "b") == 2
    await release_lease(db, Lease("work", "b", 2), None, {})
    assert await claim_lease(db, WORK, "a") is None


async def test_a_job_is_due_a_little_before_its_interval_is_over(db: asyncpg.Pool) -> None:
    """Or the tick at the end of the interval would come too early, and the job would wait for one more."""
    await claim_lease(db, Job("work", 60, nothing), "a")
    seconds = await db.fetchval("SELECT extract(epoch FROM due_at - last_started)::float FROM job")
    assert 60 - job_lease.tick_seconds(Job("work", 60, nothing)) < seconds < 60


async def test_the_job_of_a_killed_owner_can_be_claimed_before_its_interval_has_passed(db: asyncpg.Pool) -> None:
    await claim_lease(db, Job("work", 86400, nothing), "killed")
    await expire(db)
    assert await claim_lease(db, Job("work", 86400, nothing), "other") == 2


async def test_ticks_are_at_most_five_seconds_apart() -> None:
    assert job_lease.tick_seconds(Job("work", 1, nothing)) == 1
    assert job_lease.tick_seconds(Job("work", 86400, nothing)) <= 5


async def test_a_stalled_owner_cannot_write_after_another_one_has_claimed_the_lease(db: asyncpg.Pool) -> None:
    old = Lease("work", "old", await claim_lease(db, WORK, "old") or 0)
    await expire(db)
    async with transaction(db) as connection:
        await old.guard(connection)  # no other owner has claimed it yet
    new = Lease("work", "new", await claim_lease(db, WORK, "new") or 0)
    with pytest.raises(LeaseLostError):
        async with transaction(db) as connection:
            await old.guard(connection)
    async with transaction(db) as connection:
        await new.guard(connection)
    assert not await extend_lease(db, old)
    await release_lease(db, old, None, {"old": 1})
    async with transaction(db) as connection:
        await new.guard(connection)


async def test_a_released_lease_guards_no_transaction(db: asyncpg.Pool) -> None:
    lease = Lease("work", "a", await claim_lease(db, WORK, "a") or 0)
    await release_lease(db, lease, None, {})
    with pytest.raises(LeaseLostError):
        async with transaction(db) as connection:
            await lease.guard(connection)


async def test_a_claim_waits_for_a_guarded_transaction_and_an_extension_does_not(db: asyncpg.Pool) -> None:
    lease = Lease("work", "a", await claim_lease(db, WORK, "a") or 0)
    async with transaction(db) as connection:
        await lease.guard(connection)
        assert await extend_lease(db, lease)
        await expire(db)
        claim = asyncio.create_task(claim_lease(db, WORK, "b"))
        await eventually(lambda: waits_for_lock(db))
        assert not claim.done()
    assert await claim == 2


async def test_waits_after_failures_double_up_to_a_limit_and_a_success_resets_them(db: asyncpg.Pool) -> None:
    async def wait_after(*, failed: bool) -> timedelta:
        epoch = await claim_lease(db, WORK, "a", even_if_not_due=True)
        assert epoch is not None
        await release_lease(db, Lease("work", "a", epoch), "no" if failed else None, {})
        wait: timedelta = await db.fetchval("SELECT due_at - last_finished FROM job")
        return wait

    waits = [round((await wait_after(failed=True)).total_seconds()) for _ in range(8)]
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]
    await wait_after(failed=False)
    assert round((await wait_after(failed=True)).total_seconds()) == 1


@pytest.mark.parametrize("held", [False, True], ids=["not due", "held by another owner"])
async def test_a_claim_that_fails_locks_and_writes_nothing(db: asyncpg.Pool, held: bool) -> None:
    lease = Lease("work", "a", await claim_lease(db, WORK, "a") or 0)
    if not held:
        await release_lease(db, lease, None, {})
    async with transaction(db) as connection:
        assert await claim_lease(connection, WORK, "b", even_if_not_due=held) is None
        assert await connection.fetchval("SELECT pg_current_xact_id_if_assigned()") is None


async def test_a_claim_that_fails_does_not_wait_for_a_guarded_transaction(db: asyncpg.Pool) -> None:
    lease = Lease("work", "a", await claim_lease(db, WORK, "a") or 0)
    async with transaction(db) as connection:
        await lease.guard(connection)
        async with transaction(db) as other:
            await other.execute("SET LOCAL lock_timeout = '1ms'")
            assert await claim_lease(other, WORK, "b") is None


async def test_a_claim_that_waited_for_a_guarded_transaction_counts_on_the_newest_row(db: asyncpg.Pool) -> None:
    """The owner extends its lease while the other claim waits: the claim fails."""
    lease = Lease("work", "a", await claim_lease(db, WORK, "a") or 0)
    await expire(db)
    async with transaction(db) as connection:
        await lease.guard(connection)
        claim = asyncio.create_task(claim_lease(db, WORK, "b"))
        await eventually(lambda: waits_for_lock(db))
        assert await extend_lease(connection, lease)
    assert await claim is None
    assert await db.fetchval("SELECT (owner, epoch) = ('a', 1) FROM job")


async def test_of_several_claims_after_an_expiry_one_succeeds(db: asyncpg.Pool) -> None:
    await claim_lease(db, WORK, "killed")
    await expire(db)
    epochs = await asyncio.gather(*(claim_lease(db, WORK, f"owner {number}") for number in range(10)))
    assert sorted(epoch for epoch in epochs if epoch is not None) == [2]


async def test_an_owner_with_an_older_epoch_releases_nothing(db: asyncpg.Pool) -> None:
    """Even if it is the same process, whose earlier run hung."""
    old = Lease("work", "same", await claim_lease(db, WORK, "same") or 0)
    await expire(db)
    new = Lease("work", "same", await claim_lease(db, WORK, "same") or 0)
    await release_lease(db, old, "hung", {"old": 1})
    assert not await extend_lease(db, old)
    assert await db.fetchval("SELECT expires_at IS NOT NULL AND last_finished IS NULL AND failures = 0 FROM job")
    with pytest.raises(LeaseLostError):
        async with transaction(db) as connection:
            await old.guard(connection)
    await release_lease(db, new, None, {})
    assert await db.fetchval("SELECT last_outcome FROM job") == "ok"


async def test_a_job_that_is_made_due_is_claimed_at_once_and_one_that_runs_again_after_its_run(
    db: asyncpg.Pool,
) -> None:
    assert await make_job_due(db, "work") is None
    await claim_lease(db, WORK, "a")
    assert await make_job_due(db, "work") is True
    assert await claim_lease(db, WORK, "b") is None
    await release_lease(db, Lease("work", "a", 1), None, {})
    assert await claim_lease(db, WORK, "b") == 2

    await release_lease(db, Lease("work", "b", 2), None, {})
    assert await claim_lease(db, WORK, "c") is None
    for _ in range(2):
        assert await make_job_due(db, "work") is False
    assert await claim_lease(db, WORK, "c") == 3
    await expire(db)
    assert await make_job_due(db, "work") is False


async def test_the_state_of_a_job_tells_a_run_from_a_dead_owner_and_counts_failures_in_a_row(db: asyncpg.Pool) -> None:
    await claim_lease(db, WORK, "a")
    assert await state_of_work(db) == ("held", "a", 0)
    await release_lease(db, Lease("work", "a", 1), "no", {})
    assert await state_of_work(db) == (None, "a", 1)
    await claim_lease(db, WORK, "b", even_if_not_due=True)
    await expire(db)
    assert await state_of_work(db) == ("expired", "b", 1)
    await release_lease(db, Lease("work", "b", 2), None, {})
    assert await state_of_work(db) == (None, "b", 0)


async def state_of_work(db: asyncpg.Pool) -> tuple[str | None, str | None, int]:
    (state,) = await select_jobs(db, [WORK])
    return state.lease, state.owner, state.failures
