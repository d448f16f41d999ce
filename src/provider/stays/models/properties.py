"""Properties, their calendars and what a search finds, as stored and as sent in responses."""

from datetime import date
from typing import Literal
from uuid import UUID

import msgspec

from common.web.errors import Problem


class AvailableProperty(msgspec.Struct, frozen=True):
    """A property that is free for all nights of the search."""

    property_id: str
    """Id of the property."""
    description: str
    """The property in words, for guests."""


class Alternative(msgspec.Struct, frozen=True):
    """Another start date, and in how many properties a stay of as many nights can begin on it."""

    start_date: date
    """The first night."""
    free_properties: int
    """How many properties are free, counted to 100; of a hotel all are counted."""
    or_more: bool
    """Whether more than these are free: more than 100."""


class NoAvailability(Problem, frozen=True):
    """No property is free. `alternatives`: start dates, nearest first, on which one is free for as many nights."""

    alternatives: tuple[Alternative, ...] = ()
    """Start dates on which a property is free for as many nights and guests, nearest first."""


class Property(msgspec.Struct, frozen=True):
    """A property that can be reserved by the night."""

    property_id: str
    """Id of the property."""
    description: str
    """The property in words, for guests."""
    turnover_days: int
    """Nights kept free after each stay."""
    on_sale: bool
    """Whether it can be found and reserved. Stays that were sold earlier are kept."""
    timezone: str | None
    """The time zone that decides which day it is at the property; null: PROVIDER_TIMEZONE."""
    min_nights: int
    """The fewest nights of a stay."""
    max_guests: int | None
    """The most guests of a stay; null: any number."""
    hotel_id: int | None
    """The hotel whose room this is; null for a property of its own."""
    room_id: int | str | None
    """The room of that hotel: a number or a UUID."""


class Block(msgspec.Struct, frozen=True):
    """Nights of a property that its holder does not sell."""

    block_id: UUID
    """Id of the block."""
    property_id: str
    """Id of the property."""
    start_date: date
    """The first night."""
    nights: int
    """Number of nights."""
    note: str | None
    """Why, for the holder of the property."""


class CalendarNight(msgspec.Struct, frozen=True):
    """A night, and whether it is taken, kept free after or before a stay (turnover), or free."""

    night: date
    """The date on which a guest would go to sleep."""
    status: Literal["free", "taken", "turnover"]
    """Whether the night is free, taken, or kept free after a stay (turnover)."""


class Calendar(msgspec.Struct, frozen=True, rename={"first": "from", "until": "to"}):
    """The nights of a property; `to` is not included."""

    property_id: str
    """Id of the property."""
    first: date
    """The first night."""
    until: date
    """The day after the last night."""
    nights: list[CalendarNight]
    """Every night of the calendar, in order."""
