"""Tables, orders and decisions as they come in."""

import math
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema

from common.outbox.queries import State
from common.web.errors import FieldError, Invalid
from common.web.input_types import Id, Input, Instant, PageLimit, PageQuery, QueryId, QueryInteger
from provider.dining.contact_fields import Email, Line, Phone
from provider.dining.models import TableType

HIGHEST_PRICE = Decimal("99999.99")
LARGEST_BULK = 10_000
LATEST_START = datetime(9998, 1, 1, tzinfo=UTC)
GRACE = timedelta(minutes=5)
"""How late a start may already be: a guest at the door, a clock that is slow."""

_QUERY_PRICE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,2})?")


def parse_price(value: Any) -> Decimal:
    """A price from a JSON number: two decimal places, 0 to 99,999.99. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("must be a number")
    number = Decimal(str(value))
    if not 0 <= number <= HIGHEST_PRICE:
        raise ValueError("must be from 0 to 99999.99")
    if number != round(number, 2):
        raise ValueError("must not have more than two decimal places")
    return abs(round(number, 2))


def parse_query_price(value: Any) -> Decimal:
    """A bound of prices, from a query string or from JSON; it may lie above every price. Raises ValueError."""
    text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not _QUERY_PRICE.fullmatch(text):
        raise ValueError("must be a number from 0 to 999999999.99 with at most two decimal places")
    return Decimal(text)


Price = Annotated[
    Decimal,
    BeforeValidator(parse_price),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 99999.99, "multipleOf": 0.01, "examples": [25.5]}),
]
PriceBound = Annotated[
    Decimal,
    BeforeValidator(parse_query_price),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 999_999_999.99, "multipleOf": 0.01, "examples": [25.5]}),
]
Seats = Annotated[int, Field(ge=1, le=100)]
SeatsBound = Annotated[QueryInteger, Field(ge=0, le=1_000_000)]


class TableInput(Input):
    """A table to add; what is left out takes its default."""

    table_type: TableType = "regular"
    seats: Seats = 2
    price: Annotated[Price, Field(json_schema_extra={"default": 0})] = Decimal(0)
    can_be_booked: bool = True


class TableChange(Input):
    """A change of a table; what is left out, or null, stays."""

    id: Id
    table_type: TableType | None = None
    seats: Seats | None = None
    price: Price | None = None
    can_be_booked: bool | None = None


class BulkInput(Input):
    """Tables to add and tables to change, all of them or none."""

    add: Annotated[list[TableInput], Field(max_length=LARGEST_BULK, default_factory=list)]
    update: Annotated[list[TableChange], Field(max_length=LARGEST_BULK, default_factory=list)]

    def require_clear(self) -> None:
        """Raises Invalid where the same table is to be changed twice, or nothing is asked for."""
        if not self.add and not self.update:
            raise Invalid("The body is not valid.", errors=[FieldError("body", "names no table")])
        seen: set[int] = set()
        faults = []
        for number, change in enumerate(self.update):
            if change.id in seen:
                faults.append(FieldError(f"update.{number}.id", "is changed twice"))
            seen.add(change.id)
        if faults:
            raise Invalid("The body is not valid.", errors=faults)


class Wish(Input):
    """What a guest looks for; all optional, combined by AND."""

    table_type: Annotated[
        TableType | None, Field(description="Common hall, curtained cabin, or room behind a door")
    ] = None
    seats_min: Annotated[SeatsBound | None, Field(description="At least this many seats")] = None
    seats_max: Annotated[SeatsBound | None, Field(description="At most this many seats")] = None
    price_min: Annotated[PriceBound | None, Field(description="Price from here on")] = None
    price_max: Annotated[PriceBound | None, Field(description="Price up to here, included")] = None

    def require_ordered(self) -> None:
        """Raises Invalid naming every range that ends before it begins."""
        faults = []
        for name in ("seats", "price"):
            low, high = getattr(self, f"{name}_min"), getattr(self, f"{name}_max")
            if low is not None and high is not None and low > high:
                faults.append(FieldError(f"{name}_min", f"is above {name}_max"))
        if faults:
            raise Invalid("The request is not valid.", errors=faults)


class TablesQuery(Wish):
    limit: Annotated[PageLimit | None, Field(description="Answer in pages of this many tables")] = None
    cursor: Annotated[str | None, Field(description="Where the page begins; from the Link header")] = None


class OutboxQuery(PageQuery):
    state: Annotated[
        Literal["waiting", "sent", "dead", "all"] | None,
        Field(description="Only messages in this state; without it those that have not left: waiting and dead"),
    ] = None

    @property
    def states(self) -> list[State]:
        if self.state is None:
            return ["waiting", "dead"]
        return ["waiting", "sent", "dead"] if self.state == "all" else [self.state]


class TableQuery(Input):
    id: Annotated[QueryId, Field(description="The table")]


class BookingQuery(Input):
    id: Annotated[QueryId, Field(description="The booking")]


class MessageQuery(Input):
    id: Annotated[QueryId, Field(description="The message")]


class TokenQuery(Input):
    id: Annotated[str, Field(description="The token from the mail")]


def require_reachable(phone: str | None, info: ValidationInfo) -> str | None:
    """Raises ValueError where a guest leaves no way to be reached; an address that is wrong has its own fault."""
    if phone is None and info.data.get("email", "wrong") is None:
        raise ValueError("is needed, or email, or both")
    return phone


def require_ahead(start: datetime, now: datetime) -> datetime:
    """Raises ValueError for a start that is past, or beyond the calendar that we can reckon with."""
    if not now - GRACE <= start < LATEST_START:
        raise ValueError("must lie ahead")
    return start


def _require_ahead_now(start: datetime, info: ValidationInfo) -> datetime:
    assert info.context is not None
    return require_ahead(start, info.context["now"])


class BookingInput(Input):
    """An order for a table: an e-mail address, a phone number, or both; without starts_at it is for the next time."""

    email: Email | None = None
    phone: Annotated[Phone | None, AfterValidator(require_reachable), Field(validate_default=True)] = None
    name: Line | None = None
    guests: Annotated[int, Field(ge=1, le=100)] | None = None
    starts_at: Annotated[Instant, AfterValidator(_require_ahead_now)] | None = None
    minutes: Annotated[int, Field(ge=1, le=1440, description="How long the table is needed")] = 120

    def require_ahead(self, now: datetime) -> None:
        """Raises Invalid for a start that does not lie ahead."""
        try:
            if self.starts_at is not None:
                require_ahead(self.starts_at, now)
        except ValueError as error:
            raise Invalid.field("starts_at", str(error)) from None


class Credentials(Input):
    username: Line
    password: Annotated[str, Field(min_length=1, max_length=1024)]


class RefreshInput(Input):
    refresh: Annotated[str, Field(min_length=1, max_length=4096)]


class DecisionInput(Input):
    """What the accounting program decided about an order."""

    order_id: Id
    decision: Literal["confirm", "decline"]
    decided_by: Line = "accounting"
