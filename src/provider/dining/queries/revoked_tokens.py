"""SQL of the refresh tokens that were revoked."""

from datetime import datetime, timedelta

from common.db.pool import Executor


async def upsert_revoked_token(db: Executor, token_id: str, expires_at: datetime) -> None:
    """Revoke a token, unless it is revoked already."""
    await db.execute(
        """
        INSERT INTO dining_revoked_token (token_id, expires_at)
        VALUES ($1, $2)
        ON CONFLICT (token_id) DO NOTHING
        """,
        token_id, expires_at,
    )  # fmt: skip


async def select_is_revoked(db: Executor, token_id: str) -> bool:
    """Return whether a token was revoked."""
    return await db.fetchval("SELECT EXISTS (SELECT FROM dining_revoked_token WHERE token_id = $1)", token_id)


async def delete_expired_revoked_tokens(db: Executor, keep: timedelta, limit: int) -> int:
    """Delete up to `limit` revoked tokens that expired longer ago than `keep`; returns how many."""
    return await db.fetchval(
        """
        WITH deleted AS (
            DELETE FROM dining_revoked_token
             WHERE token_id IN (
                SELECT token_id
                  FROM dining_revoked_token
                 WHERE expires_at < now() - $1::interval
                 ORDER BY expires_at
                 LIMIT $2
             )
            RETURNING 1
        )
        SELECT count(*) FROM deleted
        """,
        keep, limit,
    )  # fmt: skip
