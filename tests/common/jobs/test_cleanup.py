"""The job that deletes old rows."""

import asyncpg

from common.db.pool import Executor
from common.jobs.cleanup import delete_old_rows
from common.jobs.scheduler import run_now


async def test_old_rows_are_deleted_and_counted_by_table(ground_pool: asyncpg.Pool) -> None:
    await ground_pool.execute("TRUNCATE outbox, used_signature, failed_login")
    await ground_pool.execute(
        """
        INSERT INTO idempotency_key (scope, key, fingerprint, created_at)
        SELECT 'POST /things', age::text, '', now() - age FROM unnest(ARRAY[interval '0', '31 days']) AS age;
        INSERT INTO outbox (topic, subject, event, payload, state, settled_at)
        SELECT 'mail', age::text, 'sent', '{}', 'sent', now() - age FROM unnest(ARRAY[interval '0', '31 days']) AS age;
        INSERT INTO used_signature (signature_hash, used_at)
        SELECT age::text::bytea, now() - age FROM unnest(ARRAY[interval '0', '1 hour', '2 hours']) AS age;
        INSERT INTO failed_login (login_key, address, failures, failed_at)
        SELECT age::text, '', 1, now() - age FROM unnest(ARRAY[interval '0', '2 hours']) AS age;
        """
    )

    async def delete_things(_: Executor) -> int:
        return 7

    assert await run_now(ground_pool, delete_old_rows(ground_pool, things=delete_things)) == {
        "idempotency_keys": 1, "messages": 1, "signatures": 2, "failed_logins": 1, "things": 7
    }  # fmt: skip
    assert await ground_pool.fetchval("SELECT count(*) FROM outbox") == 1
