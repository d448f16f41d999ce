"""Changes of tables and bookings. Each runs in the caller's transaction and enqueues its messages there."""

from datetime import datetime
from typing import NamedTuple

from common.db.pool import Connection
from common.outbox.queries import enqueue
from common.web.errors import Conflict, FieldError, NotFound
from provider.dining.inputs import BookingInput, BulkInput, DecisionInput
from provider.dining.mail.content import mail_content
from provider.dining.models import (
    CLOCK,
    GUEST,
    Actor,
    Booking,
    BulkResult,
    DecisionResult,
    Event,
    NextStatus,
    Table,
    TableOrder,
)
from provider.dining.queries import bookings, tables
from provider.dining.settings import DiningSettings
from provider.dining.sms import text_message

MAIL_TOPIC, SMS_TOPIC, ACCOUNTING_TOPIC = "mail", "text", "accounting"
"""Topics of the outbox: emails and text messages to guests, orders to the accounting program."""


class BookedTable(NamedTuple):
    """A booking and its table, both locked until the transaction ends."""

    booking: Booking
    table: Table


def unknown_table(table_id: int) -> NotFound:
    return NotFound(f"There is no table {table_id}.")


def unknown_booking(booking_id: int) -> NotFound:
    return NotFound(f"There is no booking {booking_id}.")


async def change_tables(connection: Connection, bulk: BulkInput) -> BulkResult:
    """Add and change tables. Raises NotFound naming every unknown table; the caller must then roll back."""
    changed = await tables.update_tables(connection, bulk.update)
    unknown = [
        FieldError(f"update.{number}.id", "does not exist")
        for number, change in enumerate(bulk.update)
        if change.id not in changed
    ]
    if unknown:
        raise NotFound("Some tables do not exist; nothing was changed.", errors=unknown)
    added = await tables.insert_tables(connection, bulk.add)
    return BulkResult(added, [changed[change.id] for change in bulk.update])


async def book_table(connection: Connection, settings: DiningSettings, table_id: int, order: BookingInput) -> Booking:
    """Store a guest's order, which waits for a decision. Raises NotFound, or Conflict when the table is closed."""
    table = await tables.select_table_for_share(connection, table_id)
    if table is None:
        raise unknown_table(table_id)
    if not table.can_be_booked:
        raise Conflict("The table is closed for booking.", code="table_closed")
    booking = await bookings.insert_booking(connection, table, "waiting", order, GUEST)
    await enqueue_notifications(connection, settings, BookedTable(booking, table), "received", GUEST)
    return booking


async def set_booking(
    connection: Connection, settings: DiningSettings, table_id: int, order: BookingInput, actor: Actor
) -> Booking:
    """Store a confirmed booking, even of a closed table. Raises NotFound, or Conflict when it overlaps another."""
    table = await tables.select_table_for_update(connection, table_id)
    if table is None:
        raise unknown_table(table_id)
    booking = await bookings.insert_booking(connection, table, "confirmed", order, actor)
    await enqueue_notifications(connection, settings, BookedTable(booking, table), "confirmed", actor)
    return booking


async def lock_booking(connection: Connection, booking_id: int) -> BookedTable:
    """Lock a booking and its table until the transaction ends. Raises NotFound.

    The table is locked first: of two overlapping confirmations the second then waits for the first, instead of both
    deadlocking at the exclusion constraint.
    """
    found = await bookings.select_booking(connection, booking_id)
    if found is None:
        raise unknown_booking(booking_id)
    table = await tables.select_table_for_update(connection, found.table_id)
    booking = await bookings.select_booking_for_update(connection, found.table_id, booking_id)
    assert booking is not None
    assert table is not None
    return BookedTable(booking, table)


async def confirm_booking(
    connection: Connection, settings: DiningSettings, booking_id: int, actor: Actor, now: datetime
) -> Booking:
    """waiting -> confirmed. Raises NotFound, or Conflict when it is not waiting, has ended, or overlaps another."""
    booked = await lock_booking(connection, booking_id)
    require_not_ended(booked.booking, now)
    return await change_status(connection, settings, booked, "confirmed", actor)


def require_not_ended(booking: Booking, now: datetime) -> None:
    """Raise Conflict when a waiting order's time has passed, whether or not the order has expired already."""
    if booking.status == "waiting" and has_ended(booking, now):
        raise Conflict("The time of the order has passed.", code="booking_expired")


def has_ended(booking: Booking, now: datetime) -> bool:
    """Return whether the time of a booking has passed; that of an order for the next visit never does."""
    return booking.ends_at is not None and booking.ends_at <= now


async def expire_booking(
    connection: Connection, settings: DiningSettings, booking_id: int, now: datetime
) -> Booking | None:
    """waiting -> expired, when the end has been reached; None when somebody decided on it meanwhile."""
    booked = await lock_booking(connection, booking_id)
    if booked.booking.status != "waiting" or not has_ended(booked.booking, now):
        return None
    return await change_status(connection, settings, booked, "expired", CLOCK)


async def cancel_or_decline(connection: Connection, settings: DiningSettings, booking_id: int, actor: Actor) -> Booking:
    """waiting -> declined, confirmed -> cancelled. Raises NotFound, or Conflict in any other status."""
    booked = await lock_booking(connection, booking_id)
    status: NextStatus = "cancelled" if booked.booking.status == "confirmed" else "declined"
    return await change_status(connection, settings, booked, status, actor)


async def cancel_by_guest(connection: Connection, settings: DiningSettings, booking_id: int) -> Booking:
    """waiting or confirmed -> cancelled; repeating it changes nothing. Raises Conflict when the order was declined."""
    booked = await lock_booking(connection, booking_id)
    if booked.booking.status == "cancelled":
        return booked.booking
    return await change_status(connection, settings, booked, "cancelled", GUEST)


async def apply_decision(
    connection: Connection, settings: DiningSettings, decision: DecisionInput, now: datetime
) -> DecisionResult:
    """Apply a decision of the accounting program. Raises NotFound, or Conflict when it is too late or overlaps.

    A decision that was already applied succeeds in any status: its sender may have missed our response.
    """
    booked = await lock_booking(connection, decision.order_id)
    booking = booked.booking
    target: NextStatus = "confirmed" if decision.decision == "confirm" else "declined"
    changes = await bookings.select_status_changes(connection, booking)
    repeated = any(change.status == target and change.by_accounting for change in changes)
    if not repeated and booking.status != target:
        if target == "confirmed":
            require_not_ended(booking, now)
        booking = await change_status(connection, settings, booked, target, Actor("accounting", decision.decided_by))
    return DecisionResult(booking.id, booking.status)


async def change_status(
    connection: Connection, settings: DiningSettings, booked: BookedTable, status: NextStatus, actor: Actor
) -> Booking:
    """Change the status of a locked booking and enqueue the notifications. Raises Conflict for a forbidden change."""
    changed = await bookings.update_status(connection, booked.booking, status, actor)
    await enqueue_notifications(connection, settings, BookedTable(changed, booked.table), status, actor)
    return changed


async def enqueue_notifications(
    connection: Connection, settings: DiningSettings, booked: BookedTable, event: Event, actor: Actor
) -> None:
    """Enqueue the whole messages about an event: to the guest, and to the accounting program unless it is the actor.

    An erased guest gets none.
    """
    order = table_order(booked, settings)
    subject = subject_of(order.id)
    if order.email is not None:
        mail = mail_content(order, event, booked.booking.changed_at, settings)
        await enqueue(connection, MAIL_TOPIC, subject, event, mail)
    elif order.phone is not None:
        await enqueue(connection, SMS_TOPIC, subject, event, text_message(order, event))
    if actor.kind != "accounting":
        await enqueue(connection, ACCOUNTING_TOPIC, subject, event, order)


def subject_of(booking_id: int) -> str:
    """Return the subject of the messages about a booking."""
    return f"booking:{booking_id}"


def table_order(booked: BookedTable, settings: DiningSettings) -> TableOrder:
    """Return a booking as the accounting program receives it."""
    booking, table = booked
    return TableOrder(
        id=booking.id,
        status=booking.status,
        callback_url=settings.decisions_url,
        table_id=table.id,
        table_type=table.table_type,
        seats=table.seats,
        price=booking.price,
        name=booking.name,
        email=booking.email,
        phone=booking.phone,
        guests=booking.guests,
        starts_at=booking.starts_at,
        minutes=booking.minutes,
        ordered_at=booking.created_at,
        erased=booking.erased_at is not None,
    )
