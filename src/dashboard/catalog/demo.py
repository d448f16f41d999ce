"""Demo products for `make run`."""

from uuid import UUID

from common.config import Secret
from common.db.pool import connect_with

PRODUCTS = [
    (UUID("0197a3b0-0000-7000-8000-00000000007c"), "Espresso machine", "Two groups, for the bar"),
    (UUID("0197a3b0-0000-7000-8000-000000000026"), "Bed linen", "Cotton percale, for a double room"),
    (UUID("0197a3b0-0000-7000-8000-0000000000cb"), "Minibar", "Forty litres, silent"),
    (UUID("0197a3b0-0000-7000-8000-00000000006f"), "Hair dryer", "Wall-mounted, for the bathroom"),
]
"""Ids, names and descriptions. The simulated offers service makes the level of a product's prices from its id: with
these ids an espresso machine costs more than a hair dryer."""


async def add_demo_products(url: Secret) -> None:
    """Create the demo products, unless there are products already. A job registers them with the offers service."""
    connection = await connect_with(url, "dashboard-demo")
    try:
        await connection.execute(
            """
            WITH created AS (
                INSERT INTO product (product_id, name, description)
                SELECT product_id, name, description
                  FROM unnest($1::uuid[], $2::text[], $3::text[]) AS demo (product_id, name, description)
                 WHERE NOT EXISTS (SELECT FROM product)
                RETURNING product_id
            )
            INSERT INTO product_refresh (product_id) SELECT product_id FROM created
            """,
            *zip(*PRODUCTS, strict=True),
        )
    finally:
        await connection.close()
