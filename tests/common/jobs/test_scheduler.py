"""Schedulers: one replica runs a job at a time, and no failure of a job ends the schedule."""

import asyncio
import logging
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any

import asyncpg
import pytest

from common.jobs import lease as job_lease
from common.jobs import scheduler as job_scheduler
from common.jobs.lease import Job, Lease, claim_lease, release_lease, select_jobs
from common.jobs.scheduler import run_now, running
from common.telemetry import metrics
from common.upstream import UpstreamError
from tests.support.waiting import eventually


@pytest.fixture
def db(ground_pool: asyncpg.Pool) -> asyncpg.Pool:
    return ground_pool


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ticks and extensions come many times a second. Leases are as long as in production: none expires in a test."""
    monkeypatch.setattr(job_lease, "MAX_TICK_SECONDS", 0.1)
    monkeypatch.setattr(job_scheduler, "EXTEND_SECONDS", 0.05)


@pytest.fixture
def claims(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The owners that tried to claim the lease, in order."""
    owners: list[str] = []

    async def recorded(db: asyncpg.Pool, job: Job, owner: str, *, even_if_not_due: bool = False) -> int | None:
        epoch = await claim_lease(db, job, owner, even_if_not_due=even_if_not_due)
        owners.append(owner)
        return epoch

    monkeypatch.setattr(job_scheduler, "claim_lease", recorded)
    return owners


class Work:
    """A job's work that records its runs, and fails or never ends if so configured."""

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


async def state(db: asyncpg.Pool, of: Job) -> job_lease.JobState:
    (found,) = await select_jobs(db, [of])
    return found


async def expire(db: asyncpg.Pool) -> None:
    """Let the lease expire without an extension or a release."""
    await db.execute("UPDATE job SET expires_at = clock_timestamp() - interval '1 second'")


async def test_several_schedulers_run_a_job_once_in_its_interval(db: asyncpg.Pool, claims: list[str]) -> None:
    works = [Work() for _ in range(4)]
    async with AsyncStack([running(db, [job(work)]) for work in works]):
        await eventually(lambda: finished(db, job(None)))
        claims.clear()
        await eventually(lambda: len(set(claims)) == 4)
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


async def test_a_job_of_a_killed_owner_runs_elsewhere_after_its_lease_has_expired(
    db: asyncpg.Pool, claims: list[str]
) -> None:
    assert await claim_lease(db, job(None), "killed") == 1
    work = Work()
    async with running(db, [job(work)]):
        await eventually(lambda: claims)
        assert work.leases == []
        await expire(db)
        await work.started.wait()
    assert work.leases[0].epoch == 2


async def test_the_lease_of_a_long_run_is_extended(db: asyncpg.Pool) -> None:
    work = Work(forever=True)
    async with running(db, [job(work)], drain_seconds=0):
        await work.started.wait()
        first_end = await db.fetchval("SELECT expires_at FROM job")
        for _ in range(3):
            await eventually(partial(ends_after, db, first_end))
            first_end = await db.fetchval("SELECT expires_at FROM job")
        assert await claim_lease(db, job(None), "other") is None
    assert work.cancelled == 1


async def ends_after(db: asyncpg.Pool, end: datetime) -> bool:
    later: bool = await db.fetchval("SELECT expires_at > $1 FROM job", end)
    return later


async def test_a_run_whose_lease_is_lost_is_cancelled(db: asyncpg.Pool) -> None:
    work = Work(forever=True)
    async with running(db, [job(work)]):
        await work.started.wait()
        await db.execute(
            "UPDATE job SET owner = 'other', epoch = epoch + 1, expires_at = clock_timestamp() + interval '1 hour'"
        )
        await eventually(lambda: work.cancelled)
    assert work.cancelled == 1
    assert await db.fetchval("SELECT owner FROM job") == "other"


async def test_a_run_whose_lease_cannot_be_extended_is_cancelled_when_it_expires(
    db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_: object) -> bool:
        await asyncio.Event().wait()
        return True

    monkeypatch.setattr(job_scheduler, "extend_lease", hang)
    monkeypatch.setattr(job_scheduler, "LEASE_SECONDS", 0.2)
    work = Work(forever=True)
    async with running(db, [job(work)]):
        await work.started.wait()
        await eventually(lambda: work.cancelled)


async def test_a_failed_run_is_recorded_counted_and_repeated(db: asyncpg.Pool) -> None:
    work = Work(fail=UpstreamError("the feed is down"))
    failures = metrics.JOB_RUNS.labels("work", "failed")._value.get()
    async with running(db, [job(work, interval=86400)]):
        await work.twice.wait()
        await eventually(lambda: finished(db, job(None)))
    shown = await state(db, job(None))
    assert shown.last_outcome == "failed"
    assert shown.last_error == "UpstreamError: the feed is down"
    assert shown.last_result == {}
    assert metrics.JOB_RUNS.labels("work", "failed")._value.get() >= failures + 2


async def test_a_run_that_takes_too_long_fails(db: asyncpg.Pool) -> None:
    work = Work(forever=True)
    async with running(db, [job(work, timeout=0.1)]):
        await eventually(lambda: finished(db, job(None)))
    shown = await state(db, job(None))
    assert (shown.last_outcome, shown.last_error) == ("failed", "took longer than 0.1 seconds")


@pytest.mark.parametrize("text", ["\0 and \ud800", "x" * 10_000, ""])
async def test_the_text_of_any_failure_can_be_stored(db: asyncpg.Pool, text: str) -> None:
    async with running(db, [job(Work(fail=RuntimeError(text)))]):
        await eventually(lambda: finished(db, job(None)))
    shown = await state(db, job(None))
    assert shown.last_error is not None
    assert shown.last_error.startswith("RuntimeError")
    assert len(shown.last_error) <= 500


async def test_the_schedule_survives_an_outage_of_the_database(
    db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = 0

    async def claim(*given: Any, **named: Any) -> int | None:
        nonlocal attempts
        attempts += 1
        if attempts <= 2:
            raise ConnectionRefusedError("down")
        return await claim_lease(*given, **named)

    monkeypatch.setattr(job_scheduler, "claim_lease", claim)
    work = Work()
    async with running(db, [job(work, interval=0.2)]):
        await work.started.wait()
    assert attempts >= 3


async def test_shutdown_waits_for_a_run_and_starts_no_other(db: asyncpg.Pool) -> None:
    go_on = asyncio.Event()
    started = asyncio.Event()
    runs = 0

    async def run(_: Lease) -> dict[str, int | float]:
        nonlocal runs
        runs += 1
        started.set()
        await go_on.wait()
        return {"finished": 1}

    async def finish_when_draining(scheduler: job_scheduler.Scheduler) -> None:
        await eventually(lambda: scheduler._closing)
        go_on.set()

    async with running(db, [job(run, interval=0.1)]) as scheduler:
        await started.wait()
        finishing = asyncio.create_task(finish_when_draining(scheduler))
    await finishing
    assert runs == 1
    assert (await state(db, job(None))).last_result == {"finished": 1}


async def test_shutdown_cancels_a_long_run_which_is_due_again_soon(db: asyncpg.Pool) -> None:
    work = Work(forever=True)
    async with running(db, [job(work)], drain_seconds=0.1):
        await work.started.wait()
    shown = await state(db, job(None))
    assert (work.cancelled, shown.last_outcome, shown.last_error) == (1, "failed", "cancelled at shutdown")
    assert await db.fetchval("SELECT expires_at FROM job") is None
    assert await db.fetchval("SELECT due_at < clock_timestamp() + interval '2 seconds' FROM job")
    assert await db.fetchval("SELECT failures FROM job") == 0  # restarts are not failures in a row


async def test_shutdown_during_a_run_logs_no_error(
    db: asyncpg.Pool, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    work = Work(forever=True)
    async with running(db, [job(work)], drain_seconds=0):
        await work.started.wait()
    assert work.cancelled == 1
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    output = capsys.readouterr()
    assert "Traceback" not in output.out + output.err


async def test_a_run_that_ended_keeps_its_result_although_its_lease_is_lost_at_that_moment(
    db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    extending, run_ended = asyncio.Event(), asyncio.Event()

    async def lose(*_: object) -> bool:
        extending.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:  # by the end of the run, too late
            run_ended.set()
        return False

    async def run(_: Lease) -> dict[str, int | float]:
        await extending.wait()
        return {"finished": 1}

    monkeypatch.setattr(job_scheduler, "extend_lease", lose)
    assert await run_now(db, job(run)) == {"finished": 1}
    assert run_ended.is_set()
    assert (await state(db, job(None))).last_result == {"finished": 1}


async def test_a_job_that_is_switched_off_never_runs_and_is_listed(db: asyncpg.Pool) -> None:
    work, other = Work(), Work()
    off = job(work, interval=0)
    async with running(db, [off, Job("other", 3600, other)]) as scheduler:
        assert [each.name for each in scheduler.jobs] == ["other"]
        await other.started.wait()
    assert work.leases == []
    shown = await state(db, off)
    assert (shown.name, shown.interval_seconds, shown.next_run) == ("work", 0, None)


async def test_a_command_runs_a_job_that_is_not_due_and_waits_for_a_run_in_progress(
    db: asyncpg.Pool, claims: list[str]
) -> None:
    held = Lease("work", "elsewhere", await claim_lease(db, job(None), "elsewhere") or 0)
    command = asyncio.create_task(run_now(db, job(Work())))
    await eventually(lambda: len(claims) >= 2)
    assert not command.done()
    await release_lease(db, held, None, {})
    assert await command == {"runs": 1}


async def test_a_command_raises_the_exception_of_its_job(db: asyncpg.Pool) -> None:
    with pytest.raises(UpstreamError):
        await run_now(db, job(Work(fail=UpstreamError("down"))))
    assert (await state(db, job(None))).last_outcome == "failed"


async def test_a_cancelled_command_releases_its_lease(db: asyncpg.Pool) -> None:
    work = Work(forever=True)
    command = asyncio.create_task(run_now(db, job(work)))
    await work.started.wait()
    command.cancel()
    with suppress(asyncio.CancelledError):
        await command
    assert await db.fetchval("SELECT expires_at FROM job") is None
