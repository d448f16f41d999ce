"""SQL of the storefront's requests.

A new stay is possible if one free stretch of its property has all its nights. The database keeps the free stretches in
the transaction of whatever changes them, so every statement reads the same rule from the same rows.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from common.db.pool import Connection, Executor
from provider.stays.inputs import ReservationInput
from provider.stays.models import (
    AvailableProperty,
    Calendar,
    CalendarNight,
    CancelledStay,
    InsertOutcome,
    LiveStay,
    Reservation,
)
from provider.stays.queries.properties import lock_properties


async def select_available(db: Executor, arrival: date, nights: int, after: str, limit: int) -> list[AvailableProperty]:
    """Up to `limit` properties that are free for the nights, by id, after the id `after`."""
    rows = await db.fetch(
        """
        SELECT available_id, description
          FROM available_properties(daterange($1::date, $1::date + $2::integer), $3, $4)
         ORDER BY available_id COLLATE "C"
        """,
        arrival, nights, after, limit,
    )  # fmt: skip
    return [AvailableProperty(*row) for row in rows]


async def select_available_start_dates(db: Executor, days: Sequence[date], nights: int) -> list[date]:
    """The days among `days`, in their order, on which a stay of `nights` nights can begin in some property."""
    rows = await db.fetch("SELECT available_start_dates($1, $2) AS day", days, nights)
    return [row["day"] for row in rows]


async def insert_reservation(
    db: Executor, request: ReservationInput, holder: UUID, *, rooms: bool
) -> InsertOutcome | None:
    """Reserve the nights; None when the property does not exist.

    rooms: reserve also a hotel's room, whose events the same transaction must append. Raises SerializationError when
    the property was linked to another room at the same moment, ExclusionViolationError when the nights were blocked.
    """
    row = await db.fetchrow(
        """
        SELECT new_id, created_at, room_hotel_id, room, occurred_at
          FROM reserve_nights($1, $2::date, $2::date + $3::integer, $4, $5)
        """,
        request.property_id, request.start_date, request.nights, holder, rooms,
    )  # fmt: skip
    return None if row is None else InsertOutcome(*row)


async def select_reservation(db: Executor, reservation_id: UUID, holder: UUID) -> Reservation | None:
    """The reservation; None when it is cancelled or has another holder."""
    row = await db.fetchrow(
        """
        SELECT reservation_id, property_id, arrival, departure - arrival, uuid_extract_timestamp(reservation_id)
          FROM reservation
         WHERE reservation_id = $1
           AND holder = $2
           AND cancelled_at IS NULL
        """,
        reservation_id, holder,
    )  # fmt: skip
    return None if row is None else Reservation(*row)


async def lock_reservation(connection: Connection, reservation_id: UUID, holder: UUID) -> str | None:
    """Lock the reservation's property until the transaction ends and return its id; None without such a reservation.

    Call this before changing the row: every transaction locks the property first, then its rows. If the room of the
    stay is linked to another property by now, that is locked too, since it sells the same nights: the caller has called
    `share_room_events`, so the link remains.
    """
    row = await connection.fetchrow(
        """
        SELECT stay.property_id, linked_room.property_id
          FROM reservation AS stay
          LEFT JOIN linked_room
            ON linked_room.hotel_id = stay.hotel_id
           AND room_key = lower(stay.room_id COLLATE "C")
         WHERE reservation_id = $1
           AND holder = $2
        """,
        reservation_id, holder,
    )  # fmt: skip
    if row is None:
        return None
    await lock_properties(connection, *{property_id for property_id in row if property_id is not None})
    return row[0]


async def select_live_stay(connection: Connection, property_id: str, reservation_id: UUID) -> LiveStay | None:
    """The nights of a reservation; None if it is cancelled. The caller has locked the property."""
    row = await connection.fetchrow(
        """
        SELECT arrival, departure, hotel_id, room_id, uuid_extract_timestamp(reservation_id)
          FROM reservation
         WHERE property_id = $1
           AND reservation_id = $2
           AND cancelled_at IS NULL
        """,
        property_id, reservation_id,
    )  # fmt: skip
    return None if row is None else LiveStay(*row)


async def is_booked_in_feed(connection: Connection, stay: LiveStay, nights: Sequence[date]) -> bool:
    """Whether the feed has one of the nights as booked in the room of a stay."""
    return await connection.fetchval(
        """
        SELECT EXISTS (
            SELECT 1 FROM nights_booked_in_feed($1, $2, $3, $4) WHERE night = ANY($5::date[])
        )
        """,
        stay.hotel_id, stay.room_id, min(nights), max(nights) + timedelta(days=1), nights,
    )  # fmt: skip


async def update_nights(
    connection: Connection, property_id: str, reservation_id: UUID, arrival: date, departure: date
) -> datetime:
    """Move a reservation; returns the time of the change. The caller has locked the property.

    Raises ExclusionViolationError when a night is taken or blocked, or within a turnover.
    """
    await connection.execute(
        """
        UPDATE reservation
           SET arrival = $3, departure = $4
         WHERE property_id = $1
           AND reservation_id = $2
        """,
        property_id, reservation_id, arrival, departure,
    )  # fmt: skip
    return await connection.fetchval("SELECT clock_timestamp()")


async def update_cancelled(connection: Connection, property_id: str, reservation_id: UUID) -> CancelledStay | None:
    """Cancel the reservation; None if it is already cancelled. The caller has locked the property."""
    row = await connection.fetchrow(
        """
        UPDATE reservation
           SET cancelled_at = statement_timestamp()
         WHERE property_id = $1
           AND reservation_id = $2
           AND cancelled_at IS NULL
        RETURNING arrival, departure, hotel_id, room_id, cancelled_at
        """,
        property_id, reservation_id,
    )  # fmt: skip
    return None if row is None else CancelledStay(*row)


async def select_calendar(db: Executor, property_id: str, first: date, until: date) -> Calendar | None:
    """The nights from `first` to `until` (exclusive); None when the property does not exist."""
    rows = await db.fetch("SELECT night, status FROM calendar_nights($1, $2, $3)", property_id, first, until)
    return Calendar(property_id, first, until, [CalendarNight(*row) for row in rows]) if rows else None
