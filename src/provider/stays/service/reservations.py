"""Reserving, changing and cancelling: the nights, and their events in the feed, in one transaction."""

from collections.abc import Sequence
from datetime import date, timedelta
from uuid import UUID

import asyncpg

from common.db.pool import Connection, Executor, transaction
from common.web.errors import Conflict, FieldError, Invalid, NotFound
from provider.hotel_rooms import BOOKING, CANCELLATION, NightEvent
from provider.stays.inputs.fields import require_sane_end
from provider.stays.inputs.reservations import ReservationChange, ReservationInput, require_start
from provider.stays.models.clock import Clock
from provider.stays.models.reservations import InsertOutcome, LinkedStay, LiveStay, Reservation
from provider.stays.queries import properties, storefront
from provider.stays.service.feed_events import AppendEvents, events_of, night_events, nights_between
from provider.stays.service.rights import unknown_property_field


async def reserve(
    db: asyncpg.Pool, append: AppendEvents, request: ReservationInput, holder: UUID, clock: Clock
) -> Reservation:
    """Reserve the nights. Raises Invalid for an unknown property and for nights or guests that it does not sell.

    Raises Conflict for nights that are taken, and for a property that is not on sale. A property that is not a hotel's
    room takes one statement, in a transaction of its own.
    """
    await _require_start(db, request, clock)
    outcome = await _insert_reservation(db, request, holder, rooms=False)
    if outcome is None or outcome.hotel_id is None:
        return _reservation(outcome, request)
    async with transaction(db) as connection:
        return await _reserve_within(connection, append, request, holder)


async def reserve_within(
    connection: Connection, append: AppendEvents, request: ReservationInput, holder: UUID, clock: Clock
) -> Reservation:
    """Reserve inside the caller's transaction, and append the events of a hotel's room. Raises as `reserve`."""
    await _require_start(connection, request, clock)
    return await _reserve_within(connection, append, request, holder)


async def _reserve_within(
    connection: Connection, append: AppendEvents, request: ReservationInput, holder: UUID
) -> Reservation:
    outcome = await _insert_reservation(connection, request, holder, rooms=False)
    if outcome is not None and outcome.hotel_id is not None:
        await properties.share_room_events(connection)
        outcome = await _insert_reservation(connection, request, holder, rooms=True)
    reservation = _reservation(outcome, request)
    if outcome is not None and outcome.hotel_id is not None and outcome.room_id is not None:
        stay = LinkedStay(request.start_date, request.departure, outcome.hotel_id, outcome.room_id, outcome.occurred_at)
        await append(connection, night_events(stay, BOOKING))
    return reservation


async def _require_start(db: Executor, request: ReservationInput, clock: Clock) -> None:
    """Raises Invalid for a start outside the days on which a stay may start at the property.

    The time zone of the property matters on few days, and is read on those alone.
    """
    if request.start_date in clock.everywhere:
        return
    zone = await properties.select_time_zone(db, request.property_id)
    if zone is None:
        raise unknown_property_field()
    request.require_within(clock.window(*zone))


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
    except asyncpg.CheckViolationError as error:  # taken off sale at the same moment
        _require_off_sale(error)
        raise not_on_sale() from None
    except asyncpg.ForeignKeyViolationError:  # deleted at the same moment
        raise unknown_property_field() from None


def _reservation(outcome: InsertOutcome | None, request: ReservationInput) -> Reservation:
    if outcome is None:
        raise unknown_property_field()
    if outcome.reservation_id is None or outcome.created_at is None:
        _require_accepted(request.nights, request.guests, min_nights=outcome.min_nights, max_guests=outcome.max_guests)
        raise nights_are_taken() if outcome.is_on_sale else not_on_sale()
    return Reservation(
        reservation_id=outcome.reservation_id,
        property_id=request.property_id,
        start_date=request.start_date,
        nights=request.nights,
        created_at=outcome.created_at,
        guests=request.guests,
        status="reserved",
        nights_kept=None,
    )


def _require_accepted(nights: int, guests: int | None, *, min_nights: int, max_guests: int | None) -> None:
    """Raises Invalid for fewer nights or more guests than a property takes."""
    faults = []
    if nights < min_nights:
        faults.append(FieldError("nights", f"must be at least {min_nights} at this property"))
    if max_guests is not None and guests is not None and guests > max_guests:
        faults.append(FieldError("guests", f"must be at most {max_guests} at this property"))
    if faults:
        raise Invalid("The request is not valid.", errors=faults)


async def cancel(
    db: asyncpg.Pool, append: AppendEvents, reservation_id: UUID, holder: UUID | None, clock: Clock
) -> None:
    """Cancel a reservation: nights before today, at the property, stay sold, and the others are free.

    Changes nothing if it is already cancelled. The feed is not told of nights that others have cancelled there. holder:
    None for the administrator. Raises NotFound, and Conflict when all of its nights are over.
    """
    async with transaction(db) as connection:
        property_id, stay = await _lock_live_stay(connection, reservation_id, holder)
        if stay is None:
            return
        today = clock.today(stay.timezone)
        if stay.departure <= today:
            raise Conflict("All nights of the stay are over.", code="already_slept")
        if stay.arrival < today:
            freed = await storefront.update_cut_short(connection, property_id, reservation_id, today)
        else:
            freed = await storefront.update_cancelled(connection, property_id, reservation_id)
        if freed is not None and freed.hotel_id is not None and freed.room_id is not None:
            nights = nights_between(freed.arrival, freed.departure)
            cancelled = await storefront.update_nights_given_up(connection, freed.hotel_id, freed.room_id, nights)
            await append(connection, events_of(freed, CANCELLATION, cancelled))


async def _lock_live_stay(
    connection: Connection, reservation_id: UUID, holder: UUID | None
) -> tuple[str, LiveStay | None]:
    """Lock a reservation; returns its property, and the stay unless it is cancelled. Raises NotFound."""
    await properties.share_room_events(connection)
    property_id = await storefront.lock_reservation(connection, reservation_id, holder)
    if property_id is None:
        raise no_such_reservation()
    return property_id, await storefront.select_live_stay(connection, property_id, reservation_id)


async def change_nights(
    db: asyncpg.Pool,
    append: AppendEvents,
    reservation_id: UUID,
    change: ReservationChange,
    holder: UUID | None,
    clock: Clock,
) -> Reservation:
    """Move a reservation to other nights: it gives up some and takes others in one transaction, or keeps all it has.

    The feed is told of the difference alone. holder: None for the administrator. Raises NotFound, Invalid for a start
    or a number of nights that the property does not sell, and, if a night is taken, for more guests than it takes by
    now; Conflict for nights that are taken, or that were slept already, and for a cancelled reservation.
    """
    async with transaction(db) as connection:
        property_id, stay = await _lock_live_stay(connection, reservation_id, holder)
        if stay is None:
            raise Conflict("The reservation was cancelled; make another.", code="cancelled")
        arrival = change.start_date or stay.arrival
        departure = arrival + (timedelta(days=change.nights) if change.nights else stay.departure - stay.arrival)
        before = set(nights_between(stay.arrival, stay.departure))
        after = set(nights_between(arrival, departure))
        taken, given_up = sorted(after - before), sorted(before - after)
        _require_not_slept(stay, arrival, taken, given_up, clock)
        require_sane_end(departure)
        if taken or given_up:  # a stay that only becomes shorter keeps the guests for which it was sold
            most = stay.max_guests if taken else None
            _require_accepted(len(after), stay.guests, min_nights=stay.min_nights, max_guests=most)
        if taken and stay.hotel_id is not None and await storefront.is_booked_in_feed(connection, stay, taken):
            raise nights_are_taken()
        try:
            changed_at = await storefront.update_nights(connection, property_id, reservation_id, arrival, departure)
        except asyncpg.ExclusionViolationError:
            raise nights_are_taken() from None
        except asyncpg.CheckViolationError as error:
            _require_off_sale(error)
            raise not_on_sale() from None
        if stay.hotel_id is not None and stay.room_id is not None:
            cancelled = await storefront.update_nights_given_up(connection, stay.hotel_id, stay.room_id, given_up)
            events = [(CANCELLATION, night) for night in cancelled] + [(BOOKING, night) for night in taken]
            await append(
                connection,
                [NightEvent(stay.hotel_id, changed_at, status, stay.room_id, night) for status, night in events],
            )
    return Reservation(
        reservation_id=reservation_id,
        property_id=property_id,
        start_date=arrival,
        nights=len(after),
        created_at=stay.created_at,
        guests=stay.guests,
        status="reserved",
        nights_kept=None,
    )


def _require_not_slept(
    stay: LiveStay, arrival: date, taken: Sequence[date], given_up: Sequence[date], clock: Clock
) -> None:
    """Raises Conflict for a change of nights that are over, and Invalid for a new start outside the window.

    A stay that is over cannot become longer either, unless stays may start in the past.
    """
    today = clock.today(stay.timezone)
    if arrival != stay.arrival:
        if stay.arrival < today and not clock.past:
            raise Conflict("The stay has begun; its first night cannot change.", code="already_begun")
        require_start(arrival, clock.window(stay.timezone))
    if (given_up and given_up[0] < today) or (taken and taken[0] < today and not clock.past):
        raise Conflict(f"The nights before {today} are over.", code="already_slept")


def _require_off_sale(error: asyncpg.CheckViolationError) -> None:
    """Raises the error again unless it is that of a property off sale; a cluster does not name the constraint."""
    if not str(error).endswith("is not on sale"):
        raise error


def nights_are_taken() -> Conflict:
    return Conflict("The property is not free for all of these nights.", code="not_available")


def not_on_sale() -> Conflict:
    return Conflict("The property is not on sale.", code="not_on_sale")


def no_such_reservation() -> NotFound:
    return NotFound("There is no such reservation.")
