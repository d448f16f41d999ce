"""Reserving and cancelling: the nights, and what the feed hears of them, in one transaction."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import asyncpg

from common.db.pool import Connection, Executor, transaction
from common.web.errors import Conflict, Invalid, NotFound
from provider.stays.models import (
    FIRST_DAY,
    LAST_DAY,
    AvailabilityQuery,
    AvailableProperty,
    InsertOutcome,
    Reservation,
    ReservationInput,
)
from provider.stays.queries import storefront

BOOKING: Literal[1] = 1
CANCELLATION: Literal[2] = 2
"""The feed's statuses."""

MAX_DAYS_APART = 14


@dataclass(frozen=True)
class EventFeed:
    """The door to the booking events, put together where the slices are.

    event: makes one of id, hotel_id, event_timestamp, status, room_id, night_of_stay. new_ids: ids that nobody has.
    insert: stores events inside the caller's transaction and returns, by id, those that were new.
    """

    event: Callable[..., Any]
    new_ids: Callable[[Executor, int], Awaitable[list[int]]]
    insert: Callable[[Executor, Sequence[Any]], Awaitable[dict[int, str]]]

    async def append(
        self,
        connection: Connection,
        status: Literal[1, 2],
        room: tuple[int, str],
        arrival: date,
        departure: date,
        at: datetime,
    ) -> None:
        """One event for each night, inside the caller's transaction. room: hotel and room as the feed knows them."""
        hotel_id, room_id = room
        nights = [arrival + timedelta(days=i) for i in range((departure - arrival).days)]
        while nights:
            ids = await self.new_ids(connection, len(nights))
            events = dict(zip(ids, nights, strict=True))
            stored = await self.insert(
                connection,
                [self.event(number, hotel_id, at, status, room_id, night) for number, night in events.items()],
            )
            # An importer may have brought an id out of the server's own region: those nights try again.
            nights = [night for number, night in events.items() if number not in stored]


def token_digest(token: UUID) -> UUID:
    """What is kept of a token: a digest of it, so that the database gives nobody another's token."""
    return UUID(bytes=hashlib.sha256(token.bytes).digest()[:16])


async def reserve(db: asyncpg.Pool, feed: EventFeed, wanted: ReservationInput, holder: UUID) -> Reservation:
    """Reserve the nights. Raises Invalid for an unknown property, Conflict for nights that are taken.

    One statement for a property that is nobody's room: its commit is the statement's own.
    """
    attempt = await storefront.insert_reservation(
        db, wanted.property_id, wanted.start_date, wanted.nights, holder, rooms=False
    )
    if attempt is None or attempt.hotel_id is None:
        return _outcome(attempt, wanted)
    async with transaction(db) as connection:
        return await reserve_within(connection, feed, wanted, holder)


async def reserve_within(
    connection: Connection, feed: EventFeed, wanted: ReservationInput, holder: UUID
) -> Reservation:
    """The same inside the caller's transaction, which also holds the events of a hotel's room."""
    attempt = await storefront.insert_reservation(
        connection, wanted.property_id, wanted.start_date, wanted.nights, holder, rooms=True
    )
    reservation = _outcome(attempt, wanted)
    if attempt is not None and attempt.hotel_id is not None and attempt.room_id is not None:
        departure = wanted.start_date + timedelta(days=wanted.nights)
        room = (attempt.hotel_id, attempt.room_id)
        await feed.append(connection, BOOKING, room, wanted.start_date, departure, attempt.at)
    return reservation


def _outcome(attempt: InsertOutcome | None, wanted: ReservationInput) -> Reservation:
    if attempt is None:
        raise Invalid.field("property_id", "names no property")
    if attempt.reservation_id is None or attempt.created_at is None:
        raise Conflict("The property is not free for all of these nights.", code="not_available")
    return Reservation(attempt.reservation_id, wanted.property_id, wanted.start_date, wanted.nights, attempt.created_at)


async def cancel(db: asyncpg.Pool, feed: EventFeed, reservation_id: UUID, holder: UUID) -> None:
    """Free the nights; nothing happens to a reservation that was cancelled before. Raises NotFound."""
    async with transaction(db) as connection:
        property_id = await storefront.lock_reservation(connection, reservation_id, holder)
        if property_id is None:
            raise NotFound("There is no such reservation of yours.")
        held = await storefront.update_cancelled(connection, property_id, reservation_id)
        if held is not None and held.hotel_id is not None and held.room_id is not None:
            room = (held.hotel_id, held.room_id)
            await feed.append(connection, CANCELLATION, room, held.arrival, held.departure, held.at)


async def find_available(
    db: asyncpg.Pool, search: AvailabilityQuery, after: str, first_day: date | None
) -> list[AvailableProperty]:
    """What is free, and one more than the page holds if there is one.

    Raises NotFound with alternatives when nothing is free at all. first_day: no alternative is earlier.
    """
    found = await storefront.select_available(db, search.start_date, search.nights, after, search.limit + 1)
    if not found and not after:
        days = nearest_days(search.start_date, first_day)
        alternatives = await storefront.select_available_start_dates(db, days, search.nights)
        raise NotFound(
            "Nothing is free for all of these nights.", code="no_availability", extra={"alternatives": alternatives}
        )
    return found


def nearest_days(day: date, first: date | None) -> list[date]:
    """The days within two weeks either way, nearest first, the later of two first; none before `first`."""
    offsets = sorted((o for o in range(-MAX_DAYS_APART, MAX_DAYS_APART + 1) if o), key=lambda o: (abs(o), -o))
    lowest = (first or FIRST_DAY).toordinal()
    ordinals = (day.toordinal() + offset for offset in offsets)
    return [date.fromordinal(n) for n in ordinals if lowest <= n <= LAST_DAY.toordinal()]
