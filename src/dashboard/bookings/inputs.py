"""Query strings and bodies of the booking routes."""

from datetime import date, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from common.limits import EARLIEST_NIGHT, LATEST_NIGHT, MAX_WINDOW_DAYS, require_sane_night
from common.time_zones import parse_time_zone
from common.web.errors import Invalid
from common.web.input_types import (
    WITHOUT_NUL,
    Input,
    Night,
    PageLimit,
    PageQuery,
    QueryId,
    QueryInteger,
    TableQuery,
    parse_month,
    parse_name,
)

Year = Annotated[QueryInteger, Field(ge=1900, le=2200, description="The year of the nights")]
AsOf = Annotated[Night | None, Field(description="Count events up to this date at the hotel; by default today")]
PaceMatch = Literal["date", "weekday"]

SummarySort = Literal["name", "pickup", "behind"]

DEFAULT_NIGHTS = 90
"""Nights of `GET /hotels/{id}/nights` without `to`."""

MAX_HOTEL_NAME_LENGTH = 200
MAX_ROOMS = 100_000


def require_sane(night: date | None) -> date | None:
    """Return the night. Raises ValueError for one that no event can have."""
    return None if night is None else require_sane_night(night)


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


HotelSearch = Annotated[
    str,
    Field(
        max_length=MAX_HOTEL_NAME_LENGTH,
        pattern=WITHOUT_NUL,
        description="Only hotels whose id begins with this, or whose name contains it in any case",
        examples=["12"],
    ),
]


class HotelsQuery(PageQuery):
    """A page of the hotels whose id begins with some digits, or whose name contains them."""

    search: HotelSearch = ""
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


Match = Annotated[
    PaceMatch, Field(description="Compare with the same calendar date, or with the same weekday (364 days before)")
]


class PaceQuery(TableQuery):
    """A year of nights to compare with the year before."""

    year: Year
    as_of: AsOf = None
    match: Match = "date"


class NightsQuery(TableQuery):
    """Nights to compare with the year before."""

    from_: Annotated[
        Night | None, AfterValidator(require_sane), Field(alias="from", description="The first night; by default as_of")
    ] = None
    to: Annotated[
        Night | None,
        AfterValidator(require_sane),
        Field(description="The last night; by default 89 nights after the first"),
    ] = None
    as_of: AsOf = None
    match: Match = "weekday"

    def nights_at(self, as_of: date) -> tuple[date, date]:
        """The first and the last night. Raises Invalid for a range without nights, and for one of too many."""
        first = self.from_ or as_of
        last = self.to or first + timedelta(days=DEFAULT_NIGHTS - 1)
        if last < first:
            raise Invalid.field("to", "must not be before `from`, which is as_of by default")
        if (last - first).days >= MAX_WINDOW_DAYS:
            raise Invalid.field(
                "to", f"must be at most {MAX_WINDOW_DAYS - 1} days after `from`, which is as_of by default"
            )
        return first, last


class SummaryQuery(PageQuery):
    """A page of the hotels on one morning."""

    search: HotelSearch = ""
    sort: Annotated[
        SummarySort,
        Field(
            description="By name, by most net bookings yesterday, or by the 30 nights ahead that are most behind the "
            "same time last year; then by id. Hotels without the value are last"
        ),
    ] = "name"
    as_of: AsOf = None
    match: Match = "weekday"
    limit: PageLimit = 50


class BookingCurveQuery(TableQuery):
    """The night of a booking curve."""

    night: Annotated[Night, Field(description="The night")]


class LeadTimeQuery(TableQuery):
    """The year whose nights are grouped by lead time."""

    year: Year


MONTH_PATTERN = r"^(19|20|21)[0-9]{2}-(0[1-9]|1[0-2])$"


def parse_month_of_nights(value: Any) -> date:
    """Parse a month of the nights that are counted, written YYYY-MM, to its first day. Raises ValueError."""
    return parse_month(value, EARLIEST_NIGHT, LATEST_NIGHT)


Month = Annotated[
    date,
    BeforeValidator(parse_month_of_nights),
    WithJsonSchema({"type": "string", "pattern": MONTH_PATTERN, "examples": ["2026-12"]}),
]
"""A month in a query string, as its first day."""


class BuildUpQuery(TableQuery):
    """A month to compare with that of the year before."""

    month: Annotated[Month, Field(description="The month of the nights")]
    as_of: AsOf = None
    match: Match = "weekday"


class UsualCurveQuery(TableQuery):
    """A night, and the nights beside it."""

    night: Annotated[Night, AfterValidator(require_sane_night), Field(description="The night")]
    beside: Annotated[
        Literal["weekday"], Field(description="The nights compared: the last slept ones of its weekday")
    ] = "weekday"
    count: Annotated[QueryInteger, Field(ge=1, le=20, description="Number of nights compared")] = 8
    as_of: AsOf = None
    match: Match = "weekday"


class CancellationsQuery(TableQuery):
    """The year whose nights' bookings and cancellations are counted, and the table that CSV and XLSX contain."""

    year: Year
    as_of: AsOf = None
    table: Annotated[
        Literal["by_lead", "by_month"],
        Field(description="The list that is the table of CSV and XLSX; JSON always has both"),
    ] = "by_lead"
