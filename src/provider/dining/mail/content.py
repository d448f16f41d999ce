"""The content of the emails to guests, as it is when the event happens."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.web.words import counted
from provider.dining.auth.cancel_tokens import CancelToken
from provider.dining.local_times import format_start
from provider.dining.mail.mailbox import parse_mailbox
from provider.dining.models import Event, TableOrder
from provider.dining.quotable_text import is_plausible_name, is_quotable
from provider.dining.settings import DiningSettings
from provider.dining.wording import EVENT_TEXTS, TABLE_TYPE_NAMES

CANCEL_TOKEN_LIFETIME = timedelta(days=30)
"""Lifetime of a cancel button when the booking has no start; otherwise the button works until the start."""


@dataclass(frozen=True)
class CancelButton:
    """The cancel button of an email. text: stands above it. link: the address that it leads to."""

    text: str
    link: str


@dataclass(frozen=True)
class MailContent:
    """The content of a mail.

    sender: a mailbox. name: of the guest, None for a greeting without one. details: label and value. restaurant: its
    name, and its address in the line below, if that is known.
    """

    sender: str
    reply_to: str | None
    recipient: str
    subject: str
    date: datetime
    message_id: str
    name: str | None
    opening: str
    details: list[tuple[str, str]]
    closing: str | None
    cancel: CancelButton | None
    restaurant: str
    address: str | None


def button_expiry(order: TableOrder, event: Event, occurred_at: datetime) -> datetime | None:
    """Return when the cancel button in the email about an event stops working; None: the email has no button."""
    if EVENT_TEXTS[event].cancelling is None:
        return None
    expires_at = order.starts_at or occurred_at + CANCEL_TOKEN_LIFETIME
    return expires_at if expires_at > occurred_at else None


def mail_content(
    order: TableOrder, event: Event, occurred_at: datetime, token: CancelToken | None, settings: DiningSettings
) -> MailContent:
    """Return the email about an event of an order. token: that of its cancel button; None: it has no button."""
    assert order.email is not None
    text = EVENT_TEXTS[event]
    cancel = None
    if token is not None and text.cancelling is not None:
        until = format_start(token.expires_at, settings)
        cancel = CancelButton(text.cancelling.format(until=until), f"{settings.cancel_url}?id={token.value}")
    return MailContent(
        sender=settings.sender,
        reply_to=settings.reply_to,
        recipient=order.email,
        subject=text.subject,
        date=occurred_at,
        message_id=message_id(order, event, parse_mailbox(settings.mail_from).domain),
        name=order.name if is_plausible_name(order.name) else None,
        opening=text.opening,
        details=order_details(order, settings),
        closing=text.closing,
        cancel=cancel,
        restaurant=settings.restaurant_name,
        address=settings.restaurant_address,
    )


def order_details(order: TableOrder, settings: DiningSettings) -> list[tuple[str, str]]:
    """Return the whole order as labels and values, except the guest's email address.

    The guest's name and notes are left out where they could be used to send text or links to other people's addresses.
    """
    details = [("Restaurant", settings.restaurant_name)]
    if settings.restaurant_address is not None:
        details.append(("Address", settings.restaurant_address))
    details.append(("Table", f"{TABLE_TYPE_NAMES[order.table_type]}, {counted(order.seats, 'seat')}"))
    if order.guests is not None:
        details.append(("Guests", str(order.guests)))
    details.append(("When", format_start(order.starts_at, settings)))
    if order.starts_at is not None:
        details.append(("For", f"{order.minutes} minutes"))
    details.append(("Price", f"{order.price:.2f} {order.currency}"))
    if order.name is not None and is_quotable(order.name):
        details.append(("Name", order.name))
    if order.phone is not None:
        details.append(("Phone", order.phone))
    if order.notes is not None:
        details.append(("Your notes", order.notes if is_quotable(order.notes) else "as you wrote them to us"))
    if order.decline_reason is not None:
        details.append(("Reason", order.decline_reason))
    return [*details, ("Order", f"no. {order.id}")]


def message_id(order: TableOrder, event: Event, domain: str) -> str:
    """Return a Message-ID that is unique to the event of the booking, even across databases that reuse ids."""
    return f"<booking-{order.id}-{event}-{order_digest(order, event)}@{domain}>"


def order_digest(order: TableOrder, purpose: str) -> str:
    """Return 20 characters that are unique to an order and a purpose, even across databases that reuse ids."""
    key = f"{order.id}/{order.table_id}/{order.ordered_at.isoformat()}/{purpose}"
    return hashlib.sha256(key.encode()).hexdigest()[:20]
