"""SQL of the bookings. Their primary key is the table and the id; an index serves lookups by the id alone."""

from datetime import datetime, timedelta

import asyncpg

from common.db.pool import Executor
from common.web.errors import Conflict
from provider.dining.inputs import BookingInput
from provider.dining.models import Actor, Booking, BookingStatus, StatusChange, Table

OVERLAP_CONSTRAINT = "dining_booking_overlap"


def overlap_conflict() -> Conflict:
    return Conflict("The table is already confirmed for another booking at that time.", code="overlapping")


async def insert_booking(
    db: Executor, table: Table, status: BookingStatus, order: BookingInput, actor: Actor
) -> Booking:
    """Store a booking. Raises Conflict when it is confirmed and overlaps a confirmed booking."""
    try:
        row = await db.fetchrow(
            """
            INSERT INTO dining_booking
                (table_id, status, email, phone, name, guests, starts_at, minutes, price, notes, changed_by)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
            RETURNING id, table_id, status, email, phone, name, guests, starts_at, minutes, price,
                      notes, reason, created_at, changed_at, changed_by, erased_at
            """,
            table.id, status, order.email, order.phone, order.name, order.guests, order.starts_at, order.minutes,
            table.price, order.notes, str(actor),
        )  # fmt: skip
    except asyncpg.ExclusionViolationError as error:
        if error.constraint_name == OVERLAP_CONSTRAINT:
            raise overlap_conflict() from None
        raise
    assert row is not None
    return Booking(**row)


async def update_status(
    db: Executor, booking: Booking, status: BookingStatus, actor: Actor, reason: str | None
) -> Booking:
    """Change the status. Raises Conflict when the change is forbidden or would overlap a confirmed booking.

    reason: not stored for an erased guest, whom nobody tells, and whom it may quote.
    """
    try:
        row = await db.fetchrow(
            """
            UPDATE dining_booking
               SET status = $3, changed_by = $4, reason = CASE WHEN erased_at IS NULL THEN $5 END
             WHERE table_id = $1 AND id = $2
            RETURNING id, table_id, status, email, phone, name, guests, starts_at, minutes, price,
                      notes, reason, created_at, changed_at, changed_by, erased_at
            """,
            booking.table_id, booking.id, status, str(actor), reason,
        )  # fmt: skip
    except asyncpg.ExclusionViolationError as error:
        if error.constraint_name == OVERLAP_CONSTRAINT:
            raise overlap_conflict() from None
        raise
    except asyncpg.CheckViolationError as error:
        if error.constraint_name == "dining_booking_transition":
            raise Conflict(f"The booking is {booking.status}.", code=f"booking_{booking.status}") from None
        raise
    assert row is not None
    return Booking(**row)


async def lock_bookings(db: Executor) -> None:
    """Let no other transaction store a booking until this one ends."""
    await db.execute("LOCK TABLE dining_booking IN SHARE ROW EXCLUSIVE MODE")


async def has_bookings(db: Executor) -> bool:
    return await db.fetchval("SELECT EXISTS (SELECT FROM dining_booking)")


async def select_waiting_count(db: Executor) -> int:
    return await db.fetchval("SELECT count(*) FROM dining_booking WHERE status = 'waiting'")


async def select_booking(db: Executor, booking_id: int) -> Booking | None:
    row = await db.fetchrow(
        """
        SELECT id, table_id, status, email, phone, name, guests, starts_at, minutes, price,
               notes, reason, created_at, changed_at, changed_by, erased_at
          FROM dining_booking
         WHERE id = $1
        """,
        booking_id,
    )
    return Booking(**row) if row else None


async def select_booking_for_update(db: Executor, table_id: int, booking_id: int) -> Booking | None:
    """Return a booking, locked against other changes until the transaction ends."""
    row = await db.fetchrow(
        """
        SELECT id, table_id, status, email, phone, name, guests, starts_at, minutes, price,
               notes, reason, created_at, changed_at, changed_by, erased_at
          FROM dining_booking
         WHERE table_id = $1 AND id = $2
           FOR NO KEY UPDATE
        """,
        table_id, booking_id,
    )  # fmt: skip
    return Booking(**row) if row else None


async def select_ended_waiting(db: Executor, now: datetime, limit: int) -> list[int]:
    """Return the ids of up to `limit` waiting orders whose end has been reached, earliest end first."""
    rows = await db.fetch(
        """
        SELECT id
          FROM dining_booking
         WHERE status = 'waiting' AND ends_at <= $1
         ORDER BY ends_at
         LIMIT $2
        """,
        now, limit,
    )  # fmt: skip
    return [row["id"] for row in rows]


async def select_active_bookings(db: Executor, after: int, limit: int) -> list[Booking]:
    """Return up to `limit` waiting and confirmed bookings with ids above `after`, by id."""
    rows = await db.fetch(
        """
        SELECT id, table_id, status, email, phone, name, guests, starts_at, minutes, price,
               notes, reason, created_at, changed_at, changed_by, erased_at
          FROM dining_booking
         WHERE status IN ('waiting', 'confirmed') AND id > $1
         ORDER BY id
         LIMIT $2
        """,
        after, limit,
    )  # fmt: skip
    return [Booking(**row) for row in rows]


async def select_bookings(
    db: Executor,
    start: datetime | None,
    end: datetime | None,
    status: BookingStatus | None,
    after: tuple[datetime | None, int],
    limit: int,
) -> list[Booking]:
    """Return up to `limit` bookings that begin in a period, by start and id; those without a start come last.

    start, end: the period, `end` excluded; None: no bound. Only without a period are bookings without a start included.
    after: the start and the id of the booking before.
    """
    rows = await db.fetch(
        """
        SELECT id, table_id, status, email, phone, name, guests, starts_at, minutes, price,
               notes, reason, created_at, changed_at, changed_by, erased_at
          FROM dining_booking
         WHERE ($1::timestamptz IS NULL OR starts_at >= $1)
           AND ($2::timestamptz IS NULL OR starts_at < $2)
           AND ($3::text IS NULL OR status = $3)
           AND (coalesce(starts_at, 'infinity'::timestamptz), id)
               > (coalesce($4::timestamptz, 'infinity'::timestamptz), $5::bigint)
         ORDER BY coalesce(starts_at, 'infinity'::timestamptz), id
         LIMIT $6
        """,
        start, end, status, *after, limit,
    )  # fmt: skip
    return [Booking(**row) for row in rows]


async def select_status_changes(db: Executor, booking: Booking) -> list[StatusChange]:
    """Return every status that a booking has had, oldest first."""
    rows = await db.fetch(
        """
        SELECT status, changed_at, changed_by
          FROM dining_booking_status_change
         WHERE table_id = $1 AND booking_id = $2
         ORDER BY changed_at
        """,
        booking.table_id, booking.id,
    )  # fmt: skip
    return [StatusChange(**row) for row in rows]


async def insert_cancel_token(
    db: Executor, table_id: int, booking_id: int, token_hash: bytes, expires_at: datetime
) -> None:
    """Store the hash of a token that cancels a booking."""
    await db.execute(
        """
        INSERT INTO dining_cancel_token (table_id, booking_id, token_hash, expires_at)
        VALUES ($1, $2, $3, $4)
        """,
        table_id, booking_id, token_hash, expires_at,
    )  # fmt: skip


async def select_booking_by_cancel_token(db: Executor, token_hash: bytes, now: datetime) -> Booking | None:
    """Return the booking that a token cancels; None when the token is unknown or has expired."""
    row = await db.fetchrow(
        """
        SELECT booking.id, booking.table_id, status, email, phone, name, guests, starts_at, minutes, price,
               notes, reason, created_at, changed_at, changed_by, erased_at
          FROM dining_cancel_token AS token
          JOIN dining_booking AS booking ON booking.table_id = token.table_id AND booking.id = token.booking_id
         WHERE token.token_hash = $1 AND token.expires_at > $2
        """,
        token_hash, now,
    )  # fmt: skip
    return Booking(**row) if row else None


async def delete_expired_cancel_tokens(db: Executor, keep: timedelta, limit: int) -> int:
    """Delete up to `limit` cancel tokens that expired longer ago than `keep`; returns how many."""
    return await db.fetchval(
        """
        WITH deleted AS (
            DELETE FROM dining_cancel_token
             WHERE (table_id, booking_id, token_hash) IN (
                SELECT table_id, booking_id, token_hash
                  FROM dining_cancel_token
                 WHERE expires_at < now() - $1::interval
                 ORDER BY expires_at
                 LIMIT $2
             )
            RETURNING 1
        )
        SELECT count(*) FROM deleted
        """,
        keep, limit,
    )  # fmt: skip
