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


async def select_valid_token_exists(db: Executor, owner: UUID | None, now: datetime) -> bool:
    """Whether a token of the owner is valid; None: of any owner."""
    return await db.fetchval(
        """
        SELECT EXISTS (SELECT FROM issued_token WHERE ($1::uuid IS NULL OR owner = $1) AND expires_at > $2)
        """,
        owner, now,
    )  # fmt: skip


async def insert_token(db: Executor, token: UUID, owner: UUID, now: datetime, expires_at: datetime | None) -> None:
    """Insert a token. owner: to which products belong. expires_at: None for a token that never expires."""
    await db.execute(
        """
        INSERT INTO issued_token (token, owner, issued_at, expires_at)
        VALUES ($1, $2, $3, coalesce($4::timestamptz, 'infinity'))
        """,
        token, owner, now, expires_at,
    )  # fmt: skip


async def insert_product(db: Executor, token: UUID, product: ProductRegistration, now: datetime) -> bool | None:
    """Register a product with a token; False when its owner has it already, None when the token is not valid."""
    return await db.fetchval(
        """
        WITH valid AS (
            SELECT owner FROM issued_token WHERE token = $1 AND expires_at > $5
        ), registered AS (
            INSERT INTO offers_product (product_id, owner, name, description, registered_at)
            SELECT $2, owner, $3, $4, $5 FROM valid
            ON CONFLICT (product_id, owner) DO NOTHING
            RETURNING 1
        )
        SELECT EXISTS (SELECT FROM registered) FROM valid
        """,
        token, str(product.id), product.name, product.description, now,
    )  # fmt: skip


async def select_registration_status(db: Executor, token: UUID, product_id: str, now: datetime) -> RegistrationStatus:
    row = await db.fetchrow(
        """
        WITH valid AS (
            SELECT owner FROM issued_token WHERE token = $1 AND expires_at > $3
        )
        SELECT EXISTS (SELECT FROM valid) AS token_valid,
               EXISTS (SELECT FROM offers_product JOIN valid USING (owner) WHERE product_id = $2) AS registered
        """,
        token, product_id, now,
    )  # fmt: skip
    assert row is not None
    return RegistrationStatus(**row)


async def delete_expired_tokens(db: Executor, keep: timedelta, limit: int) -> int:
    """Delete up to `limit` tokens that expired longer ago than `keep`, and products that belong to the token itself.

    Products of a refresh token stay. Returns how many tokens were deleted.
    """
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
            DELETE FROM offers_product WHERE owner IN (SELECT token FROM deleted)
        )
        SELECT count(*) FROM deleted
        """,
        keep, limit,
    )  # fmt: skip
