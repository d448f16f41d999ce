"""Mails to guests: text and HTML, one recipient each, and the same again when they are sent again."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.headerregistry import HeaderRegistry
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import urlencode

from common.web.html import Pages
from provider.dining.contact_fields import is_plausible_name
from provider.dining.models import TableOrder

pages = Pages("provider.dining")

TABLE_TYPE_NAMES = {"regular": "table in the hall", "cabin": "cabin", "room": "private room"}


@dataclass(frozen=True)
class EventText:
    """What a mail of one event says."""

    subject: str
    opening: str
    closing: str
    can_cancel: bool


EVENT_TEXTS = {
    "received": EventText(
        "We have received your order for a table",
        "Thank you for your order. We will look at it and write to you again as soon as it is decided.",
        "If your plans change, you can cancel the order with the button below.",
        can_cancel=True,
    ),
    "confirmed": EventText(
        "Your table is confirmed",
        "Your table is confirmed. We look forward to seeing you.",
        "If your plans change, please cancel with the button below, so that somebody else can have the table.",
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


def format_start(instant: datetime | None) -> str:
    """A time as people read it; orders without one are for the next time."""
    if instant is None:
        return "the next time that suits"
    return f"{instant:%A}, {instant.day} {instant:%B %Y, %H:%M} UTC"


def booking_details(order: TableOrder) -> list[tuple[str, str]]:
    """What the guest ordered, as label and value. Nothing of it is anybody's address."""
    told = [
        ("Table", f"{TABLE_TYPE_NAMES[order.table_type]}, {order.seats} {'seat' if order.seats == 1 else 'seats'}"),
        ("When", format_start(order.starts_at)),
        ("Price", f"{order.price:.2f}"),
        ("Order", f"no. {order.id}"),
    ]
    if order.starts_at is not None:
        told.insert(2, ("For", f"{order.minutes} minutes"))
    if order.guests is not None:
        told.insert(1, ("Guests", str(order.guests)))
    return told


def cancel_link(public_url: str, token: str) -> str:
    return f"{public_url}/api/customer/cancel_booking/?{urlencode({'id': token})}"


def message_id(order: TableOrder, event: str, domain: str) -> str:
    """The same for the same event of the same booking, and no other's, also after a database was begun anew."""
    mark = hashlib.sha256(f"{order.id}/{order.table_id}/{order.ordered_at.isoformat()}/{event}".encode()).hexdigest()
    return f"<booking-{order.id}-{event}-{mark[:20]}@{domain}>"


def compose(order: TableOrder, event: str, at: datetime, sender: str, link: str | None) -> EmailMessage:
    """The mail of an event. at: when it happened. link: the cancel page, for events that have the button.

    Every header is set through the email package's own parser, which refuses line ends; the guest's name is no header.
    """
    assert order.email is not None
    words = EVENT_TEXTS[event]
    content = {
        "greeting": f"Dear {order.name}," if is_plausible_name(order.name) else "Dear guest,",
        "words": words,
        "facts": booking_details(order),
        "link": link if words.can_cancel else None,
    }
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = sender
    message["To"] = order.email
    message["Subject"] = words.subject
    message["Date"] = format_datetime(at)
    message["Message-ID"] = message_id(order, event, domain_of(sender))
    message["Auto-Submitted"] = "auto-generated"
    text, html = pages.render("mail.txt", **content), pages.render("mail.html", **content)
    # Plain 7bit where it will do, so that links stay whole also for whoever looks at the source.
    cte = "7bit" if (text + html).isascii() else "quoted-printable"
    message.set_content(text, cte=cte)
    message.add_alternative(html, subtype="html", cte=cte)
    return message


def domain_of(sender: str) -> str:
    """The domain of a mailbox."""
    return HeaderRegistry()("From", sender).addresses[0].domain  # type: ignore[attr-defined]  # the header class is made at run time
