"""Orders for restaurant tables as the front desk stores and shows them."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

ProviderStatus = Literal["waiting", "confirmed", "declined", "cancelled", "expired"]
Status = ProviderStatus
Decision = Literal["confirm", "decline"]
STATUS_AFTER: dict[Decision, Status] = {"confirm": "confirmed", "decline": "declined"}

LONG_WAIT = timedelta(minutes=10)
SOON = timedelta(hours=2)


def zone_named(name: str) -> ZoneInfo:
    """A time zone; UTC for a name that this machine does not know, although the sender of the order did."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a name that is not one of a file is a ValueError
        return ZoneInfo("UTC")


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
    def zone(self) -> ZoneInfo:
        return zone_named(self.timezone)

    @property
    def ends_at(self) -> datetime | None:
        """When the time of the order ends; None without a start."""
        return self.starts_at + timedelta(minutes=self.minutes) if self.starts_at is not None else None

    def has_begun(self, now: datetime) -> bool:
        return self.starts_at is not None and self.starts_at <= now

    def has_ended(self, now: datetime) -> bool:
        return self.ends_at is not None and self.ends_at <= now


class Overlap(msgspec.Struct, frozen=True):
    """A confirmed order of the same table for a time that overlaps."""

    order_id: int
    """Id of that order."""
    starts_at: datetime
    """When its guests come."""
    ends_at: datetime
    """When its time ends."""


class DayOrder(msgspec.Struct, frozen=True):
    """A waiting or confirmed order on a day."""

    id: int
    """Id of the order."""
    status: Status
    """`confirmed`: it holds the table; `waiting`: it asks for it."""
    table_id: int
    """Id of the table."""
    table_type: str
    """The kind of table."""
    seats: int
    """Number of seats."""
    name: str | None
    """Name of the guest."""
    email: str | None
    """Email address of the guest."""
    phone: str | None
    """Phone number of the guest."""
    guests: int | None
    """Number of guests."""
    starts_at: datetime
    """When the guests come."""
    ends_at: datetime
    """When the time of the order ends."""
    minutes: int
    """How long the table is needed."""
    timezone: str
    """Time zone of the restaurant."""
    day: date
    """The day on which the guests come, in that time zone: that asked for, or one before that it lasts beyond."""
    notes: str | None
    """What the guest asks for."""
    delivered: bool | None
    """Whether the provider has accepted the decision; null without a decision."""
    overlaps: bool
    """Whether another order for the same table, which is confirmed, overlaps in time."""
    overlap: Overlap | None
    """The first such order."""


class DeskTable(msgspec.Struct, frozen=True):
    """A table as the newest order for it describes it."""

    table_id: int
    """Id of the table."""
    table_type: str
    """The kind of table."""
    seats: int
    """Number of seats."""


class DeskDay(msgspec.Struct, frozen=True):
    """The waiting and confirmed orders of a day."""

    day: date
    """The day, by the clocks of the restaurant."""
    timezone: str
    """Time zone of the restaurant, by its newest order."""
    tables: list[DeskTable]
    """The tables that orders of the last 90 days were for; the front desk knows no others."""
    items: list[DayOrder]
    """The orders by when they start."""


class DeskMark(NamedTuple):
    """What changes when any order changes.

    newest: the highest id. updated_at: the last change. recent, checksum: number of the latest changes, and the sum of
    their times. A change that is committed after a later one changes these two alone.
    """

    newest: int | None
    updated_at: datetime | None
    recent: int
    checksum: Decimal


class DeskTotals(NamedTuple):
    """Orders of the page that are counted whole, whatever it shows of them.

    waiting: those that wait and whose time has not passed. newest: when the last of them began to wait. undelivered:
    decisions that have not reached the restaurant.
    """

    waiting: int
    newest: datetime | None
    undelivered: int


class TakenTable(NamedTuple):
    """A table that is confirmed for another order at the time of the order `asked_id`."""

    asked_id: int
    table_id: int
    overlap: Overlap


class DecisionOutcome(msgspec.Struct, frozen=True):
    """What the provider answered to a decision.

    refusal_reason: why it refused; None: it accepted. status: of the order, if the answer states it. decline_reason:
    why the order was declined or cancelled, as the guest is told, if the answer says so.
    """

    refusal_reason: str | None
    status: ProviderStatus | None
    decline_reason: str | None = None
