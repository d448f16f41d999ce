"""SQL of the storefront's requests.

A new stay is possible if one free stretch of its property has all its nights. The database keeps the free stretches in
the transaction of whatever changes them, so every statement reads the same rule from the same rows.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from common.db.pool import Connection, Executor
from provider.stays.inputs.reservations import ReservationInput
from provider.stays.models.properties import Alternative, AvailableProperty, Calendar, CalendarNight
from provider.stays.models.reservations import CancelledStay, InsertOutcome, LiveStay
from provider.stays.queries.properties import lock_properties


async def select_available(
    db: Executor,
    arrival: date,
    nights: int,
    after: str,
    limit: int,
    *,
    guests: int = 1,
    refused_zones: Sequence[str] | None = None,
) -> list[AvailableProperty]:
    """Up to `limit` properties that are free for the nights and guests, by id, after the id `after`.

    refused_zones: the time zones whose properties are left out, an empty name being that of the properties without one
    of their own; None for none, as the cheapest.
    """
    rows = await db.fetch(
        """
        SELECT available_id, description
          FROM available_properties(daterange($1::date, $1::date + $2::integer), $3, $4, $5, $6)
         ORDER BY available_id COLLATE "C"
        """,
        arrival, nights, guests, refused_zones, after, limit,
    )  # fmt: skip
    return [AvailableProperty(*row) for row in rows]


async def select_available_in_hotel(
    db: Executor,
    hotel_id: int,
    arrival: date,
    nights: int,
    after: str,
    limit: int,
    *,
    guests: int = 1,
    refused_zones: Sequence[str] | None = None,
) -> list[AvailableProperty]:
    """Up to `limit` rooms of a hotel that are free. `select_available` has the other arguments."""
    rows = await db.fetch(
        """
        SELECT available_id, description
          FROM available_in_hotel($1, daterange($2::date, $2::date + $3::integer), $4, $5, $6, $7)
         ORDER BY available_id COLLATE "C"
        """,
        hotel_id, arrival, nights, guests, refused_zones, after, limit,
    )  # fmt: skip
    return [AvailableProperty(*row) for row in rows]


async def select_available_start_dates(
    db: Executor, days: Sequence[date], nights: int, *, guests: int = 1, refused_zones: Sequence[str] | None = None
) -> list[Alternative]:
    """The days among `days`, in their order, on which a stay of `nights` nights can begin, and in how many properties.

    Of these at most 100 are counted for each day. `select_available` has the other arguments.
    """
    rows = await db.fetch(
        """
        SELECT start_date, free_properties, has_more FROM available_start_dates($1, $2, $3, $4)
        """,
        days, nights, guests, refused_zones,
    )  # fmt: skip
    return [Alternative(*row) for row in rows]


async def select_available_start_dates_in_hotel(
    db: Executor,
    hotel_id: int,
    days: Sequence[date],
    nights: int,
    *,
    guests: int = 1,
    refused_zones: Sequence[str] | None = None,
) -> list[Alternative]:
    """The days among `days` on which a stay can begin in a hotel, and in how many of its rooms.

    `select_available_start_dates` has the other arguments.
    """
    rows = await db.fetch(
        """
        SELECT start_date, free_properties, has_more FROM available_start_dates_in_hotel($1, $2, $3, $4, $5)
        """,
        hotel_id, days, nights, guests, refused_zones,
    )  # fmt: skip
    return [Alternative(*row) for row in rows]


async def select_time_zones(db: Executor) -> list[str]:
    """The time zones that properties have, or had."""
    rows = await db.fetch("SELECT timezone FROM property_time_zone ORDER BY timezone")
    return [row["timezone"] for row in rows]


async def insert_reservation(
    db: Executor, request: ReservationInput, holder: UUID, *, rooms: bool
) -> InsertOutcome | None:
    """Reserve the nights; None when the property does not exist.

    rooms: reserve also a hotel's room, whose events the same transaction must append. Raises SerializationError when
    the property was linked to another room at the same moment, ExclusionViolationError when the nights were blocked,
    CheckViolationError when it was taken off sale, ForeignKeyViolationError when it was deleted.
    """
    row = await db.fetchrow(
        """
        SELECT new_id, created_at, room_hotel_id, room, occurred_at, is_on_sale, fewest_nights, most_guests
          FROM reserve_nights($1, $2::date, $2::date + $3::integer, $4, $5, $6)
        """,
        request.property_id, request.start_date, request.nights, holder, request.guests, rooms,
    )  # fmt: skip
    return None if row is None else InsertOutcome(*row)


async def lock_reservation(connection: Connection, reservation_id: UUID, holder: UUID | None) -> str | None:
    """Lock the reservation's property until the transaction ends and return its id; None without such a reservation.

    holder: who made the reservation; None for the administrator, who may change any.
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
           AND ($2::uuid IS NULL OR holder = $2)
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
        SELECT arrival, departure, stay.hotel_id, stay.room_id, uuid_extract_timestamp(reservation_id), guests,
               timezone, min_nights, max_guests
          FROM reservation AS stay
          JOIN property USING (property_id)
         WHERE stay.property_id = $1
           AND reservation_id = $2
           AND cancelled_at IS NULL
           AND reserved_until IS NULL
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

    Raises ExclusionViolationError when a night is taken or blocked, or within a turnover, and CheckViolationError when
    the property is no longer on sale.
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


async def update_cut_short(
    connection: Connection, property_id: str, reservation_id: UUID, today: date
) -> CancelledStay | None:
    """Cancel what is left of a reservation from today on; None if it is already cancelled.

    The nights before today stay sold. The caller has locked the property, and knows that the stay has begun.
    """
    row = await connection.fetchrow(
        """
        UPDATE reservation
           SET departure = $3, reserved_until = departure
         WHERE property_id = $1
           AND reservation_id = $2
           AND cancelled_at IS NULL
           AND reserved_until IS NULL
        RETURNING reserved_until, hotel_id, room_id
        """,
        property_id, reservation_id, today,
    )  # fmt: skip
    if row is None:
        return None
    occurred_at = await connection.fetchval("SELECT clock_timestamp()")
    return CancelledStay(today, row["reserved_until"], row["hotel_id"], row["room_id"], occurred_at)


async def update_cancelled(connection: Connection, property_id: str, reservation_id: UUID) -> CancelledStay | None:
    """Cancel all nights of the reservation; None if it is already cancelled. The caller has locked the property."""
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


async def update_nights_given_up(
    connection: Connection, hotel_id: int, room_id: str, nights: Sequence[date]
) -> list[date]:
    """Give up nights of a hotel's room that a stay had; returns those of which the feed must get a cancellation.

    The feed has the others as cancelled already, by events that others sent. The caller has locked the property.
    """
    rows = await connection.fetch(
        """
        SELECT night FROM give_up_nights($1, $2, $3) AS night ORDER BY night
        """,
        hotel_id, room_id, nights,
    )  # fmt: skip
    return [row["night"] for row in rows]


async def select_calendar(db: Executor, property_id: str, first: date, until: date) -> Calendar | None:
    """The nights from `first` to `until` (exclusive); None when the property does not exist."""
    rows = await db.fetch("SELECT night, status FROM calendar_nights($1, $2, $3)", property_id, first, until)
    return Calendar(property_id, first, until, [CalendarNight(*row) for row in rows]) if rows else None
