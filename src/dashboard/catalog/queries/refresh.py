"""SQL of the refresh: due products, and the received offers of many products in one statement."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from common.db.pool import Connection, Executor
from dashboard.catalog.offers_client import ReceivedOffer


class PriceRules(msgspec.Struct, frozen=True):
    """Rules of the best price.

    allows_free_offers: whether an offer with the price 0 can be the best one. gap: prices are not known for a longer
    pause.
    """

    allows_free_offers: bool
    gap: timedelta


class DueProduct(msgspec.Struct, frozen=True):
    """A product to refresh; failures: its failed attempts since the last success."""

    product_id: UUID
    failures: int


class ReceivedOffers(msgspec.Struct, frozen=True):
    """The offers of a product in a response of the service, each id once."""

    product_id: UUID
    offers: list[ReceivedOffer]


class FailedRefresh(msgspec.Struct, frozen=True):
    """A failed attempt to refresh a product; pause: seconds until the next attempt."""

    product_id: UUID
    error: str
    pause: float
    still_registered: bool


class StoredOffers(msgspec.Struct, frozen=True):
    """Numbers of refreshed products, of price changes of offers, and of closed offers."""

    products: int
    changes: int
    closed: int


async def select_now(db: Executor) -> datetime:
    """PostgreSQL's clock, which all replicas share."""
    return await db.fetchval("SELECT clock_timestamp()")


async def select_due(db: Executor, now: datetime) -> list[DueProduct]:
    """Registered products whose pause is over; the least recently attempted first."""
    rows = await db.fetch(
        """
        SELECT product_id, failures
          FROM product_refresh
         WHERE registered_at IS NOT NULL AND (due_at IS NULL OR due_at <= $1)
         ORDER BY attempted_at NULLS FIRST, product_id
        """,
        now,
    )
    return [DueProduct(*row) for row in rows]


async def select_pending(db: Executor, now: datetime) -> list[DueProduct]:
    """Pending products whose pause is over; the least recently attempted first."""
    rows = await db.fetch(
        """
        SELECT product_id, failures
          FROM product_refresh
         WHERE registered_at IS NULL AND (due_at IS NULL OR due_at <= $1)
         ORDER BY attempted_at NULLS FIRST, product_id
        """,
        now,
    )
    return [DueProduct(*row) for row in rows]


async def select_description(db: Executor, product_id: UUID) -> tuple[str, str] | None:
    """Name and description; None for a deleted product."""
    row = await db.fetchrow("SELECT name, description FROM product WHERE product_id = $1", product_id)
    return (row["name"], row["description"]) if row else None


async def upsert_offers(
    connection: Connection, received: Sequence[ReceivedOffers], now: datetime, rules: PriceRules
) -> StoredOffers:
    """Store the received offers of many products in one statement.

    An offer is written, and its price change recorded, only when it is new, came back, or changed price or stock. An
    open offer that is missing from its product's response is closed. Products deleted since are left out; the others
    are locked until the end of the transaction.
    """
    offers = [(each.product_id, offer) for each in received for offer in each.offers]
    row = await connection.fetchrow(
        _UPSERT_OFFERS,
        [each.product_id for each in received],
        [product_id for product_id, _ in offers],
        [str(offer.id) for _, offer in offers],
        [isinstance(offer.id, int) for _, offer in offers],
        [offer.price for _, offer in offers],
        [offer.items_in_stock for _, offer in offers],
        now,
        rules.allows_free_offers,
        rules.gap,
    )
    assert row is not None
    return StoredOffers(**row)


_UPSERT_OFFERS = """
    WITH locked AS (
        -- 1. Lock the products. If the clock was set back, a change must still come after the one before it.
        SELECT product_id, best_price, last_success,
               greatest($7::timestamptz, last_success + interval '1 microsecond') AS at
          FROM product_refresh
         WHERE product_id = ANY($1::uuid[])
         ORDER BY product_id
           FOR NO KEY UPDATE
    ), received AS MATERIALIZED (
        -- 2. The received offers, and the offers that are open so far.
        SELECT offer.*, locked.at
          FROM unnest($2::uuid[], $3::text[], $4::boolean[], $5::bigint[], $6::bigint[])
               AS offer (product_id, offer_id, numeric_id, price, items_in_stock)
          JOIN locked USING (product_id)
    ), open AS MATERIALIZED (
        SELECT offer.product_id, offer_id, numeric_id, price, items_in_stock, locked.at, locked.last_success
          FROM locked
          JOIN offer ON offer.product_id = locked.product_id AND offer.closed_at IS NULL
    ), stored AS (
        -- 3. Store offers that are new, came back or changed; close those that are missing.
        INSERT INTO offer
               (product_id, offer_id, numeric_id, price, items_in_stock, first_seen, changed_at)
        SELECT product_id, offer_id, numeric_id, price, items_in_stock, received.at, received.at
          FROM received
          LEFT JOIN open USING (product_id, offer_id, numeric_id, price, items_in_stock)
         WHERE open.at IS NULL
        ON CONFLICT (product_id, offer_id) DO UPDATE
           SET numeric_id = excluded.numeric_id,
               price = excluded.price,
               items_in_stock = excluded.items_in_stock,
               changed_at = excluded.changed_at,
               last_seen = NULL,
               closed_at = NULL
        RETURNING product_id, offer_id, changed_at, price, items_in_stock
    ), closed AS (
        UPDATE offer
           SET closed_at = missing.at, changed_at = missing.at, last_seen = missing.last_success
          FROM (
               SELECT open.product_id, open.offer_id, open.at, open.last_success
                 FROM open
                 LEFT JOIN received USING (product_id, offer_id)
                WHERE received.at IS NULL
          ) AS missing
         WHERE offer.product_id = missing.product_id AND offer.offer_id = missing.offer_id
        RETURNING offer.product_id, offer.offer_id, offer.changed_at
    ), offer_change AS (
        INSERT INTO offer_price_change (product_id, offer_id, at, price, items_in_stock)
        SELECT product_id, offer_id, changed_at, price, items_in_stock FROM stored
        UNION ALL
        SELECT product_id, offer_id, changed_at, NULL, 0 FROM closed
        RETURNING 1
    ), best AS (
        -- 4. Record a change of the lowest price in stock.
        SELECT locked.product_id, locked.at, locked.best_price AS price_before,
               min(received.price) FILTER (WHERE received.items_in_stock > 0
                                             AND (received.price > 0 OR $8)) AS price, locked.last_success
          FROM locked
          LEFT JOIN received ON received.product_id = locked.product_id
         GROUP BY locked.product_id, locked.at, locked.best_price, locked.last_success
    ), product_change AS (
        INSERT INTO product_price_change (product_id, at, price)
        SELECT product_id, at, price FROM best WHERE price IS DISTINCT FROM price_before OR last_success IS NULL
    ), gap AS (
        -- 5. Record for how long the prices were not known.
        INSERT INTO product_price_gap (product_id, since, until)
        SELECT product_id, last_success, at FROM locked WHERE at - last_success > $9::interval
    ), refreshed AS (
        -- 6. Note the successful refresh of each product.
        UPDATE product_refresh
           SET registered_at = coalesce(registered_at, best.at),
               attempted_at = best.at,
               due_at = NULL,
               failures = 0,
               last_success = best.at,
               last_error = NULL,
               best_price = best.price,
               week_price = CASE
                            WHEN NOT (best.last_success < best.at - interval '7 days'
                                      AND best.at - best.last_success > $9::interval) -- the gap of step 5
                             AND NOT EXISTS (SELECT
                                               FROM product_price_gap AS gap
                                              WHERE gap.product_id = best.product_id
                                                AND gap.since < best.at - interval '7 days'
                                                AND gap.until > best.at - interval '7 days')
                            THEN (SELECT change.price
                                    FROM product_price_change AS change
                                   WHERE change.product_id = best.product_id
                                     AND change.at <= best.at - interval '7 days'
                                   ORDER BY change.at DESC
                                   LIMIT 1)
                            END
          FROM best
         WHERE product_refresh.product_id = best.product_id
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM refreshed) AS products,
           (SELECT count(*) FROM offer_change) AS changes,
           (SELECT count(*) FROM closed) AS closed
"""


async def update_failures(connection: Connection, failures: Sequence[FailedRefresh], now: datetime) -> None:
    """Store the error and the pause of each product. Offers stay unchanged."""
    await connection.execute(
        """
        UPDATE product_refresh
           SET attempted_at = $5::timestamptz,
               due_at = $5::timestamptz + failed.pause * interval '1 second',
               failures = failures + 1,
               last_error = failed.error,
               registered_at = CASE WHEN failed.still_registered THEN registered_at END
          FROM unnest($1::uuid[], $2::text[], $3::float8[], $4::boolean[])
               AS failed (product_id, error, pause, still_registered)
         WHERE product_refresh.product_id = failed.product_id
        """,
        [failed.product_id for failed in failures],
        [failed.error for failed in failures],
        [failed.pause for failed in failures],
        [failed.still_registered for failed in failures],
        now,
    )


async def update_skipped(connection: Connection, product_ids: Sequence[UUID], error: str) -> None:
    """Store why products were not attempted; they stay due."""
    await connection.execute(
        """
        UPDATE product_refresh
           SET last_error = $2
         WHERE product_id = ANY($1::uuid[]) AND last_error IS DISTINCT FROM $2
        """,
        product_ids, error,
    )  # fmt: skip
