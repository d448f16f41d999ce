"""Orders for restaurant tables as the front desk stores and shows them."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

import msgspec

ProviderStatus = Literal["waiting", "confirmed", "declined", "cancelled", "expired"]
Status = ProviderStatus
Decision = Literal["confirm", "decline"]


class Order(msgspec.Struct, frozen=True):
    """An order for a table and the decision on it.

    status: what the provider says about the order, else the decision. reason: why the provider did not accept the last
    decision; the order then waits for another one. delivered: whether the provider has accepted the decision; null
    without a decision. was_confirmed: whether an order that is cancelled was confirmed before.
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
    changed_at: datetime
    was_confirmed: bool

    @property
    def ends_at(self) -> datetime | None:
        """When the time of the order ends; None without a start."""
        return self.starts_at + timedelta(minutes=self.minutes) if self.starts_at is not None else None

    def has_begun(self, now: datetime) -> bool:
        return self.starts_at is not None and self.starts_at <= now

    def has_ended(self, now: datetime) -> bool:
        return self.ends_at is not None and self.ends_at <= now


class DecisionOutcome(msgspec.Struct, frozen=True):
    """What the provider answered to a decision.

    reason: why it refused; None: it accepted. status: of the order, if the answer states it.
    """

    reason: str | None
    status: ProviderStatus | None
