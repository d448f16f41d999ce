"""The bodies and query strings of properties, their calendars and blocks."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from common.web.errors import FieldError, Invalid
from common.web.input_types import Id, Input, TableQuery
from provider.hotel_rooms import RoomId
from provider.stays.inputs.fields import (
    EXAMPLE_NIGHTS,
    MAX_NIGHTS,
    Day,
    Description,
    End,
    Guests,
    MinNights,
    PropertyId,
    TimeZone,
    TurnoverDays,
    never_null,
    parse_note,
    require_sane_end,
)

MAX_CALENDAR_NIGHTS = 366


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


class BlockInput(Input):
    """Nights that are not for sale."""

    start_date: Day
    """The first night."""
    nights: Annotated[int, Field(ge=1, le=MAX_NIGHTS, examples=[EXAMPLE_NIGHTS])]
    """Number of nights."""
    note: (
        Annotated[str, Field(min_length=1, max_length=200, examples=["The roof is mended"]), AfterValidator(parse_note)]
        | None
    ) = None
    """Why, for the holder of the property."""

    @property
    def end(self) -> date:
        """The day after the last night."""
        return self.start_date + timedelta(days=self.nights)

    def require_sane(self) -> None:
        """Raises Invalid when the last night is later than `LATEST_NIGHT`."""
        require_sane_end(self.end)


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
    """The time zone that decides which day it is at the property; by default PROVIDER_TIMEZONE."""
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

    description: Annotated[Description | None, Field(json_schema_extra=never_null)] = None
    """The property in words, for guests."""
    turnover_days: Annotated[TurnoverDays | None, Field(json_schema_extra=never_null)] = None
    on_sale: Annotated[bool | None, Field(json_schema_extra=never_null)] = None
    """Whether it can be found and reserved. Stays that were sold earlier are kept."""
    timezone: TimeZone | None = None
    """The time zone that decides which day it is at the property; null: PROVIDER_TIMEZONE."""
    min_nights: Annotated[MinNights | None, Field(json_schema_extra=never_null)] = None
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
