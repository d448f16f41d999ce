"""Jobs and their lease: once in the fleet, never by two at a time, and never the end of the schedule."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from quart import Quart

from common import application, jobs, scheduling, telemetry
from common.database import transaction
from common.http import UpstreamError
from common.jobs import Job, Lease, LeaseLostError, claim_lease, extend_lease, release_lease
from common.scheduling import run_now, running, select_jobs
from provider.app import MIGRATIONS
from waiting import eventually


@pytest.fixture
def db(ground_pool: asyncpg.Pool) -> asyncpg.Pool:
    return ground_pool


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease of seconds is one of tenths here."""
    monkeypatch.setattr(jobs, "LEASE_SECONDS", 1.0)
    monkeypatch.setattr(scheduling, "LEASE_SECONDS", 1.0)
    monkeypatch.setattr(scheduling, "RENEW_SECONDS", 0.2)


class Work:
    """A run that counts itself and does as it is told."""

    def __init__(self, *, fail: Exception | None = None, forever: bool = False) -> None:
        self.leases: list[Lease] = []
        self.fail = fail
        self.forever = forever
        self.started = asyncio.Event()
        self.cancelled = 0
        self.twice = asyncio.Event()

    async def __call__(self, lease: Lease) -> dict[str, int | float]:
        self.leases.append(lease)
        self.started.set()
        if len(self.leases) > 1:
            self.twice.set()
        try:
            if self.forever:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.fail:
            raise self.fail
        return {"runs": len(self.leases)}


def job(run: Any, *, interval: float = 3600, timeout: float = 60) -> Job:
    return Job("work", interval, run, timeout)


async def state(db: asyncpg.Pool, of: Job) -> jobs.JobState:
    (found,) = await select_jobs(db, [of])
    return found


async def expire(db: asyncpg.Pool) -> None:
    """The time of the lease is over, and nobody has renewed or released it."""
    await db.execute("UPDATE job SET expires_at = clock_timestamp() - interval '1 second'")


async def test_two_schedulers_run_a_job_once_in_its_interval(db: asyncpg.Pool) -> None:
    works = [Work() for _ in range(4)]
    async with AsyncStack([running(db, [job(work)]) for work in works]):
        await eventually(lambda: finished(db, job(None)))
        await asyncio.sleep(0.5)
    assert sum(len(work.leases) for work in works) == 1


class AsyncStack:
    """Several context managers entered and left together."""

    def __init__(self, managers: list[Any]) -> None:
        self.managers = managers

    async def __aenter__(self) -> None:
        await asyncio.gather(*(manager.__aenter__() for manager in self.managers))

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(manager.__aexit__(None, None, None) for manager in self.managers))


async def finished(db: asyncpg.Pool, of: Job) -> bool:
    return (await state(db, of)).last_finished is not None


async def test_claims_at_once_give_one_lease(db: asyncpg.Pool) -> None:
    epochs = await asyncio.gather(*(claim_lease(db, job(None), f"owner {number}") for number in range(10)))
    assert sorted(epoch for epoch in epochs if epoch is not None) == [1]


async def test_a_job_is_claimed_again_when_it_is_due_and_not_before(db: asyncpg.Pool) -> None:
    work = job(None)
    epoch = await claim_lease(db, work, "a")
    assert epoch == 1
    await release_lease(db, Lease("work", "a", epoch), work, None, {}, failed=False)
    assert await claim_lease(db, work, "b") is None
    await db.execute("UPDATE job SET due_at = clock_timestamp()")
    assert await claim_lease(db, work, "b") == 2


async def test_the_work_of_a_killed_owner_goes_to_another_when_the_lease_is_over(db: asyncpg.Pool) -> None:
    assert await claim_lease(db, job(None), "killed") == 1
    assert await claim_lease(db, job(None), "other") is None
    work = Work()
    async with running(db, [job(work, interval=1)]):
        await work.started.wait()
    assert work.leases[0].epoch == 2


async def test_a_killed_owners_job_does_not_wait_for_the_rest_of_a_long_interval(db: asyncpg.Pool) -> None:
    await claim_lease(db, job(None, interval=86400), "killed")
    await expire(db)
    assert await claim_lease(db, job(None, interval=86400), "other") == 2


async def test_a_tick_comes_often_enough_to_take_over_within_lease_and_interval() -> None:
    assert jobs.tick_seconds(job(None, interval=1)) == 1
    assert jobs.tick_seconds(job(None, interval=86400)) <= 5


async def test_a_stalled_owner_cannot_write_after_a_take_over(db: asyncpg.Pool) -> None:
    old = Lease("work", "old", await claim_lease(db, job(None), "old") or 0)
    await expire(db)
    async with transaction(db) as connection:
        await old.guard(connection)  # nobody took over yet
    new = Lease("work", "new", await claim_lease(db, job(None), "new") or 0)
    with pytest.raises(LeaseLostError):
        async with transaction(db) as connection:
            await old.guard(connection)
    async with transaction(db) as connection:
        await new.guard(connection)
    assert not await extend_lease(db, old)
    await release_lease(db, old, job(None), None, {"old": 1}, failed=False)
    async with transaction(db) as connection:
        await new.guard(connection)


async def test_a_lease_that_was_given_back_guards_nothing(db: asyncpg.Pool) -> None:
    lease = Lease("work", "a", await claim_lease(db, job(None), "a") or 0)
    await release_lease(db, lease, job(None), None, {}, failed=False)
    with pytest.raises(LeaseLostError):
        async with transaction(db) as connection:
            await lease.guard(connection)


async def test_a_take_over_waits_for_a_write_under_way_and_a_renewal_does_not(db: asyncpg.Pool) -> None:
    lease = Lease("work", "a", await claim_lease(db, job(None), "a") or 0)
    async with transaction(db) as connection:
        await lease.guard(connection)
        async with asyncio.timeout(10):
            assert await extend_lease(db, lease)
        await db.execute("UPDATE job SET expires_at = clock_timestamp() - interval '1 second'")
        take_over = asyncio.create_task(claim_lease(db, job(None), "b"))
        done, _ = await asyncio.wait([take_over], timeout=0.3)
        assert not done
    assert await take_over == 2


async def test_a_long_run_keeps_its_lease(db: asyncpg.Pool) -> None:
    work = Work(forever=True)
    async with running(db, [job(work)], drain_seconds=0):
        await work.started.wait()
        await asyncio.sleep(1.5)
        assert await claim_lease(db, job(None), "other") is None
    assert work.cancelled == 1


async def test_a_run_whose_lease_is_lost_is_cancelled(db: asyncpg.Pool) -> None:
    work = Work(forever=True)
    async with running(db, [job(work)], drain_seconds=0):
        await work.started.wait()
        await expire(db)
        taken = await claim_lease(db, job(None), "other")
        if taken is not None:  # the owner may have renewed in between, and is right to go on then
            await eventually(lambda: cancelled(work))
    assert work.cancelled == 1


async def cancelled(work: Work) -> bool:
    return work.cancelled > 0


async def test_a_run_that_cannot_renew_is_cancelled_when_its_lease_is_over(
    db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_: object) -> bool:
        await asyncio.Event().wait()
        return True

    monkeypatch.setattr(scheduling, "extend_lease", hang)
    work = Work(forever=True)
    async with running(db, [job(work)], drain_seconds=0):
        await work.started.wait()
        await eventually(lambda: cancelled(work))


async def test_a_failing_job_is_recorded_counted_and_tried_again(
    db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "LONGEST_TICK_SECONDS", 0.2)
    work = Work(fail=UpstreamError("the feed is down"))
    failures = telemetry.JOB_RUNS.labels("work", "failed")._value.get()
    async with running(db, [job(work, interval=86400)]):
        await work.twice.wait()
        await eventually(lambda: finished(db, job(None)))
    shown = await state(db, job(None))
    assert shown.last_outcome == "failed"
    assert shown.last_error == "UpstreamError: the feed is down"
    assert shown.did == {}
    assert telemetry.JOB_RUNS.labels("work", "failed")._value.get() >= failures + 2


async def test_the_wait_after_failures_doubles_up_to_a_limit_and_starts_anew_after_a_success(db: asyncpg.Pool) -> None:
    async def wait_after(*, failed: bool) -> timedelta:
        epoch = await claim_lease(db, job(None), "a", even_if_not_due=True)
        assert epoch is not None
        await release_lease(db, Lease("work", "a", epoch), job(None), "no", {}, failed=failed)
        waits: timedelta = await db.fetchval("SELECT due_at - last_finished FROM job")
        return waits

    waits = [round((await wait_after(failed=True)).total_seconds()) for _ in range(8)]
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]
    await wait_after(failed=False)
    assert round((await wait_after(failed=True)).total_seconds()) == 1


async def test_a_run_that_takes_too_long_fails(db: asyncpg.Pool) -> None:
    work = Work(forever=True)
    async with running(db, [job(work, timeout=0.1)]):
        await eventually(lambda: finished(db, job(None)))
    shown = await state(db, job(None))
    assert (shown.last_outcome, shown.last_error) == ("failed", "took longer than 0.1 seconds")


@pytest.mark.parametrize("words", ["\0 and \ud800", "x" * 10_000, ""])
async def test_whatever_a_failure_says_can_be_recorded(db: asyncpg.Pool, words: str) -> None:
    async with running(db, [job(Work(fail=RuntimeError(words)))]):
        await eventually(lambda: finished(db, job(None)))
    shown = await state(db, job(None))
    assert shown.last_error is not None
    assert shown.last_error.startswith("RuntimeError")
    assert len(shown.last_error) <= 500


async def test_a_database_that_is_gone_for_a_while_does_not_end_the_schedule(
    db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = 0

    async def claim(*given: Any, **named: Any) -> int | None:
        nonlocal attempts
        attempts += 1
        if attempts <= 2:
            raise ConnectionRefusedError("down")
        return await claim_lease(*given, **named)

    monkeypatch.setattr(scheduling, "claim_lease", claim)
    work = Work()
    async with running(db, [job(work, interval=0.2)]):
        await work.started.wait()
    assert attempts >= 3


async def test_shutdown_lets_a_run_finish_and_starts_no_other(db: asyncpg.Pool) -> None:
    go_on = asyncio.Event()
    started = asyncio.Event()
    runs = 0

    async def run(_: Lease) -> dict[str, int | float]:
        nonlocal runs
        runs += 1
        started.set()
        await go_on.wait()
        return {"finished": 1}

    async with running(db, [job(run, interval=0.2)]):
        await started.wait()
        asyncio.get_running_loop().call_later(0.5, go_on.set)
    assert runs == 1
    assert (await state(db, job(None))).did == {"finished": 1}


async def test_what_does_not_finish_in_time_is_cancelled_and_due_again_soon(db: asyncpg.Pool) -> None:
    work = Work(forever=True)
    async with running(db, [job(work)], drain_seconds=0.1):
        await work.started.wait()
    shown = await state(db, job(None))
    assert (work.cancelled, shown.last_outcome, shown.last_error) == (1, "failed", "cancelled at shutdown")
    assert await db.fetchval("SELECT expires_at FROM job") is None
    assert await db.fetchval("SELECT due_at < clock_timestamp() + interval '2 seconds' FROM job")


async def test_a_job_that_is_off_never_runs_and_is_still_shown(db: asyncpg.Pool) -> None:
    work = Work()
    off = job(work, interval=0)
    async with running(db, [off]):
        await asyncio.sleep(0.5)
    assert work.leases == []
    shown = await state(db, off)
    assert (shown.name, shown.interval_seconds, shown.next_run) == ("work", 0, None)


async def test_a_command_runs_a_job_whether_or_not_it_is_due_and_waits_for_the_one_under_way(db: asyncpg.Pool) -> None:
    held = Lease("work", "elsewhere", await claim_lease(db, job(None), "elsewhere") or 0)
    command = asyncio.create_task(run_now(db, job(Work())))
    done, _ = await asyncio.wait([command], timeout=0.3)
    assert not done
    await release_lease(db, held, job(None), None, {}, failed=False)
    assert await command == {"runs": 1}


async def test_what_a_job_raises_a_command_raises(db: asyncpg.Pool) -> None:
    with pytest.raises(UpstreamError):
        await run_now(db, job(Work(fail=UpstreamError("down"))))
    assert (await state(db, job(None))).last_outcome == "failed"


async def test_a_cancelled_command_gives_its_lease_back(db: asyncpg.Pool) -> None:
    work = Work(forever=True)
    command = asyncio.create_task(run_now(db, job(work)))
    await work.started.wait()
    command.cancel()
    with suppress(asyncio.CancelledError):
        await command
    assert await db.fetchval("SELECT expires_at FROM job") is None


@pytest.fixture
async def app(db: asyncpg.Pool) -> AsyncIterator[Quart]:
    """An application with one job that ran, one that failed, one that never ran and one that is off."""
    app = application.create("jobs", title="Jobs", description="For tests", tags={})
    ran, failed = Job("ran", 60, Work()), Job("failed", 60, Work(fail=RuntimeError("no")))
    await run_now(db, ran)
    with pytest.raises(RuntimeError):
        await run_now(db, failed)
    application.install_operations(app, MIGRATIONS, [ran, failed, Job("never", 5, Work()), Job("off", 0, Work())])
    app.extensions["pool"] = db
    async with app.test_app():
        yield app


async def test_jobs_shows_every_job_as_the_contract_says(app: Quart) -> None:
    answer = await (await app.test_client().get("/jobs")).get_json()
    ran, failed, never, off = answer["jobs"]
    members = {
        *("name", "interval_seconds", "last_started", "last_finished", "last_outcome", "last_error"),
        *("next_run", "did"),
    }
    assert all(set(each) == members for each in answer["jobs"])
    assert (ran["name"], ran["last_outcome"], ran["last_error"], ran["did"]) == ("ran", "ok", None, {"runs": 1})
    assert ran["last_started"] <= ran["last_finished"] < ran["next_run"]
    assert (failed["last_outcome"], failed["last_error"], failed["did"]) == ("failed", "RuntimeError: no", {})
    assert never == {"name": "never", "interval_seconds": 5.0} | dict.fromkeys(
        ["last_started", "last_finished", "last_outcome", "last_error", "next_run"]
    ) | {"did": {}}
    assert (off["interval_seconds"], off["next_run"]) == (0, None)
