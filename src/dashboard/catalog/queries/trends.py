"""SQL of the trends: the lowest price in stock of a product, and the price of one offer, over a period.

A price is valid until the next change. The lowest price of a product is stored (`product_price_change`). An offer has a
price while it is in stock.
"""

from datetime import UTC, datetime
from uuid import UUID

from common.db.pool import Executor
from dashboard.catalog.models import Interval, OfferKey, Period, PeriodEnds, TrendBucket, TrendPoint

SOME_MONDAY = datetime(2001, 1, 1, tzinfo=UTC)
"""A first moment of an hour, a day and a week, from which buckets are counted."""

CHANGES_OF_PERIOD = """
    SELECT greatest(at, $2) AS at, price
      FROM product_price_change
     WHERE product_id = $1
       AND at >= coalesce((SELECT max(at) FROM product_price_change WHERE product_id = $1 AND at <= $2), $2)
       AND ($3::timestamptz IS NULL OR at <= $3)
       AND ($4::timestamptz IS NULL OR at > $4)
"""
"""The changes of the lowest price of product $1 from $2 to $3 and after $4; the price carried into $2 included."""

INTERVAL_SECONDS: dict[Interval, int] = {"hour": 3600, "day": 86_400, "week": 604_800}


async def select_product_ends(db: Executor, product_id: UUID, period: Period) -> PeriodEnds:
    """The first and the last of the product's lowest prices in stock."""
    row = await db.fetchrow(
        """
        WITH carried AS (
            SELECT coalesce(max(at), $2) AS at FROM product_price_change WHERE product_id = $1 AND at <= $2
        )
        SELECT (SELECT price
                  FROM product_price_change
                 WHERE product_id = $1
                   AND at >= (SELECT at FROM carried)
                   AND ($3::timestamptz IS NULL OR at <= $3)
                   AND price IS NOT NULL
                 ORDER BY at
                 LIMIT 1) AS first,
               (SELECT price
                  FROM product_price_change
                 WHERE product_id = $1
                   AND at >= (SELECT at FROM carried)
                   AND ($3::timestamptz IS NULL OR at <= $3)
                   AND price IS NOT NULL
                 ORDER BY at DESC
                 LIMIT 1) AS last
        """,
        product_id, period.start, period.end,
    )  # fmt: skip
    assert row is not None
    return PeriodEnds(**row)


async def select_product_points(
    db: Executor, product_id: UUID, period: Period, after: datetime | None, limit: int
) -> list[TrendPoint]:
    """The product's lowest price in stock: the one valid at the start, then every change, in order.

    after: the last point of the page before.
    """
    rows = await db.fetch(
        f"{CHANGES_OF_PERIOD} AND price IS NOT NULL ORDER BY product_price_change.at LIMIT $5",
        product_id, period.start, period.end, after, limit,
    )  # fmt: skip
    return [TrendPoint(**row) for row in rows]


async def select_offer_ends(db: Executor, offer: OfferKey, period: Period) -> PeriodEnds:
    """The first and the last price of the offer while it was in stock."""
    row = await db.fetchrow(
        """
        WITH carried AS (
            SELECT coalesce(max(at), $3) AS at
              FROM offer_price_change
             WHERE product_id = $1 AND offer_id = $2 AND at <= $3
        )
        SELECT (SELECT price
                  FROM offer_price_change
                 WHERE product_id = $1
                   AND offer_id = $2
                   AND at >= (SELECT at FROM carried)
                   AND ($4::timestamptz IS NULL OR at <= $4)
                   AND items_in_stock > 0
                 ORDER BY at
                 LIMIT 1) AS first,
               (SELECT price
                  FROM offer_price_change
                 WHERE product_id = $1
                   AND offer_id = $2
                   AND at >= (SELECT at FROM carried)
                   AND ($4::timestamptz IS NULL OR at <= $4)
                   AND items_in_stock > 0
                 ORDER BY at DESC
                 LIMIT 1) AS last
        """,
        *offer, period.start, period.end,
    )  # fmt: skip
    assert row is not None
    return PeriodEnds(**row)


async def select_offer_points(
    db: Executor, offer: OfferKey, period: Period, after: datetime | None, limit: int
) -> list[TrendPoint]:
    """The price of the offer while it was in stock: the one valid at the start, then every change, in order.

    A change of stock alone is not a point; the return of a sold-out offer is. after: the last point of the page before.
    """
    rows = await db.fetch(
        """
        WITH state AS (
            SELECT at, CASE WHEN items_in_stock > 0 THEN price END AS price
              FROM offer_price_change
             WHERE product_id = $1
               AND offer_id = $2
               AND at >= coalesce((SELECT max(at)
                                     FROM offer_price_change
                                    WHERE product_id = $1
                                      AND offer_id = $2
                                      AND at <= greatest($3::timestamptz, $5::timestamptz)),
                                  $3)
               AND ($4::timestamptz IS NULL OR at <= $4)
        ), change AS (
            SELECT at, price, price IS DISTINCT FROM lag(price) OVER (ORDER BY at) AS moved FROM state
        )
        SELECT greatest(at, $3) AS at, price
          FROM change
         WHERE moved AND price IS NOT NULL AND ($5::timestamptz IS NULL OR at > $5)
         ORDER BY change.at
         LIMIT $6
        """,
        *offer, period.start, period.end, after, limit,
    )  # fmt: skip
    return [TrendPoint(**row) for row in rows]


async def select_product_buckets(
    db: Executor, product_id: UUID, period: Period, interval: Interval, limit: int
) -> list[TrendBucket]:
    """The lowest prices in stock of the product in each hour, day or week.

    An interval without a price has no bucket. A bucket is whole, but for the one that is not over: it does not depend
    on the moments at which the period begins and ends.
    """
    rows = await db.fetch(
        """
        WITH period AS MATERIALIZED (
            -- 1. The first moment of the first bucket, the end of the last one, and the change valid at the former.
            SELECT start, finish,
                   coalesce((SELECT max(at)
                               FROM product_price_change
                              WHERE product_id = $1 AND at <= start),
                            start) AS first
              FROM (SELECT date_trunc($4, $2::timestamptz, 'UTC') AS start,
                           least(date_trunc($4, $3::timestamptz, 'UTC') + $5::integer * interval '1 second',
                                 greatest($6::timestamptz, max(at) + interval '1 microsecond')) AS finish
                      FROM product_price_change
                     WHERE product_id = $1) AS limits
        ), held AS (
            -- 2. Each price, from when until when it was valid, and the end of the bucket in which it began.
            SELECT price, greatest(at, start) AS since, lead(at, 1, finish) OVER (ORDER BY at) AS until,
                   date_bin($5 * interval '1 second', greatest(at, start), $8::timestamptz)
                   + $5 * interval '1 second' AS bucket_end
              FROM period
              JOIN (SELECT at, price
                      FROM product_price_change
                     WHERE product_id = $1) AS change
                ON at >= first AND at < finish
        ), piece AS (
            -- 3. The same, cut at the ends of the buckets.
            SELECT bucket_end, price, least(until, bucket_end) - since AS duration
              FROM held
             WHERE price IS NOT NULL
            UNION ALL
            SELECT later + $5 * interval '1 second', price, least(until - later, $5 * interval '1 second')
              FROM held
             CROSS JOIN generate_series(bucket_end, until - interval '1 microsecond', $5 * interval '1 second') AS later
             WHERE price IS NOT NULL AND until > bucket_end
        ), bucket AS (
            -- 4. The figures of each bucket. Rounding must not move the mean beyond the lowest or the highest price.
            SELECT bucket_end, min(price) AS min, max(price) AS max,
                   sum(price * extract(epoch FROM duration)::float8) / sum(extract(epoch FROM duration)::float8) AS mean
              FROM piece
             GROUP BY bucket_end
             ORDER BY bucket_end
             LIMIT $7
        )
        SELECT bucket_end - $5 * interval '1 second' AS at, min, max, least(max, greatest(min, mean)) AS mean,
               last.price AS last
          FROM bucket
         CROSS JOIN period
         CROSS JOIN LATERAL (
               SELECT price
                 FROM product_price_change
                WHERE product_id = $1 AND at < least(bucket_end, finish) AND price IS NOT NULL
                ORDER BY at DESC
                LIMIT 1
         ) AS last
         ORDER BY bucket_end
        """,
        product_id, period.start, period.end, interval, INTERVAL_SECONDS[interval], period.now, limit,
        SOME_MONDAY,
    )  # fmt: skip
    return [TrendBucket(**row) for row in rows]


async def select_offer_buckets(
    db: Executor, offer: OfferKey, period: Period, interval: Interval, limit: int
) -> list[TrendBucket]:
    """The prices of the offer while it was in stock, as `select_product_buckets`."""
    rows = await db.fetch(
        """
        WITH period AS MATERIALIZED (
            -- 1. The first moment of the first bucket, the end of the last one, and the change valid at the former.
            SELECT start, finish,
                   coalesce((SELECT max(at)
                               FROM offer_price_change
                              WHERE product_id = $1 AND offer_id = $8 AND at <= start),
                            start) AS first
              FROM (SELECT date_trunc($4, $2::timestamptz, 'UTC') AS start,
                           least(date_trunc($4, $3::timestamptz, 'UTC') + $5::integer * interval '1 second',
                                 greatest($6::timestamptz, max(at) + interval '1 microsecond')) AS finish
                      FROM offer_price_change
                     WHERE product_id = $1 AND offer_id = $8) AS limits
        ), held AS (
            -- 2. Each price, from when until when it was valid, and the end of the bucket in which it began.
            SELECT price, greatest(at, start) AS since, lead(at, 1, finish) OVER (ORDER BY at) AS until,
                   date_bin($5 * interval '1 second', greatest(at, start), $9::timestamptz)
                   + $5 * interval '1 second' AS bucket_end
              FROM period
              JOIN (SELECT at, CASE WHEN items_in_stock > 0 THEN price END AS price
                      FROM offer_price_change
                     WHERE product_id = $1 AND offer_id = $8) AS change
                ON at >= first AND at < finish
        ), piece AS (
            -- 3. The same, cut at the ends of the buckets.
            SELECT bucket_end, price, least(until, bucket_end) - since AS duration
              FROM held
             WHERE price IS NOT NULL
            UNION ALL
            SELECT later + $5 * interval '1 second', price, least(until - later, $5 * interval '1 second')
              FROM held
             CROSS JOIN generate_series(bucket_end, until - interval '1 microsecond', $5 * interval '1 second') AS later
             WHERE price IS NOT NULL AND until > bucket_end
        ), bucket AS (
            -- 4. The figures of each bucket. Rounding must not move the mean beyond the lowest or the highest price.
            SELECT bucket_end, min(price) AS min, max(price) AS max,
                   sum(price * extract(epoch FROM duration)::float8) / sum(extract(epoch FROM duration)::float8) AS mean
              FROM piece
             GROUP BY bucket_end
             ORDER BY bucket_end
             LIMIT $7
        )
        SELECT bucket_end - $5 * interval '1 second' AS at, min, max, least(max, greatest(min, mean)) AS mean,
               last.price AS last
          FROM bucket
         CROSS JOIN period
         CROSS JOIN LATERAL (
               SELECT price
                 FROM offer_price_change
                WHERE product_id = $1 AND offer_id = $8 AND at < least(bucket_end, finish) AND items_in_stock > 0
                ORDER BY at DESC
                LIMIT 1
         ) AS last
         ORDER BY bucket_end
        """,
        offer.product_id, period.start, period.end, interval, INTERVAL_SECONDS[interval], period.now, limit,
        offer.offer_id, SOME_MONDAY,
    )  # fmt: skip
    return [TrendBucket(**row) for row in rows]
