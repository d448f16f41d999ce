"""Reserving and cancelling: the nights, and their events in the feed, in one transaction."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, timedelta
from uuid import UUID

import asyncpg

from common.db.pool import Connection, transaction
from common.web.errors import Conflict, Invalid, NotFound
from provider.hotel_rooms import BOOKING, CANCELLATION, NightEvent
from provider.stays.inputs import FIRST_DAY, LAST_DAY, AvailabilityQuery, ReservationInput
from provider.stays.models import AvailableProperty, InsertOutcome, Reservation
from provider.stays.queries import storefront

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
    outcome = await storefront.insert_reservation(db, request, holder, rooms=False)
    if outcome is None or outcome.hotel_id is None:
        return _reservation(outcome, request)
    async with transaction(db) as connection:
        return await reserve_within(connection, append, request, holder)


async def reserve_within(
    connection: Connection, append: AppendEvents, request: ReservationInput, holder: UUID
) -> Reservation:
    """Reserve inside the caller's transaction, and append the events of a hotel's room."""
    outcome = await storefront.insert_reservation(connection, request, holder, rooms=True)
    reservation = _reservation(outcome, request)
    if outcome is not None and outcome.hotel_id is not None and outcome.room_id is not None:
        await append(
            connection,
            [
                NightEvent(outcome.hotel_id, outcome.occurred_at, BOOKING, outcome.room_id, night)
                for night in nights_between(request.start_date, request.departure)
            ],
        )
    return reservation


def _reservation(outcome: InsertOutcome | None, request: ReservationInput) -> Reservation:
    if outcome is None:
        raise Invalid.field("property_id", "is not a known property")
    if outcome.reservation_id is None or outcome.created_at is None:
        raise Conflict("The property is not free for all of these nights.", code="not_available")
    return Reservation(
        outcome.reservation_id, request.property_id, request.start_date, request.nights, outcome.created_at
    )


async def cancel(db: asyncpg.Pool, append: AppendEvents, reservation_id: UUID, holder: UUID) -> None:
    """Cancel a reservation and free its nights; changes nothing if it is already cancelled. Raises NotFound."""
    async with transaction(db) as connection:
        property_id = await storefront.lock_reservation(connection, reservation_id, holder)
        if property_id is None:
            raise NotFound("There is no such reservation.")
        stay = await storefront.update_cancelled(connection, property_id, reservation_id)
        if stay is not None and stay.hotel_id is not None and stay.room_id is not None:
            await append(
                connection,
                [
                    NightEvent(stay.hotel_id, stay.occurred_at, CANCELLATION, stay.room_id, night)
                    for night in nights_between(stay.arrival, stay.departure)
                ],
            )


def nights_between(arrival: date, departure: date) -> list[date]:
    """The nights from the arrival on, without the departure."""
    return [arrival + timedelta(days=i) for i in range((departure - arrival).days)]


async def find_available(
    db: asyncpg.Pool, search: AvailabilityQuery, after: str, first_day: date | None
) -> list[AvailableProperty]:
    """The free properties after the id `after`, up to one more than the page holds.

    Raises NotFound with alternatives when no property is free. first_day: no alternative is earlier.
    """
    found = await storefront.select_available(db, search.start_date, search.nights, after, search.limit + 1)
    if not found and not after:
        days = nearest_days(search.start_date, first_day)
        alternatives = await storefront.select_available_start_dates(db, days, search.nights)
        raise NotFound(
            "No property is free for all of these nights.",
            code="no_availability",
            extra={"alternatives": alternatives},
        )
    return found


def nearest_days(day: date, first: date | None) -> list[date]:
    """The days up to ALTERNATIVE_DAYS before and after, nearest first, later before earlier; none before `first`."""
    offsets = sorted((o for o in range(-ALTERNATIVE_DAYS, ALTERNATIVE_DAYS + 1) if o), key=lambda o: (abs(o), -o))
    lowest = (first or FIRST_DAY).toordinal()
    ordinals = (day.toordinal() + offset for offset in offsets)
    return [date.fromordinal(n) for n in ordinals if lowest <= n <= LAST_DAY.toordinal()]
