"""The bodies and query strings of searches and reservations."""

from datetime import date, timedelta
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo

from common.web.errors import FieldError, Invalid
from common.web.input_types import Cursor, Input, PageLimit, PageQuery, QueryId, QueryInteger, TableQuery
from provider.stays.inputs.fields import EXAMPLE_NIGHTS, MAX_GUESTS, MAX_NIGHTS, Day, Guests, PropertyId, never_null
from provider.stays.models.clock import BookingWindow


def require_within_window(start: date, info: ValidationInfo) -> date:
    """Return the date. Raises ValueError when it is outside the `window` of the validation's context."""
    window = (info.context or {}).get("window")
    assert isinstance(window, BookingWindow)
    return window.require(start)


class AvailabilityQuery(TableQuery):
    """The nights and guests of a search, and the page."""

    start_date: Annotated[Day, Field(description="The first night")]
    nights: Annotated[
        QueryInteger, Field(ge=1, le=MAX_NIGHTS, description="How many nights", examples=[EXAMPLE_NIGHTS])
    ]
    guests: Annotated[
        QueryInteger | None, Field(ge=1, le=MAX_GUESTS, description="How many guests; by default any number")
    ] = None
    hotel_id: Annotated[QueryId | None, Field(description="Only properties that are rooms of this hotel")] = None
    limit: PageLimit = 100
    cursor: Cursor | None = None


class DayQuery(PageQuery):
    """A day at the houses, and the page."""

    day: Annotated[Day | None, Field(description="The day; by default today in PROVIDER_TIMEZONE")] = None


class ReservationInput(Input):
    """The nights to reserve."""

    property_id: PropertyId
    """Id of the property."""
    start_date: Annotated[Day, AfterValidator(require_within_window)]
    """The first night: from today, in the time zone of the property, to 2 years ahead."""
    nights: Annotated[int, Field(ge=1, le=MAX_NIGHTS, examples=[EXAMPLE_NIGHTS])]
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

    start_date: Annotated[Day | None, Field(json_schema_extra=never_null)] = None
    """The first night; another than before must be from today to 2 years ahead."""
    nights: Annotated[int | None, Field(ge=1, le=MAX_NIGHTS, json_schema_extra=never_null)] = None
    """Number of nights."""

    def require_whole(self) -> None:
        """Raises Invalid for a null."""
        faults = [FieldError(name, "must not be null") for name in self.model_fields_set if getattr(self, name) is None]
        if faults:
            raise Invalid("The body is not valid.", errors=faults)
