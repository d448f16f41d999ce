"""Changes of tables and bookings. Each runs in the caller's transaction and enqueues its messages there."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from common.db.pool import Connection
from common.web.errors import Conflict, FieldError, NotFound
from provider.dining.inputs import BookingInput, BulkInput, DecisionInput, SetBookingInput
from provider.dining.models import (
    CLOCK,
    GUEST,
    Actor,
    BookedTable,
    Booking,
    BulkResult,
    DecisionResult,
    NextStatus,
    OpeningHours,
    Table,
)
from provider.dining.notifications import enqueue_notifications
from provider.dining.order_rules import require_orderable, require_settable
from provider.dining.queries import bookings, opening_hours, tables
from provider.dining.settings import DiningSettings


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


async def replace_opening_hours(connection: Connection, hours: Sequence[OpeningHours]) -> list[OpeningHours]:
    """Replace all opening hours; returns them by day and time."""
    await opening_hours.lock_opening_hours(connection)
    await opening_hours.delete_opening_hours(connection)
    await opening_hours.insert_opening_hours(connection, hours)
    return await opening_hours.select_opening_hours(connection)


BeforeStoring = Callable[[Connection, Table], Awaitable[None]]
"""Called for an order that keeps all rules, with its table, in the transaction that is about to store it."""


async def nothing_before_storing(_: Connection, __: Table) -> None:
    """For orders that nothing limits."""


async def place_order(
    connection: Connection,
    settings: DiningSettings,
    table_id: int,
    order: BookingInput,
    now: datetime,
    before_storing: BeforeStoring,
) -> Booking:
    """Store a guest's order, which waits for a decision. The table cannot be closed until the transaction ends.

    before_storing: counts the order, or raises what its sender would not accept. Raises NotFound, Conflict when the
    table is closed, or Invalid for an order that breaks a rule of the restaurant.
    """
    order.require_future_start(now)
    table = await tables.select_table_for_share(connection, table_id)
    if table is None:
        raise unknown_table(table_id)
    if not table.can_be_booked:
        raise Conflict("The table is closed for booking.", code="table_closed")
    require_orderable(settings, await opening_hours.select_opening_hours(connection), table, order, now)
    await before_storing(connection, table)
    booking = await bookings.insert_booking(connection, table, "waiting", order, GUEST)
    await enqueue_notifications(connection, settings, BookedTable(booking, table), "received", GUEST)
    return booking


async def set_booking(
    connection: Connection,
    settings: DiningSettings,
    table_id: int,
    order: SetBookingInput,
    actor: Actor,
    now: datetime,
) -> Booking:
    """Store a confirmed booking, even of a closed table.

    Raises NotFound, Conflict when it overlaps another, or, without force, Invalid when it breaks a rule of the
    restaurant.
    """
    table = await tables.select_table_for_update(connection, table_id)
    if table is None:
        raise unknown_table(table_id)
    if not order.force:
        require_settable(settings, await opening_hours.select_opening_hours(connection), table, order, now)
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
    """Raise Conflict when a waiting order's time has passed, before it has become expired.

    The code names no status: the order still waits and can be declined.
    """
    if booking.status == "waiting" and has_ended(booking, now):
        raise Conflict("The time of the order has passed.", code="time_passed")


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


async def cancel_or_decline(
    connection: Connection, settings: DiningSettings, booking_id: int, actor: Actor, reason: str | None
) -> Booking:
    """waiting -> declined, confirmed -> cancelled. Raises NotFound, or Conflict in any other status."""
    booked = await lock_booking(connection, booking_id)
    status: NextStatus = "cancelled" if booked.booking.status == "confirmed" else "declined"
    return await change_status(connection, settings, booked, status, actor, reason)


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
        actor = Actor("accounting", decision.decided_by)
        reason = decision.reason if target == "declined" else None
        booking = await change_status(connection, settings, booked, target, actor, reason)
    return DecisionResult(booking.id, booking.status, booking.reason)


async def change_status(
    connection: Connection,
    settings: DiningSettings,
    booked: BookedTable,
    status: NextStatus,
    actor: Actor,
    reason: str | None = None,
) -> Booking:
    """Change the status of a locked booking and enqueue the notifications. Raises Conflict for a forbidden change.

    reason: what the guest is told.
    """
    changed = await bookings.update_status(connection, booked.booking, status, actor, reason)
    was_confirmed = booked.booking.status == "confirmed"
    await enqueue_notifications(
        connection, settings, BookedTable(changed, booked.table), status, actor, was_confirmed=was_confirmed
    )
    return changed
