"""The content of the emails to guests, as it is stored in the outbox when the event happens."""

import hashlib
from datetime import datetime, timedelta

import msgspec

from provider.dining.contact_fields import is_plausible_name
from provider.dining.mail.mailbox import parse_mailbox
from provider.dining.models import Event, TableOrder
from provider.dining.settings import DiningSettings
from provider.dining.wording import EVENT_TEXTS, TABLE_TYPE_NAMES

CANCEL_TOKEN_LIFETIME = timedelta(days=30)
"""Lifetime of a cancel button when the booking has no start; otherwise the button works until the start."""


class CancelButton(msgspec.Struct, frozen=True):
    """The cancel button of an email, which is left out once it has expired.

    text: stands above the button. page: the address that it leads to, without the token.
    """

    table_id: int
    booking_id: int
    text: str
    page: str
    expires_at: datetime


class MailContent(msgspec.Struct, frozen=True):
    """A whole mail except the token of its cancel button.

    name: of the guest, None for a greeting without one. details: label and value.
    """

    sender: str
    recipient: str
    subject: str
    date: datetime
    message_id: str
    name: str | None
    opening: str
    details: list[tuple[str, str]]
    closing: str | None
    cancel: CancelButton | None


def mail_content(order: TableOrder, event: Event, occurred_at: datetime, settings: DiningSettings) -> MailContent:
    """Return the email about an event of an order."""
    assert order.email is not None
    text = EVENT_TEXTS[event]
    expires_at = order.starts_at or occurred_at + CANCEL_TOKEN_LIFETIME
    cancel = None
    if text.cancelling is not None and expires_at > occurred_at:
        cancel = CancelButton(order.table_id, order.id, text.cancelling, settings.cancel_url, expires_at)
    return MailContent(
        sender=settings.mail_from,
        recipient=order.email,
        subject=text.subject,
        date=occurred_at,
        message_id=message_id(order, event, parse_mailbox(settings.mail_from).domain),
        name=order.name if is_plausible_name(order.name) else None,
        opening=text.opening,
        details=order_details(order),
        closing=text.closing,
        cancel=cancel,
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
