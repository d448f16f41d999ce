"""SQL of the alerts about marked products.

A price that moves around its mark, or a stock that empties for a minute, does not end an alert: it is resolved only
when its condition has been false for HOLD.

Refreshes go on between the query of what fires and that of the ends: a sentence about an end names the price of now,
which may raise the alert again.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg

from common.alerts import Firing
from common.db.pool import Executor

HOLD = timedelta(minutes=15)


async def select_prices_below_mark(db: Executor, now: datetime, firing: Sequence[str]) -> list[Firing]:
    """Products whose best price is below their mark; of those that fire already, also if it was within HOLD.

    firing: the subjects that fire already. A subject is the id of a product.
    """
    rows = await db.fetch(
        """
        SELECT product_id::text AS subject, name, below, best_price
          FROM product_mark AS mark
          JOIN product USING (product_id)
          JOIN product_refresh USING (product_id)
         WHERE best_price < below
            OR (product_id::text = ANY($2)
                AND EXISTS (SELECT
                              FROM product_price_change AS change
                             WHERE change.product_id = mark.product_id
                               AND change.price < mark.below
                               AND change.at >= coalesce((SELECT max(at)
                                                            FROM product_price_change AS earlier
                                                           WHERE earlier.product_id = mark.product_id
                                                             AND earlier.at <= $1::timestamptz - $3::interval),
                                                         '-infinity')))
         ORDER BY name_key, product_id
        """,
        now, list(firing), HOLD,
    )  # fmt: skip
    return [Firing(row["subject"], _price_below(row["name"], row["best_price"], row["below"])) for row in rows]


async def select_back_in_stock(db: Executor, now: datetime, firing: Sequence[str]) -> list[Firing]:
    """Products with a best offer that had none when their return was marked, or later; once for each return.

    Of those that fire already, also products that had one within HOLD. firing: the subjects that fire already. A
    subject is the id of a product.
    """
    rows = await db.fetch(
        """
        SELECT product_id::text AS subject, name, best_price
          FROM product_mark AS mark
          JOIN product USING (product_id)
          JOIN product_refresh USING (product_id)
         WHERE EXISTS (SELECT
                         FROM product_price_change AS change
                        WHERE change.product_id = mark.product_id
                          AND change.price IS NULL
                          AND change.at >= coalesce((SELECT max(at)
                                                       FROM product_price_change AS earlier
                                                      WHERE earlier.product_id = mark.product_id
                                                        AND earlier.at <= mark.watched_since),
                                                    mark.watched_since))
           AND (best_price IS NOT NULL
                OR (product_id::text = ANY($2)
                    AND EXISTS (SELECT
                                  FROM product_price_change AS change
                                 WHERE change.product_id = mark.product_id
                                   AND change.price IS NOT NULL
                                   AND change.at >= coalesce((SELECT max(at)
                                                                FROM product_price_change AS earlier
                                                               WHERE earlier.product_id = mark.product_id
                                                                 AND earlier.at <= $1::timestamptz - $3::interval),
                                                             '-infinity'))))
         ORDER BY name_key, product_id
        """,
        now, list(firing), HOLD,
    )  # fmt: skip
    return [Firing(row["subject"], _back_in_stock(row["name"], row["best_price"])) for row in rows]


async def select_ends_below_mark(db: Executor, product_ids: Sequence[str]) -> dict[str, str]:
    """How the alerts about prices of products ended, by the id of the product. A deleted product is absent."""
    return {
        row["subject"]: _not_below(row["name"], row["best_price"], row["below"])
        for row in await _select_marked(db, product_ids)
    }


async def select_ends_in_stock(db: Executor, product_ids: Sequence[str]) -> dict[str, str]:
    """How the alerts about products in stock ended, by the id of the product. A deleted product is absent."""
    return {
        row["subject"]: _no_longer_news(row["name"], row["best_price"], is_watched=row["watched_since"] is not None)
        for row in await _select_marked(db, product_ids)
    }


async def _select_marked(db: Executor, product_ids: Sequence[str]) -> list[asyncpg.Record]:
    return await db.fetch(
        """
        SELECT product_id::text AS subject, name, best_price, below, watched_since
          FROM product
          JOIN product_refresh USING (product_id)
          LEFT JOIN product_mark USING (product_id)
         WHERE product_id = ANY($1::text[]::uuid[])
        """,
        product_ids,
    )


def _price_below(name: str, price: int | None, below: int) -> str:
    if price is not None and price < below:
        return f"{name}: the best price is {_amount(price)}, below the mark of {_amount(below)}."
    now = "nothing is in stock now" if price is None else f"the best price is {_amount(price)} now"
    return f"{name}: the best price was below the mark of {_amount(below)} a moment ago; {now}."


def _not_below(name: str, price: int | None, below: int | None) -> str:
    if below is None:
        return f"{name}: the mark of its price was deleted."
    if price is None:
        return f"{name}: nothing is in stock any more."
    if price < below:
        mark = f"the mark of {_amount(below)}"
        return f"{name}: the best price was not below {mark} a moment ago; it is {_amount(price)} now."
    return f"{name}: the best price is {_amount(price)}, no longer below the mark of {_amount(below)}."


def _no_longer_news(name: str, price: int | None, *, is_watched: bool) -> str:
    if not is_watched:
        return f"{name}: its return into stock is no longer watched."
    if price is None:
        return f"{name} is sold out again."
    return f"{name} is in stock at {_amount(price)}; its next return raises an alert again."


def _back_in_stock(name: str, price: int | None) -> str:
    if price is None:
        return f"{name} was back in stock, and was sold out a moment ago."
    return f"{name} is back in stock; the best price is {_amount(price)}."


def _amount(price: int) -> str:
    """A price in minor units, such as `1,012.40`."""
    return f"{price // 100:,}.{price % 100:02}"
