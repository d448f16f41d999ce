"""Jobs that send the outbox: emails and text messages to guests, orders to the accounting program."""

import time

import aiohttp
import asyncpg
import msgspec

from common.config import Secret
from common.db.pool import Executor
from common.jobs.lease import JobResult
from common.outbox import delivery
from common.outbox.delivery import Policy
from common.outbox.queries import Message
from common.upstream import Upstream
from common.web import responses, signature
from provider.dining.auth import cancel_tokens
from provider.dining.mail import smtp
from provider.dining.mail.compose import compose
from provider.dining.mail.content import CancelButton, MailContent
from provider.dining.mail.mailbox import parse_mailbox
from provider.dining.queries import bookings
from provider.dining.service import ACCOUNTING_TOPIC, MAIL_TOPIC, SMS_TOPIC
from provider.dining.settings import DiningSettings
from provider.dining.sms import SmsGateway, TextMessage


async def send_guest_messages(db: asyncpg.Pool, smtp_url: Secret | None, gateway: SmsGateway) -> JobResult:
    """Send the due messages to guests. Without smtp_url emails stay in the outbox; text messages are sent."""
    texts = await send_text_messages(db, gateway)
    mails = await send_mails(db, smtp_url) if smtp_url is not None else {}
    return {outcome: count + mails.get(outcome, 0) for outcome, count in texts.items()}


async def send_mails(db: asyncpg.Pool, smtp_url: Secret, policy: Policy | None = None) -> JobResult:
    """Send the due emails.

    Each attempt gets a new cancel token, whose hash is stored before the email is sent: the buttons of all attempts
    work, and the token itself is not stored.
    """
    server = smtp.parse_smtp_url(smtp_url)

    async def send(message: Message) -> None:
        content = msgspec.convert(message.payload, MailContent)
        token = await issue_cancel_token(db, content.cancel) if content.cancel is not None else None
        sender = parse_mailbox(content.sender).addr_spec
        await smtp.send(server, compose(content, token), sender, content.recipient)

    return await delivery.deliver(db, MAIL_TOPIC, send, policy)


async def issue_cancel_token(db: Executor, button: CancelButton) -> str:
    """Return a new token that cancels a booking, after storing its hash."""
    token = cancel_tokens.new_token()
    digest = cancel_tokens.token_hash(token)
    await bookings.insert_cancel_token(db, button.table_id, button.booking_id, digest, button.expires_at)
    return token


async def send_text_messages(db: asyncpg.Pool, gateway: SmsGateway, policy: Policy | None = None) -> JobResult:
    """Send the due text messages."""

    async def send(message: Message) -> None:
        text = msgspec.convert(message.payload, TextMessage)
        await gateway.send(text.phone, text.text, f"{message.subject}:{message.event}")

    return await delivery.deliver(db, SMS_TOPIC, send, policy)


async def forward_orders(
    db: asyncpg.Pool, client: aiohttp.ClientSession, settings: DiningSettings, policy: Policy | None = None
) -> JobResult:
    """Send the due orders to the accounting program. Each attempt has a new signature."""
    accounting = Upstream(client, "accounting", settings.accounting_url)

    async def send(message: Message) -> None:
        body = responses.encode_json(message.payload)
        headers = {
            "Content-Type": "application/json",
            signature.SIGNATURE_HEADER: signature.sign(settings.accounting_secret.current, body, time.time()),
        }
        async with accounting.call("POST", "/orders", data=body, headers=headers):
            pass  # the status says whether it was taken; a body of any length is not read

    return await delivery.deliver(db, ACCOUNTING_TOPIC, send, policy)
