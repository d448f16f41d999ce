"""Orders for restaurant tables as the front desk stores and shows them."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from common.time_zones import format_local

ProviderStatus = Literal["waiting", "confirmed", "declined", "cancelled", "expired"]
Status = ProviderStatus
Decision = Literal["confirm", "decline"]

LONG_WAIT = timedelta(minutes=10)
SOON = timedelta(hours=2)


class DeskCounts(NamedTuple):
    """The front desk in numbers.

    waiting: orders that nobody has decided yet; late: those that wait longer than LONG_WAIT; oldest: when the oldest of
    them was received. coming: confirmed tables that begin within SOON.
    """

    waiting: int
    late: int
    oldest: datetime | None
    coming: int


class Order(msgspec.Struct, frozen=True):
    """An order for a table and the decision on it."""

    id: int
    """Id of the order."""
    status: Status
    """What the provider says about the order, else the decision; expired: nobody decided before its end."""
    table_id: int
    """Id of the table."""
    table_type: str
    """The kind of table."""
    seats: int
    """Number of seats."""
    price: Decimal
    """Price of the table when it was ordered."""
    currency: str | None
    """Currency of the price."""
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
    timezone: str
    """Time zone of the restaurant."""
    day: date | None
    """The day on which the guests come, in that time zone; null without a time."""
    minutes: int
    """How long the table is needed."""
    notes: str | None
    """What the guest asks for."""
    ordered_at: datetime
    """When the guest ordered."""
    received_at: datetime
    """When the front desk received the order."""
    decision: Decision | None
    """The decision of the staff; null while the order waits."""
    decided_at: datetime | None
    """When they decided."""
    delivered: bool | None
    """Whether the provider has accepted the decision; null without a decision."""
    refusal_reason: str | None
    """Why the provider did not accept the last decision."""
    decline_reason: str | None
    """Why the order was declined or cancelled, as the guest is told: while the order waits at the provider, the reason
    of the decision; from then on that of the provider, null if it gave none."""
    mail_failure: str | None
    """Which email did not reach the guest, and why."""
    changed_at: datetime
    """When the status last changed."""
    was_confirmed: bool
    """Whether an order that is cancelled was confirmed before."""

    @property
    def local_start(self) -> str:
        """When the guests come, by the clocks of the restaurant."""
        return "the next time that suits" if self.starts_at is None else self.local(self.starts_at)

    def local(self, instant: datetime) -> str:
        """An instant by the clocks of the restaurant."""
        return format_local(instant, self.zone)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

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

    refusal_reason: why it refused; None: it accepted. status: of the order, if the answer states it. decline_reason:
    why the order was declined or cancelled, as the guest is told, if the answer says so.
    """

    refusal_reason: str | None
    status: ProviderStatus | None
    decline_reason: str | None = None
