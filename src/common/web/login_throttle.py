"""Exponential back-off of failed logins per pair of login key (such as a username) and address.

The first few failures cost nothing; then each failure doubles the wait. Since the pair waits, failures from another
address do not lock a user out. An attempt counts as failed from its beginning until it succeeds, in the statement that
admits it: of any number of parallel guesses, no more are evaluated than of the same guesses one after another.
"""

from datetime import timedelta

from common.db.pool import Executor
from common.web.errors import TooManyRequests

FAILURES_WITHOUT_WAIT = 5
FIRST_WAIT_SECONDS = 1
MAX_WAIT_SECONDS = 60
FAILURE_RETENTION = timedelta(hours=1)


async def begin_attempt(db: Executor, login_key: str, address: str) -> None:
    """Admit an attempt and count it as failed; call `delete_failures` after it has succeeded.

    Raises TooManyRequests, with the seconds left, while the pair has to wait; then the attempt must not be evaluated.
    """
    if not await upsert_attempt(db, login_key, address):
        wait = await select_wait(db, login_key, address)
        raise TooManyRequests("Too many failed attempts; try again later.", retry_after=max(1, wait))


async def upsert_attempt(db: Executor, login_key: str, address: str) -> bool:
    """Count an attempt as failed; False if the pair has to wait.

    From the fifth failure in a row on, the pair must wait 1, 2, 4 … seconds, up to MAX_WAIT_SECONDS.
    """
    return await db.fetchval(
        """
        INSERT INTO failed_login AS past (login_key, address, failures, failed_at)
        VALUES ($1, $2, 1, clock_timestamp())
        ON CONFLICT (login_key, address) DO UPDATE
           SET failures = CASE WHEN past.failed_at < excluded.failed_at - $6::interval THEN 1
                               ELSE past.failures + 1
                          END,
               failed_at = excluded.failed_at,
               slowed_until = CASE
                   WHEN past.failed_at >= excluded.failed_at - $6::interval AND past.failures + 1 >= $3::int
                       THEN excluded.failed_at
                           + least($5::float8, $4::float8 * power(2, least(past.failures + 1 - $3::int, 16)))
                           * interval '1 second'
               END
         WHERE past.slowed_until IS NULL OR past.slowed_until <= excluded.failed_at
        RETURNING true
        """,
        login_key, address, FAILURES_WITHOUT_WAIT, float(FIRST_WAIT_SECONDS), float(MAX_WAIT_SECONDS),
        FAILURE_RETENTION,
    ) is not None  # fmt: skip


async def select_wait(db: Executor, login_key: str, address: str) -> int:
    """The whole seconds that the pair still has to wait, 0 for none."""
    return await db.fetchval(
        """
        SELECT ceil(extract(EPOCH FROM slowed_until - clock_timestamp()))::int
          FROM failed_login
         WHERE login_key = $1 AND address = $2 AND slowed_until > clock_timestamp()
        """,
        login_key, address,
    ) or 0  # fmt: skip


async def update_attempt_withdrawn(db: Executor, login_key: str, address: str) -> None:
    """Take back an attempt that was admitted but not evaluated."""
    await db.execute(
        """
        UPDATE failed_login
           SET failures = failures - 1, slowed_until = NULL
         WHERE login_key = $1 AND address = $2
        """,
        login_key, address,
    )  # fmt: skip


async def delete_failures(db: Executor, login_key: str, address: str) -> None:
    """Delete the failures of a pair, after a successful login."""
    await db.execute("DELETE FROM failed_login WHERE login_key = $1 AND address = $2", login_key, address)


async def delete_old_failures(db: Executor, keep: timedelta, limit: int) -> int:
    """Delete up to `limit` pairs whose last failure is older than `keep` and FAILURE_RETENTION; returns how many."""
    return await db.fetchval(
        """
        WITH deleted AS (
            DELETE FROM failed_login
             WHERE (login_key, address) IN (
                SELECT login_key, address
                  FROM failed_login
                 WHERE failed_at < now() - $1::interval
                 ORDER BY failed_at
                 LIMIT $2
             ) AND failed_at < now() - $1::interval
            RETURNING 1
        )
        SELECT count(*) FROM deleted
        """,
        max(keep, FAILURE_RETENTION), limit,
    )  # fmt: skip
