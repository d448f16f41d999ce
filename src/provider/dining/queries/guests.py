"""SQL of the erasure of guests: bookings stay, and the name, email address, phone number and notes in them go."""

from datetime import datetime
from typing import NamedTuple

from common.db.pool import Executor
from provider.dining.models import Booking, Table


class ErasedGuest(NamedTuple):
    """A booking whose guest was just erased, and the addresses that stood in it."""

    booking_id: int
    email: str | None
    phone: str | None


async def update_guests_erased(db: Executor, email: str | None, phone: str | None, now: datetime) -> list[ErasedGuest]:
    """Erase the guest of every booking with this email address, in any case, or this phone number.

    Waits for changes of these bookings, and locks them in the order of their ids, so that two calls cannot deadlock.
    """
    rows = await db.fetch(
        """
        WITH guest AS (
            SELECT table_id, id
              FROM dining_booking
             WHERE lower(email) = lower($1) OR phone = $2
             ORDER BY id
               FOR NO KEY UPDATE
        )
        UPDATE dining_booking AS booking
           SET email = NULL, phone = NULL, name = NULL, notes = NULL, reason = NULL, erased_at = $3
          FROM guest
         WHERE booking.table_id = guest.table_id AND booking.id = guest.id
        RETURNING booking.id AS booking_id, old.email, old.phone
        """,
        email, phone, now,
    )  # fmt: skip
    return [ErasedGuest(**row) for row in rows]


async def update_old_guests_erased(db: Executor, before: datetime, now: datetime, limit: int) -> list[ErasedGuest]:
    """Erase the guests of up to `limit` bookings that ended and last changed before a time.

    Leaves out bookings that are being changed.
    """
    rows = await db.fetch(
        """
        WITH guest AS (
            SELECT table_id, id
              FROM dining_booking
             WHERE erased_at IS NULL AND greatest(ends_at, changed_at) < $1
             ORDER BY greatest(ends_at, changed_at)
             LIMIT $3
               FOR NO KEY UPDATE SKIP LOCKED
        )
        UPDATE dining_booking AS booking
           SET email = NULL, phone = NULL, name = NULL, notes = NULL, reason = NULL, erased_at = $2
          FROM guest
         WHERE booking.table_id = guest.table_id AND booking.id = guest.id
        RETURNING booking.id AS booking_id, old.email, old.phone
        """,
        before, now, limit,
    )  # fmt: skip
    return [ErasedGuest(**row) for row in rows]


async def select_booked_tables(db: Executor, booking_ids: list[int]) -> list[tuple[Booking, Table]]:
    """Return bookings, each with its table, by id."""
    rows = await db.fetch(
        """
        SELECT booking.id, booking.table_id, status, email, phone, name, guests, starts_at, minutes, booking.price,
               notes, reason, booking.created_at, changed_at, changed_by, erased_at,
               table_type, seats, dining_table.price AS table_price, can_be_booked
          FROM dining_booking AS booking
          JOIN dining_table ON dining_table.table_id = booking.table_id
         WHERE booking.id = ANY($1)
         ORDER BY booking.id
        """,
        booking_ids,
    )
    booked = []
    for row in rows:
        fields = dict(row)
        table = Table(
            id=fields["table_id"],
            table_type=fields.pop("table_type"),
            seats=fields.pop("seats"),
            price=fields.pop("table_price"),
            can_be_booked=fields.pop("can_be_booked"),
        )
        booked.append((Booking(**fields), table))
    return booked
