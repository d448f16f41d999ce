"""SQL that reads reservations: a guest's own, and those of a day for the people of the houses."""

from datetime import date
from uuid import UUID

import asyncpg

from common.db.pool import Executor
from provider.stays.models.reservations import DayStay, Reservation
from provider.stays.queries.properties import room_id_in_json

_COLUMNS = """
       reservation_id, property_id, arrival, coalesce(reserved_until, departure) - arrival,
       uuid_extract_timestamp(reservation_id), guests,
       CASE WHEN cancelled_at IS NULL AND reserved_until IS NULL THEN 'reserved' ELSE 'cancelled' END,
       CASE WHEN cancelled_at IS NOT NULL THEN 0 WHEN reserved_until IS NOT NULL THEN departure - arrival END
"""
"""A cancelled reservation has kept all nights before it was cancelled, and none if it had not begun."""

_DAY_COLUMNS = """
       stay.property_id, description, coalesce(stay.hotel_id, property.hotel_id) AS hotel_id,
       coalesce(stay.room_id, property.room_id) AS room_id, reservation_id, arrival, departure,
       departure - arrival AS nights, guests,
       CASE WHEN reserved_until IS NULL THEN 'reserved' ELSE 'cancelled' END AS status,
       uuid_extract_timestamp(reservation_id) AS reserved_at
"""


async def select_reservation(db: Executor, reservation_id: UUID, holder: UUID | None) -> Reservation | None:
    """The reservation; None when it has another holder. holder: None for the administrator."""
    row = await db.fetchrow(
        f"""
        SELECT {_COLUMNS}
          FROM reservation
         WHERE reservation_id = $1
           AND ($2::uuid IS NULL OR holder = $2)
        """,  # noqa: S608 - only the literal above
        reservation_id, holder,
    )  # fmt: skip
    return None if row is None else Reservation(*row)


async def select_reservations(db: Executor, holder: UUID | None, before: UUID, limit: int) -> list[Reservation]:
    """Up to `limit` reservations, the latest first, that were made before an id. holder: None: of all."""
    held = "$1::uuid IS NULL" if holder is None else "holder = $1"
    rows = await db.fetch(
        f"""
        SELECT {_COLUMNS}
          FROM reservation
         WHERE {held}
           AND reservation_id < $2
         ORDER BY reservation_id DESC
         LIMIT $3
        """,  # noqa: S608 - only literals
        holder, before, limit,
    )  # fmt: skip
    return [Reservation(*row) for row in rows]


async def select_arrivals(db: Executor, day: date, after: str, limit: int) -> list[DayStay]:
    """Up to `limit` stays that begin on the day, by property, after the property `after`.

    A property has one at most, since no night is sold twice.
    """
    rows = await db.fetch(
        f"""
        SELECT {_DAY_COLUMNS}
          FROM reservation AS stay
          JOIN property USING (property_id)
         WHERE arrival = $1
           AND cancelled_at IS NULL
           AND stay.property_id > $2
         ORDER BY stay.property_id
         LIMIT $3
        """,  # noqa: S608 - only the literal above
        day, after, limit,
    )  # fmt: skip
    return [_day_stay(row) for row in rows]


async def select_departures(db: Executor, day: date, after: str, limit: int) -> list[DayStay]:
    """Up to `limit` stays that end on the day, by property, after the property `after`: one of a property at most."""
    rows = await db.fetch(
        f"""
        SELECT {_DAY_COLUMNS}
          FROM reservation AS stay
          JOIN property USING (property_id)
         WHERE departure = $1
           AND cancelled_at IS NULL
           AND stay.property_id > $2
         ORDER BY stay.property_id
         LIMIT $3
        """,  # noqa: S608 - only the literal above
        day, after, limit,
    )  # fmt: skip
    return [_day_stay(row) for row in rows]


def _day_stay(row: asyncpg.Record) -> DayStay:
    return DayStay(**{**row, "room_id": room_id_in_json(row["room_id"])})
