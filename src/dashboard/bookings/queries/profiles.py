"""SQL of the profiles of hotels."""

from collections.abc import Collection, Sequence

from common.db.pool import Executor
from dashboard.bookings.models.figures import HotelProfile


async def select_profile(db: Executor, hotel_id: int) -> HotelProfile | None:
    """The profile of a hotel, empty for one that has events alone; None for an unknown hotel."""
    row = await db.fetchrow(
        """
        SELECT $1::bigint AS hotel_id, name, rooms, hotel_profile.timezone, coalesce(hidden, false) AS hidden
          FROM (SELECT $1::bigint AS hotel_id) AS asked
          LEFT JOIN hotel_profile USING (hotel_id)
          LEFT JOIN hotel_summary USING (hotel_id)
         WHERE hidden IS NOT NULL OR events IS NOT NULL
        """,
        hotel_id,
    )
    return HotelProfile(**row) if row else None


async def select_hidden_hotels(db: Executor, limit: int) -> list[HotelProfile]:
    """Up to `limit` hotels that are hidden, by id."""
    rows = await db.fetch(
        """
        SELECT hotel_id, name, rooms, timezone, hidden
          FROM hotel_profile
         WHERE hidden
         ORDER BY hotel_id
         LIMIT $1
        """,
        limit,
    )
    return [HotelProfile(**row) for row in rows]


async def upsert_profile(db: Executor, profile: HotelProfile) -> None:
    """Store the profile of a hotel in place of the one before. `recount_hotels` must follow."""
    await db.execute(
        """
        INSERT INTO hotel_profile (hotel_id, name, rooms, timezone, hidden)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (hotel_id) DO UPDATE
           SET name = excluded.name, rooms = excluded.rooms, timezone = excluded.timezone, hidden = excluded.hidden
        """,
        profile.hotel_id,
        profile.name,
        profile.rooms,
        profile.timezone,
        profile.hidden,
    )


async def upsert_profiles(db: Executor, profiles: Sequence[HotelProfile], given: Collection[str]) -> int:
    """Store the columns named in `given` of profiles of different hotels; returns how many profiles that changes.

    Other columns of a hotel that has a profile stay; the ledger must be locked. `recount_hotels` must follow.
    """
    rows = await db.fetch(
        """
        INSERT INTO hotel_profile AS stored (hotel_id, name, rooms, timezone, hidden)
        SELECT hotel_id,
               CASE WHEN 'name' = ANY($6::text[]) THEN new.name ELSE kept.name END,
               CASE WHEN 'rooms' = ANY($6::text[]) THEN new.rooms ELSE kept.rooms END,
               CASE WHEN 'timezone' = ANY($6::text[]) THEN new.timezone ELSE kept.timezone END,
               CASE WHEN 'hidden' = ANY($6::text[]) THEN new.hidden ELSE coalesce(kept.hidden, new.hidden) END
          FROM unnest($1::bigint[], $2::text[], $3::int[], $4::text[], $5::boolean[])
            AS new (hotel_id, name, rooms, timezone, hidden)
          LEFT JOIN (SELECT * FROM hotel_profile WHERE hotel_id = ANY($1::bigint[])) AS kept USING (hotel_id)
         ORDER BY hotel_id
        ON CONFLICT (hotel_id) DO UPDATE
           SET name = excluded.name, rooms = excluded.rooms, timezone = excluded.timezone, hidden = excluded.hidden
         WHERE (stored.name, stored.rooms, stored.timezone, stored.hidden)
               IS DISTINCT FROM (excluded.name, excluded.rooms, excluded.timezone, excluded.hidden)
        RETURNING hotel_id
        """,
        [profile.hotel_id for profile in profiles],
        [profile.name for profile in profiles],
        [profile.rooms for profile in profiles],
        [profile.timezone for profile in profiles],
        [profile.hidden for profile in profiles],
        list(given),
    )
    return len(rows)
