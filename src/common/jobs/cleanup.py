"""The nightly job that deletes old rows, a batch at a time: those of `common` and those that an application adds."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import asyncpg

from common.db.errors import describe_failure
from common.db.pool import Executor
from common.jobs.lease import Job, JobResult, Lease
from common.outbox.admin import delete_old_messages
from common.web.idempotency import KEY_RETENTION, delete_old_keys
from common.web.login_throttle import FAILURE_RETENTION, delete_old_failures
from common.web.page_session import delete_old_sessions
from common.web.rate_limit import delete_full_buckets
from common.web.signature import delete_old_signatures

NIGHT_SECONDS = 86_400.0
MAX_RUN_SECONDS = 6 * 3600.0
BATCH_ROWS = 5_000
"""Rows of one statement, so that it holds its locks for a short time."""

FULL_BUCKET_RETENTION = timedelta(hours=1)


class NotDeletedError(Exception):
    """The old rows of some tables could not be deleted; the message names the tables."""


Delete = Callable[[Executor, timedelta, int], Awaitable[int]]
"""Deletes up to that many rows that are older than a time, in one transaction; returns how many."""


@dataclass(frozen=True)
class Retention:
    """How long the rows of a table are kept, and what deletes them. keep: zero means for ever."""

    keep: timedelta
    delete: Delete


def platform(traces: timedelta) -> Mapping[str, Retention]:
    """The retention of the tables of `common`. traces: how long messages and signatures are kept."""
    return {
        "idempotency_keys": Retention(KEY_RETENTION, delete_old_keys),
        "messages": Retention(traces, delete_old_messages),
        "signatures": Retention(traces, delete_old_signatures),
        "sessions": Retention(traces, delete_old_sessions),
        "failed_logins": Retention(FAILURE_RETENTION, delete_old_failures),
        "rate_limits": Retention(FULL_BUCKET_RETENTION, delete_full_buckets),
    }


def forget_old(db: asyncpg.Pool, retentions: Mapping[str, Retention], *, batch_rows: int = BATCH_ROWS) -> Job:
    """The job, whose result is the number of rows deleted, by the names of `retentions`.

    If the rows of one table cannot be deleted, those of the others are; then the run fails.
    """

    async def run(_: Lease) -> JobResult:
        deleted = {}
        failures: list[str] = []
        for name, retention in retentions.items():
            deleted[name] = 0
            try:
                while retention.keep and (count := await retention.delete(db, retention.keep, batch_rows)):
                    deleted[name] += count
            except asyncpg.PostgresError as failure:
                failures.append(f"{name}: {describe_failure(failure)}")
        if failures:
            raise NotDeletedError("; ".join(failures))
        return deleted

    return Job("forget_old", NIGHT_SECONDS, run, timeout=MAX_RUN_SECONDS)
