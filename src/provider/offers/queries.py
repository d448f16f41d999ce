"""SQL of the stand-in: tokens and the products registered with them."""

from datetime import datetime, timedelta
from uuid import UUID

from common.db.locks import OFFERS_TOKEN_LOCK
from common.db.pool import Connection, Executor
from provider.offers.inputs import ProductRegistration
from provider.offers.models import RegistrationStatus


async def lock_tokens(connection: Connection) -> None:
    """Lock the issuing of tokens until the transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", OFFERS_TOKEN_LOCK)


async def select_valid_token_exists(db: Executor, now: datetime) -> bool:
    return await db.fetchval("SELECT EXISTS (SELECT FROM issued_token WHERE expires_at > $1)", now)


async def insert_token(db: Executor, token: UUID, now: datetime, expires_at: datetime | None) -> None:
    """Insert a token. expires_at: None for a token that never expires."""
    await db.execute(
        """
        INSERT INTO issued_token (token, issued_at, expires_at)
        VALUES ($1, $2, coalesce($3::timestamptz, 'infinity'))
        """,
        token, now, expires_at,
    )  # fmt: skip


async def insert_product(db: Executor, token: UUID, product: ProductRegistration, now: datetime) -> bool | None:
    """Register a product with a token; False when it is already registered, None when the token is not valid."""
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


async def select_registration_status(db: Executor, token: UUID, product_id: str, now: datetime) -> RegistrationStatus:
    row = await db.fetchrow(
        """
        SELECT EXISTS (SELECT FROM issued_token WHERE token = $1 AND expires_at > $3) AS token_valid,
               EXISTS (SELECT FROM offers_product WHERE product_id = $2 AND token = $1) AS registered
        """,
        token, product_id, now,
    )  # fmt: skip
    assert row is not None
    return RegistrationStatus(**row)


async def delete_expired_tokens(db: Executor, keep: timedelta, limit: int) -> int:
    """Delete up to `limit` tokens that expired longer ago than `keep`, and their products; returns how many tokens."""
    return await db.fetchval(
        """
        WITH deleted AS (
            DELETE FROM issued_token
             WHERE token IN (
                SELECT token
                  FROM issued_token
                 WHERE expires_at < now() - $1::interval
                 LIMIT $2
             )
            RETURNING token
        ), deleted_products AS (
            DELETE FROM offers_product WHERE token IN (SELECT token FROM deleted)
        )
        SELECT count(*) FROM deleted
        """,
        keep, limit,
    )  # fmt: skip
