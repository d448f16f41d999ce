"""A job, and its lease in PostgreSQL: the right to run the job, which one replica has at a time.

The lease is a row with an epoch, which each claim increments. A transaction of a run calls `Lease.guard`, which checks
the epoch and makes the next claim wait: a stalled owner cannot write after another one has claimed the lease.
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
    """Another owner holds the lease, so this run must not write."""


@dataclass(frozen=True)
class Lease:
    """The right to run a job until it expires; each claim has a higher `epoch`."""

    job: str
    owner: str
    epoch: int

    async def guard(self, connection: Connection) -> None:
        """Keep the lease until the connection's transaction ends. Raises LeaseLostError if another owner has it."""
        if not await lock_lease_for_key_share(connection, self):
            raise LeaseLostError(f"{self.job}: the lease of epoch {self.epoch} was lost")


Run = Callable[[Lease], Awaitable[JobResult]]


@dataclass(frozen=True)
class Job:
    """Timed work of an application.

    run: does the work and returns its numbers; safe to repeat.
    interval: seconds between the starts of two runs, over all replicas; 0 switches the job off.
    timeout: seconds after which a run is cancelled and counts as failed.
    at_start: run when a replica starts, whether or not the job is due.
    """

    name: str
    interval: float
    run: Run
    timeout: float = 60.0
    at_start: bool = False


class JobState(msgspec.Struct, frozen=True):
    """The state of a job, the same for all replicas."""

    name: str
    """Name of the job."""
    interval_seconds: float
    """Seconds between the starts of two runs; 0: the job is switched off."""
    last_started: datetime | None
    """Start of the last run; null before the first."""
    last_finished: datetime | None
    """End of the last finished run."""
    last_outcome: Literal["ok", "failed"] | None
    """Whether the last finished run succeeded."""
    last_error: str | None
    """Why the last run failed; null when it succeeded."""
    next_run: datetime | None
    """When the job is due; null when it is switched off or never ran."""
    last_result: dict[str, int | float] = msgspec.field(name="did")
    """What the last run did, in numbers."""
    failures: int
    """How many runs failed in a row up to now; 0 after one that succeeded."""
    lease: Literal["held", "expired"] | None
    """held: a process runs the job now. expired: the process died, or lost the database, while it ran the job. null:
    the last run has ended."""
    owner: str | None
    """The process that runs the job, or ran it last: host, process id and a random part; null before the first run."""


def tick_seconds(job: Job) -> float:
    """Seconds between checks of whether the job is due: after a failed or killed run, it is due before its interval."""
    return min(job.interval, MAX_TICK_SECONDS)


async def claim_lease(db: Executor, job: Job, owner: str, *, even_if_not_due: bool = False) -> int | None:
    """Claim a lease of `LEASE_SECONDS`; returns its epoch, or None if the job is not due or another owner has it.

    A claim that fails locks and writes nothing.
    """
    return await db.fetchval(
        """
        WITH due AS ( -- FOR UPDATE, so a claim waits for guarded transactions, which lock FOR KEY SHARE
            SELECT name
              FROM job
             WHERE name = $1
               AND (expires_at IS NULL OR expires_at < clock_timestamp())
               AND ($6 OR due_at <= clock_timestamp() OR expires_at IS NOT NULL)
               FOR UPDATE
        ),
        claimed AS (
            UPDATE job
               SET owner = $3,
                   epoch = job.epoch + 1,
                   interval_seconds = $2,
                   expires_at = clock_timestamp() + $4::interval,
                   due_at = clock_timestamp() + $5::interval,
                   last_started = clock_timestamp()
              FROM due
             WHERE job.name = due.name
            RETURNING job.epoch
        ),
        added AS ( -- the first claim ever
            INSERT INTO job (name, interval_seconds, owner, epoch, expires_at, due_at, last_started)
            SELECT $1, $2, $3, 1, clock_timestamp() + $4::interval, clock_timestamp() + $5::interval, clock_timestamp()
             WHERE NOT EXISTS (SELECT FROM job WHERE name = $1)
            ON CONFLICT (name) DO NOTHING
            RETURNING epoch
        )
        SELECT epoch FROM claimed
        UNION ALL
        SELECT epoch FROM added
        """,
        job.name,
        job.interval,
        owner,
        timedelta(seconds=LEASE_SECONDS),
        timedelta(seconds=max(0.0, job.interval - tick_seconds(job) * 0.2)),
        even_if_not_due,
    )


async def make_job_due(db: Executor, name: str) -> bool | None:
    """Let a job be due now, whatever its interval; returns whether a process runs it at the moment.

    One that runs is due again when that run has ended. None: it never ran and is due anyway. One that is off stays so.
    """
    return await db.fetchval(
        """
        UPDATE job
           SET due_at = least(due_at, clock_timestamp())
         WHERE name = $1
        RETURNING coalesce(expires_at >= clock_timestamp(), false)
        """,
        name,
    )


async def extend_lease(db: Executor, lease: Lease) -> bool:
    """Let the lease end `LEASE_SECONDS` from now; False if it was lost."""
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
    """Make claims of the lease, but not its extension, wait until the transaction ends; False if the lease was lost."""
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
    db: Executor, lease: Lease, error: str | None, result: JobResult, *, is_interrupted: bool = False
) -> None:
    """Release the lease and record the run: its result, or the error of a failed run.

    After a failed run the job is due again after a wait that doubles. A run that was interrupted by the end of its
    process is not another failure in a row.
    """
    await db.execute(
        """
        UPDATE job
           SET expires_at = NULL,
               last_finished = clock_timestamp(),
               last_outcome = CASE WHEN $4::text IS NULL THEN 'ok' ELSE 'failed' END,
               last_error = $4,
               last_result = $5,
               failures = CASE WHEN $4 IS NULL THEN 0 WHEN $7 THEN failures ELSE failures + 1 END,
               due_at = CASE WHEN $4 IS NOT NULL
                             THEN clock_timestamp()
                                  + least($6::float8, power(2, least(failures, 16))) * interval '1 second'
                             ELSE due_at
                        END
         WHERE name = $1 AND owner = $2 AND epoch = $3
        """,
        lease.job,
        lease.owner,
        lease.epoch,
        error,
        msgspec.json.encode(result).decode(),
        MAX_BACKOFF_SECONDS,
        is_interrupted,
    )


async def select_jobs(db: Executor, jobs: Sequence[Job]) -> list[JobState]:
    """The states of the given jobs, in their order; that of a job that never ran has only a name and an interval."""
    rows = {row["name"]: row for row in await db.fetch(
        """
        SELECT name, last_started, last_finished, last_outcome, last_error, due_at, last_result, failures, owner,
               CASE
                   WHEN expires_at >= clock_timestamp() THEN 'held'
                   WHEN expires_at IS NOT NULL THEN 'expired'
               END AS lease
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
                failures=row["failures"] if row else 0,
                lease=row["lease"] if row else None,
                owner=row["owner"] if row else None,
            )
        )
    return states
