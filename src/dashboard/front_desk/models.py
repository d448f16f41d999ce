"""Orders for restaurant tables as the front desk stores and shows them."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

ProviderStatus = Literal["waiting", "confirmed", "declined", "cancelled"]
Status = Literal["waiting", "confirmed", "declined", "refused", "cancelled"]
Decision = Literal["confirm", "decline"]


class Order(msgspec.Struct, frozen=True):
    """An order for a table and the decision on it.

    status: refused if the provider did not accept the decision; `reason` states why. delivered: whether the provider
    has answered the decision; null without a decision.
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
