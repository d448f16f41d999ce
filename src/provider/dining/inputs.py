"""Query strings and bodies of the requests about tables, orders and decisions."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, RootModel, ValidationInfo, WithJsonSchema

from common.outbox.queries import State
from common.web.errors import FieldError, Invalid
from common.web.input_types import (
    Cursor,
    Id,
    Input,
    LocalInstant,
    Name,
    Notes,
    PageInput,
    PageLimit,
    PageQuery,
    QueryId,
    QueryInteger,
    QueryNight,
    TableQuery,
)
from provider.dining.contact_fields import Email, Phone
from provider.dining.models import BookingStatus, OpeningHours, TableType
from provider.dining.price_fields import Price, PriceBound

MAX_BULK_SIZE = 10_000
LATEST_START = datetime(9998, 1, 1, tzinfo=UTC)
DEFAULT_MINUTES = 120
START_GRACE = timedelta(minutes=5)
"""How long ago a start may be: the guest may stand at the door, or a clock may be slow."""

Seats = Annotated[int, Field(ge=1, le=100)]
SeatsBound = Annotated[QueryInteger, Field(ge=0, le=1_000_000)]


def require_future(start: datetime, now: datetime) -> datetime:
    """Return the start. Raises ValueError when it is in the past, or too late for the end to be a datetime."""
    if start < now - START_GRACE:
        raise ValueError("must be in the future")
    if start >= LATEST_START:
        raise ValueError("must be before the year 9998")
    return start


def _require_future_now(start: datetime, info: ValidationInfo) -> datetime:
    assert info.context is not None
    return require_future(start, info.context["now"])


class TableInput(Input):
    """A table to add; omitted fields take their defaults."""

    table_type: TableType = "regular"
    """Common hall, curtained cabin, or room behind a door."""
    seats: Seats = 2
    """Number of seats."""
    price: Annotated[Price, Field(json_schema_extra={"default": 0})] = Decimal(0)
    """Price of the table."""
    can_be_booked: bool = True
    """Whether guests can order it."""


class TableChange(Input):
    """A change to a table; fields that are omitted or null stay as they are."""

    id: Id
    """Id of the table."""
    table_type: TableType | None = None
    """Common hall, curtained cabin, or room behind a door."""
    seats: Seats | None = None
    """Number of seats."""
    price: Price | None = None
    """Price of the table."""
    can_be_booked: bool | None = None
    """Whether guests can order it."""


class BulkInput(Input):
    """Tables to add and tables to change, all or none."""

    add: Annotated[list[TableInput], Field(max_length=MAX_BULK_SIZE, default_factory=list)]
    """Tables to add."""
    update: Annotated[list[TableChange], Field(max_length=MAX_BULK_SIZE, default_factory=list)]
    """Changes to tables, each table once."""

    def require_consistent(self) -> None:
        """Raises Invalid when a table is changed twice, or when there is no table to add or change."""
        if not self.add and not self.update:
            raise Invalid("The body is not valid.", errors=[FieldError("body", "must name at least one table")])
        seen: set[int] = set()
        errors = []
        for number, change in enumerate(self.update):
            if change.id in seen:
                errors.append(FieldError(f"update.{number}.id", "is changed twice"))
            seen.add(change.id)
        if errors:
            raise Invalid("The body is not valid.", errors=errors)


class TableFilter(Input):
    """Optional criteria of a search for tables, combined by AND."""

    table_type: Annotated[
        TableType | None, Field(description="Common hall, curtained cabin, or room behind a door")
    ] = None
    seats_min: Annotated[SeatsBound | None, Field(description="At least this many seats")] = None
    seats_max: Annotated[SeatsBound | None, Field(description="At most this many seats")] = None
    price_min: Annotated[PriceBound | None, Field(description="At least this price")] = None
    price_max: Annotated[PriceBound | None, Field(description="At most this price")] = None
    guests: Annotated[QueryInteger | None, Field(ge=1, le=100, description="With seats for this many guests")] = None
    starts_at: Annotated[
        Annotated[LocalInstant, AfterValidator(_require_future_now)] | None,
        Field(description="Free from this time on: local time of the restaurant, unless it has an offset"),
    ] = None
    minutes: Annotated[
        QueryInteger, Field(ge=1, le=1440, description="Free for this many minutes; only with starts_at")
    ] = DEFAULT_MINUTES

    @property
    def ends_at(self) -> datetime | None:
        """When the table is free again at the latest; None without a start."""
        return self.starts_at + timedelta(minutes=self.minutes) if self.starts_at is not None else None

    def require_consistent(self) -> None:
        """Raises Invalid naming every range whose lower bound exceeds the upper one, and minutes without a start."""
        errors = []
        if self.starts_at is None and "minutes" in self.model_fields_set:
            errors.append(FieldError("minutes", "can only be given together with starts_at"))
        for name in ("seats", "price"):
            low, high = getattr(self, f"{name}_min"), getattr(self, f"{name}_max")
            if low is not None and high is not None and low > high:
                errors.append(FieldError(f"{name}_min", f"is above {name}_max"))
        if errors:
            raise Invalid("The request is not valid.", errors=errors)


class TableListQuery(TableFilter, TableQuery):
    limit: Annotated[PageLimit | None, Field(description="Return pages of this many tables")] = None
    cursor: Cursor | None = None


class OutboxQuery(PageQuery):
    state: Annotated[
        Literal["waiting", "sent", "dead", "all"] | None,
        Field(description="Only messages in this state; by default those not sent: waiting and dead"),
    ] = None

    @property
    def states(self) -> list[State]:
        if self.state is None:
            return ["waiting", "dead"]
        return ["waiting", "sent", "dead"] if self.state == "all" else [self.state]


class TableIdQuery(Input):
    id: Annotated[QueryId, Field(description="The table")]


class PricesQuery(TableIdQuery, TableQuery):
    """The prices of a table."""


class BookingIdQuery(Input):
    id: Annotated[QueryId, Field(description="The booking")]


class MessageIdQuery(Input):
    id: Annotated[QueryId, Field(description="The message")]


class CancelTokenQuery(PageInput):
    id: Annotated[str, Field(description="The token from the email", examples=["lFvM0JpVxk2b1nQeJ4XnQ9m2Yw7cR5tUe8sA"])]


class SentQuery(PageInput):
    """changed: whether the form was sent again with other content, which was not stored."""

    changed: Annotated[bool, BeforeValidator(lambda value: value == "1")] = False


def require_reachable(phone: str | None, info: ValidationInfo) -> str | None:
    """Raises ValueError when phone and email are both missing. An invalid email has an error of its own."""
    if phone is None and info.data.get("email", "wrong") is None:
        raise ValueError("is required unless email is given")
    return phone


class BookingInput(Input):
    """An order for a table, with an email address or a phone number. Without starts_at, it is for the next time."""

    email: Email | None = None
    """Email address of the guest; required without a phone number."""
    phone: Annotated[Phone | None, AfterValidator(require_reachable), Field(validate_default=True)] = None
    """Phone number of the guest, with the code of the country: +49 or 0049; or as it is dialled in the restaurant's
    region, if the operator has set one."""
    name: Name | None = None
    """Name of the guest."""
    guests: Annotated[int, Field(ge=1, le=100)] | None = None
    """Number of guests."""
    starts_at: Annotated[LocalInstant, AfterValidator(_require_future_now)] | None = None
    """When the guests come: local time of the restaurant, unless it has an offset; without it, at the next time that
    suits."""
    minutes: Annotated[int, Field(ge=1, le=1440, description="How long the table is needed")] = DEFAULT_MINUTES
    notes: Notes = None
    """What the guest asks for."""

    def require_future_start(self, now: datetime) -> None:
        """Raises Invalid when the start is in the past at `now`, or the end already reached."""
        try:
            if self.starts_at is not None:
                require_future(self.starts_at, now)
                require_future(self.starts_at + timedelta(minutes=self.minutes), now + START_GRACE)
        except ValueError as error:
            raise Invalid.field("starts_at", str(error)) from None


class SetBookingInput(BookingInput):
    """A booking that staff set."""

    force: bool = False
    """Whether to set it outside the opening hours, later than a year ahead, or with more guests than seats."""


class ReasonInput(Input):
    """Why an order is declined or a booking cancelled."""

    reason: Notes = None
    """The reason, which the guest is told."""


class BookingsQuery(PageQuery):
    from_: Annotated[
        QueryNight | None, Field(alias="from", description="Only bookings that begin on this local day or later")
    ] = None
    to: Annotated[QueryNight | None, Field(description="Only bookings that begin on this local day or earlier")] = None
    status: Annotated[BookingStatus | None, Field(description="Only bookings with this status")] = None

    def require_ordered(self) -> None:
        """Raises Invalid when the period ends before it begins."""
        if self.from_ is not None and self.to is not None and self.from_ > self.to:
            raise Invalid.field("from", "is after `to`")


_CLOCK_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


def parse_clock_time(value: Any) -> str:
    """Parse a time by the clock, written HH:MM. Raises ValueError."""
    if isinstance(value, str) and _CLOCK_TIME.fullmatch(value):
        return value
    raise ValueError("must be a time such as 18:00; midnight is 00:00")


ClockTime = Annotated[
    str,
    BeforeValidator(parse_clock_time),
    WithJsonSchema({"type": "string", "pattern": f"^{_CLOCK_TIME.pattern}$", "examples": ["18:00"]}),
]


class OpeningHoursInput(Input):
    """Hours in which guests may order tables, by the clocks of the restaurant."""

    day: Annotated[int, Field(ge=0, le=6)]
    """The day of the week on which they begin: 0 is Monday, 6 is Sunday."""
    opens: ClockTime
    """When they begin, such as 18:00."""
    closes: ClockTime
    """When they end; a time that is not after `opens` is on the next day."""


class OpeningHoursList(RootModel[Annotated[list[OpeningHoursInput], Field(max_length=100)]]):
    """All opening hours of the restaurant."""

    def opening_hours(self) -> list[OpeningHours]:
        """Return the hours. Raises Invalid naming every item that begins when another one does."""
        seen: set[tuple[int, str]] = set()
        errors = []
        for number, each in enumerate(self.root):
            if (each.day, each.opens) in seen:
                errors.append(FieldError(f"{number}.opens", "is given twice for this day"))
            seen.add((each.day, each.opens))
        if errors:
            raise Invalid("The body is not valid.", errors=errors)
        return [OpeningHours(each.day, each.opens, each.closes) for each in self.root]


class ErasureInput(Input):
    """The guest to erase. With an email address and a phone number, the bookings with either of them are meant."""

    email: Email | None = None
    """Email address of the guest, in any case."""
    phone: Annotated[Phone | None, AfterValidator(require_reachable), Field(validate_default=True)] = None
    """Phone number of the guest, in international form."""


class Credentials(Input):
    username: Name
    """Name of the user."""
    password: Annotated[str, Field(min_length=1, max_length=1024)]
    """Password of the user."""


class RefreshInput(Input):
    refresh: Annotated[str, Field(min_length=1, max_length=4096)]
    """The refresh token of the log-in."""


class DecisionInput(Input):
    """A decision of the accounting program about an order."""

    order_id: Id
    """Id of the order."""
    decision: Literal["confirm", "decline"]
    """Whether the order is confirmed or declined."""
    reason: Notes = None
    """Why it is declined; the guest is told."""
    decided_by: Name = "accounting"
    """Who decided, for the history of the booking."""
