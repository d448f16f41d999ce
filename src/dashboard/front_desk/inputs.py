"""Input types of the front desk."""

from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from common.time_zones import parse_time_zone
from common.web.input_types import (
    WITHOUT_NUL,
    Id,
    Input,
    Instant,
    Name,
    Night,
    Notes,
    PageInput,
    PageQuery,
    QueryNight,
    parse_name,
)
from dashboard.front_desk.models import ProviderStatus, Status


def parse_price(value: Any) -> Decimal:
    """Parse a price from a JSON number. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 99999.99:
        raise ValueError("must be a number from 0 to 99999.99")
    return round(Decimal(str(value)), 2)


Price = Annotated[
    Decimal, BeforeValidator(parse_price), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 99999.99})
]
MAX_LINE_LENGTH = 300

Line = Annotated[
    str,
    BeforeValidator(partial(parse_name, max_length=MAX_LINE_LENGTH)),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_LINE_LENGTH}),
]
"""One line that can be seen, as names are, but longer."""


TimeZoneName = Annotated[
    str, AfterValidator(parse_time_zone), WithJsonSchema({"type": "string", "examples": ["Europe/Berlin"]})
]


LATEST_START = datetime(9998, 1, 1, tzinfo=UTC)


def require_computable(start: datetime) -> datetime:
    """Return the start. Raises ValueError when it is too late for the end to be a datetime."""
    if start >= LATEST_START:
        raise ValueError("must be before the year 9998")
    return start


class OrderInput(Input):
    """An order as the provider sends it, once when it is placed and again when its status changes there."""

    id: Id
    """Id of the order."""
    status: ProviderStatus
    """The status of the order at the provider."""
    callback_url: Annotated[str, Field(min_length=1, max_length=2000, description="Where to send the decision")]
    table_id: Id
    """Id of the table."""
    table_type: Line
    """The kind of table."""
    seats: Annotated[int, Field(ge=1, le=1000)]
    """Number of seats."""
    price: Price
    """Price of the table when it was ordered."""
    name: Name | None = None
    """Name of the guest."""
    email: Line | None = None
    """Email address of the guest."""
    phone: Line | None = None
    """Phone number of the guest."""
    guests: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Number of guests."""
    starts_at: Annotated[Instant, AfterValidator(require_computable)] | None = None
    """When the guests come; null: at the next time that suits."""
    minutes: Annotated[int, Field(ge=1, le=100_000)]
    """How long the table is needed."""
    ordered_at: Instant
    """When the guest ordered."""
    timezone: TimeZoneName = "UTC"
    """Time zone of the restaurant, in which its staff read the times."""
    currency: Line | None = None
    """Currency of the price."""
    notes: Notes = None
    """What the guest asks for."""
    decline_reason: Notes = None
    """Why the order was declined or cancelled, as the guest is told."""
    mail_failure: Line | None = None
    """Which email did not reach the guest, and why; null: unchanged."""
    mail_delivered: bool = False
    """Whether an earlier email has now reached the guest; `mail_failure` then replaces the stored failure, and null
    clears it."""
    erased: bool = False
    """Whether to erase the guest's name, email address, phone number and notes, and what may quote them."""


OrderSearch = Annotated[
    str,
    Field(
        max_length=MAX_LINE_LENGTH,
        pattern=WITHOUT_NUL,
        description="Only orders with this number, or whose guest's name, email address or phone number contains it",
        examples=["Ann"],
    ),
]


class OrdersQuery(PageQuery):
    day: Annotated[
        QueryNight | None, Field(description="Only orders that begin on this day by the clocks of the restaurant")
    ] = None
    status: Annotated[Status | None, Field(description="Only orders with this status")] = None
    search: OrderSearch = ""


class DayQuery(PageQuery):
    day: Annotated[
        Night | None, Field(description="The day by the clocks of the restaurant; by default the current one")
    ] = None


class DeskPageQuery(PageInput):
    """What the page shows beside the waiting orders. day: None for the current one."""

    day: Night | None = None
    search: OrderSearch = ""


class DeclineInput(Input):
    """Why an order is declined."""

    reason: Notes = None
    """The reason, which the guest is told."""
