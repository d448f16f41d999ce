"""The scheduler: APScheduler in each replica, and a lease in PostgreSQL so that one replica runs a job at a time.

Each replica has a timer per job. A tick claims the lease if the job is due and no replica holds it. The owner extends
the lease while the job runs, and cancels the run if the lease is lost. All times are by PostgreSQL's clock, so the
clocks of the replicas need not agree. See docs/decisions/lease-in-postgresql.md.
"""

import asyncio
import os
import random
import secrets
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import asyncpg
import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from common.db.errors import DATABASE_UNAVAILABLE, describe_failure
from common.jobs.lease import (
    LEASE_SECONDS,
    Job,
    JobResult,
    Lease,
    LeaseLostError,
    claim_lease,
    extend_lease,
    release_lease,
    tick_seconds,
)
from common.telemetry import metrics, tracing
from common.upstream import UpstreamError

log = structlog.get_logger()

EXTEND_SECONDS = 3.0

EXPECTED_FAILURES: tuple[type[Exception], ...] = (*DATABASE_UNAVAILABLE, UpstreamError)
"""Failures outside our control; logged without a traceback."""


class Scheduler:
    """The scheduler of one replica. Use `running`."""

    def __init__(self, db: asyncpg.Pool, jobs: Sequence[Job]) -> None:
        self.db = db
        self.jobs = [job for job in jobs if job.interval > 0]
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._timer = AsyncIOScheduler(timezone="UTC")
        self._running: set[asyncio.Task[None]] = set()
        self._drained: set[asyncio.Task[None]] = set()
        self._closing = False
        self._not_yet_run = {job.name for job in self.jobs if job.at_start}

    async def start(self) -> None:
        for job in self.jobs:
            tick = tick_seconds(job)
            self._timer.add_job(
                self._tick,
                IntervalTrigger(seconds=tick, jitter=tick * 0.1),
                args=[job],
                id=job.name,
                next_run_time=datetime.now().astimezone() + timedelta(seconds=random.uniform(0, 0.3)),
                coalesce=True,
                max_instances=1,
                misfire_grace_time=max(1, int(job.interval)),
            )
        self._timer.start()

    async def drain(self, seconds: float) -> None:
        """Start no more runs, wait up to `seconds` for those in progress, and cancel the rest.

        APScheduler's own shutdown cancels coroutines, so this comes first.
        """
        self._closing = True
        self._timer.pause()
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=seconds)
            self._drained |= late
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._timer.shutdown(wait=False)

    async def _tick(self, job: Job) -> None:
        if self._closing:
            return
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            epoch = await claim_lease(self.db, job, self.owner, even_if_not_due=job.name in self._not_yet_run)
            self._not_yet_run.discard(job.name)
            if epoch is not None:
                await self._run(job, Lease(job.name, self.owner, epoch))
        except DATABASE_UNAVAILABLE as error:
            log.warning("job_database_unavailable", job=job.name, error=describe_failure(error))
        except asyncio.CancelledError:
            if task not in self._drained:
                raise
            # The run is recorded; APScheduler would log the exception as an error.
            log.info("job_cancelled_at_shutdown", job=job.name)
        finally:
            self._running.discard(task)

    async def _run(self, job: Job, lease: Lease) -> None:
        tracing.begin_trace()
        result: JobResult = {}
        error: str | None = None
        limit = asyncio.timeout(job.timeout)
        with metrics.JOB_SECONDS.labels(job.name).time():
            try:
                async with limit, self._extending(lease):
                    result = await job.run(lease)
            except asyncio.CancelledError:
                released = release_lease(self.db, lease, "cancelled at shutdown", {}, is_interrupted=True)
                await asyncio.shield(released)
                raise
            except Exception as failure:  # of any kind: the schedule goes on, and /jobs shows the failure
                error = f"took longer than {job.timeout:g} seconds" if limit.expired() else describe_failure(failure)
                expected = isinstance(failure, EXPECTED_FAILURES)
                log.warning("job_failed", job=job.name, error=error, exc_info=None if expected else failure)
        metrics.JOB_RUNS.labels(job.name, "failed" if error else "ok").inc()
        await release_lease(self.db, lease, error, result)

    @asynccontextmanager
    async def _extending(self, lease: Lease) -> AsyncIterator[None]:
        """Extend the lease while the block runs. If that fails, cancel the block and raise LeaseLostError."""
        body = asyncio.current_task()
        assert body is not None
        lost = ended = False

        async def extend() -> None:
            nonlocal lost
            held_until = asyncio.get_running_loop().time() + LEASE_SECONDS
            while True:
                await asyncio.sleep(EXTEND_SECONDS)
                now = asyncio.get_running_loop().time()
                try:
                    async with asyncio.timeout_at(held_until):
                        lost = not await extend_lease(self.db, lease)
                    held_until = now + LEASE_SECONDS
                except DATABASE_UNAVAILABLE:
                    lost = asyncio.get_running_loop().time() >= held_until
                if lost:
                    if not ended:  # else the work is done, and its result counts
                        body.cancel()
                    return

        extender = asyncio.create_task(extend())
        try:
            yield
            ended = True
        except asyncio.CancelledError:
            if lost and body.uncancel() == 0:
                raise LeaseLostError(f"{lease.job}: the lease of epoch {lease.epoch} was lost") from None
            raise
        finally:
            extender.cancel()
            await asyncio.gather(extender, return_exceptions=True)


@asynccontextmanager
async def running(db: asyncpg.Pool, jobs: Sequence[Job], *, drain_seconds: float = 4.0) -> AsyncIterator[Scheduler]:
    """Run the jobs while the block runs; its end drains them."""
    scheduler = Scheduler(db, jobs)
    await scheduler.start()
    try:
        yield scheduler
    finally:
        await scheduler.drain(drain_seconds)


async def run_now(db: asyncpg.Pool, job: Job) -> JobResult:
    """Run a job once, under its lease, whether or not it is due; for commands and tests. Raises the job's exception.

    Waits for a run in progress in another process.
    """
    owner = f"command:{os.getpid()}:{secrets.token_hex(4)}"
    while (epoch := await claim_lease(db, job, owner, even_if_not_due=True)) is None:  # noqa: ASYNC110 - another process holds it
        await asyncio.sleep(0.2)
    lease = Lease(job.name, owner, epoch)
    scheduler = Scheduler(db, [])
    try:
        async with scheduler._extending(lease):
            result = await job.run(lease)
    except BaseException as failure:  # a cancellation too, or others wait until the lease expires
        await release_lease(db, lease, describe_failure(failure), {})
        raise
    await release_lease(db, lease, None, result)
    return result
