"""Tables, bookings and their changes, as rows and as responses."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, NamedTuple

import msgspec

TableType = Literal["regular", "cabin", "room"]
BookingStatus = Literal["waiting", "confirmed", "declined", "cancelled", "expired"]
"""expired: nobody decided on the order before its end."""
NextStatus = Literal["confirmed", "declined", "cancelled", "expired"]
Event = Literal["received", "confirmed", "declined", "cancelled", "expired"]
"""The changes of a booking that cause messages to the guest."""


class Actor(msgspec.Struct, frozen=True):
    """The person or program that changes a booking. name: empty for guests, who need no account.

    clock: nobody; the time of the booking has passed.
    """

    kind: Literal["guest", "admin", "accounting", "clock"]
    name: str = ""

    def __str__(self) -> str:
        """Return the actor as the history of a booking stores it."""
        return f"{self.kind}: {self.name}" if self.name else self.kind


GUEST = Actor("guest")
CLOCK = Actor("clock")


class BookableTable(msgspec.Struct, frozen=True):
    """A table as a guest sees it."""

    id: int
    """Id of the table."""
    table_type: TableType
    """Common hall, curtained cabin, or room behind a door."""
    seats: int
    """Number of seats."""
    price: Decimal
    """Price of the table."""


class Table(msgspec.Struct, frozen=True):
    """A table as staff see it."""

    id: int
    """Id of the table."""
    table_type: TableType
    """Common hall, curtained cabin, or room behind a door."""
    seats: int
    """Number of seats."""
    price: Decimal
    """Price of the table."""
    can_be_booked: bool
    """Whether guests can order it."""


class BulkResult(msgspec.Struct, frozen=True):
    """The tables after the change, in the order of the request."""

    added: list[Table]
    """The added tables."""
    updated: list[Table]
    """The changed tables."""


class Booking(msgspec.Struct, frozen=True):
    """An order for a table and its status."""

    id: int
    """Id of the booking."""
    table_id: int
    """Id of the table."""
    status: BookingStatus
    """Whether the order waits for a decision, or the decision on it."""
    email: str | None
    """Email address of the guest."""
    phone: str | None
    """Phone number of the guest, in international form."""
    name: str | None
    """Name of the guest."""
    guests: int | None
    """Number of guests."""
    starts_at: datetime | None
    """When the guests come; null: at the next time that suits."""
    minutes: int
    """How long the table is needed."""
    price: Decimal
    """Price of the table when it was ordered."""
    notes: str | None
    """What the guest asks for."""
    reason: str | None
    """Why it was declined or cancelled, as the guest was told."""
    created_at: datetime
    """When it was ordered."""
    changed_at: datetime
    """When the status last changed."""
    changed_by: str
    """Who made that change: guest, admin, accounting or clock, and the name."""
    erased_at: datetime | None
    """When the guest's name, email address, phone number and notes were erased."""

    @property
    def ends_at(self) -> datetime | None:
        """When the booking ends; None without a start."""
        return self.starts_at + timedelta(minutes=self.minutes) if self.starts_at is not None else None


class StatusChange(msgspec.Struct, frozen=True):
    """A status that a booking has had, with its time and actor."""

    status: BookingStatus
    """The status from then on."""
    changed_at: datetime
    """When it changed."""
    changed_by: str
    """Who changed it: guest, admin or accounting, and the name."""

    @property
    def by_accounting(self) -> bool:
        return self.changed_by.partition(":")[0] == "accounting"


class BookingHistory(msgspec.Struct, frozen=True):
    """A booking and every status that it has had, oldest first."""

    booking: Booking
    """The booking as it is now."""
    changes: list[StatusChange]
    """Every status that it has had, oldest first."""


class OpeningHours(msgspec.Struct, frozen=True):
    """Hours in which guests may order tables, by the clocks of the restaurant."""

    day: int
    """The day of the week on which they begin: 0 is Monday, 6 is Sunday."""
    opens: str
    """When they begin, such as 18:00."""
    closes: str
    """When they end; a time that is not after `opens` is on the next day."""


class TablePrice(msgspec.Struct, frozen=True):
    """A price of a table, and since when it has been valid."""

    price: Decimal
    """Price of the table."""
    valid_from: datetime
    """Since when it has been valid."""


class BookedTable(NamedTuple):
    """A booking and its table."""

    booking: Booking
    table: Table


class TableOrder(msgspec.Struct, frozen=True):
    """A booking with its table, as it is sent to the accounting program.

    erased: whether the accounting program has to erase the guest's name, email address, phone number and notes.
    timezone: of the restaurant. decline_reason: why it was declined or cancelled, as the guest is told. mail_failure:
    which email did not reach the guest, and why; None if that is not what the accounting program is told.
    mail_delivered: whether an email that had not reached the guest has done so; `mail_failure` then names another one
    that has not.
    """

    id: int
    status: BookingStatus
    callback_url: str
    table_id: int
    table_type: TableType
    seats: int
    price: Decimal
    name: str | None
    email: str | None
    phone: str | None
    guests: int | None
    starts_at: datetime | None
    minutes: int
    ordered_at: datetime
    erased: bool
    timezone: str
    currency: str
    notes: str | None
    decline_reason: str | None
    mail_failure: str | None = None
    mail_delivered: bool = False


class TokenPair(msgspec.Struct, frozen=True):
    """An access token for the admin paths, and a refresh token to get the next one."""

    access: str
    """Access token, valid for half an hour."""
    refresh: str
    """Refresh token, valid for a day."""


class RefreshedToken(msgspec.Struct, frozen=True):
    """A new access token."""

    access: str
    """Access token, valid for half an hour."""


class ErasureResult(msgspec.Struct, frozen=True):
    """The bookings from which a guest was erased."""

    bookings: int
    """Their number."""


class DecisionResult(msgspec.Struct, frozen=True):
    """The status of the order after the decision, and what its guest is told."""

    order_id: int
    """Id of the order."""
    status: BookingStatus
    """The status after the decision."""
    reason: str | None
    """Why it was declined or cancelled, as the guest is told; another one than that of the decision, if the order was
    declined before."""


EXAMPLE_TABLE = {"id": 1, "table_type": "cabin", "seats": 4, "price": 25.5, "can_be_booked": True}
EXAMPLE_BULK = {"added": [EXAMPLE_TABLE], "updated": []}
EXAMPLE_BOOKABLE_TABLE = {"id": 1, "table_type": "cabin", "seats": 4, "price": 25.5}
EXAMPLE_ORDER = {
    "email": "ann@example.com",
    "phone": "+4930123456",
    "name": "Ann",
    "guests": 2,
    "minutes": 120,
    "notes": "A high chair, please.",
}
EXAMPLE_DAYS_AHEAD = 180
"""The examples are sent from the browser, even when the document was rendered months before."""
EXAMPLE_BOOKING = {
    "id": 1,
    "table_id": 1,
    "status": "waiting",
    **EXAMPLE_ORDER,
    "starts_at": "2999-01-01T19:00:00Z",
    "price": 25.5,
    "reason": None,
    "created_at": "2998-12-01T10:00:00Z",
    "changed_at": "2998-12-01T10:00:00Z",
    "changed_by": "guest",
    "erased_at": None,
}
EXAMPLE_HOURS: list[dict[str, Any]] = [
    {"day": 4, "opens": "18:00", "closes": "23:30"},
    {"day": 5, "opens": "18:00", "closes": "02:00"},
]


def example_order() -> dict[str, Any]:
    """Return an order that table 1 of the demo can take, within EXAMPLE_HOURS."""
    return EXAMPLE_ORDER | {"starts_at": f"{example_day()}T19:00"}


def example_set_booking() -> dict[str, Any]:
    """Return a booking by staff, after the order of `example_order`."""
    return EXAMPLE_ORDER | {"starts_at": f"{example_day()}T21:00", "force": False}


def example_day() -> date:
    """Return a Friday."""
    earliest = datetime.now(UTC).date() + timedelta(days=EXAMPLE_DAYS_AHEAD)
    return earliest + timedelta(days=(EXAMPLE_HOURS[0]["day"] - earliest.weekday()) % 7)


EXAMPLE_HISTORY = {
    "booking": EXAMPLE_BOOKING,
    "changes": [{"status": "waiting", "changed_at": "2998-12-01T10:00:00Z", "changed_by": "guest"}],
}
EXAMPLE_MESSAGE = {
    "id": 1,
    "topic": "mail",
    "subject": "booking:1",
    "event": "received",
    "state": "waiting",
    "attempts": 3,
    "created_at": "2998-12-01T10:00:00Z",
    "due_at": "2998-12-01T10:00:12Z",
    "sent_at": None,
    "settled_at": None,
    "last_error": "UpstreamError: SMTP: SMTPConnectError",
}
