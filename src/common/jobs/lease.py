"""A job, and its lease in PostgreSQL: the right to run it, which one owner in the fleet has at a time.

The lease is a row. A claim makes a new epoch, and what a run writes is fenced by its epoch: a transaction that guards
its lease and a claim wait for one another, so a stalled old owner cannot write after a new one took over.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from common.db.pool import Connection, Executor

LEASE_SECONDS = 10.0
MAX_TICK_SECONDS = 5.0
MAX_BACKOFF_SECONDS = 30.0

JobResult = Mapping[str, int | float]


class LeaseLostError(Exception):
    """Another owner holds the job now; whatever this run was about to write must not be written."""


@dataclass(frozen=True)
class Lease:
    """The right to run a job, until it expires; `epoch` grows with every new claim."""

    job: str
    owner: str
    epoch: int

    async def guard(self, connection: Connection) -> None:
        """Hold the lease for the rest of the connection's transaction. Raises LeaseLostError when it is not ours."""
        if not await lock_lease_for_key_share(connection, self):
            raise LeaseLostError(f"{self.job}: epoch {self.epoch} is over")


Run = Callable[[Lease], Awaitable[JobResult]]


@dataclass(frozen=True)
class Job:
    """Timed work of one application.

    run: does it, is safe to repeat, and returns what it did in numbers.
    interval: seconds between the starts of two runs, over the whole fleet.
    timeout: seconds after which a run is cancelled and counts as failed.
    at_start: run when a replica starts, whether or not it is due.
    """

    name: str
    interval: float
    run: Run
    timeout: float = 60.0
    at_start: bool = False


class JobState(msgspec.Struct, frozen=True):
    """A job as the fleet sees it."""

    name: str
    interval_seconds: float
    last_started: datetime | None
    last_finished: datetime | None
    last_outcome: Literal["ok", "failed"] | None
    last_error: str | None
    next_run: datetime | None
    last_result: dict[str, int | float] = msgspec.field(name="did")


def tick_seconds(job: Job) -> float:
    """How often a replica looks whether the job is due: a failed or orphaned run must not wait a whole interval."""
    return min(job.interval, MAX_TICK_SECONDS)


async def claim_lease(db: Executor, job: Job, owner: str, *, even_if_not_due: bool = False) -> int | None:
    """The epoch of a new lease of `LEASE_SECONDS`, or None when the job is not due or another holds it."""
    return await db.fetchval(
        """
        INSERT INTO job AS held (name, interval_seconds, owner, epoch, expires_at, due_at, last_started)
        VALUES ($1, $2, $3, 1, clock_timestamp() + $4::interval, clock_timestamp() + $5::interval, clock_timestamp())
        ON CONFLICT (name) DO UPDATE
           SET name = excluded.name, -- so the row is locked FOR UPDATE: a claim waits for those who guard a write
               owner = excluded.owner,
               epoch = held.epoch + 1,
               interval_seconds = excluded.interval_seconds,
               expires_at = excluded.expires_at,
               due_at = excluded.due_at,
               last_started = excluded.last_started
         WHERE (held.expires_at IS NULL OR held.expires_at < clock_timestamp())
           AND ($6 OR held.due_at <= clock_timestamp() OR held.expires_at IS NOT NULL)
        RETURNING epoch
        """,
        job.name,
        job.interval,
        owner,
        timedelta(seconds=LEASE_SECONDS),
        timedelta(seconds=max(0.0, job.interval - tick_seconds(job) * 0.2)),
        even_if_not_due,
    )


async def extend_lease(db: Executor, lease: Lease) -> bool:
    """Hold the lease for another `LEASE_SECONDS`; False when it is not ours any more."""
    return await db.fetchval(
        """
        UPDATE job
           SET expires_at = clock_timestamp() + $4::interval
         WHERE name = $1 AND owner = $2 AND epoch = $3 AND expires_at IS NOT NULL
        RETURNING true
        """,
        lease.job, lease.owner, lease.epoch, timedelta(seconds=LEASE_SECONDS),
    ) is not None  # fmt: skip


async def lock_lease_for_key_share(db: Executor, lease: Lease) -> bool:
    """Keep the lease from being claimed, not from being renewed, until the transaction ends; False when it is over."""
    return await db.fetchval(
        """
        SELECT true
          FROM job
         WHERE name = $1 AND owner = $2 AND epoch = $3 AND expires_at IS NOT NULL
           FOR KEY SHARE
        """,
        lease.job, lease.owner, lease.epoch,
    ) is not None  # fmt: skip


async def release_lease(
    db: Executor, lease: Lease, job: Job, error: str | None, result: JobResult, *, failed: bool
) -> None:
    """Give the lease back and note how the run ended. A failed run is due again after a backoff that doubles."""
    await db.execute(
        """
        UPDATE job
           SET expires_at = NULL,
               last_finished = clock_timestamp(),
               last_outcome = CASE WHEN $4 THEN 'failed' ELSE 'ok' END,
               last_error = $5,
               last_result = $6,
               failures = CASE WHEN $4 THEN failures + 1 ELSE 0 END,
               due_at = CASE WHEN $4
                             THEN clock_timestamp()
                                  + least($7::float8, power(2, least(failures, 16))) * interval '1 second'
                             ELSE due_at
                        END
         WHERE name = $1 AND owner = $2 AND epoch = $3
        """,
        lease.job,
        lease.owner,
        lease.epoch,
        failed,
        error,
        msgspec.json.encode(result).decode(),
        MAX_BACKOFF_SECONDS,
    )


async def select_jobs(db: Executor, jobs: Sequence[Job]) -> list[JobState]:
    """The state of the given jobs, in their order; a job that never ran has only a name and an interval."""
    rows = {row["name"]: row for row in await db.fetch(
        """
        SELECT name, last_started, last_finished, last_outcome, last_error, due_at, last_result
          FROM job
         WHERE name = ANY($1)
        """,
        [job.name for job in jobs],
    )}  # fmt: skip
    states = []
    for job in jobs:
        row = rows.get(job.name)
        states.append(
            JobState(
                name=job.name,
                interval_seconds=job.interval,
                last_started=row["last_started"] if row else None,
                last_finished=row["last_finished"] if row else None,
                last_outcome=row["last_outcome"] if row else None,
                last_error=row["last_error"] if row else None,
                next_run=row["due_at"] if row and job.interval > 0 else None,
                last_result=msgspec.json.decode(row["last_result"]) if row else {},
            )
        )
    return states
