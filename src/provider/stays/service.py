"""Reserving and cancelling: the nights, and their events in the feed, in one transaction."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, timedelta
from uuid import UUID

import asyncpg

from common.db.pool import Connection, Executor, transaction
from common.limits import EARLIEST_NIGHT, LATEST_NIGHT
from common.web.errors import Conflict, Forbidden, Invalid, NotFound
from provider.hotel_rooms import BOOKING, CANCELLATION, NightEvent
from provider.stays.inputs import (
    AvailabilityQuery,
    BlockInput,
    PropertyChange,
    PropertyInput,
    ReservationChange,
    ReservationInput,
    require_sane_end,
)
from provider.stays.models import (
    AvailableProperty,
    Block,
    BookingWindow,
    CancelledStay,
    ImportedStay,
    InsertOutcome,
    LinkedStay,
    LiveStay,
    Property,
    Reservation,
)
from provider.stays.queries import blocks, properties, storefront

ALTERNATIVE_DAYS = 14
"""Alternative start dates are at most this far from the requested one."""

AppendEvents = Callable[[Connection, Sequence[NightEvent]], Awaitable[None]]
"""Appends events to the feed inside the caller's transaction; the slice of the feed provides it."""


def token_digest(token: UUID) -> UUID:
    """The digest of a token under which its reservations are stored; the database never holds the token itself."""
    return UUID(bytes=hashlib.sha256(token.bytes).digest()[:16])


async def reserve(db: asyncpg.Pool, append: AppendEvents, request: ReservationInput, holder: UUID) -> Reservation:
    """Reserve the nights. Raises Invalid for an unknown property, Conflict for nights that are taken.

    A property that is not a hotel's room takes one statement, in a transaction of its own.
    """
    outcome = await _insert_reservation(db, request, holder, rooms=False)
    if outcome is None or outcome.hotel_id is None:
        return _reservation(outcome, request)
    async with transaction(db) as connection:
        return await reserve_within(connection, append, request, holder)


async def reserve_within(
    connection: Connection, append: AppendEvents, request: ReservationInput, holder: UUID
) -> Reservation:
    """Reserve inside the caller's transaction, and append the events of a hotel's room."""
    outcome = await _insert_reservation(connection, request, holder, rooms=False)
    if outcome is not None and outcome.hotel_id is not None:
        await properties.share_room_events(connection)
        outcome = await _insert_reservation(connection, request, holder, rooms=True)
    reservation = _reservation(outcome, request)
    if outcome is not None and outcome.hotel_id is not None and outcome.room_id is not None:
        stay = LinkedStay(request.start_date, request.departure, outcome.hotel_id, outcome.room_id, outcome.occurred_at)
        await append(connection, night_events(stay, BOOKING))
    return reservation


async def _insert_reservation(
    db: Executor, request: ReservationInput, holder: UUID, *, rooms: bool
) -> InsertOutcome | None:
    try:
        return await storefront.insert_reservation(db, request, holder, rooms=rooms)
    except asyncpg.SerializationError:
        raise Conflict(
            "The property was linked to another room at the same moment; try again.", code="not_available"
        ) from None
    except asyncpg.ExclusionViolationError:  # blocked at the same moment
        raise nights_are_taken() from None


def _reservation(outcome: InsertOutcome | None, request: ReservationInput) -> Reservation:
    if outcome is None:
        raise Invalid.field("property_id", "is not a known property")
    if outcome.reservation_id is None or outcome.created_at is None:
        raise nights_are_taken()
    return Reservation(
        outcome.reservation_id, request.property_id, request.start_date, request.nights, outcome.created_at
    )


async def cancel(db: asyncpg.Pool, append: AppendEvents, reservation_id: UUID, holder: UUID) -> None:
    """Cancel a reservation and free its nights; changes nothing if it is already cancelled. Raises NotFound."""
    async with transaction(db) as connection:
        await properties.share_room_events(connection)
        property_id = await storefront.lock_reservation(connection, reservation_id, holder)
        if property_id is None:
            raise NotFound("There is no such reservation.")
        stay = await storefront.update_cancelled(connection, property_id, reservation_id)
        if stay is not None and stay.hotel_id is not None and stay.room_id is not None:
            await append(connection, night_events(stay, CANCELLATION))


async def change_nights(
    db: asyncpg.Pool,
    append: AppendEvents,
    reservation_id: UUID,
    change: ReservationChange,
    holder: UUID,
    window: BookingWindow,
) -> Reservation:
    """Move a reservation to other nights: it gives up some and takes others in one transaction, or keeps all it has.

    The feed is told of the difference alone. window: the days on which a stay may start. Raises NotFound, Invalid for a
    start outside the window, and Conflict for nights that are taken, or that were slept already.
    """
    async with transaction(db) as connection:
        await properties.share_room_events(connection)
        property_id = await storefront.lock_reservation(connection, reservation_id, holder)
        stay = property_id and await storefront.select_live_stay(connection, property_id, reservation_id)
        if not property_id or not stay:
            raise NotFound("There is no such reservation.")
        arrival = change.start_date or stay.arrival
        departure = arrival + (timedelta(days=change.nights) if change.nights else stay.departure - stay.arrival)
        _require_not_slept(stay, arrival, departure, window)
        require_sane_end(departure)
        before = set(nights_between(stay.arrival, stay.departure))
        after = set(nights_between(arrival, departure))
        taken, given_up = sorted(after - before), sorted(before - after)
        if taken and stay.hotel_id is not None and await storefront.is_booked_in_feed(connection, stay, taken):
            raise nights_are_taken()
        try:
            changed_at = await storefront.update_nights(connection, property_id, reservation_id, arrival, departure)
        except asyncpg.ExclusionViolationError:
            raise nights_are_taken() from None
        if stay.hotel_id is not None and stay.room_id is not None:
            events = [(CANCELLATION, night) for night in given_up] + [(BOOKING, night) for night in taken]
            await append(
                connection,
                [NightEvent(stay.hotel_id, changed_at, status, stay.room_id, night) for status, night in events],
            )
    return Reservation(reservation_id, property_id, arrival, (departure - arrival).days, stay.created_at)


def _require_not_slept(stay: LiveStay, arrival: date, departure: date, window: BookingWindow) -> None:
    """Raises Conflict for a change of nights that are over, and Invalid for a new start outside the window."""
    if window.first is not None and stay.arrival < window.first:
        if arrival != stay.arrival:
            raise Conflict("The stay has begun; its first night cannot change.", code="already_begun")
        if departure != stay.departure and min(departure, stay.departure) < window.first:
            raise Conflict(f"The nights before {window.first} are over.", code="already_slept")
    elif arrival != stay.arrival:
        try:
            window.require(arrival)
        except ValueError as error:
            raise Invalid.field("start_date", str(error)) from None


def nights_are_taken() -> Conflict:
    return Conflict("The property is not free for all of these nights.", code="not_available")


async def block(connection: Connection, property_id: str, new: BlockInput, holder: UUID | None) -> Block:
    """Take nights off sale, inside the caller's transaction. holder: None for the administrator.

    Raises NotFound, Forbidden for a property of another holder, Conflict when one of the nights is reserved.
    """
    await require_own_property(connection, property_id, holder)
    try:
        return await blocks.insert_block(connection, property_id, new)
    except asyncpg.ExclusionViolationError:
        raise Conflict("A guest has reserved one of these nights.", code="not_available") from None


async def require_own_property(db: Executor, property_id: str, holder: UUID | None) -> None:
    """Raises NotFound, or Forbidden for a property of another holder. holder: None for the administrator."""
    owner = await properties.select_holder(db, property_id)
    if owner is None:
        raise unknown_property(property_id)
    if holder is not None and owner != (holder,):
        raise Forbidden("The property was created with another token.", code="not_holder")


def unknown_property(property_id: str) -> NotFound:
    return NotFound(f"There is no property {property_id!r}.")


async def create_property(connection: Connection, new: PropertyInput, holder: UUID) -> Property:
    """Store a property inside the caller's transaction. Raises Conflict when its id or its room is taken."""
    if new.hotel_id is not None:
        await properties.lock_room_links(connection)
    try:
        created = await properties.insert_property(connection, new, holder)
    except asyncpg.UniqueViolationError:
        raise room_is_linked() from None
    if created is None:
        raise Conflict(f"Property {new.property_id!r} exists already.", code="property_exists")
    return created


async def change_property(
    db: asyncpg.Pool, append: AppendEvents, property_id: str, change: PropertyChange
) -> Property | None:
    """Change a property; a new room gets the events of the stays that are not in the feed. None: it does not exist.

    Raises Conflict when the room belongs to another property, or when another has sold it for a night of these stays.
    """
    async with transaction(db) as connection:
        if change.changes_link:
            await properties.lock_room_links(connection)
        await properties.lock_properties(connection, property_id)
        try:
            changed = await properties.update_property(connection, property_id, change)
            if change.changes_link and changed is not None:
                await properties.note_room_link(connection, property_id)
        except asyncpg.UniqueViolationError:
            raise room_is_linked() from None
        if change.changes_link and changed is not None and changed.hotel_id is not None:
            night = await properties.select_night_sold_by_another(connection, property_id)
            if night is not None:
                raise Conflict(f"Another property has sold this room for the night of {night}.", code="room_sold")
            stays = await properties.update_linked_stays(connection, property_id)
            await append(connection, [event for stay in stays for event in night_events(stay, BOOKING)])
    return changed


def room_is_linked() -> Conflict:
    return Conflict("The room belongs to another property; remove that link first.", code="room_linked")


def night_events(stay: LinkedStay | ImportedStay | CancelledStay, status: int) -> list[NightEvent]:
    """An event for each night of a stay in a hotel's room."""
    assert stay.hotel_id is not None
    assert stay.room_id is not None
    return [
        NightEvent(stay.hotel_id, stay.occurred_at, status, stay.room_id, night)
        for night in nights_between(stay.arrival, stay.departure)
    ]


def nights_between(arrival: date, departure: date) -> list[date]:
    """The nights from the arrival on, without the departure."""
    return [arrival + timedelta(days=i) for i in range((departure - arrival).days)]


async def find_available(
    db: asyncpg.Pool, search: AvailabilityQuery, after: str, window: BookingWindow
) -> list[AvailableProperty]:
    """The properties that can be reserved, after the id `after`, up to one more than the page holds.

    Raises NotFound with alternatives when there is none. window: the days on which a reservation may start.
    """
    found = []
    if search.start_date in window:
        found = await storefront.select_available(db, search.start_date, search.nights, after, search.limit + 1)
    if not found and not after:
        days = nearest_days(search.start_date, window)
        alternatives = await storefront.select_available_start_dates(db, days, search.nights)
        raise NotFound(
            "No property is free for all of these nights.",
            code="no_availability",
            extra={"alternatives": alternatives},
        )
    return found


def nearest_days(day: date, window: BookingWindow) -> list[date]:
    """The days of the window up to ALTERNATIVE_DAYS before and after, nearest first, later before earlier."""
    offsets = sorted((o for o in range(-ALTERNATIVE_DAYS, ALTERNATIVE_DAYS + 1) if o), key=lambda o: (abs(o), -o))
    days = (day + timedelta(days=offset) for offset in offsets)
    return [each for each in days if each in window and EARLIEST_NIGHT <= each <= LATEST_NIGHT]
