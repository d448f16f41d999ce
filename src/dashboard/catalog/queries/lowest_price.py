"""The rule by which the price of a product is its lowest in 30 days, as SQL: one rule for all pages and lists."""


def lowest_30d(product: str, now: str, gap: str) -> str:
    """An expression: whether the best price of a product is its lowest in the 30 days before `now`.

    True if no price of these days was lower and one was higher. NULL if that is not known: nothing is in stock, the
    last answer is longer ago than `gap`, the prices are known for less than 30 days, or for more than a day of them no
    price is known. product: a row with `product_id`, `best_price` and `last_success`. now, gap: parameters, an instant
    and an interval.
    """
    start = f"({now}::timestamptz - interval '30 days')"
    carried = f"""
        SELECT max(first.at)
          FROM product_price_change AS first
         WHERE first.product_id = {product}.product_id AND first.at <= {start}
    """  # noqa: S608 - made of constant text alone, no input
    changes = f"""
        SELECT
          FROM product_price_change AS change
         WHERE change.product_id = {product}.product_id AND change.at >= ({carried})
    """  # noqa: S608 - made of constant text alone, no input
    return f"""
        CASE WHEN {product}.best_price IS NOT NULL
              AND {product}.last_success >= {now}::timestamptz - {gap}::interval
              AND ({carried}) IS NOT NULL
              AND (SELECT coalesce(sum(least(missing.until, {now}) - greatest(missing.since, {start})), '0')
                     FROM product_price_gap AS missing
                    WHERE missing.product_id = {product}.product_id AND missing.until > {start}) <= interval '1 day'
             THEN NOT EXISTS ({changes} AND change.price < {product}.best_price)
                  AND EXISTS ({changes} AND change.price > {product}.best_price)
        END
    """  # noqa: S608 - made of constant text alone, no input
