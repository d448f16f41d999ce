"""A handful of products for `make run`, so that there are prices to watch."""

import asyncpg

from common.config import Secret

PRODUCTS = [
    ("Espresso machine", "Two groups, for the bar"),
    ("Bed linen", "Cotton percale, for a double room"),
    ("Minibar", "Forty litres, without a sound"),
    ("Hair dryer", "For the wall of a bathroom"),
]
"""Name, description."""


async def add_demo_products(url: Secret) -> None:
    """Create them, once: not where there is any product already. The job registers them with the offers service."""
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
