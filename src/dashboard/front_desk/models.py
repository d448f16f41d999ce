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
    """Id of the order."""
    status: Status
    """Whether it waits for a decision, or the decision on it; refused: the provider did not accept it."""
    table_id: int
    """Id of the table."""
    table_type: str
    """The kind of table."""
    seats: int
    """Number of seats."""
    price: Decimal
    """Price of the table when it was ordered."""
    name: str | None
    """Name of the guest."""
    email: str | None
    """Email address of the guest."""
    phone: str | None
    """Phone number of the guest."""
    guests: int | None
    """Number of guests."""
    starts_at: datetime | None
    """When the guests come; null: at the next time that suits."""
    minutes: int
    """How long the table is needed."""
    ordered_at: datetime
    """When the guest ordered."""
    received_at: datetime
    """When the front desk received the order."""
    decision: Decision | None
    """The decision of the staff; null while the order waits."""
    decided_at: datetime | None
    """When they decided."""
    delivered: bool | None
    """Whether the provider has answered the decision; null without a decision."""
    reason: str | None
    """Why the provider refused the decision."""
