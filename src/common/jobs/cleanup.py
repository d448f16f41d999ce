"""The job that deletes old rows, of the tables of `common` and of those that an application adds."""

from collections.abc import Awaitable, Callable, Mapping

import asyncpg

from common.db.pool import Executor
from common.jobs.lease import Job, JobResult, Lease
from common.outbox.admin import delete_old_messages
from common.web.idempotency import delete_old_keys
from common.web.login_throttle import delete_old_failures
from common.web.signature import delete_old_signatures

INTERVAL_SECONDS = 3600.0

Delete = Callable[[Executor], Awaitable[int]]
"""Deletes the old rows of a table; returns how many."""

PLATFORM: Mapping[str, Delete] = {
    "idempotency_keys": delete_old_keys,
    "messages": delete_old_messages,
    "signatures": delete_old_signatures,
    "failed_logins": delete_old_failures,
}


def delete_old_rows(db: asyncpg.Pool, **deletions: Delete) -> Job:
    """The job, whose result is the number of rows deleted by each of `PLATFORM` and `deletions`."""

    async def run(_: Lease) -> JobResult:
        return {name: await delete(db) for name, delete in {**PLATFORM, **deletions}.items()}

    return Job("delete_old_rows", INTERVAL_SECONDS, run)
