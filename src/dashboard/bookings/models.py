"""What is asked of the numbers, and what they look like."""

from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from pydantic import Field

from common.web.input_types import Input, Night, QueryId, QueryInteger

Year = Annotated[QueryInteger, Field(ge=1900, le=2200, description="The year of the nights")]
AsOf = Annotated[Night | None, Field(description="The books as they stood on this date (UTC); today when absent")]


class DashboardQuery(Input):
    """One hotel, one year, by month, day or year."""

    hotel_id: Annotated[QueryId, Field(description="The hotel")]
    period: Annotated[Literal["month", "day", "year"], Field(description="What an item spans")]
    year: Year
    by: Annotated[Literal["night_of_stay", "event_date"], Field(description="The day that an event counts for")] = (
        "night_of_stay"
    )
    as_of: AsOf = None


class PickupQuery(Input):
    """A window of nights ahead, and of days back."""

    days: Annotated[QueryInteger, Field(ge=1, le=366, description="Days back from as_of")] = 7
    nights: Annotated[QueryInteger, Field(ge=1, le=366, description="Nights from as_of on")] = 90
    as_of: AsOf = None


class PaceQuery(Input):
    """A year of nights, beside the year before."""

    year: Year
    as_of: AsOf = None
    match: Annotated[
        Literal["date", "weekday"], Field(description="Beside the same calendar date, or the same weekday (364 days)")
    ] = "date"


class CurveQuery(Input):
    """One night."""

    night: Annotated[Night, Field(description="The night")]


class LeadTimeQuery(Input):
    """A year of nights."""

    year: Year


class Count(msgspec.Struct, frozen=True):
    """What was booked and cancelled; the rate is cancellations / bookings to 4 places, null without bookings."""

    bookings: int
    cancellations: int
    net: int
    cancellation_rate: float | None


class Item(msgspec.Struct, frozen=True):
    """A month, day or year, and what was booked and cancelled in it."""

    period: str
    bookings: int
    cancellations: int
    net: int
    cancellation_rate: float | None


class Dashboard(msgspec.Struct, frozen=True, omit_defaults=True):
    """The numbers of a hotel for a year."""

    hotel_id: int
    period: str
    year: int
    by: str
    items: list[Item] | msgspec.Raw
    totals: Count
    as_of: date | None = None


class Hotel(msgspec.Struct, frozen=True):
    """A hotel as the feed knows it."""

    hotel_id: int
    events: int
    first_night: date
    last_night: date
    last_event_timestamp: datetime


class Hotels(msgspec.Struct, frozen=True):
    """All hotels, and how far the feed is counted."""

    hotels: list[Hotel]
    data_through: datetime | None
    lag_seconds: float | None


class NightPickup(msgspec.Struct, frozen=True):
    """A night: what is on the books, and the change in the window."""

    night: date
    on_the_books: int
    pickup: int


class Pickup(msgspec.Struct, frozen=True):
    """What the last days added to, or took from, the nights ahead."""

    hotel_id: int
    as_of: date
    days: int
    items: list[NightPickup]


class MonthPace(msgspec.Struct, frozen=True):
    """A month: on the books, and at the same time for the year before."""

    period: str
    on_the_books: int
    last_year: int
    difference: int


class Pace(msgspec.Struct, frozen=True):
    """How the year stands against the one before at the same time."""

    hotel_id: int
    year: int
    as_of: date
    match: str
    items: list[MonthPace]


class CurvePoint(msgspec.Struct, frozen=True):
    """Nights on the books so many days before the night."""

    days_before: int
    on_the_books: int


class BookingCurve(msgspec.Struct, frozen=True):
    """How a night filled up."""

    hotel_id: int
    night: date
    items: list[CurvePoint]


class LeadTimeBucket(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """Bookings made from so many to so many days ahead; `to` is null at the end."""

    from_: int
    to: int | None
    bookings: int


class LeadTime(msgspec.Struct, frozen=True):
    """How far ahead the nights of a year were booked."""

    hotel_id: int
    year: int
    items: list[LeadTimeBucket]
    mean: float | None
    median: float | None


class QuarantinedEvent(msgspec.Struct, frozen=True):
    """Something that the feed sent and that was not counted."""

    reason: str
    raw: str
    first_seen: datetime
    last_seen: datetime
    times: int


class Quarantine(msgspec.Struct, frozen=True):
    """What was set aside, oldest first."""

    items: list[QuarantinedEvent]


def rate(bookings: int, cancellations: int) -> float | None:
    return round(cancellations / bookings, 4) if bookings else None


def count(bookings: int, cancellations: int) -> Count:
    return Count(bookings, cancellations, bookings - cancellations, rate(bookings, cancellations))
