"""SQL of the prices that moved: the lowest price in stock of each product, now and in the last days."""

from datetime import datetime, timedelta

from common.db.pool import Executor
from dashboard.catalog.models import CatalogMark, PriceMove
from dashboard.catalog.queries.lowest_price import lowest_30d


async def select_catalog_mark(db: Executor) -> CatalogMark:
    """The number of products, their names, and the newest change of a price."""
    row = await db.fetchrow(
        """
        SELECT count(*) AS products, coalesce(sum(hashtextextended(name, 0)), 0)::text AS names,
               (SELECT max(at) FROM product_price_change WHERE NOT thinned) AS changed_at
          FROM product
        """
    )
    assert row is not None
    return CatalogMark(*row)


async def select_price_moves(
    db: Executor, now: datetime, day: timedelta, month: timedelta, gap: timedelta
) -> list[PriceMove]:
    """The products in stock whose price changed within a `month`, by name: their price now and a `day` ago.

    gap: an answer that is longer ago says nothing of the price at `now`.
    """
    rows = await db.fetch(
        f"""
        SELECT product_id, name, newest.price, day_ago.price AS price_before,
               coalesce({lowest_30d("refresh", "$1", "$4")}, false) AS is_lowest
          FROM (SELECT DISTINCT product_id
                  FROM product_price_change
                 WHERE at > $1::timestamptz - $3::interval) AS changed
          JOIN product USING (product_id)
          JOIN product_refresh AS refresh USING (product_id)
         CROSS JOIN LATERAL (
                SELECT price
                  FROM product_price_change AS change
                 WHERE change.product_id = changed.product_id AND at <= $1
                 ORDER BY at DESC
                 LIMIT 1
               ) AS newest
          LEFT JOIN LATERAL (
                SELECT price
                  FROM product_price_change AS change
                 WHERE change.product_id = changed.product_id AND at <= $1 - $2::interval
                 ORDER BY at DESC
                 LIMIT 1
               ) AS day_ago ON true
         WHERE newest.price IS NOT NULL
         ORDER BY name_key, product_id
        """,  # noqa: S608 - made of constant text alone, no input
        now, day, month, gap,
    )  # fmt: skip
    return [PriceMove(*row) for row in rows]
