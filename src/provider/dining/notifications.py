"""Messages about a booking to its guest and to the accounting program.

Each stands whole in the outbox, inserted in the transaction of the change that it reports.
"""

import re
from datetime import datetime
from typing import cast

import msgspec

from common.db.pool import Connection
from common.outbox.queries import Message, enqueue
from common.web.input_types import one_line
from provider.dining.auth.cancel_tokens import new_token, token_hash
from provider.dining.mail.compose import MailMessage, compose
from provider.dining.mail.content import button_expiry, mail_content
from provider.dining.mail.invitation import Method, invitation
from provider.dining.mail.mailbox import parse_mailbox
from provider.dining.models import Actor, BookedTable, Event, TableOrder
from provider.dining.queries import bookings, guests, mails
from provider.dining.settings import DiningSettings
from provider.dining.sms import text_message
from provider.dining.wording import EVENT_TEXTS

MAIL_TOPIC, SMS_TOPIC, ACCOUNTING_TOPIC = "mail", "text", "accounting"
"""Topics of the outbox: emails and text messages to guests, orders to the accounting program."""

MAIL_FAILED = "mail failed"
"""Follows the event of an email in the event of the order that tells of its failure; the failed attempt follows."""

MAIL_DELIVERED = "mail delivered"
"""Follows the event of an email in the event of the order that tells of its delivery after a failure."""

MAX_FAILURE_LENGTH = 300
"""What the front desk takes as one line."""


async def enqueue_notifications(
    connection: Connection,
    settings: DiningSettings,
    booked: BookedTable,
    event: Event,
    actor: Actor,
    *,
    was_confirmed: bool = False,
) -> None:
    """Enqueue the whole messages about an event: to the guest, and to the accounting program unless it is the actor.

    An erased guest gets none. was_confirmed: whether the booking was confirmed before the event.
    """
    order = table_order(booked, settings)
    subject = subject_of(order.id)
    if order.email is not None:
        await enqueue_mail(connection, settings, order, event, booked.booking.changed_at, was_confirmed=was_confirmed)
    elif order.phone is not None:
        await enqueue(connection, SMS_TOPIC, subject, event, text_message(order, event, settings))
    if actor.kind != "accounting":
        await enqueue(connection, ACCOUNTING_TOPIC, subject, event, order)


async def enqueue_mail(
    connection: Connection,
    settings: DiningSettings,
    order: TableOrder,
    event: Event,
    occurred_at: datetime,
    *,
    was_confirmed: bool,
) -> None:
    """Enqueue the whole email about an event, and store the hash of the token of its cancel button."""
    assert order.email is not None
    token = None
    if (expires_at := button_expiry(order, event, occurred_at)) is not None:
        token = new_token(expires_at)
        digest = token_hash(token.value)
        await bookings.insert_cancel_token(connection, order.table_id, order.id, digest, expires_at)
    content = mail_content(order, event, occurred_at, token, settings)
    method = calendar_method(event, was_confirmed=was_confirmed) if order.starts_at is not None else None
    calendar = invitation(order, method, occurred_at, settings) if method is not None else None
    source = compose(content, calendar, method).as_bytes().decode("ascii")
    mail = MailMessage(parse_mailbox(settings.mail_from).addr_spec, order.email, source)
    await enqueue(connection, MAIL_TOPIC, subject_of(order.id), event, mail)


def calendar_method(event: Event, *, was_confirmed: bool) -> Method | None:
    """Return the iTIP method of the calendar file in the email about an event; None: it has no calendar file."""
    if event == "confirmed":
        return "REQUEST"
    return "CANCEL" if event == "cancelled" and was_confirmed else None


async def enqueue_mail_failure(connection: Connection, settings: DiningSettings, mail: Message, error: str) -> None:
    """Tell the accounting program that an email about a booking does not reach its guest, and why.

    It is told each time: an operator may retry an email that was given up, and the email fail again.
    """
    booking_id = booking_of(mail.subject)
    failure = describe_mail_failure(mail.event, error)
    for booking, table in await guests.select_booked_tables(connection, [booking_id]):
        order = msgspec.structs.replace(table_order(BookedTable(booking, table), settings), mail_failure=failure)
        await enqueue(connection, ACCOUNTING_TOPIC, mail.subject, f"{mail.event} {MAIL_FAILED} {mail.attempt}", order)


async def enqueue_mail_delivery(connection: Connection, settings: DiningSettings, mail: Message) -> None:
    """Tell the accounting program that an email which had been given up has reached the guest after all.

    Does nothing for an email whose failure the accounting program was not told. What it is told now names the failure
    of another email of the booking that was given up and has not reached the guest since. A message of the failure
    that the accounting program never got is deleted: an operator would send it after this one.
    """
    subject, failed = mail.subject, f"{mail.event} {MAIL_FAILED}"
    if not await mails.select_is_any_told(connection, ACCOUNTING_TOPIC, subject, failed):
        return
    await mails.delete_dead_messages(connection, ACCOUNTING_TOPIC, subject, failed)
    unreached = await mails.select_newest_unreached(connection, MAIL_TOPIC, subject, ACCOUNTING_TOPIC, MAIL_FAILED)
    failure = describe_mail_failure(*unreached) if unreached is not None else None
    for booking, table in await guests.select_booked_tables(connection, [booking_of(subject)]):
        order = table_order(BookedTable(booking, table), settings)
        order = msgspec.structs.replace(order, mail_delivered=True, mail_failure=failure)
        await enqueue(connection, ACCOUNTING_TOPIC, subject, f"{mail.event} {MAIL_DELIVERED}", order)


def describe_mail_failure(event: str, error: str) -> str:
    """Return the sentence that the desk reads about an email that did not reach its guest."""
    cause = re.sub(r"^\w+Error: ", "", error)
    title = EVENT_TEXTS[cast("Event", event)].subject
    return one_line(f"The email “{title}” did not reach the guest: {cause}", MAX_FAILURE_LENGTH)


def subject_of(booking_id: int) -> str:
    """Return the subject of the messages about a booking."""
    return f"booking:{booking_id}"


def booking_of(subject: str) -> int:
    """Return the booking that messages with this subject are about."""
    return int(subject.removeprefix("booking:"))


def table_order(booked: BookedTable, settings: DiningSettings) -> TableOrder:
    """Return a booking as the accounting program receives it."""
    booking, table = booked
    return TableOrder(
        id=booking.id,
        status=booking.status,
        callback_url=settings.decisions_url,
        table_id=table.id,
        table_type=table.table_type,
        seats=table.seats,
        price=booking.price,
        name=booking.name,
        email=booking.email,
        phone=booking.phone,
        guests=booking.guests,
        starts_at=booking.starts_at,
        minutes=booking.minutes,
        ordered_at=booking.created_at,
        erased=booking.erased_at is not None,
        timezone=settings.timezone,
        currency=settings.currency,
        notes=booking.notes,
        decline_reason=booking.reason,
    )
