"""Reservations, and what storing, changing and importing them results in."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

import msgspec


class Reservation(msgspec.Struct, frozen=True):
    """Nights of a property, reserved by a guest."""

    reservation_id: UUID
    """Id of the reservation."""
    property_id: str
    """Id of the property."""
    start_date: date
    """The first night."""
    nights: int
    """Number of nights as reserved, also after a cancellation."""
    created_at: datetime
    """When it was made."""
    guests: int | None
    """Number of guests; null if the request did not say."""
    status: Literal["reserved", "cancelled"]
    """Whether it was cancelled."""
    nights_kept: int | None
    """How many of its nights were over when it was cancelled; these stay sold. Null if it was not cancelled."""


class DayStay(msgspec.Struct, frozen=True):
    """A stay that begins or ends on a day, for the people of the house."""

    property_id: str
    """Id of the property."""
    description: str
    """The property in words."""
    hotel_id: int | None
    """The hotel whose room this is."""
    room_id: int | str | None
    """The room of that hotel: a number or a UUID."""
    reservation_id: UUID
    """Id of the reservation."""
    arrival: date
    """The first night."""
    departure: date
    """The day after the last night."""
    nights: int
    """Number of nights."""
    guests: int | None
    """Number of guests; null if nobody said."""
    status: Literal["reserved", "cancelled"]
    """Whether it was cancelled after it had begun: its nights are those that were over by then."""
    reserved_at: datetime
    """When it was made, or imported."""


class InsertOutcome(msgspec.Struct, frozen=True):
    """The result of an insert. reservation_id: None when the nights are taken or not for sale to so many guests, or for
    a hotel's room without `rooms`.

    occurred_at: by PostgreSQL's clock while the property was locked, so that the times of a property's events increase
    across replicas.
    """

    reservation_id: UUID | None
    created_at: datetime | None
    hotel_id: int | None
    room_id: str | None
    occurred_at: datetime
    is_on_sale: bool
    min_nights: int
    max_guests: int | None


class LinkedStay(msgspec.Struct, frozen=True):
    """A stay that just got a hotel's room: its nights, the room and the time."""

    arrival: date
    departure: date
    hotel_id: int
    room_id: str
    occurred_at: datetime


class ImportedStay(msgspec.Struct, frozen=True):
    """A row of a file that was stored: its line, id and nights, the hotel's room, if any, and the time."""

    line: int
    reservation_id: UUID
    arrival: date
    departure: date
    hotel_id: int | None
    room_id: str | None
    occurred_at: datetime


class Refusal(msgspec.Struct, frozen=True):
    """Why a row of a file was not stored.

    booked_night: the first of its nights that the feed has as booked. arrival, departure: the stay in its way, None if
    none is; is_online: a guest made it; is_imported: it was imported from such a row, even if it was cancelled or moved
    since; is_overlapping: it has some of the row's nights; turnover_days: how long the property stays free after it;
    reservation_id: its id. blocked_night: the first of the row's nights that its property does not sell.
    """

    line: int
    is_property_known: bool
    booked_night: date | None
    arrival: date | None
    departure: date | None
    is_online: bool
    is_imported: bool
    is_overlapping: bool | None
    turnover_days: int | None
    reservation_id: UUID | None
    blocked_night: date | None


class NightConflict(msgspec.Struct, frozen=True):
    """A night that a reservation holds, although others have it too, or have cancelled it in the feed."""

    kind: Literal["feed", "feed_cancellation", "calendar"]
    """An event of the feed has booked the night (feed) or cancelled it (feed_cancellation), or an event in a calendar
    of another site has it (calendar)."""
    property_id: str
    """Id of the property."""
    reservation_id: UUID
    """The reservation that holds the night."""
    night: date
    """The night."""
    hotel_id: int | None
    """Id of the hotel; null for a calendar."""
    room_id: int | str | None
    """The room: a number or a UUID; null for a calendar."""
    event_id: int | None
    """Id of the event in the feed; null for a calendar."""
    source: str | None
    """Name of the calendar source; null for the feed."""
    uid: str | None
    """UID of the event in that calendar; null for the feed."""


class LiveStay(msgspec.Struct, frozen=True):
    """A reservation that is not cancelled: its nights, the hotel's room that it books, if any, and when it was made.

    timezone, min_nights and max_guests are those of the property.
    """

    arrival: date
    departure: date
    hotel_id: int | None
    room_id: str | None
    created_at: datetime
    guests: int | None
    timezone: str | None
    min_nights: int
    max_guests: int | None


class CancelledStay(msgspec.Struct, frozen=True):
    """A reservation that was just cancelled: the nights given up, the hotel's room that was booked, and the time."""

    arrival: date
    departure: date
    hotel_id: int | None
    room_id: str | None
    occurred_at: datetime
