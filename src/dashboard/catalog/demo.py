"""Demo products for `make run`: twelve with fixed ids, and the prices of 120 days before the first start.

The simulated offers service makes the level of a product's prices from its id. The past ends at that level, so that the
prices go on where it ends.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from common.config import Secret
from common.db.copy import await_copy
from common.db.demo_data import adding_demo_data
from common.db.pool import Connection

FIRST_ID = UUID("0197a3b0-0000-7000-8000-000000000000").int
DAYS = 120
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
CHANGES_A_DAY = (3, 6)
NOISE = 0.025
"""Largest relative change of a price within a day or so."""
SAME_PRICE_DAYS = 1.0
"""Before its end the past moves to the level of the offers service within this time."""
OUTAGE = (timedelta(days=41, hours=7), timedelta(hours=26))
"""How long ago the offers service could not be asked, and for how long."""


@dataclass(frozen=True)
class DemoProduct:
    """A product of the demo. number: the last digits of its id.

    level: the price around which its best offer moves at the offers service, in minor units. swing: by how much of the
    level the price moved slowly up and down. before: the level until SAME_PRICE_DAYS ago, as a multiple of that of now.
    sold_out: days ago and hours of the times without an offer in stock.
    """

    number: int
    name: str
    description: str
    level: int
    swing: float = 0.1
    before: float = 1.0
    sold_out: Sequence[tuple[float, float]] = ()

    @property
    def product_id(self) -> UUID:
        return UUID(int=FIRST_ID + self.number)


PRODUCTS = (
    DemoProduct(0x164, "Espresso machine", "Two groups, for the bar", 309_600, swing=0.07),
    DemoProduct(0x1FF, "Bed linen", "Cotton percale, for a double room", 3_870, sold_out=((77, 20), (18, 9))),
    DemoProduct(0x0EE, "Minibar", "Forty litres, silent", 15_000, swing=0.12),
    DemoProduct(0x189, "Hair dryer", "Wall-mounted, for the bathroom", 2_580, sold_out=((52, 60),)),
    DemoProduct(0x14B, "Bath towels", "White, 500 g/m², 70 × 140 cm", 990, swing=0.03, before=1.24),
    DemoProduct(0x038, "Mattress topper", "180 × 200 cm, washable", 7_950),
    DemoProduct(0x1D9, "Desk lamp", "Brass, dimmable", 3_240, swing=0.13, sold_out=((96, 12), (63, 30), (9, 16))),
    DemoProduct(0x044, "Luggage rack", "Beech, folds flat", 5_210, swing=0.05),
    DemoProduct(0x059, "Room safe", "For a laptop, with a master code", 12_800, before=0.87),
    DemoProduct(0x0BF, "Wine glasses", "Box of six", 1_930, swing=0.06, sold_out=((34, 150),)),
    DemoProduct(0x30A, "Dishwasher", "Under the counter, for glasses", 223_400, swing=0.08),
    DemoProduct(0x195, "Vacuum cleaner", "Quiet, for corridors by day", 29_100, sold_out=((5, 22),)),
)


async def add_demo_products(url: Secret) -> None:
    """Create the demo products with their past, unless there are products. A job registers them."""
    async with adding_demo_data(url, "dashboard-demo") as connection:
        now = datetime.now(UTC)
        if await _insert_products(connection, now):
            await _copy_past(connection, now)


def past_prices(product: DemoProduct, now: datetime) -> Iterator[tuple[datetime, int | None]]:
    """The changes of the best price of the past, in order; None while nothing was in stock."""
    rng = random.Random(str(product.product_id))
    phase, length = rng.uniform(0, 2 * math.pi), rng.uniform(60, 110)
    ages = [
        day + (number + rng.random()) / count
        for day in range(DAYS)
        for count in [rng.randint(*CHANGES_A_DAY)]
        for number in range(count)
    ]
    gaps = [(now - ago * DAY, now - ago * DAY + hours * HOUR) for ago, hours in product.sold_out]
    outage = (now - OUTAGE[0], now - OUTAGE[0] + OUTAGE[1])
    changes: dict[datetime, int | None] = {}
    for age in sorted(ages, reverse=True):
        at, slow = now - age * DAY, math.sin(2 * math.pi * age / length + phase) - math.sin(phase)
        story = 1 + (product.before - 1) * min(1.0, age / SAME_PRICE_DAYS)
        level = product.level * story * (1 + product.swing * slow) * (1 + rng.uniform(-NOISE, NOISE))
        if not any(start <= at <= end for start, end in (*gaps, outage)):
            changes[at] = _rounded(level)
    for start, end in gaps:
        after = next(price for at, price in sorted(changes.items()) if at > end)
        changes |= {start: None, end: after}
    last: int | None = -1
    for at, price in sorted(changes.items()):
        if price != last:
            yield at, price
        last = price


def _rounded(price: float) -> int:
    """A price as shops write it: to 5 in minor units, or to 90 of them from a hundred on."""
    return round(price / 100) * 100 - 10 if price >= 10_000 else round(price / 5) * 5


async def _insert_products(connection: Connection, now: datetime) -> bool:
    """Insert the products; False if there are products already."""
    return await connection.fetchval(
        """
        WITH created AS (
            INSERT INTO product (product_id, name, description, created_at)
            SELECT product_id, name, description, $4
              FROM unnest($1::uuid[], $2::text[], $3::text[]) AS demo (product_id, name, description)
             WHERE NOT EXISTS (SELECT FROM product)
            RETURNING product_id
        ), refresh AS (
            INSERT INTO product_refresh (product_id, attempted_at, last_success)
            SELECT product_id, $5, $5 FROM created
            RETURNING 1
        )
        SELECT count(*) > 0 FROM refresh
        """,
        [product.product_id for product in PRODUCTS],
        [product.name for product in PRODUCTS],
        [product.description for product in PRODUCTS],
        now - DAYS * DAY,
        now,
    )


async def _copy_past(connection: Connection, now: datetime) -> None:
    """Store the past: of each product, one offer that was the best one all the time."""
    records = [(product.product_id, at, price) for product in PRODUCTS for at, price in past_prices(product, now)]
    columns = ("product_id", "at", "price")
    await await_copy(
        connection, connection.copy_records_to_table("product_price_change", records=records, columns=columns)
    )
    await connection.execute(
        """
        WITH change AS (
            SELECT product_id, at, coalesce(price, lag(price) OVER newer) AS price,
                   CASE WHEN price IS NULL THEN 0 ELSE 20 END AS items_in_stock,
                   lead(at) OVER newer IS NULL AS is_last, first_value(at) OVER newer AS first_seen
              FROM product_price_change
            WINDOW newer AS (PARTITION BY product_id ORDER BY at)
        ), created AS (
            INSERT INTO offer (product_id, offer_id, numeric_id, price, items_in_stock, first_seen, changed_at)
            SELECT product_id, 'past', false, price, items_in_stock, first_seen, at
              FROM change
             WHERE is_last
        )
        INSERT INTO offer_price_change (product_id, offer_id, at, price, items_in_stock)
        SELECT product_id, 'past', at, price, items_in_stock FROM change
        """
    )
    await connection.execute(
        "INSERT INTO product_price_gap (product_id, since, until) SELECT product_id, $1, $2 FROM product_refresh",
        now - OUTAGE[0],
        now - OUTAGE[0] + OUTAGE[1],
    )
    await connection.execute(
        """
        UPDATE product_refresh
           SET best_price = (SELECT price
                               FROM product_price_change AS change
                              WHERE change.product_id = product_refresh.product_id
                              ORDER BY at DESC
                              LIMIT 1),
               week_price = (SELECT price
                               FROM product_price_change AS change
                              WHERE change.product_id = product_refresh.product_id
                                AND at <= $1::timestamptz - interval '7 days'
                              ORDER BY at DESC
                              LIMIT 1)
        """,
        now,
    )
