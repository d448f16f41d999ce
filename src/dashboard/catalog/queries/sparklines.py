"""SQL of the lists of prices: a few prices of many products or offers, for small drawings, and numbers of products.

Prices are read at equal distances, so a drawing costs the same however often its prices change.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from common.db.pool import Executor


class PriceCounts(NamedTuple):
    """Numbers of products.

    sold_out: those of which nothing is in stock now. compared: those with a price now and one seven days before, of
    which some are cheaper or dearer now. failing: those whose last refresh failed. silent: the others whose last answer
    is too old to say what they cost now. pending: those not registered.
    """

    products: int
    sold_out: int
    compared: int
    cheaper: int
    dearer: int
    failing: int
    silent: int
    pending: int


class PriceSparkline(NamedTuple):
    """The prices of a product at equal distances up to now; None where nothing was in stock or no price is known.

    since: the first time at which it had a price or is known to have had none.
    """

    product_id: UUID
    since: datetime | None
    prices: list[int | None]


async def select_price_counts(db: Executor, now: datetime, gap: timedelta) -> PriceCounts:
    """How many products there are, by what is known of their prices. gap: an older answer says nothing of now."""
    row = await db.fetchrow(
        """
        SELECT count(*) AS products,
               count(*) FILTER (WHERE is_known AND best_price IS NULL) AS sold_out,
               count(*) FILTER (WHERE is_known AND best_price IS NOT NULL AND week_price IS NOT NULL) AS compared,
               count(*) FILTER (WHERE is_known AND best_price < week_price) AS cheaper,
               count(*) FILTER (WHERE is_known AND best_price > week_price) AS dearer,
               count(*) FILTER (WHERE registered_at IS NOT NULL AND last_error IS NOT NULL) AS failing,
               count(*) FILTER (WHERE registered_at IS NOT NULL AND last_error IS NULL AND NOT is_known) AS silent,
               count(*) FILTER (WHERE registered_at IS NULL) AS pending
          FROM product_refresh
         CROSS JOIN LATERAL (SELECT last_success >= $1::timestamptz - $2::interval AS is_known) AS answer
        """,
        now, gap,
    )  # fmt: skip
    assert row is not None
    return PriceCounts(**row)


async def select_sparklines(
    db: Executor, product_ids: Sequence[UUID], since: datetime, now: datetime, points: int, gap: timedelta
) -> dict[UUID, PriceSparkline]:
    """The prices of each product at `points` moments, of which the first is `since` and the last is `now`.

    gap: no price is known during and after a pause of refreshes that is longer.
    """
    rows = await db.fetch(
        """
        WITH moment AS (
            -- 1. The moments at which prices are read.
            SELECT $2::timestamptz + ($3::timestamptz - $2) * (number / ($4 - 1.0)) AS at
              FROM generate_series(0, $4 - 1) AS number
        ), asked AS (
            -- 2. The products: since when, and up to when, their prices are known.
            SELECT product_id,
                   (SELECT min(at) FROM product_price_change WHERE product_id = refresh.product_id) AS since,
                   CASE WHEN last_success < $3 - $5::interval THEN last_success ELSE $3 END AS known_until
              FROM product_refresh AS refresh
             WHERE product_id = ANY($1::uuid[])
        )
        SELECT product_id, since,
               -- 3. The price that was valid at each moment.
               ARRAY(SELECT CASE
                            WHEN at <= known_until
                             AND NOT EXISTS (SELECT
                                               FROM product_price_gap AS gap
                                              WHERE gap.product_id = asked.product_id
                                                AND gap.since < moment.at
                                                AND gap.until > moment.at)
                            THEN (SELECT price
                                    FROM product_price_change AS change
                                   WHERE change.product_id = asked.product_id AND change.at <= moment.at
                                   ORDER BY change.at DESC
                                   LIMIT 1)
                            END
                       FROM moment
                      ORDER BY at) AS prices
          FROM asked
        """,
        product_ids, since, now, points, gap,
    )  # fmt: skip
    return {row["product_id"]: PriceSparkline(**row) for row in rows}


async def select_offer_sparklines(
    db: Executor, product_id: UUID, offer_ids: Sequence[str], period: timedelta, points: int
) -> dict[str, list[int | None]]:
    """The price of each offer at `points` moments of its last `period`, but not before it was first seen.

    The last moment is that of the last answer that contained the offer. None while it was not in stock.
    offer_ids: as text.
    """
    rows = await db.fetch(
        """
        SELECT offer_id,
               ARRAY(SELECT (SELECT CASE WHEN items_in_stock > 0 THEN price END
                               FROM offer_price_change AS change
                              WHERE change.product_id = $1
                                AND change.offer_id = offer.offer_id
                                AND change.at <= first.at + (last.at - first.at) * share
                              ORDER BY change.at DESC
                              LIMIT 1)
                       FROM (SELECT number / ($4 - 1.0) AS share
                               FROM generate_series(0, $4 - 1) AS number) AS moment
                      ORDER BY share) AS prices
          FROM offer
          JOIN product_refresh USING (product_id)
         CROSS JOIN LATERAL (SELECT coalesce(offer.last_seen, last_success) AS at) AS last
         CROSS JOIN LATERAL (SELECT greatest(first_seen, last.at - $3::interval) AS at) AS first
         WHERE product_id = $1 AND offer_id = ANY($2::text[])
        """,
        product_id, offer_ids, period, points,
    )  # fmt: skip
    return {row["offer_id"]: row["prices"] for row in rows}
