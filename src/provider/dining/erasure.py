"""The erasure of guests, on request and by age: every copy of their data goes, and the accounting program is told.

Bookings stay without the guest's name, email address, phone number and notes, and without the reason that the guest was
told. Messages to the guest that still wait are deleted too: there is nobody left to tell.
"""

from datetime import datetime, timedelta

import asyncpg

from common.db.pool import Connection, transaction
from common.outbox.queries import delete_messages, enqueue, update_payloads
from common.web.idempotency import delete_keys_containing
from provider.dining.inputs import ErasureInput
from provider.dining.mail.demo_inbox import delete_mails_to
from provider.dining.models import BookedTable
from provider.dining.notifications import ACCOUNTING_TOPIC, MAIL_TOPIC, SMS_TOPIC, subject_of, table_order
from provider.dining.queries import guests
from provider.dining.queries.guests import ErasedGuest
from provider.dining.settings import ORDER_OPERATIONS, DiningSettings

ERASED_EVENT = "erased"
ERASED_FIELDS = dict.fromkeys(("email", "phone", "name", "notes", "decline_reason", "mail_failure"))
"""What goes from the orders that wait for the accounting program: what names the guest, or may quote the guest."""
MAX_BATCH_SIZE = 500
"""Bookings of one transaction."""


async def erase_guest(connection: Connection, settings: DiningSettings, guest: ErasureInput, now: datetime) -> int:
    """Erase a guest from all bookings; returns from how many. Repeating it erases what has come since."""
    erased = await guests.update_guests_erased(connection, guest.email, guest.phone, now)
    await erase_copies(connection, settings, erased)
    texts = {text for text in (guest.email, guest.phone) if text} | addresses_of(erased)
    for operation in ORDER_OPERATIONS:
        await delete_keys_containing(connection, operation, sorted(texts))
    return len(erased)


async def erase_old_guests(
    db: asyncpg.Pool, settings: DiningSettings, now: datetime, keep: timedelta, limit: int
) -> int:
    """Erase the guests of up to `limit` bookings that ended and last changed longer ago than `keep`; returns how many.

    The bookings are changed in one transaction, so no more than MAX_BATCH_SIZE of them.
    """
    async with transaction(db) as connection:
        erased = await guests.update_old_guests_erased(connection, now - keep, now, min(limit, MAX_BATCH_SIZE))
        await erase_copies(connection, settings, erased)
    return len(erased)


async def erase_copies(connection: Connection, settings: DiningSettings, erased: list[ErasedGuest]) -> None:
    """Erase the guests from the messages about their bookings, and tell the accounting program to do the same."""
    subjects = [subject_of(guest.booking_id) for guest in erased]
    await delete_messages(connection, [MAIL_TOPIC, SMS_TOPIC], subjects)
    await update_payloads(connection, ACCOUNTING_TOPIC, subjects, ERASED_FIELDS)
    await delete_mails_to(connection, [guest.email for guest in erased if guest.email is not None])
    for booking, table in await guests.select_booked_tables(connection, [guest.booking_id for guest in erased]):
        order = table_order(BookedTable(booking, table), settings)
        await enqueue(connection, ACCOUNTING_TOPIC, subject_of(booking.id), ERASED_EVENT, order)


def addresses_of(erased: list[ErasedGuest]) -> set[str]:
    """Return the email addresses and phone numbers."""
    return {address for guest in erased for address in (guest.email, guest.phone) if address is not None}
