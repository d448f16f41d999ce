"""Profiles of the simulated hotels of `make run`."""

from common.config import Secret
from common.db.pool import connect_with

NAMES = (
    "Harbour House",
    "Corn Exchange Hotel",
    "Saltmarsh Lodge",
    "Station Square Hotel",
    "Pine Ridge Lodge",
    "Foundry Court",
    "Lakeside Manor",
    "Lantern Street Hotel",
)
"""Of hotels 1 to 8: those with odd ids are simulated as resorts, those with even ids as city hotels."""


async def add_demo_profiles(url: Secret, hotels: int, rooms: int) -> None:
    """Give hotels 1 to `hotels`, of `rooms` rooms each, a profile where they have none; only the first have names."""
    connection = await connect_with(url, "dashboard-demo")
    try:
        await connection.execute(
            """
            INSERT INTO hotel_profile (hotel_id, name, rooms, hidden)
            SELECT hotel_id, ($3::text[])[hotel_id], $2, false
              FROM generate_series(1, $1) AS hotel_id
            ON CONFLICT (hotel_id) DO NOTHING
            """,
            hotels,
            rooms,
            NAMES,
        )
    finally:
        await connection.close()
