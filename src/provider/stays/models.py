"""Properties and reservations as they come in, as they are asked for, and as they go out."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema

from common.web.errors import FieldError, Invalid, Problem
from common.web.input_types import MAX_ID, Id, Input, PageLimit, QueryInteger, parse_night

MAX_NIGHTS = 365
MAX_CALENDAR_NIGHTS = 366
YEARS_AHEAD = 2

FIRST_DAY = date.min + timedelta(days=1)
LAST_DAY = date.max - timedelta(days=1)
"""asyncpg takes the first and the last day of Python's calendar for infinity."""

SOON = datetime.now(UTC).date() + timedelta(days=365)
"""The examples are tried out in the browser, so they have to be possible, also when the process has run for months."""

PROPERTY_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._~-]{0,63}")
RESERVED_IDS = frozenset({"available"})
"""What stands where a property's id would in a URL."""

UUID_TEXT = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def is_property_id(value: str) -> bool:
    return PROPERTY_ID.fullmatch(value) is not None and value not in RESERVED_IDS


def parse_property_id(value: Any) -> str:
    """An id that can stand in a URL as it is. Raises ValueError."""
    if isinstance(value, str) and is_property_id(value):
        return value
    raise ValueError("must be 1 to 64 letters, digits or any of . _ ~ - (and is not `available`)")


def parse_description(value: str) -> str:
    """PostgreSQL holds every character but one. Raises ValueError."""
    if "\0" in value:
        raise ValueError("must not hold the character U+0000")
    return value


def parse_room_id(value: Any) -> str:
    """A room as the database holds it: the digits of an integer, or a UUID as it came. Raises ValueError."""
    if type(value) is int and 1 <= value <= MAX_ID:
        return str(value)
    if isinstance(value, str) and UUID_TEXT.fullmatch(value):
        return value
    raise ValueError("must be a whole number from 1 to 2^63 - 1, or a UUID")


class BookingWindow(msgspec.Struct, frozen=True):
    """When a reservation may start: first to last day, both included; without a first day, at any time in the past."""

    first: date | None
    last: date

    @classmethod
    def on(cls, today: date, *, past: bool) -> "BookingWindow":
        """The window of a day; past: reservations may start before it."""
        try:
            last = today.replace(year=today.year + YEARS_AHEAD)
        except ValueError:  # 29 February
            last = today.replace(year=today.year + YEARS_AHEAD, day=28)
        return cls(None if past else today, last)

    def require(self, start: date) -> date:
        """The day, if it is within. Raises ValueError."""
        if self.first is not None and start < self.first:
            raise ValueError("is in the past")
        if start > self.last:
            raise ValueError(f"is more than {YEARS_AHEAD} years ahead")
        return start


def parse_day(value: Any) -> date:
    """A date written YYYY-MM-DD, from `FIRST_DAY` to `LAST_DAY`. Raises ValueError."""
    day = parse_night(value)
    if not FIRST_DAY <= day <= LAST_DAY:
        raise ValueError(f"must be from {FIRST_DAY} to {LAST_DAY}")
    return day


def require_within_window(start: date, info: ValidationInfo) -> date:
    """Raises ValueError outside the `window` of the validation's context."""
    window = (info.context or {}).get("window")
    assert isinstance(window, BookingWindow)
    return window.require(start)


_ID_SCHEMA = {
    "type": "string",
    "pattern": f"^{PROPERTY_ID.pattern}$",
    "not": {"enum": sorted(RESERVED_IDS)},
    "examples": ["xE6vqTqA6LTwpE"],
}
_ROOM_SCHEMA = {
    "anyOf": [{"type": "integer", "minimum": 1, "maximum": MAX_ID}, {"type": "string", "format": "uuid"}],
}

Day = Annotated[
    date,
    BeforeValidator(parse_day),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["2021-01-05"]}),
]
PropertyId = Annotated[str, BeforeValidator(parse_property_id), WithJsonSchema(_ID_SCHEMA)]
Description = Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(parse_description)]
TurnoverDays = Annotated[int, Field(ge=0, le=365, description="Days kept free between two stays")]
RoomId = Annotated[str, BeforeValidator(parse_room_id), WithJsonSchema(_ROOM_SCHEMA)]


class AvailabilityQuery(Input):
    """What is asked for: nights, and where the page begins."""

    start_date: Annotated[Day, Field(description="The first night")]
    nights: Annotated[QueryInteger, Field(ge=1, le=MAX_NIGHTS, description="How many nights")]
    limit: PageLimit = 100
    cursor: Annotated[str | None, Field(description="Where the page begins; from the Link header")] = None


class CalendarQuery(Input):
    """The nights of a calendar."""

    first: Annotated[Day, Field(alias="from", description="The first night")]
    until: Annotated[Day, Field(alias="to", description="The day after the last night")]

    def require_ordered(self) -> None:
        """Raises Invalid for a calendar without nights, and for one of too many."""
        if self.until <= self.first:
            raise Invalid.field("to", "must be after from")
        if (self.until - self.first).days > MAX_CALENDAR_NIGHTS:
            raise Invalid.field("to", f"is more than {MAX_CALENDAR_NIGHTS} nights after from")


class ReservationInput(Input):
    """The nights that a guest wants."""

    property_id: PropertyId
    start_date: Annotated[Day, AfterValidator(require_within_window), Field(examples=[SOON])]
    nights: Annotated[int, Field(ge=1, le=MAX_NIGHTS)]

    def require_within(self, window: BookingWindow) -> None:
        """Raises Invalid for a start outside the window."""
        try:
            window.require(self.start_date)
        except ValueError as error:
            raise Invalid.field("start_date", str(error)) from None


class PropertyInput(Input):
    """A new property; without an id one is made. With a hotel and a room it is that room."""

    property_id: PropertyId | None = None
    description: Description
    turnover_days: TurnoverDays = 0
    hotel_id: Id | None = None
    room_id: RoomId | None = None

    def require_whole_link(self) -> None:
        require_whole_link(self.hotel_id, self.room_id)


def _never_null(schema: dict[str, Any]) -> None:
    """None stands for absent; `require_whole` refuses a null."""
    schema.update(schema.pop("anyOf")[0])
    del schema["default"]


class PropertyChange(Input):
    """What changes; what is absent stays. Null for hotel and room: it is no hotel's room any more."""

    description: Annotated[Description | None, Field(json_schema_extra=_never_null)] = None
    turnover_days: Annotated[TurnoverDays | None, Field(json_schema_extra=_never_null)] = None
    hotel_id: Id | None = None
    room_id: RoomId | None = None

    @property
    def changes_link(self) -> bool:
        return "hotel_id" in self.model_fields_set

    def require_whole(self) -> None:
        """Raises Invalid for a null that means nothing, and for half a link."""
        given = self.model_fields_set
        faults = [
            FieldError(name, "cannot be null")
            for name in ("description", "turnover_days")
            if name in given and getattr(self, name) is None
        ]
        faults += _half(("hotel_id" in given, "room_id" in given)) or _half((self.hotel_id, self.room_id))
        if faults:
            raise Invalid("The body is not valid.", errors=faults)


def _half(link: Iterable[object]) -> list[FieldError]:
    """A fault for the half of a hotel and a room that is absent while the other is there."""
    hotel, room = (bool(part) for part in link)
    if hotel == room:
        return []
    return [FieldError("room_id", "goes with hotel_id") if hotel else FieldError("hotel_id", "goes with room_id")]


def require_whole_link(hotel_id: int | None, room_id: str | None) -> None:
    """Raises Invalid for a hotel without a room, or a room without a hotel."""
    if faults := _half((hotel_id, room_id)):
        raise Invalid("The body is not valid.", errors=faults)


class AvailableProperty(msgspec.Struct, frozen=True):
    """A property that is free for the nights asked for."""

    property_id: str
    description: str


class NoAvailability(Problem, frozen=True):
    """Nothing is free. `alternatives`: the start dates, nearest first, on which something is for as many nights."""

    alternatives: tuple[date, ...] = ()


class Property(msgspec.Struct, frozen=True):
    """Something that can be reserved by the night."""

    property_id: str
    description: str
    turnover_days: int
    hotel_id: int | None
    room_id: int | str | None


class Reservation(msgspec.Struct, frozen=True):
    """Nights of a property that belong to a guest."""

    reservation_id: UUID
    property_id: str
    start_date: date
    nights: int
    created_at: datetime


class CalendarNight(msgspec.Struct, frozen=True):
    """A night, and whether it is taken, follows a stay too closely, or is free."""

    night: date
    status: Literal["free", "taken", "turnover"]


class Calendar(msgspec.Struct, frozen=True, rename={"first": "from", "until": "to"}):
    """The nights of a property; `to` is not included."""

    property_id: str
    first: date
    until: date
    nights: list[CalendarNight]


class InsertOutcome(msgspec.Struct, frozen=True):
    """What came of an insert. reservation_id: None when the nights are taken, or the insert was not meant for rooms.

    at: when, by PostgreSQL's clock while the property was locked, so that what befalls it one after the other is dated
    so, whichever replica took it in.
    """

    reservation_id: UUID | None
    created_at: datetime | None
    hotel_id: int | None
    room_id: str | None
    at: datetime


class CancelledStay(msgspec.Struct, frozen=True):
    """A reservation that was just cancelled: its nights, the room that the feed knows them by, and when."""

    arrival: date
    departure: date
    hotel_id: int | None
    room_id: str | None
    at: datetime


class Stay(msgspec.Struct, frozen=True):
    """Nights that are taken."""

    reservation_id: UUID
    arrival: date
    departure: date
