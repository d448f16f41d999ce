"""SQL of the refresh: which products are due, and the answers of many products stored at once."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from common.db.pool import Connection, Executor
from dashboard.catalog.offers_client import SeenOffer


class Due(msgspec.Struct, frozen=True):
    """A product to refresh, and the failures in a row that it has behind it."""

    product_id: UUID
    failures: int


class Answered(msgspec.Struct, frozen=True):
    """What the service said about a product, each offer once."""

    product_id: UUID
    offers: list[SeenOffer]


class Failed(msgspec.Struct, frozen=True):
    """A product that could not be refreshed, why, and how many seconds it is left alone."""

    product_id: UUID
    error: str
    pause: float
    still_registered: bool


class Stored(msgspec.Struct, frozen=True):
    """What storing answers came to: products (those deleted meanwhile left out), rows of history, closed offers."""

    products: int
    changes: int
    closed: int


async def select_now(db: Executor) -> datetime:
    """PostgreSQL's clock, which all replicas share."""
    return await db.fetchval("SELECT clock_timestamp()")


async def select_due(db: Executor, now: datetime) -> list[Due]:
    """The registered products whose pause is over, those first that were attempted longest ago."""
    rows = await db.fetch(
        """
        SELECT product_id, failures
          FROM product_refresh
         WHERE registered_at IS NOT NULL AND (due_at IS NULL OR due_at <= $1)
         ORDER BY attempted_at NULLS FIRST, product_id
        """,
        now,
    )
    return [Due(*row) for row in rows]


async def select_pending(db: Executor, now: datetime) -> list[Due]:
    """The products that wait for their registration and whose pause is over, in the same order."""
    rows = await db.fetch(
        """
        SELECT product_id, failures
          FROM product_refresh
         WHERE registered_at IS NULL AND (due_at IS NULL OR due_at <= $1)
         ORDER BY attempted_at NULLS FIRST, product_id
        """,
        now,
    )
    return [Due(*row) for row in rows]


async def select_description(db: Executor, product_id: UUID) -> tuple[str, str] | None:
    """Name and description; None when the product is gone."""
    row = await db.fetchrow("SELECT name, description FROM product WHERE product_id = $1", product_id)
    return (row["name"], row["description"]) if row else None


async def upsert_answers(connection: Connection, answers: Sequence[Answered], now: datetime) -> Stored:
    """Store the answers of many products in one statement.

    An offer is written only when it is new, came back, or changed price or stock; then its history gets a row. An open
    offer that its product's answer does not name is closed. A product that was deleted meanwhile is left out, and is
    locked until the end of the transaction otherwise.
    """
    seen = [(answer.product_id, offer) for answer in answers for offer in answer.offers]
    row = await connection.fetchrow(
        """
        WITH before AS (
            -- A clock that was set back must not put a change before, or on, the one that it follows.
            SELECT product_id, best_price, last_success,
                   greatest($7::timestamptz, last_success + interval '1 microsecond') AS at
              FROM product_refresh
             WHERE product_id = ANY($1::uuid[])
             ORDER BY product_id
               FOR NO KEY UPDATE
        ), seen AS MATERIALIZED (
            SELECT answer.*, before.at
              FROM unnest($2::uuid[], $3::text[], $4::boolean[], $5::bigint[], $6::bigint[])
                   AS answer (product_id, offer_id, numeric_id, price, items_in_stock)
              JOIN before USING (product_id)
        ), open AS MATERIALIZED (
            SELECT offer.product_id, offer_id, numeric_id, price, items_in_stock, before.at, before.last_success
              FROM before
              JOIN offer ON offer.product_id = before.product_id AND offer.closed_at IS NULL
        ), stored AS (
            INSERT INTO offer AS known
                   (product_id, offer_id, numeric_id, price, items_in_stock, first_seen, changed_at)
            SELECT product_id, offer_id, numeric_id, price, items_in_stock, seen.at, seen.at
              FROM seen
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
               SET closed_at = gone.at, changed_at = gone.at, last_seen = gone.last_success
              FROM (
                   SELECT open.product_id, open.offer_id, open.at, open.last_success
                     FROM open
                     LEFT JOIN seen USING (product_id, offer_id)
                    WHERE seen.at IS NULL
              ) AS gone
             WHERE offer.product_id = gone.product_id AND offer.offer_id = gone.offer_id
            RETURNING offer.product_id, offer.offer_id, offer.changed_at
        ), history AS (
            INSERT INTO offer_price_change (product_id, offer_id, at, price, items_in_stock)
            SELECT product_id, offer_id, changed_at, price, items_in_stock FROM stored
            UNION ALL
            SELECT product_id, offer_id, changed_at, NULL, 0 FROM closed
            RETURNING 1
        ), best AS (
            SELECT before.product_id, before.at, before.best_price AS price_before,
                   min(seen.price) FILTER (WHERE seen.items_in_stock > 0) AS price
              FROM before
              LEFT JOIN seen ON seen.product_id = before.product_id
             GROUP BY before.product_id, before.at, before.best_price
        ), trend AS (
            INSERT INTO product_price_change (product_id, at, price)
            SELECT product_id, at, price FROM best WHERE price IS DISTINCT FROM price_before
        ), refreshed AS (
            UPDATE product_refresh
               SET registered_at = coalesce(registered_at, best.at),
                   attempted_at = best.at,
                   due_at = NULL,
                   failures = 0,
                   last_success = best.at,
                   last_error = NULL,
                   best_price = best.price
              FROM best
             WHERE product_refresh.product_id = best.product_id
            RETURNING 1
        )
        SELECT (SELECT count(*) FROM refreshed) AS products,
               (SELECT count(*) FROM history) AS changes,
               (SELECT count(*) FROM closed) AS closed
        """,
        [answer.product_id for answer in answers],
        [product_id for product_id, _ in seen],
        [str(offer.id) for _, offer in seen],
        [isinstance(offer.id, int) for _, offer in seen],
        [offer.price for _, offer in seen],
        [offer.items_in_stock for _, offer in seen],
        now,
    )
    assert row is not None
    return Stored(**row)


async def update_failures(connection: Connection, failures: Sequence[Failed], now: datetime) -> None:
    """Note why products could not be refreshed, and leave each alone for its pause. Offers are not touched."""
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
    """Note why products were not attempted; they stay due."""
    await connection.execute(
        """
        UPDATE product_refresh
           SET last_error = $2
         WHERE product_id = ANY($1::uuid[]) AND last_error IS DISTINCT FROM $2
        """,
        product_ids, error,
    )  # fmt: skip
