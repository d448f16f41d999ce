"""The profiles of the demo's hotels."""

import asyncpg

from common.config import Secret
from dashboard.bookings.demo import NAMES, add_demo_profiles
from dashboard.bookings.inputs import parse_hotel_name
from dashboard.bookings.models.figures import HotelProfile
from dashboard.bookings.queries.profiles import select_profile, upsert_profile


async def profiles(db: asyncpg.Pool) -> dict[int, tuple[str | None, int | None]]:
    rows = await db.fetch("SELECT hotel_id, name, rooms FROM hotel_profile ORDER BY hotel_id")
    return {row["hotel_id"]: (row["name"], row["rooms"]) for row in rows}


async def test_the_demos_hotels_get_names_and_as_many_rooms_as_are_simulated(
    dashboard_db: asyncpg.Pool, dashboard_url: Secret
) -> None:
    for _ in range(2):
        await add_demo_profiles(dashboard_url, 9, 25)

    assert await profiles(dashboard_db) == {
        **{number: (name, 25) for number, name in enumerate(NAMES, start=1)},
        9: (None, 25),
    }
    assert all(parse_hotel_name(name) == name for name in NAMES)


async def test_a_profile_that_exists_is_kept(dashboard_db: asyncpg.Pool, dashboard_url: Secret) -> None:
    own = HotelProfile(2, "My House", None, None, hidden=True)
    await upsert_profile(dashboard_db, own)

    await add_demo_profiles(dashboard_url, 3, 60)

    assert await select_profile(dashboard_db, 2) == own
    assert set(await profiles(dashboard_db)) == {1, 2, 3}


async def test_without_simulated_hotels_no_hotel_gets_a_profile(
    dashboard_db: asyncpg.Pool, dashboard_url: Secret
) -> None:
    await add_demo_profiles(dashboard_url, 0, 60)

    assert await profiles(dashboard_db) == {}
