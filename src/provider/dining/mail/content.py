"""The content of the emails to guests, as it is stored in the outbox when the event happens."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from provider.dining.contact_fields import is_plausible_name
from provider.dining.mail.mailbox import parse_mailbox
from provider.dining.models import Event, TableOrder
from provider.dining.settings import DiningSettings

CANCEL_TOKEN_LIFETIME = timedelta(days=30)
"""Lifetime of a cancel button when the booking has no start; otherwise the button works until the start."""

TABLE_TYPE_NAMES = {"regular": "table in the hall", "cabin": "cabin", "room": "private room"}


class CancelButton(msgspec.Struct, frozen=True):
    """The cancel button of an email. page: the address that it leads to, without the token."""

    table_id: int
    booking_id: int
    page: str
    expires_at: datetime


class MailContent(msgspec.Struct, frozen=True):
    """A whole mail except the token of its cancel button. details: label and value."""

    sender: str
    recipient: str
    subject: str
    date: datetime
    message_id: str
    greeting: str
    opening: str
    details: list[tuple[str, str]]
    closing: str
    cancel: CancelButton | None


@dataclass(frozen=True)
class EventText:
    """The text of the emails about one event."""

    subject: str
    opening: str
    closing: str
    can_cancel: bool


EVENT_TEXTS: dict[Event, EventText] = {
    "received": EventText(
        "We have received your order for a table",
        "Thank you for your order. We will write to you again as soon as we have decided on it.",
        "If your plans change, you can cancel the order with the button below.",
        can_cancel=True,
    ),
    "confirmed": EventText(
        "Your table is confirmed",
        "Your table is confirmed. We look forward to seeing you.",
        "If your plans change, please cancel with the button below, so that another guest can have the table.",
        can_cancel=True,
    ),
    "declined": EventText(
        "We cannot offer you the table",
        "We are sorry: we cannot offer you the table that you ordered.",
        "Perhaps another table or another time suits you. You are welcome to order again.",
        can_cancel=False,
    ),
    "cancelled": EventText(
        "Your table is cancelled",
        "Your table is cancelled.",
        "You are welcome to order again at any time.",
        can_cancel=False,
    ),
}


def mail_content(order: TableOrder, event: Event, occurred_at: datetime, settings: DiningSettings) -> MailContent:
    """Return the email about an event of an order."""
    assert order.email is not None
    text = EVENT_TEXTS[event]
    cancel = CancelButton(
        table_id=order.table_id,
        booking_id=order.id,
        page=settings.cancel_url,
        expires_at=order.starts_at or occurred_at + CANCEL_TOKEN_LIFETIME,
    )
    return MailContent(
        sender=settings.mail_from,
        recipient=order.email,
        subject=text.subject,
        date=occurred_at,
        message_id=message_id(order, event, parse_mailbox(settings.mail_from).domain),
        greeting=f"Dear {order.name}," if is_plausible_name(order.name) else "Dear guest,",
        opening=text.opening,
        details=order_details(order),
        closing=text.closing,
        cancel=cancel if text.can_cancel else None,
    )


def order_details(order: TableOrder) -> list[tuple[str, str]]:
    """Return the details of the order as labels and values, without the guest's name and addresses."""
    details = [
        ("Table", f"{TABLE_TYPE_NAMES[order.table_type]}, {order.seats} {'seat' if order.seats == 1 else 'seats'}")
    ]
    if order.guests is not None:
        details.append(("Guests", str(order.guests)))
    details.append(("When", format_start(order.starts_at)))
    if order.starts_at is not None:
        details.append(("For", f"{order.minutes} minutes"))
    return [*details, ("Price", f"{order.price:.2f}"), ("Order", f"no. {order.id}")]


def format_start(start: datetime | None) -> str:
    """Return the start of a booking as text. An order without one is for the next time that suits."""
    if start is None:
        return "the next time that suits"
    return f"{start:%A}, {start.day} {start:%B %Y, %H:%M} UTC"


def message_id(order: TableOrder, event: Event, domain: str) -> str:
    """Return a Message-ID that is unique to the event of the booking, even across databases that reuse ids."""
    key = f"{order.id}/{order.table_id}/{order.ordered_at.isoformat()}/{event}"
    return f"<booking-{order.id}-{event}-{hashlib.sha256(key.encode()).hexdigest()[:20]}@{domain}>"
