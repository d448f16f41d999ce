"""SQL of the catalogue's requests: changes of products, and their offers."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from common.db.pool import Executor
from dashboard.catalog.models import OfferId, OfferState, Product


def offer_id_of(row: asyncpg.Record) -> OfferId:
    """The offer's id, an integer or text as the service sent it."""
    return int(row["offer_id"]) if row["numeric_id"] else row["offer_id"]


async def insert_product(db: Executor, product: Product, now: datetime) -> None:
    """Store a new product with the result of its registration."""
    await db.execute(
        """
        WITH created AS (
            INSERT INTO product (product_id, name, description, created_at)
            VALUES ($1, $2, $3, $6)
            RETURNING product_id
        )
        INSERT INTO product_refresh (product_id, registered_at, last_error)
        SELECT product_id, CASE WHEN $4 THEN $6::timestamptz END, $5 FROM created
        """,
        product.id,
        product.name,
        product.description,
        product.registration == "registered",
        product.freshness.last_error,
        now,
    )


async def update_product(db: Executor, product_id: UUID, name: str | None, description: str | None) -> bool:
    """Change the fields that are not None; False for an unknown product."""
    return await db.fetchval(
        """
        UPDATE product
           SET name = coalesce($2, name), description = coalesce($3, description)
         WHERE product_id = $1
        RETURNING true
        """,
        product_id, name, description,
    ) is not None  # fmt: skip


async def delete_product(db: Executor, product_id: UUID) -> bool:
    """Delete a product with its offers and their price changes; False for an unknown product."""
    return await db.fetchval(
        "DELETE FROM product WHERE product_id = $1 RETURNING true", product_id
    ) is not None  # fmt: skip


async def select_offers(
    db: Executor, product_id: UUID, after: tuple[datetime, str] | None, limit: int, *, closed: bool
) -> list[tuple[OfferState, tuple[datetime, str]]] | None:
    """Offers, most recently changed first, each with its position; None for an unknown product.

    closed: include closed offers.
    """
    changed_at, offer_id = after or (None, None)
    rows = await db.fetch(
        """
        SELECT page.offer_id, page.numeric_id, page.price, page.items_in_stock, page.first_seen, page.changed_at,
               coalesce(page.last_seen, product_refresh.last_success) AS last_seen, page.closed_at
          FROM product_refresh
          LEFT JOIN LATERAL (
               SELECT *
                 FROM offer
                WHERE offer.product_id = $1
                  AND ($2 OR closed_at IS NULL)
                  AND ($3::timestamptz IS NULL OR changed_at < $3 OR (changed_at = $3 AND offer_id > $4::text))
                ORDER BY changed_at DESC, offer_id
                LIMIT $5
          ) AS page ON true
         WHERE product_refresh.product_id = $1
         ORDER BY page.changed_at DESC, page.offer_id
        """,
        product_id, closed, changed_at, offer_id, limit,
    )  # fmt: skip
    if not rows:
        return None
    return [(_offer_of(row), (row["changed_at"], row["offer_id"])) for row in rows if row["offer_id"] is not None]


async def select_open_offers(db: Executor, product_id: UUID, limit: int) -> list[OfferState]:
    """Open offers, the cheapest in stock first; those that are sold out come last."""
    rows = await db.fetch(
        """
        SELECT offer_id, numeric_id, price, items_in_stock, first_seen, last_success AS last_seen, closed_at
          FROM offer
          JOIN product_refresh USING (product_id)
         WHERE product_id = $1 AND closed_at IS NULL
         ORDER BY items_in_stock = 0, price, offer_id
         LIMIT $2
        """,
        product_id, limit,
    )  # fmt: skip
    return [_offer_of(row) for row in rows]


async def select_closed_offers(db: Executor, product_id: UUID, limit: int) -> list[OfferState]:
    """Closed offers, the last one closed first."""
    rows = await db.fetch(
        """
        SELECT offer_id, numeric_id, price, items_in_stock, first_seen, last_seen, closed_at
          FROM offer
         WHERE product_id = $1 AND closed_at IS NOT NULL
         ORDER BY closed_at DESC, offer_id
         LIMIT $2
        """,
        product_id, limit,
    )  # fmt: skip
    return [_offer_of(row) for row in rows]


def _offer_of(row: asyncpg.Record) -> OfferState:
    return OfferState(
        offer_id_of(row),
        row["price"],
        row["items_in_stock"],
        row["first_seen"],
        row["last_seen"],
        row["closed_at"],
    )


async def select_product_exists(db: Executor, product_id: UUID) -> bool:
    return await db.fetchval("SELECT EXISTS (SELECT FROM product WHERE product_id = $1)", product_id)


async def select_offer_id(db: Executor, product_id: UUID, offer_id: str) -> OfferId | None:
    """The id, an integer or text as the service sent it; None when the product never had this offer."""
    row = await db.fetchrow(
        "SELECT offer_id, numeric_id FROM offer WHERE product_id = $1 AND offer_id = $2", product_id, offer_id
    )
    return offer_id_of(row) if row else None


async def select_product_names(db: Executor, product_ids: Sequence[str]) -> dict[str, str]:
    """The names of products by id; one that does not exist is absent."""
    rows = await db.fetch(
        "SELECT product_id::text AS product_id, name FROM product WHERE product_id = ANY($1::text[]::uuid[])",
        product_ids,
    )
    return {row["product_id"]: row["name"] for row in rows}
