"""Jobs of dining: send emails, text messages and orders from the outbox, and end orders that nobody has decided."""

import asyncio
import time
from collections import Counter
from dataclasses import replace
from datetime import datetime
from typing import Any

import aiohttp
import asyncpg
import msgspec

from common.config import Secret
from common.db.pool import Connection, transaction
from common.jobs.lease import JobResult
from common.outbox.delivery import DEFAULT_POLICY, Delivery, Policy, UndeliverableError, deliver
from common.outbox.queries import Message
from common.upstream import Upstream, UpstreamError
from common.web import responses, signature
from provider.dining import service
from provider.dining.mail import smtp
from provider.dining.mail.compose import MailMessage
from provider.dining.notifications import (
    ACCOUNTING_TOPIC,
    MAIL_TOPIC,
    SMS_TOPIC,
    enqueue_mail_delivery,
    enqueue_mail_failure,
)
from provider.dining.queries import bookings
from provider.dining.queries.mails import update_mail_source_removed
from provider.dining.settings import DiningSettings
from provider.dining.sms import SmsGateway, TextMessage

EXPIRY_SECONDS = 20.0
"""Interval at which orders that nobody has decided are ended."""

EXPIRY_BATCH = 500

TRANSIENT_STATUSES = frozenset({401, 408, 425, 429})
"""Of the 4xx, those after which an order is sent again: time, a corrected secret or a corrected clock may help."""


async def send_guest_messages(
    db: asyncpg.Pool, settings: DiningSettings, smtp_url: Secret | None, gateway: SmsGateway
) -> JobResult:
    """Send the due messages to guests. Without smtp_url emails stay in the outbox; text messages are sent."""
    sending = [send_text_messages(db, gateway)]
    if smtp_url is not None:
        sending.append(send_mails(db, settings, smtp_url))
    total: Counter[str] = Counter()
    for result in await asyncio.gather(*sending, return_exceptions=True):  # each run ends, whatever fails in the other
        if isinstance(result, BaseException):
            raise result
        total.update({outcome: int(count) for outcome, count in result.items()})
    return dict(total)


async def send_mails(
    db: asyncpg.Pool, settings: DiningSettings, smtp_url: Secret, policy: Policy = DEFAULT_POLICY
) -> JobResult:
    """Send the due emails as they stand in the outbox. The accounting program is told of those that are given up, and
    when one of them reaches the guest after all.

    After an email was sent, its source, which contains the token of the cancel button, is removed from its outbox row.
    """
    server = smtp.parse_smtp_url(smtp_url)

    async def send(message: Message) -> None:
        await smtp.send(server, msgspec.convert(message.payload, MailMessage))

    async def store(connection: Connection, message: Message, _: Any) -> None:
        await update_mail_source_removed(connection, message)
        await enqueue_mail_delivery(connection, settings, message)

    async def bury(connection: Connection, message: Message, error: str) -> None:
        await enqueue_mail_failure(connection, settings, message, error)

    return await deliver(db, Delivery(MAIL_TOPIC, send, store, bury, policy))


async def send_text_messages(db: asyncpg.Pool, gateway: SmsGateway, policy: Policy = DEFAULT_POLICY) -> JobResult:
    """Send the due text messages."""

    async def send(message: Message) -> None:
        text = msgspec.convert(message.payload, TextMessage)
        await gateway.send(text.phone, text.text, f"{message.subject}:{message.event}")

    return await deliver(db, Delivery(SMS_TOPIC, send, policy=policy))


async def forward_orders(
    db: asyncpg.Pool, client: aiohttp.ClientSession, settings: DiningSettings, policy: Policy = DEFAULT_POLICY
) -> JobResult:
    """Send the due orders to the accounting program. Each attempt has a new signature.

    An order that the program refuses with a 4xx is dead at once: a repetition would be refused again, and the later
    messages about the same booking would wait for it.
    """
    accounting = Upstream(client, "accounting", settings.accounting_url)

    async def send(message: Message) -> None:
        body = responses.encode_json(message.payload)
        headers = {
            "Content-Type": "application/json",
            signature.SIGNATURE_HEADER: signature.sign(settings.accounting_secret.current, body, time.time()),
        }
        try:
            async with accounting.call("POST", "/orders", data=body, headers=headers):
                pass  # the status says whether it was taken; a body of any length is not read
        except UpstreamError as error:
            if error.status in range(400, 500) and error.status not in TRANSIENT_STATUSES:
                raise UndeliverableError(str(error)) from error
            raise

    once = replace(policy, max_rejections=1)
    return await deliver(db, Delivery(ACCOUNTING_TOPIC, send, policy=once))


async def expire_orders(db: asyncpg.Pool, settings: DiningSettings, now: datetime) -> JobResult:
    """End every waiting order whose time has passed, each in its own transaction, which tells the guest."""
    expired = 0
    while ended := await bookings.select_ended_waiting(db, now, EXPIRY_BATCH):
        before = expired
        for booking_id in ended:
            async with transaction(db) as connection:
                expired += await service.expire_booking(connection, settings, booking_id, now) is not None
        if expired == before:  # all were decided meanwhile
            break
    return {"expired": expired}
