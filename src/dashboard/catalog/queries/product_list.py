"""SQL that reads products, each with its best offer: one of them, or a sorted list."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import msgspec

from common.db.pool import Executor
from dashboard.catalog.models import BestOffer, Freshness, ListedProduct, Mark, Product, ProductPosition, ProductSort
from dashboard.catalog.queries.lowest_price import lowest_30d
from dashboard.catalog.queries.products import offer_id_of


def _product_of(row: asyncpg.Record) -> Product:
    best = mark = None
    if row["offer_id"] is not None:
        best = BestOffer(offer_id_of(row), row["price"], row["items_in_stock"])
    if row["marked"]:
        mark = Mark(row["below"], row["watched_since"] is not None, row["watched_since"])
    return Product(
        row["product_id"],
        row["name"],
        row["description"],
        "registered" if row["registered"] else "pending",
        best,
        row["offers_in_stock"],
        row["change_7d"],
        mark,
        Freshness(row["last_success"], row["last_error"], row["attempted_at"], row["due_at"]),
    )


CHANGE_7D = "((best_price - week_price)::float8 * 100 / nullif(week_price, 0))"
"""Change of the best price over seven days, in percent."""


def _offers_in_stock(product: str) -> str:
    """How many offers of a row of `product` are in stock."""
    return f"""
               (SELECT count(*)
                  FROM offer
                 WHERE offer.product_id = {product}.product_id AND closed_at IS NULL AND items_in_stock > 0)
          """  # noqa: S608 - made of constant text alone, no input


def _best_offer(product: str, allows_free_offers: str) -> str:
    """The best offer of a row of `product`. allows_free_offers: the parameter."""
    return f"""
               SELECT offer_id, numeric_id, price, items_in_stock
                 FROM offer
                WHERE offer.product_id = {product}.product_id AND closed_at IS NULL AND items_in_stock > 0
                  AND (price > 0 OR {allows_free_offers})
                ORDER BY price, offer_id
                LIMIT 1
          """  # noqa: S608 - the statement is made of constants alone; values go in as arguments


async def select_product(db: Executor, product_id: UUID, *, allows_free_offers: bool) -> Product | None:
    """A product. allows_free_offers: an offer with the price 0 can be the best one."""
    row = await db.fetchrow(
        f"""
        SELECT product_id, name, description, registered_at IS NOT NULL AS registered, last_success, last_error,
               attempted_at, due_at, {_offers_in_stock("product")} AS offers_in_stock,
               {CHANGE_7D} AS change_7d, mark.product_id IS NOT NULL AS marked, below, watched_since,
               best.offer_id, best.numeric_id, best.price, best.items_in_stock
          FROM product
          JOIN product_refresh USING (product_id)
          LEFT JOIN product_mark AS mark USING (product_id)
          LEFT JOIN LATERAL ({_best_offer("product", "$2")}) AS best ON true
         WHERE product_id = $1
        """,  # noqa: S608 - the statement is made of constants alone; values go in as arguments
        product_id, allows_free_offers,
    )  # fmt: skip
    return _product_of(row) if row else None


async def select_products(
    db: Executor,
    search: str | None,
    in_stock: bool | None,
    sort: ProductSort,
    after: ProductPosition | None,
    limit: int,
    now: datetime,
    gap: timedelta,
    *,
    allows_free_offers: bool,
) -> list[tuple[ListedProduct, ProductPosition]]:
    """A page of the products whose name contains `search`, ignoring case, each with its position.

    in_stock: only those with a best offer, or only those without; None: both. after: the last position of the page
    before. gap: an answer that is longer ago says nothing of the price at `now`. allows_free_offers: an offer with the
    price 0 can be the best one.
    """
    value, product_id = after or (None, None)
    rows = await db.fetch(_LISTS[sort], search, in_stock, value, product_id, limit, allows_free_offers, now, gap)
    return [(_listed_product_of(row), ProductPosition(row["sort_value"], row["product_id"])) for row in rows]


def _listed_product_of(row: asyncpg.Record) -> ListedProduct:
    return ListedProduct(**msgspec.structs.asdict(_product_of(row)), lowest_30d=row["lowest_30d"])


def _list(value: str, sql_type: str, comparison: str, order: str) -> str:
    """The statement of a list. The value of the position is $3, its id $4; unknown values come last."""
    return f"""
        WITH page AS (
            SELECT product_id, name, description, registered_at, last_success, last_error, attempted_at, due_at,
                   best_price, week_price,
                   {value} AS sort_value
              FROM product
              JOIN product_refresh USING (product_id)
             WHERE ($1::text IS NULL
                    OR strpos(lower(name COLLATE pg_c_utf8), lower($1::text COLLATE pg_c_utf8)) > 0)
               AND ($2::boolean IS NULL OR (best_price IS NOT NULL) = $2)
               AND ($4::uuid IS NULL
                    OR {value} {comparison} $3::{sql_type}
                    OR ({value} = $3 AND product_id > $4)
                    OR ({value} IS NULL AND ($3 IS NOT NULL OR product_id > $4)))
             ORDER BY {order}, product_id
             LIMIT $5
        )
        SELECT page.product_id, name, description, registered_at IS NOT NULL AS registered, last_success, last_error,
               attempted_at, due_at, {_offers_in_stock("page")} AS offers_in_stock,
               {CHANGE_7D} AS change_7d, {lowest_30d("page", "$7", "$8")} AS lowest_30d,
               mark.product_id IS NOT NULL AS marked, below, watched_since, sort_value,
               best.offer_id, best.numeric_id, best.price, best.items_in_stock
          FROM page
          LEFT JOIN product_mark AS mark USING (product_id)
          LEFT JOIN LATERAL ({_best_offer("page", "$6")}) AS best ON true
         ORDER BY {order.replace(value, "sort_value")}, page.product_id
    """  # noqa: S608 - the statement is made of constants alone; values go in as arguments


_LISTS: Mapping[ProductSort, str] = {
    "name": _list("name_key", "text", ">", "name_key"),
    "-name": _list("name_key", "text", "<", "name_key DESC"),
    "price": _list("best_price", "bigint", ">", "best_price NULLS LAST"),
    "-price": _list("best_price", "bigint", "<", "best_price DESC NULLS LAST"),
    "change_7d": _list(CHANGE_7D, "float8", ">", f"{CHANGE_7D} NULLS LAST"),
    "-change_7d": _list(CHANGE_7D, "float8", "<", f"{CHANGE_7D} DESC NULLS LAST"),
}
"""The list of names is read from the index of the names; the others sort all products by figures that are kept."""
