"""Query strings of the booking routes."""

from typing import Annotated, Literal

from pydantic import Field

from common.web.input_types import Night, PageQuery, QueryId, QueryInteger, TableQuery

Year = Annotated[QueryInteger, Field(ge=1900, le=2200, description="The year of the nights")]
AsOf = Annotated[Night | None, Field(description="Count events up to this date (UTC); by default today")]
PaceMatch = Literal["date", "weekday"]


class DashboardQuery(TableQuery):
    """A hotel and a year, by month, day or year."""

    hotel_id: Annotated[QueryId, Field(description="The hotel")]
    period: Annotated[Literal["month", "day", "year"], Field(description="The period of an item")]
    year: Year
    by: Annotated[
        Literal["night_of_stay", "event_date"],
        Field(description="Count an event on its night of stay, or on the date (UTC) of the event"),
    ] = "night_of_stay"
    as_of: AsOf = None


class HotelsQuery(PageQuery):
    """A page of the hotels whose ids begin with some digits."""

    search: Annotated[
        str,
        Field(pattern=r"^[0-9]{0,19}$", description="Only hotels whose id begins with these digits", examples=["12"]),
    ] = ""


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
