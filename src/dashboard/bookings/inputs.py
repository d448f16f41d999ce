"""Query strings and bodies of the booking routes."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from common.time_zones import parse_time_zone
from common.web.input_types import (
    WITHOUT_NUL,
    Input,
    Night,
    PageQuery,
    QueryId,
    QueryInteger,
    TableQuery,
    parse_name,
)

Year = Annotated[QueryInteger, Field(ge=1900, le=2200, description="The year of the nights")]
AsOf = Annotated[Night | None, Field(description="Count events up to this date at the hotel; by default today")]
PaceMatch = Literal["date", "weekday"]

MAX_HOTEL_NAME_LENGTH = 200
MAX_ROOMS = 100_000


def parse_hotel_name(value: Any) -> str:
    """Parse the name of a hotel. Raises ValueError."""
    return parse_name(value, MAX_HOTEL_NAME_LENGTH)


def parse_time_zone_input(value: Any) -> str:
    """Parse the name of a time zone, which the database must know too. Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError("must be text")  # noqa: TRY004 - pydantic takes ValueError
    return parse_time_zone(value)


class DashboardQuery(TableQuery):
    """A hotel and a year, by month, day or year."""

    hotel_id: Annotated[QueryId, Field(description="The hotel")]
    period: Annotated[Literal["month", "day", "year"], Field(description="The period of an item")]
    year: Year
    by: Annotated[
        Literal["night_of_stay", "event_date"],
        Field(description="Count an event on its night of stay, or on the date at the hotel of the event"),
    ] = "night_of_stay"
    as_of: AsOf = None


class HotelsQuery(PageQuery):
    """A page of the hotels whose id begins with some digits, or whose name contains them."""

    search: Annotated[
        str,
        Field(
            max_length=MAX_HOTEL_NAME_LENGTH,
            pattern=WITHOUT_NUL,
            description="Only hotels whose id begins with this, or whose name contains it in any case",
            examples=["12"],
        ),
    ] = ""
    hidden: Annotated[Literal["true", "false"], Field(description="Whether to list hidden hotels too")] = "false"


HotelName = Annotated[
    str,
    BeforeValidator(parse_hotel_name),
    WithJsonSchema(
        {"type": "string", "minLength": 1, "maxLength": MAX_HOTEL_NAME_LENGTH, "examples": ["Hotel Harbour"]}
    ),
]
TimeZone = Annotated[
    str,
    BeforeValidator(parse_time_zone_input),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 100, "examples": ["Europe/Berlin"]}),
]


class ProfileInput(Input):
    """The profile of a hotel; what is absent or null is not known."""

    name: HotelName | None = None
    """Its name."""
    rooms: Annotated[int, Field(ge=1, le=MAX_ROOMS)] | None = None
    """Its number of rooms."""
    timezone: TimeZone | None = None
    """Its time zone, by which the dates of its events are counted; by default DASHBOARD_HOTEL_TIMEZONE."""
    hidden: bool = False
    """Whether to leave it out of lists and sums."""


class PickupQuery(TableQuery):
    """How many nights ahead, and how many event dates back."""

    days: Annotated[QueryInteger, Field(ge=1, le=366, description="Event dates back from as_of")] = 7
    nights: Annotated[QueryInteger, Field(ge=1, le=366, description="Nights from as_of on")] = 90
    as_of: AsOf = None


class PaceQuery(TableQuery):
    """A year of nights to compare with the year before."""

    year: Year
    as_of: AsOf = None
    match: Annotated[
        PaceMatch, Field(description="Compare with the same calendar date, or with the same weekday (364 days before)")
    ] = "date"


class BookingCurveQuery(TableQuery):
    """The night of a booking curve."""

    night: Annotated[Night, Field(description="The night")]


class LeadTimeQuery(TableQuery):
    """The year whose nights are grouped by lead time."""

    year: Year
