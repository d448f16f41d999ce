"""Tables for the demo of `make run`."""

from common.config import Secret
from common.db.demo_data import adding_demo_data

TABLES = [
    ("regular", 2, 15),
    ("regular", 4, 25),
    ("cabin", 4, 40),
    ("cabin", 6, 55),
    ("room", 12, 120),
    ("regular", 2, 15),
    ("regular", 2, 15),
    ("regular", 4, 25),
    ("regular", 6, 35),
    ("cabin", 2, 30),
]
"""Type, seats, price."""


async def add_demo_tables(url: Secret) -> None:
    """Insert the demo's tables, unless there are tables already."""
    async with adding_demo_data(url, "provider-demo") as connection:
        await connection.execute(
            """
            INSERT INTO dining_table (table_type, seats, price, can_be_booked)
            SELECT *, true FROM unnest($1::text[], $2::integer[], $3::numeric[])
             WHERE NOT EXISTS (SELECT FROM dining_table)
            """,
            *zip(*TABLES, strict=True),
        )
