"""Decisions about tables and bookings, each in the caller's transaction, its messages written along."""

from datetime import datetime

from common.db.pool import Connection
from common.outbox.queries import enqueue
from common.web.errors import Conflict, FieldError, NotFound
from provider.dining.inputs import BookingInput, BulkInput, DecisionInput
from provider.dining.models import Booking, BulkResult, Decided, Status
from provider.dining.queries import bookings, tables

GUEST = "guest"
ACCOUNTING = "accounting"

MAIL, TEXT, FORWARD = "mail", "text", "accounting"
"""Topics of the outbox: mails and text messages to guests, orders to the accounting program."""


def no_table(table_id: int) -> NotFound:
    return NotFound(f"There is no table {table_id}.")


def no_booking(booking_id: int) -> NotFound:
    return NotFound(f"There is no booking {booking_id}.")


async def change_tables(connection: Connection, bulk: BulkInput) -> BulkResult:
    """Add and change tables. Raises NotFound, naming each table that does not exist; then nothing is to be kept."""
    changed = await tables.update_tables(connection, bulk.update)
    unknown = [
        FieldError(f"update.{number}.id", "is no table")
        for number, change in enumerate(bulk.update)
        if change.id not in changed
    ]
    if unknown:
        raise NotFound("Some tables do not exist; nothing was changed.", errors=unknown)
    added = await tables.insert_tables(connection, bulk.add)
    return BulkResult(added, [changed[change.id] for change in bulk.update])


async def order_table(connection: Connection, table_id: int, order: BookingInput, now: datetime) -> Booking:
    """Take a guest's order, which then waits for staff. Raises NotFound, Invalid, or Conflict for a closed table."""
    order.require_ahead(now)
    table = await tables.select_table_for_share(connection, table_id)
    if table is None:
        raise no_table(table_id)
    if not table.can_be_booked:
        raise Conflict("The table is closed for booking.", code="table_closed")
    booking = await bookings.insert_booking(connection, table_id, "waiting", order, table.price, GUEST)
    await tell(connection, booking, "received")
    return booking


async def set_booking(connection: Connection, table_id: int, order: BookingInput, actor: str, now: datetime) -> Booking:
    """Store a confirmed booking, also of a table that is closed for guests. Raises NotFound, Invalid, Conflict."""
    order.require_ahead(now)
    table = await tables.select_table_for_update(connection, table_id)
    if table is None:
        raise no_table(table_id)
    booking = await bookings.insert_booking(connection, table_id, "confirmed", order, table.price, actor)
    await tell(connection, booking, "confirmed")
    return booking


async def locked_booking(connection: Connection, booking_id: int) -> Booking:
    """A booking that nobody else moves until the transaction ends. Raises NotFound.

    Its table is locked first, so that of two confirmations that overlap the second waits for the first instead of both
    waiting for each other at the constraint.
    """
    found = await bookings.select_booking(connection, booking_id)
    if found is None:
        raise no_booking(booking_id)
    await tables.select_table_for_update(connection, found.table_id)
    booking = await bookings.select_booking_for_update(connection, found.table_id, booking_id)
    assert booking is not None
    return booking


async def confirm(connection: Connection, booking_id: int, actor: str) -> Booking:
    """waiting -> confirmed. Raises NotFound, or Conflict where it does not wait or would overlap."""
    return await move(connection, await locked_booking(connection, booking_id), "confirmed", actor)


async def call_off(connection: Connection, booking_id: int, actor: str) -> Booking:
    """By staff: waiting -> declined, confirmed -> cancelled. Raises NotFound, or Conflict for any other."""
    booking = await locked_booking(connection, booking_id)
    return await move(connection, booking, "cancelled" if booking.status == "confirmed" else "declined", actor)


async def cancel_by_guest(connection: Connection, booking_id: int) -> Booking:
    """waiting or confirmed -> cancelled; once more is harmless. Raises Conflict for an order that was declined."""
    booking = await locked_booking(connection, booking_id)
    if booking.status == "cancelled":
        return booking
    return await move(connection, booking, "cancelled", GUEST)


async def apply_decision(connection: Connection, decision: DecisionInput) -> Decided:
    """What the accounting program decided. Raises NotFound, or Conflict where it comes too late or would overlap.

    A decision that was applied before, whatever happened since, is no fault: its sender may not have heard our answer.
    """
    booking = await locked_booking(connection, decision.order_id)
    target: Status = "confirmed" if decision.decision == "confirm" else "declined"
    changes = await bookings.select_changes(connection, booking)
    repeated = any(change.status == target and change.changed_by.startswith(ACCOUNTING) for change in changes)
    if not repeated and booking.status != target:
        booking = await move(connection, booking, target, f"{ACCOUNTING}: {decision.decided_by}")
    return Decided(booking.id, booking.status)


async def move(connection: Connection, booking: Booking, status: Status, actor: str) -> Booking:
    """Give a locked booking its next status and tell who has to know. Raises Conflict for a step that is none."""
    moved = await bookings.update_status(connection, booking, status, actor)
    await tell(connection, moved, status)
    return moved


async def tell(connection: Connection, booking: Booking, event: str) -> None:
    """Write the messages of an event: to the guest, and to the accounting program unless it comes from there."""
    subject = f"booking:{booking.id}"
    key = {"table_id": booking.table_id, "booking_id": booking.id, "status": booking.status}
    await enqueue(connection, MAIL if booking.email else TEXT, subject, event, key)
    if not booking.changed_by.startswith(ACCOUNTING):
        await enqueue(connection, FORWARD, subject, event, key)
