"""Demo products for `make run`."""

import asyncpg

from common.config import Secret

PRODUCTS = [
    ("Espresso machine", "Two groups, for the bar"),
    ("Bed linen", "Cotton percale, for a double room"),
    ("Minibar", "Forty litres, silent"),
    ("Hair dryer", "Wall-mounted, for the bathroom"),
]
"""Names and descriptions."""


async def add_demo_products(url: Secret) -> None:
    """Create the demo products, unless there are products already. A job registers them with the offers service."""
    connection = await asyncpg.connect(url.reveal(), timeout=10)
    try:
        await connection.execute(
            """
            WITH created AS (
                INSERT INTO product (product_id, name, description)
                SELECT gen_random_uuid(), name, description
                  FROM unnest($1::text[], $2::text[]) AS demo (name, description)
                 WHERE NOT EXISTS (SELECT FROM product)
                RETURNING product_id
            )
            INSERT INTO product_refresh (product_id) SELECT product_id FROM created
            """,
            *zip(*PRODUCTS, strict=True),
        )
    finally:
        await connection.close()
