"""SQL of `product_mark`: which changes of a product raise an alert."""

from datetime import datetime
from uuid import UUID

from common.db.pool import Executor
from dashboard.catalog.models import Mark


async def upsert_mark(
    db: Executor, product_id: UUID, below: int | None, back_in_stock: bool, now: datetime
) -> Mark | None:
    """Set the mark of a product; None for an unknown product. A return that is watched already stays watched."""
    row = await db.fetchrow(
        """
        INSERT INTO product_mark AS mark (product_id, below, watched_since)
        SELECT product_id, $2, CASE WHEN $3 THEN $4::timestamptz END
          FROM product_refresh
         WHERE product_id = $1
        ON CONFLICT (product_id) DO UPDATE
           SET below = excluded.below,
               watched_since = CASE WHEN $3 THEN coalesce(mark.watched_since, excluded.watched_since) END
        RETURNING below, watched_since IS NOT NULL AS back_in_stock, watched_since
        """,
        product_id, below, back_in_stock, now,
    )  # fmt: skip
    return Mark(**row) if row else None


async def select_mark(db: Executor, product_id: UUID) -> Mark | None:
    """The mark of a product; None when it has none."""
    row = await db.fetchrow(
        """
        SELECT below, watched_since IS NOT NULL AS back_in_stock, watched_since
          FROM product_mark
         WHERE product_id = $1
        """,
        product_id,
    )
    return Mark(**row) if row else None


async def delete_mark(db: Executor, product_id: UUID) -> bool:
    """Delete the mark of a product; False when it has none."""
    return await db.fetchval(
        "DELETE FROM product_mark WHERE product_id = $1 RETURNING true", product_id
    ) is not None  # fmt: skip
