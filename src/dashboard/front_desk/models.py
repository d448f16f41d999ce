"""Orders for tables as the front desk gets, keeps and shows them."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from common.web.input_types import Id, Input, Instant, PageQuery

ProviderStatus = Literal["waiting", "confirmed", "declined", "cancelled"]
Status = Literal["waiting", "confirmed", "declined", "refused", "cancelled"]
Decision = Literal["confirm", "decline"]


def parse_price(value: Any) -> Decimal:
    """A price from a JSON number. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 99999.99:
        raise ValueError("must be a number from 0 to 99999.99")
    return round(Decimal(str(value)), 2)


def require_no_nul(value: str) -> str:
    """Text that PostgreSQL can hold. Raises ValueError."""
    if "\0" in value:
        raise ValueError("must not hold NUL")
    return value


Price = Annotated[
    Decimal, BeforeValidator(parse_price), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 99999.99})
]
ShortText = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(require_no_nul)]


class OrderInput(Input):
    """An order as the provider forwards it; sent again when its status changes there."""

    id: Id
    status: ProviderStatus
    callback_url: Annotated[str, Field(min_length=1, max_length=2000, description="Where the decision goes")]
    table_id: Id
    table_type: ShortText
    seats: Annotated[int, Field(ge=1, le=1000)]
    price: Price
    name: ShortText | None = None
    email: ShortText | None = None
    phone: ShortText | None = None
    guests: Annotated[int, Field(ge=1, le=1000)] | None = None
    starts_at: Instant | None = None
    minutes: Annotated[int, Field(ge=1, le=100_000)]
    ordered_at: Instant


class OrdersQuery(PageQuery):
    status: Annotated[Status | None, Field(description="Only orders in this status")] = None


class Order(msgspec.Struct, frozen=True):
    """An order for a table and what was decided about it.

    status: refused where the provider did not accept the decision, for `reason`. delivered: has the provider answered
    the decision; null while there is none.
    """

    id: int
    status: Status
    table_id: int
    table_type: str
    seats: int
    price: Decimal
    name: str | None
    email: str | None
    phone: str | None
    guests: int | None
    starts_at: datetime | None
    minutes: int
    ordered_at: datetime
    received_at: datetime
    decision: Decision | None
    decided_at: datetime | None
    delivered: bool | None
    reason: str | None


EXAMPLE_INPUT = {
    "id": 1,
    "status": "waiting",
    "callback_url": "http://127.0.0.1:9000/api/accounting/decisions",
    "table_id": 1,
    "table_type": "cabin",
    "seats": 4,
    "price": 25.5,
    "name": "Ann",
    "email": "ann@example.com",
    "phone": "+4930123456",
    "guests": 3,
    "starts_at": "2999-01-01T19:00:00Z",
    "minutes": 120,
    "ordered_at": "2998-12-01T10:00:00Z",
}
EXAMPLE = {name: value for name, value in EXAMPLE_INPUT.items() if name != "callback_url"} | {
    "received_at": "2998-12-01T10:00:01Z",
    "decision": None,
    "decided_at": None,
    "delivered": None,
    "reason": None,
}
EXAMPLE_MESSAGE = {
    "id": 1,
    "topic": "decision",
    "subject": "table:1",
    "event": "order 1 decided",
    "state": "waiting",
    "attempts": 3,
    "created_at": "2998-12-01T10:00:00Z",
    "due_at": "2998-12-01T10:00:12Z",
    "settled_at": None,
    "last_error": "UpstreamError: POST http://127.0.0.1:9000/api/accounting/decisions: ClientConnectorError",
}
