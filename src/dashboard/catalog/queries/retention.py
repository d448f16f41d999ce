"""SQL that deletes old price changes and closed offers, a batch in each call.

No function waits for a row that a refresh has locked, so none can deadlock with it; a later call deletes such a row.
"""

from datetime import timedelta

from common.db.pool import Executor


async def delete_old_offer_changes(db: Executor, keep: timedelta, limit: int) -> int:
    """Delete the price changes of offers that were followed by another one longer than `keep` ago.

    The newest change before that time stays, since it is the price that was valid then; not that of an offer that was
    closed before that time.
    """
    return await db.fetchval(
        """
        WITH old AS (
            SELECT product_id, offer_id, at
              FROM offer_price_change AS change
             WHERE at < now() - $1::interval
               AND (EXISTS (SELECT
                              FROM offer
                             WHERE offer.product_id = change.product_id
                               AND offer.offer_id = change.offer_id
                               AND offer.closed_at < now() - $1::interval)
                    OR EXISTS (SELECT
                                 FROM offer_price_change AS later
                                WHERE later.product_id = change.product_id
                                  AND later.offer_id = change.offer_id
                                  AND later.at > change.at
                                  AND later.at < now() - $1::interval))
             ORDER BY at
             LIMIT $2
               FOR UPDATE SKIP LOCKED
        ), deleted AS (
            DELETE FROM offer_price_change AS change
             USING old
             WHERE change.product_id = old.product_id AND change.offer_id = old.offer_id AND change.at = old.at
            RETURNING 1
        )
        SELECT count(*) FROM deleted
        """,
        keep, limit,
    )  # fmt: skip


async def delete_old_gaps(db: Executor, keep: timedelta, limit: int) -> int:
    """Delete periods without known prices that ended longer than `keep` ago."""
    return await db.fetchval(
        """
        WITH old AS (
            SELECT product_id, since
              FROM product_price_gap
             WHERE until < now() - $1::interval
             ORDER BY until
             LIMIT $2
               FOR UPDATE SKIP LOCKED
        ), deleted AS (
            DELETE FROM product_price_gap AS gap
             USING old
             WHERE gap.product_id = old.product_id AND gap.since = old.since
            RETURNING 1
        )
        SELECT count(*) FROM deleted
        """,
        keep, limit,
    )  # fmt: skip


async def delete_middle_prices(db: Executor, keep: timedelta, limit: int) -> tuple[int, int]:
    """Delete the lowest prices of products but the first, lowest, highest and last of each day (UTC) before `keep` ago.

    limit: the points that are looked at, rounded up to whole days of products. Returns how many points were looked at,
    and how many were deleted; those that stay are not looked at again.
    """
    row = await db.fetchrow(
        """
        WITH oldest AS (
            SELECT product_id, at
              FROM product_price_change
             WHERE NOT thinned AND at < date_trunc('day', now() - $1::interval, 'UTC')
             ORDER BY at
             LIMIT $2
        ), locked AS (
            -- 1. Let a deletion of the product wait; leave out a product that is being deleted.
            SELECT product_id
              FROM product_refresh
             WHERE product_id IN (SELECT product_id FROM oldest)
             ORDER BY product_id
               FOR KEY SHARE SKIP LOCKED
        ), point AS (
            -- 2. All points of the days of the oldest ones.
            SELECT product_id, at, price, day.start AS day
              FROM locked
              JOIN (SELECT DISTINCT product_id, date_trunc('day', at, 'UTC') AS start FROM oldest) AS day
                   USING (product_id)
              JOIN product_price_change USING (product_id)
             WHERE at >= day.start AND at < day.start + interval '24 hours'
        ), ranked AS (
            SELECT product_id, at, price,
                   row_number() OVER (PARTITION BY product_id, day ORDER BY at) AS from_first,
                   row_number() OVER (PARTITION BY product_id, day, price IS NULL ORDER BY at)
                   + (price IS NULL)::integer AS from_first_price, -- nothing may have been in stock before
                   row_number() OVER (PARTITION BY product_id, day ORDER BY at DESC) AS from_last,
                   row_number() OVER (PARTITION BY product_id, day, price IS NULL ORDER BY at DESC)
                   + (price IS NULL)::integer AS from_last_price, -- the last price may be before a sell-out
                   row_number() OVER (PARTITION BY product_id, day ORDER BY price NULLS LAST, at) AS from_lowest,
                   row_number() OVER (PARTITION BY product_id, day ORDER BY price DESC NULLS LAST, at) AS from_highest
              FROM point
        ), kept AS (
            -- 3. Mark those that stay.
            UPDATE product_price_change AS change
               SET thinned = true
              FROM ranked
             WHERE change.product_id = ranked.product_id
               AND change.at = ranked.at
               AND 1 IN (from_first, from_first_price, from_last, from_last_price, from_lowest, from_highest)
            RETURNING 1
        ), deleted AS (
            -- 4. Delete the others.
            DELETE FROM product_price_change AS change
             USING ranked
             WHERE change.product_id = ranked.product_id
               AND change.at = ranked.at
               AND 1 NOT IN (from_first, from_first_price, from_last, from_last_price, from_lowest, from_highest)
            RETURNING 1
        )
        SELECT (SELECT count(*) FROM kept) + (SELECT count(*) FROM deleted) AS thinned,
               (SELECT count(*) FROM deleted) AS deleted
        """,
        keep, limit,
    )  # fmt: skip
    assert row is not None
    return row["thinned"], row["deleted"]


async def delete_closed_offers(db: Executor, keep: timedelta, limit: int) -> int:
    """Delete offers that were closed longer than `keep` ago and have no price change left.

    Only the `limit` offers that were closed first are looked at: price changes are deleted in the order of their time,
    so an offer that was closed later has its own as long as an earlier one does.
    """
    return await db.fetchval(
        """
        WITH oldest AS (
            SELECT product_id, offer_id
              FROM offer
             WHERE closed_at < now() - $1::interval
             ORDER BY closed_at
             LIMIT $2
               FOR UPDATE SKIP LOCKED
        ), deleted AS (
            DELETE FROM offer
             USING oldest
             WHERE offer.product_id = oldest.product_id
               AND offer.offer_id = oldest.offer_id
               AND NOT EXISTS (SELECT
                                 FROM offer_price_change AS change
                                WHERE change.product_id = offer.product_id AND change.offer_id = offer.offer_id)
            RETURNING 1
        )
        SELECT count(*) FROM deleted
        """,
        keep, limit,
    )  # fmt: skip
