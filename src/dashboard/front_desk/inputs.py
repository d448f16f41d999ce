"""Input types of the front desk."""

from decimal import Decimal
from functools import partial
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from common.web.input_types import Id, Input, Instant, Name, PageQuery, parse_name
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


class OrderInput(Input):
    """An order as the provider sends it, once when it is placed and again when its status changes there."""

    id: Id
    status: ProviderStatus
    callback_url: Annotated[str, Field(min_length=1, max_length=2000, description="Where to send the decision")]
    table_id: Id
    table_type: Line
    seats: Annotated[int, Field(ge=1, le=1000)]
    price: Price
    name: Name | None = None
    email: Line | None = None
    phone: Line | None = None
    guests: Annotated[int, Field(ge=1, le=1000)] | None = None
    starts_at: Instant | None = None
    minutes: Annotated[int, Field(ge=1, le=100_000)]
    ordered_at: Instant
    erased: Annotated[bool, Field(description="Whether to erase the guest's name, email address and phone number")] = (
        False
    )


class OrdersQuery(PageQuery):
    status: Annotated[Status | None, Field(description="Only orders with this status")] = None
