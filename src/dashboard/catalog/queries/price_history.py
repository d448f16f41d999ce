"""SQL of the price history: the lowest price in stock of a product, with the times in which nothing was in stock.

A price is valid until the next change. In a gap no refresh succeeded, and no price is known: it counts for no figure.
The price of the last answer before a gap was seen, if only for a moment, so it can be the lowest or the highest.
"""

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from common.db.pool import Executor
from dashboard.catalog.models import (
    Interval,
    Period,
    PriceBucket,
    PriceExtreme,
    PriceFigures,
    PriceGap,
    PriceStep,
)
from dashboard.catalog.queries.trends import CHANGES_OF_PERIOD, INTERVAL_SECONDS, SOME_MONDAY

MAX_GAPS = 1000


class ShownSteps(NamedTuple):
    """Steps that a chart can draw. total: how many the period has; of more than are here, each part has only some."""

    steps: list[PriceStep]
    total: int

    @property
    def is_thinned(self) -> bool:
        return self.total > len(self.steps)


class ShownGaps(NamedTuple):
    """Gaps that a chart can draw, in order, and how many are too short for it, of which the longest."""

    gaps: list[PriceGap]
    hidden: int
    longest_hidden: timedelta | None


_PIECES = """
    WITH refresh AS (
        -- 1. How far the prices are known: up to $3, unless the last refresh is longer ago than a gap.
        SELECT CASE WHEN last_success < $4::timestamptz - $5::interval THEN least($3::timestamptz, last_success) ELSE $3
               END AS known_until
          FROM product_refresh
         WHERE product_id = $1
    ), gap AS (
        SELECT since, until FROM product_price_gap WHERE product_id = $1 AND until > $2 AND since < $3
    ), event AS (
        -- 2. What is known from when on: a price, none in a gap, and a price again at its end. At the start of a gap,
        --    the price of the answer comes first.
        SELECT greatest(at, $2::timestamptz) AS at, price, 1 AS place
          FROM product_price_change
         WHERE product_id = $1
           AND at >= coalesce((SELECT max(at) FROM product_price_change WHERE product_id = $1 AND at <= $2), $2)
           AND at < $3
           AND (at >= $2 OR NOT EXISTS (SELECT FROM gap WHERE since < $2))
         UNION ALL
        SELECT until,
               (SELECT price FROM product_price_change WHERE product_id = $1 AND at <= until ORDER BY at DESC LIMIT 1),
               1
          FROM gap
         WHERE until < $3
         UNION ALL
        SELECT greatest(since, $2), NULL, 2 FROM gap
    ), piece AS (
        -- 3. The prices that were seen, from when until when; for no time if they were answered only before a gap.
        SELECT price, since, until
          FROM (SELECT price, place, at AS since, lead(at, 1, known_until) OVER (ORDER BY at, place) AS until
                  FROM event
                 CROSS JOIN refresh) AS held
         WHERE place = 1 AND since <= until
    )
"""
"""The known prices of product $1 from $2 to $3, at $4; no refresh for longer than $5 is a gap."""


async def select_price_figures(
    db: Executor, product_id: UUID, start: datetime, end: datetime, now: datetime, gap: timedelta
) -> PriceFigures | None:
    """The figures of a period; None for an unknown product. gap: the shortest one."""
    row = await db.fetchrow(
        _PIECES  # noqa: S608 - the statement is made of constants alone; values go in as arguments
        + """
        , known AS (
            SELECT price, since, extract(epoch FROM until - since)::float8 AS seconds FROM piece
        ), figures AS (
            SELECT min(price) AS lowest, max(price) AS highest,
                   sum(price * seconds) AS weighted,
                   coalesce(sum(seconds) FILTER (WHERE price IS NOT NULL), 0) AS seconds_in_stock,
                   coalesce(sum(seconds), 0) AS known_seconds
              FROM known
        )
        SELECT known_since,
               EXISTS (SELECT FROM product_refresh WHERE product_id = $1) AS exists,
               lowest, (SELECT min(since) FROM known WHERE price = lowest) AS lowest_at,
               highest, (SELECT min(since) FROM known WHERE price = highest) AS highest_at,
               -- Rounding must not move the mean beyond the lowest or the highest price.
               CASE WHEN seconds_in_stock > 0 THEN least(highest, greatest(lowest, weighted / seconds_in_stock)) END
               AS mean,
               seconds_in_stock / nullif(known_seconds, 0) AS in_stock_share,
               known_seconds,
               greatest(extract(epoch FROM $3 - greatest($2, known_since))::float8 - known_seconds, 0)
               AS unknown_seconds
          FROM figures
         CROSS JOIN (SELECT min(at) AS known_since FROM product_price_change WHERE product_id = $1) AS first
        """,
        product_id, start, end, now, gap,
    )  # fmt: skip
    assert row is not None
    if not row["exists"]:
        return None
    lowest = highest = None
    if row["lowest"] is not None:
        lowest = PriceExtreme(row["lowest"], row["lowest_at"])
        highest = PriceExtreme(row["highest"], row["highest_at"])
    return PriceFigures(
        row["known_since"],
        lowest,
        highest,
        row["mean"],
        row["in_stock_share"],
        row["known_seconds"],
        row["unknown_seconds"],
    )


async def select_steps(
    db: Executor, product_id: UUID, period: Period, after: datetime | None, limit: int
) -> list[PriceStep]:
    """The lowest price in stock: the one valid at the start, then every change, in order; None = nothing in stock.

    after: the last step of the page before.
    """
    rows = await db.fetch(
        f"{CHANGES_OF_PERIOD} ORDER BY product_price_change.at LIMIT $5",
        product_id, period.start, period.end, after, limit,
    )  # fmt: skip
    return [PriceStep(**row) for row in rows]


async def select_shown_steps(db: Executor, product_id: UUID, start: datetime, end: datetime, parts: int) -> ShownSteps:
    """The steps of a period that a chart can draw: all of them, or three for each of `parts` equal parts.

    Of more than three times as many steps, those stay that begin the lowest, the highest and the last price of a part.
    """
    rows = await db.fetch(
        f"""
        WITH change AS MATERIALIZED (
            SELECT at, price, date_bin($5::interval, at, $2) AS part FROM ({CHANGES_OF_PERIOD}) AS found
        ), part AS (
            SELECT part, max(at) AS last, min(price) AS lowest, max(price) AS highest FROM change GROUP BY part
        ), kept AS (
            SELECT min(at) AS at FROM change
            UNION ALL
            SELECT last FROM part
            UNION ALL
            SELECT min(at) FROM change JOIN part USING (part) WHERE price = lowest GROUP BY part
            UNION ALL
            SELECT min(at) FROM change JOIN part USING (part) WHERE price = highest GROUP BY part
        )
        SELECT at, price, total
          FROM change
         CROSS JOIN (SELECT count(*) AS total FROM change) AS counted
         WHERE total <= 3 * $6 OR at IN (SELECT at FROM kept)
         ORDER BY at
        """,  # noqa: S608 - made of constant text alone, no input
        product_id, start, end, None, (end - start) / parts, parts,
    )  # fmt: skip
    return ShownSteps([PriceStep(row["at"], row["price"]) for row in rows], rows[0]["total"] if rows else 0)


async def select_last_steps(db: Executor, product_id: UUID, limit: int) -> list[PriceStep]:
    """The last changes of the lowest price in stock, the newest first."""
    rows = await db.fetch(
        "SELECT at, price FROM product_price_change WHERE product_id = $1 ORDER BY at DESC LIMIT $2",
        product_id, limit,
    )  # fmt: skip
    return [PriceStep(**row) for row in rows]


async def select_buckets(
    db: Executor,
    product_id: UUID,
    start: datetime,
    end: datetime,
    now: datetime,
    gap: timedelta,
    interval: Interval,
) -> list[PriceBucket]:
    """The figures of each hour, day or week from `start`, the first moment of one, to `end`.

    Each is there, without figures where no price is known; none is while no price of the product was ever known.
    """
    rows = await db.fetch(
        _PIECES  # noqa: S608 - the statement is made of constants alone; values go in as arguments
        + """
        , cut AS (
            -- 4. The pieces, cut at the ends of the buckets.
            SELECT bucket, price, greatest(since, bucket) AS since,
                   extract(epoch FROM least(until, bucket + $6::interval) - greatest(since, bucket))::float8 AS seconds
              FROM piece
             CROSS JOIN LATERAL generate_series(date_bin($6::interval, since, $7::timestamptz),
                                                greatest(since, until - interval '1 microsecond'),
                                                $6::interval) AS bucket
        ), bucket AS (
            -- 5. All buckets, unless no price was ever known.
            SELECT generate_series($2::timestamptz, $3::timestamptz - interval '1 microsecond', $6::interval) AS bucket
             WHERE EXISTS (SELECT FROM product_price_change WHERE product_id = $1)
        )
        SELECT bucket AS at, min(price) AS min, max(price) AS max,
               CASE WHEN sum(seconds) FILTER (WHERE price IS NOT NULL) > 0
                    THEN least(max(price), greatest(min(price),
                               sum(price * seconds) / sum(seconds) FILTER (WHERE price IS NOT NULL)))
               END AS mean,
               (array_agg(price ORDER BY since DESC))[1] AS last,
               CASE WHEN sum(seconds) > 0
                    THEN coalesce(sum(seconds) FILTER (WHERE price IS NOT NULL), 0) / sum(seconds)
               END AS in_stock_share
          FROM bucket
          LEFT JOIN cut USING (bucket)
         GROUP BY bucket
         ORDER BY bucket
        """,
        product_id, start, end, now, gap, timedelta(seconds=INTERVAL_SECONDS[interval]), SOME_MONDAY,
    )  # fmt: skip
    return [PriceBucket(**row) for row in rows]


_GAPS = """
        SELECT since, until
          FROM product_price_gap
         WHERE product_id = $1 AND until > $2 AND since < $3
         UNION ALL
        SELECT last_success, NULL
          FROM product_refresh
         WHERE product_id = $1 AND last_success < $4::timestamptz - $5::interval AND last_success < $3
"""
"""The gaps of product $1 from $2 to $3, at $4, of more than $5; the one that is not over has no end."""


async def select_gaps(
    db: Executor, product_id: UUID, start: datetime, end: datetime, now: datetime, gap: timedelta
) -> list[PriceGap]:
    """The gaps that overlap a period, in order; the last may not be over. gap: the shortest one."""
    rows = await db.fetch(
        f"{_GAPS} ORDER BY since LIMIT $6",
        product_id, start, end, now, gap, MAX_GAPS,
    )  # fmt: skip
    return [PriceGap(*row) for row in rows]


async def select_shown_gaps(
    db: Executor, product_id: UUID, start: datetime, end: datetime, now: datetime, gap: timedelta, shortest: timedelta
) -> ShownGaps:
    """The gaps that overlap a period and are at least as long as the `shortest` that is shown. gap: the shortest one.

    So they are few, however many gaps there are.
    """
    row = await db.fetchrow(
        f"""
        SELECT array_agg(since ORDER BY since) FILTER (WHERE length >= $6) AS starts,
               array_agg(until ORDER BY since) FILTER (WHERE length >= $6) AS ends,
               count(*) FILTER (WHERE length < $6) AS hidden,
               max(length) FILTER (WHERE length < $6) AS longest_hidden
          FROM (SELECT since, until, coalesce(until, $3) - since AS length FROM ({_GAPS}) AS gap) AS measured
        """,  # noqa: S608 - made of constant text alone, no input
        product_id, start, end, now, gap, shortest,
    )  # fmt: skip
    assert row is not None
    gaps = [PriceGap(*ends) for ends in zip(row["starts"] or (), row["ends"] or (), strict=True)]
    return ShownGaps(gaps, row["hidden"], row["longest_hidden"])
