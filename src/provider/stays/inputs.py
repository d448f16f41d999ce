"""The bodies and query strings of the storefront's requests."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema

from common.limits import EARLIEST_NIGHT, LATEST_NIGHT, require_sane_night
from common.time_zones import parse_time_zone
from common.web.errors import FieldError, Invalid
from common.web.input_types import (
    Cursor,
    Id,
    Input,
    Name,
    PageLimit,
    PageQuery,
    QueryId,
    QueryInteger,
    TableQuery,
    parse_name,
    parse_night,
)
from provider.hotel_rooms import RoomId
from provider.stays.models import BookingWindow

MAX_NIGHTS = 365
MAX_CALENDAR_NIGHTS = 366
MAX_GUESTS = 1000
"""The most guests of a stay; it stands again in the provider's SQL."""

EXAMPLE_DAYS_AHEAD = 700
"""The example of a reservation is sent from the browser, even when the document was rendered more than a year before;
a reservation may be MAX_DAYS_AHEAD at most."""

PROPERTY_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._~-]{0,63}")
RESERVED_IDS = frozenset({"available"})
"""Names of routes that stand in a URL where the id of a property would."""


def is_property_id(value: str) -> bool:
    return PROPERTY_ID.fullmatch(value) is not None and value not in RESERVED_IDS


def parse_property_id(value: Any) -> str:
    """Parse an id that needs no escaping in a URL. Raises ValueError."""
    if isinstance(value, str) and is_property_id(value):
        return value
    raise ValueError("must be 1 to 64 letters, digits or any of . _ ~ - (and not `available`)")


def parse_description(value: str) -> str:
    """Return the text, which may have several lines. Raises ValueError for what `parse_name` refuses in a line."""
    parse_name(" ".join(value.replace("\r\n", "\n").replace("\t", "\n").split("\n")), max_length=2000)
    return value


def parse_note(value: str) -> str:
    """Return a line of text. Raises ValueError for what `parse_name` refuses."""
    return parse_name(value, max_length=200)


def parse_day(value: Any) -> date:
    """Parse a date written YYYY-MM-DD, from `EARLIEST_NIGHT` to `LATEST_NIGHT`. Raises ValueError."""
    return require_sane_night(parse_night(value))


def parse_end(value: Any) -> date:
    """Parse the day after a last night. Raises ValueError."""
    end = parse_night(value)
    if not EARLIEST_NIGHT < end <= LATEST_NIGHT + timedelta(days=1):
        raise ValueError(f"must be from {EARLIEST_NIGHT + timedelta(days=1)} to {LATEST_NIGHT + timedelta(days=1)}")
    return end


def parse_time_zone_name(value: Any) -> str:
    """Parse the name of a time zone. Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError("must be text")  # noqa: TRY004 - pydantic takes ValueError
    return parse_time_zone(value)


def require_within_window(start: date, info: ValidationInfo) -> date:
    """Return the date. Raises ValueError when it is outside the `window` of the validation's context."""
    window = (info.context or {}).get("window")
    assert isinstance(window, BookingWindow)
    return window.require(start)


def _set_example_start(schema: dict[str, Any]) -> None:
    """Set the example's start date; called when the document is rendered."""
    schema["examples"] = [(datetime.now(UTC).date() + timedelta(days=EXAMPLE_DAYS_AHEAD)).isoformat()]


_PROPERTY_ID_SCHEMA = {
    "type": "string",
    "pattern": f"^{PROPERTY_ID.pattern}$",
    "not": {"enum": sorted(RESERVED_IDS)},
    "examples": ["xE6vqTqA6LTwpE"],
}

Day = Annotated[
    date,
    BeforeValidator(parse_day),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["2021-01-05"]}),
]
End = Annotated[
    date,
    BeforeValidator(parse_end),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["2021-01-08"]}),
]
PropertyId = Annotated[str, BeforeValidator(parse_property_id), WithJsonSchema(_PROPERTY_ID_SCHEMA)]
Description = Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(parse_description)]
TurnoverDays = Annotated[int, Field(ge=0, le=365, description="Days kept free between two stays")]
MinNights = Annotated[int, Field(ge=1, le=MAX_NIGHTS, description="The fewest nights of a stay")]
Guests = Annotated[int, Field(ge=1, le=MAX_GUESTS)]
TimeZone = Annotated[
    str,
    BeforeValidator(parse_time_zone_name),
    WithJsonSchema({"type": "string", "maxLength": 100, "examples": ["Europe/Berlin"]}),
]


SourceName = Annotated[
    str, Field(pattern=rf"^{PROPERTY_ID.pattern}$", description="Name of a calendar source of the property")
]


def _source_example(schema: dict[str, Any]) -> None:
    schema["examples"] = ["harbour-rentals"]


def _never_null(schema: dict[str, Any]) -> None:
    """Remove null from a field's schema: None stands for absent, and `require_whole` refuses a null."""
    schema.update(schema.pop("anyOf")[0])
    del schema["default"]


class AvailabilityQuery(TableQuery):
    """The nights and guests of a search, and the page."""

    start_date: Annotated[Day, Field(description="The first night")]
    nights: Annotated[QueryInteger, Field(ge=1, le=MAX_NIGHTS, description="How many nights")]
    guests: Annotated[
        QueryInteger | None, Field(ge=1, le=MAX_GUESTS, description="How many guests; by default any number")
    ] = None
    hotel_id: Annotated[QueryId | None, Field(description="Only properties that are rooms of this hotel")] = None
    limit: PageLimit = 100
    cursor: Cursor | None = None


class DayQuery(PageQuery):
    """A day at the houses, and the page."""

    day: Annotated[Day | None, Field(description="The day; by default today in PROVIDER_TIMEZONE")] = None


class CalendarQuery(TableQuery):
    """The nights of a calendar."""

    first: Annotated[Day, Field(alias="from", description="The first night")]
    until: Annotated[End, Field(alias="to", description="The day after the last night")]

    def require_ordered(self) -> None:
        """Raises Invalid for a calendar without nights, and for one of too many."""
        if self.until <= self.first:
            raise Invalid.field("to", "must be after `from`")
        if (self.until - self.first).days > MAX_CALENDAR_NIGHTS:
            raise Invalid.field("to", f"is more than {MAX_CALENDAR_NIGHTS} nights after `from`")


class ReservationInput(Input):
    """The nights to reserve."""

    property_id: PropertyId
    """Id of the property."""
    start_date: Annotated[Day, AfterValidator(require_within_window), Field(json_schema_extra=_set_example_start)]
    """The first night: from today, in the time zone of the property, to 2 years ahead."""
    nights: Annotated[int, Field(ge=1, le=MAX_NIGHTS, examples=[3])]
    """Number of nights: at least as many as the property demands."""
    guests: Guests | None = None
    """Number of guests: at most as many as the property takes."""

    @property
    def departure(self) -> date:
        return self.start_date + timedelta(days=self.nights)

    def require_within(self, window: BookingWindow) -> None:
        """Raises Invalid for a start outside the window."""
        require_start(self.start_date, window)


def require_start(start: date, window: BookingWindow) -> None:
    """Raises Invalid for a start outside the window."""
    try:
        window.require(start)
    except ValueError as error:
        raise Invalid.field("start_date", str(error)) from None


class ReservationChange(Input):
    """The nights to which a reservation moves; what is absent stays as it is."""

    start_date: Annotated[Day | None, Field(json_schema_extra=_never_null)] = None
    """The first night; another than before must be from today to 2 years ahead."""
    nights: Annotated[int | None, Field(ge=1, le=MAX_NIGHTS, json_schema_extra=_never_null)] = None
    """Number of nights."""

    def require_whole(self) -> None:
        """Raises Invalid for a null."""
        faults = [FieldError(name, "must not be null") for name in self.model_fields_set if getattr(self, name) is None]
        if faults:
            raise Invalid("The body is not valid.", errors=faults)


class BlockInput(Input):
    """Nights that are not for sale."""

    start_date: Day
    """The first night."""
    nights: Annotated[int, Field(ge=1, le=MAX_NIGHTS, examples=[3])]
    """Number of nights."""
    note: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(parse_note)] | None = None
    """Why, for the holder of the property."""

    @property
    def end(self) -> date:
        """The day after the last night."""
        return self.start_date + timedelta(days=self.nights)

    def require_sane(self) -> None:
        """Raises Invalid when the last night is later than `LATEST_NIGHT`."""
        require_sane_end(self.end)


class CalendarLinkInput(Input):
    """A new address for the calendar of a property."""

    name: Annotated[Name | None, Field(description="What you call it, for example the site that will read it")] = None
    without_source: Annotated[SourceName | None, Field(json_schema_extra=_source_example)] = None
    """The calendar source of the site that will read the calendar: it leaves out the nights that this source holds.
    Otherwise a site that sends back what it reads would hold such nights for ever."""


class CalendarSourceInput(Input):
    """The address of a calendar of another site."""

    url: Annotated[str, Field(min_length=1, max_length=2000, examples=["https://calendars.example.org/42.ics"])]
    """Address of an iCalendar file, with scheme https or http, on a host that the operator allows."""


def require_sane_end(end: date) -> None:
    """Raises Invalid for nights that end after `LATEST_NIGHT`."""
    if end > LATEST_NIGHT + timedelta(days=1):
        raise Invalid.field("nights", f"end after the night of {LATEST_NIGHT}")


class PropertyInput(Input):
    """A new property; without an id the server assigns one. A hotel and a room link it to that room."""

    property_id: PropertyId | None = None
    """Id of the property; without one the server assigns it."""
    description: Description
    """The property in words, for guests."""
    turnover_days: TurnoverDays = 0
    on_sale: bool = True
    """Whether it can be found and reserved."""
    timezone: TimeZone | None = None
    """Its time zone, whose date is today; by default PROVIDER_TIMEZONE."""
    min_nights: MinNights = 1
    max_guests: Guests | None = None
    """The most guests of a stay; by default any number."""
    hotel_id: Id | None = None
    """The hotel whose room this is; the room is required with it."""
    room_id: RoomId | None = None
    """The room of that hotel: a number or a UUID."""

    def require_whole_link(self) -> None:
        """Raises Invalid for a hotel without a room, or a room without a hotel."""
        if faults := _half((self.hotel_id, self.room_id)):
            raise Invalid("The body is not valid.", errors=faults)


class PropertyChange(Input):
    """The fields to change; absent fields keep their values. Null removes the link to a room, the time zone or the
    limit of guests."""

    description: Annotated[Description | None, Field(json_schema_extra=_never_null)] = None
    """The property in words, for guests."""
    turnover_days: Annotated[TurnoverDays | None, Field(json_schema_extra=_never_null)] = None
    on_sale: Annotated[bool | None, Field(json_schema_extra=_never_null)] = None
    """Whether it can be found and reserved; stays that were sold before stay."""
    timezone: TimeZone | None = None
    """Its time zone, whose date is today; null: PROVIDER_TIMEZONE."""
    min_nights: Annotated[MinNights | None, Field(json_schema_extra=_never_null)] = None
    max_guests: Guests | None = None
    """The most guests of a stay; null: any number."""
    hotel_id: Id | None = None
    """The hotel whose room this is; null, with the room, removes the link."""
    room_id: RoomId | None = None
    """The room of that hotel: a number or a UUID."""

    @property
    def changes_link(self) -> bool:
        return "hotel_id" in self.model_fields_set

    def require_whole(self) -> None:
        """Raises Invalid for a null that stands for nothing, a hotel without a room, or a room without a hotel."""
        given = self.model_fields_set
        faults = [
            FieldError(name, "must not be null")
            for name in ("description", "turnover_days", "on_sale", "min_nights")
            if name in given and getattr(self, name) is None
        ]
        faults += _half(("hotel_id" in given, "room_id" in given)) or _half((self.hotel_id, self.room_id))
        if faults:
            raise Invalid("The body is not valid.", errors=faults)


def _half(link: Iterable[object]) -> list[FieldError]:
    """An error when only one of hotel and room is given."""
    hotel, room = (bool(part) for part in link)
    if hotel == room:
        return []
    return [
        FieldError("room_id", "is required with hotel_id")
        if hotel
        else FieldError("hotel_id", "is required with room_id")
    ]
