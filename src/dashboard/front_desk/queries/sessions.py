"""SQL of the sessions of staff on the page."""

from datetime import datetime, timedelta

from common.db.pool import Executor


async def insert_session(db: Executor, token_hash: bytes, lifetime: timedelta) -> None:
    await db.execute(
        "INSERT INTO front_desk_session (token_hash, expires_at) VALUES ($1, now() + $2::interval)",
        token_hash,
        lifetime,
    )


async def select_session(db: Executor, token_hash: bytes) -> datetime | None:
    """When the session expires; None if it is unknown or has expired."""
    return await db.fetchval(
        "SELECT expires_at FROM front_desk_session WHERE token_hash = $1 AND expires_at > now()", token_hash
    )


async def delete_session(db: Executor, token_hash: bytes) -> None:
    await db.execute("DELETE FROM front_desk_session WHERE token_hash = $1", token_hash)


async def delete_old_sessions(db: Executor, keep: timedelta, limit: int) -> int:
    """Delete up to `limit` sessions that expired longer ago than `keep`; returns how many."""
    return await db.fetchval(
        """
        WITH deleted AS (
            DELETE FROM front_desk_session
             WHERE token_hash IN (
                SELECT token_hash
                  FROM front_desk_session
                 WHERE expires_at < now() - $1::interval
                 LIMIT $2
             )
            RETURNING 1
        )
        SELECT count(*) FROM deleted
        """,
        keep, limit,
    )  # fmt: skip
