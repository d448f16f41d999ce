"""Exponential back-off of failed logins per pair of login key (such as a username) and address.

The first few failures cost nothing; then each failure doubles the wait. Since the pair waits, failures from another
address do not lock a user out.
"""

from datetime import timedelta

from common.db.pool import Executor
from common.web.errors import TooManyRequests

FAILURES_WITHOUT_WAIT = 5
MAX_WAIT_SECONDS = 60
FAILURE_RETENTION = timedelta(hours=1)


async def require_not_throttled(db: Executor, login_key: str, address: str) -> None:
    """Raises TooManyRequests, with the seconds left, while the pair has to wait."""
    seconds = await select_wait(db, login_key, address)
    if seconds > 0:
        raise TooManyRequests("Too many failed logins; try again later.", retry_after=seconds)


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


async def upsert_failure(db: Executor, login_key: str, address: str) -> None:
    """Count a failed login; from the fifth one on, the pair must wait 1, 2, 4 … seconds, up to MAX_WAIT_SECONDS."""
    await db.execute(
        """
        INSERT INTO failed_login AS past (login_key, address, failures)
        VALUES ($1, $2, 1)
        ON CONFLICT (login_key, address) DO UPDATE
           SET failures = CASE WHEN past.failed_at < now() - $5::interval THEN 1 ELSE past.failures + 1 END,
               failed_at = clock_timestamp(),
               slowed_until = CASE
                   WHEN past.failed_at >= now() - $5::interval AND past.failures + 1 >= $3::int
                       THEN clock_timestamp()
                           + least($4::float8, power(2, least(past.failures + 1 - $3::int, 16))) * interval '1 second'
               END
        """,
        login_key, address, FAILURES_WITHOUT_WAIT, float(MAX_WAIT_SECONDS), FAILURE_RETENTION,
    )  # fmt: skip


async def delete_failures(db: Executor, login_key: str, address: str) -> None:
    """Delete the failures of a pair, after a successful login."""
    await db.execute("DELETE FROM failed_login WHERE login_key = $1 AND address = $2", login_key, address)


async def delete_old_failures(db: Executor) -> int:
    """Delete the failures of pairs whose last failure is older than FAILURE_RETENTION; returns how many pairs."""
    return await db.fetchval(
        """
        WITH deleted AS (
            DELETE FROM failed_login
             WHERE failed_at < now() - $1::interval
            RETURNING 1
        )
        SELECT count(*) FROM deleted
        """,
        FAILURE_RETENTION,
    )
