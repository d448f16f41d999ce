"""SQL of the stand-in: tokens, and the products that belong to them."""

from datetime import datetime
from uuid import UUID

from common.db.locks import OFFERS_TOKEN_LOCK
from common.db.pool import Connection, Executor
from provider.offers.models import Registration, Standing


async def lock_tokens(connection: Connection) -> None:
    """Wait until no other transaction issues a token."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", OFFERS_TOKEN_LOCK)


async def select_valid_token_exists(db: Executor, now: datetime) -> bool:
    return await db.fetchval("SELECT EXISTS (SELECT FROM issued_token WHERE expires_at > $1)", now)


async def insert_token(db: Executor, token: UUID, now: datetime, expires_at: datetime | None) -> None:
    """expires_at: None for a token that never does."""
    await db.execute(
        """
        INSERT INTO issued_token (token, issued_at, expires_at)
        VALUES ($1, $2, coalesce($3::timestamptz, 'infinity'))
        """,
        token, now, expires_at,
    )  # fmt: skip


async def insert_product(db: Executor, token: UUID, product: Registration, now: datetime) -> bool | None:
    """Register a product with a token; False when it already was, None when the token is not valid."""
    return await db.fetchval(
        """
        WITH valid AS (
            SELECT token FROM issued_token WHERE token = $1 AND expires_at > $5
        ), registered AS (
            INSERT INTO offers_product (product_id, token, name, description, registered_at)
            SELECT $2, token, $3, $4, $5 FROM valid
            ON CONFLICT (product_id, token) DO NOTHING
            RETURNING 1
        )
        SELECT EXISTS (SELECT FROM registered) FROM valid
        """,
        token, str(product.id), product.name, product.description, now,
    )  # fmt: skip


async def select_standing(db: Executor, token: UUID, product_id: str, now: datetime) -> Standing:
    row = await db.fetchrow(
        """
        SELECT EXISTS (SELECT FROM issued_token WHERE token = $1 AND expires_at > $3) AS token_valid,
               EXISTS (SELECT FROM offers_product WHERE product_id = $2 AND token = $1) AS registered
        """,
        token, product_id, now,
    )  # fmt: skip
    assert row is not None
    return Standing(**row)


async def delete_expired_tokens(db: Executor, before: datetime) -> int:
    """Forget the tokens that expired before a moment, and their products; returns how many tokens."""
    return await db.fetchval(
        """
        WITH gone AS (
            DELETE FROM issued_token WHERE expires_at < $1 RETURNING token
        ), with_them AS (
            DELETE FROM offers_product WHERE token IN (SELECT token FROM gone)
        )
        SELECT count(*) FROM gone
        """,
        before,
    )
