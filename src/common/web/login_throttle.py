"""Failed logins are slowed down, for each name and address that they come from.

The first few mistakes cost nothing; after them each failure doubles the wait. A stranger elsewhere cannot lock anybody
out, since the pair is what waits.
"""

from datetime import timedelta

from common.db.pool import Executor
from common.web.errors import TooManyRequests

FAILURES_WITHOUT_WAIT = 5
MAX_WAIT_SECONDS = 60
FAILURE_RETENTION = timedelta(hours=1)


async def require_not_throttled(db: Executor, login_key: str, address: str) -> None:
    """Raises TooManyRequests, saying for how long, while the pair has to wait."""
    seconds = await select_wait(db, login_key, address)
    if seconds > 0:
        raise TooManyRequests("Too many failed logins; try again later.", retry_after=seconds)


async def select_wait(db: Executor, login_key: str, address: str) -> int:
    """Whole seconds that the pair still has to wait; 0 when it need not."""
    return await db.fetchval(
        """
        SELECT ceil(extract(EPOCH FROM slowed_until - clock_timestamp()))::int
          FROM failed_login
         WHERE login_key = $1 AND address = $2 AND slowed_until > clock_timestamp()
        """,
        login_key, address,
    ) or 0  # fmt: skip


async def upsert_failure(db: Executor, login_key: str, address: str) -> None:
    """Count a failed login; from the fifth on the pair has to wait 1, 2, 4 … seconds, up to `LONGEST_SECONDS`."""
    await db.execute(
        """
        INSERT INTO failed_login AS known (login_key, address, failures)
        VALUES ($1, $2, 1)
        ON CONFLICT (login_key, address) DO UPDATE
           SET failures = CASE WHEN known.failed_at < now() - $5::interval THEN 1 ELSE known.failures + 1 END,
               failed_at = clock_timestamp(),
               slowed_until = CASE
                   WHEN known.failed_at >= now() - $5::interval AND known.failures + 1 >= $3::int
                       THEN clock_timestamp()
                           + least($4::float8, power(2, least(known.failures + 1 - $3::int, 16))) * interval '1 second'
               END
        """,
        login_key, address, FAILURES_WITHOUT_WAIT, float(MAX_WAIT_SECONDS), FAILURE_RETENTION,
    )  # fmt: skip


async def delete_failures(db: Executor, login_key: str, address: str) -> None:
    """Forget the failures of a pair, after a login that worked."""
    await db.execute("DELETE FROM failed_login WHERE login_key = $1 AND address = $2", login_key, address)


async def delete_old_failures(db: Executor) -> int:
    """Forget the failures that are forgiven; returns how many pairs."""
    return await db.fetchval(
        """
        WITH gone AS (
            DELETE FROM failed_login
             WHERE failed_at < now() - $1::interval
            RETURNING 1
        )
        SELECT count(*) FROM gone
        """,
        FAILURE_RETENTION,
    )
