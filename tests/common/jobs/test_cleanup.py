"""The job that deletes old rows: what it deletes, what it keeps, and how it reports."""

from datetime import timedelta

import asyncpg
import pytest

from common.db.pool import Executor
from common.jobs.cleanup import BATCH_ROWS, NotDeletedError, Retention, forget_old, platform
from common.jobs.scheduler import run_now

NINETY_DAYS = timedelta(days=90)


@pytest.fixture
async def db(ground_pool: asyncpg.Pool) -> asyncpg.Pool:
    """Rows of the platform's tables on both sides of their age."""
    await ground_pool.execute("TRUNCATE outbox, used_signature, failed_login, rate_limit")
    await ground_pool.execute(
        """
        INSERT INTO idempotency_key (scope, key, fingerprint, created_at)
        SELECT 'POST /things', age::text, '', now() - age
          FROM unnest(ARRAY[interval '0', '47 hours', '49 hours', '100 days']) AS age;
        INSERT INTO outbox (topic, subject, event, payload, state, sent_at, settled_at)
        SELECT 'mail', age::text, state, '{}', state, now() - age, now() - age
          FROM unnest(ARRAY[interval '0', '89 days', '91 days']) AS age, unnest(ARRAY['sent', 'dead']) AS state;
        INSERT INTO outbox (topic, subject, event, payload, created_at)
        VALUES ('mail', 'waiting', 'waiting', '{}', now() - interval '91 days');
        INSERT INTO used_signature (signature_hash, used_at)
        SELECT age::text::bytea, now() - age FROM unnest(ARRAY[interval '0', '89 days', '91 days', '92 days']) AS age;
        INSERT INTO failed_login (login_key, address, failures, failed_at)
        SELECT age::text, '', 1, now() - age FROM unnest(ARRAY[interval '0', '59 minutes', '61 minutes']) AS age;
        INSERT INTO rate_limit (key, policy, full_at)
        SELECT age::text::bytea, 'orders', now() - age
          FROM unnest(ARRAY[interval '-1 hour', '59 minutes', '61 minutes']) AS age;
        """
    )
    return ground_pool


async def test_old_rows_are_deleted_and_counted_by_table(db: asyncpg.Pool) -> None:
    job = forget_old(db, platform(NINETY_DAYS))

    assert await run_now(db, job) == {
        "idempotency_keys": 2, "messages": 1, "signatures": 2, "sessions": 0, "failed_logins": 1, "rate_limits": 1
    }  # fmt: skip
    assert await run_now(db, job) == {
        "idempotency_keys": 0, "messages": 0, "signatures": 0, "sessions": 0, "failed_logins": 0, "rate_limits": 0
    }  # fmt: skip
    assert (job.name, job.interval) == ("forget_old", 86_400)


async def test_dead_and_waiting_messages_are_kept_whatever_their_age(db: asyncpg.Pool) -> None:
    await run_now(db, forget_old(db, platform(NINETY_DAYS)))

    rows = await db.fetch("SELECT state, count(*) FROM outbox GROUP BY state ORDER BY state")
    assert [tuple(row) for row in rows] == [("dead", 3), ("sent", 2), ("waiting", 1)]


async def test_zero_means_for_ever(db: asyncpg.Pool) -> None:
    result = await run_now(db, forget_old(db, platform(timedelta(0))))

    assert (result["messages"], result["signatures"]) == (0, 0)
    assert (result["idempotency_keys"], result["failed_logins"], result["rate_limits"]) == (2, 1, 1)
    assert await db.fetchval("SELECT count(*) FROM used_signature") == 4


async def test_rows_are_deleted_in_batches_until_none_is_left(db: asyncpg.Pool) -> None:
    asked: list[tuple[timedelta, int]] = []
    left = [5, 5, 3, 0]

    async def delete_things(_: Executor, keep: timedelta, limit: int) -> int:
        asked.append((keep, limit))
        return left.pop(0)

    job = forget_old(db, {"things": Retention(timedelta(days=7), delete_things)}, batch_rows=5)

    assert await run_now(db, job) == {"things": 13}
    assert asked == [(timedelta(days=7), 5)] * 4
    assert BATCH_ROWS <= 10_000


async def test_each_batch_is_a_transaction_of_its_own(db: asyncpg.Pool) -> None:
    """Rows that were deleted stay deleted when a later batch fails."""

    async def delete_and_fail(executor: Executor, keep: timedelta, limit: int) -> int:
        deleted: int = await platform(keep)["signatures"].delete(executor, keep, 1)
        if not deleted:
            await executor.execute("SELECT 1 / 0")
        return deleted

    with pytest.raises(NotDeletedError):
        await run_now(db, forget_old(db, {"signatures": Retention(NINETY_DAYS, delete_and_fail)}))
    assert await db.fetchval("SELECT count(*) FROM used_signature") == 2


async def test_a_table_that_cannot_be_cleaned_is_named_and_keeps_no_other_from_it(db: asyncpg.Pool) -> None:
    async def fail(executor: Executor, _: timedelta, __: int) -> int:
        await executor.execute("DELETE FROM no_such_table")
        return 0

    job = forget_old(db, {"broken": Retention(NINETY_DAYS, fail), **platform(NINETY_DAYS)})

    with pytest.raises(NotDeletedError, match=r"^broken: UndefinedTableError"):
        await run_now(db, job)
    assert await db.fetchval("SELECT count(*) FROM used_signature") == 2
    state = await db.fetchrow("SELECT last_outcome, last_error FROM job WHERE name = 'forget_old'")
    assert state is not None
    assert state["last_outcome"] == "failed"
    assert "broken" in state["last_error"]
