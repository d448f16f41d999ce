"""What leaves the outbox: mails and text messages to guests, orders to the accounting program."""

import hashlib
import secrets
import time
from datetime import datetime, timedelta
from email.headerregistry import HeaderRegistry

import aiohttp
import asyncpg
import msgspec

from common.config import Secret
from common.jobs.lease import JobResult
from common.outbox import delivery
from common.outbox.delivery import Policy
from common.outbox.queries import Message
from common.upstream import Upstream
from common.web import responses, signature
from provider.dining.mail import compose, smtp
from provider.dining.models import Order
from provider.dining.queries import bookings
from provider.dining.service import FORWARD, MAIL, TEXT
from provider.dining.settings import Settings
from provider.dining.sms import WORDS, Texting

DECISIONS_PATH = "/api/accounting/decisions"

TOKEN_LIFE = timedelta(days=30)
"""How long the mail of an order without a time can cancel it; that of one with a time can until it begins."""


async def tell_guests(db: asyncpg.Pool, settings: Settings, smtp_url: Secret | None, texting: Texting) -> JobResult:
    """Send what is due to guests. Without smtp_url mails wait in the outbox and text messages still leave."""
    texted = await send_texts(db, settings, texting)
    mailed = await send_mails(db, settings, smtp_url) if smtp_url is not None else {}
    return {name: count + mailed.get(name, 0) for name, count in texted.items()}


async def order_of(db: asyncpg.Pool, message: Message, settings: Settings) -> Order:
    """The order that a message tells of, with the status that it had then."""
    payload = message.payload
    callback = settings.callback_url + DECISIONS_PATH
    order = await bookings.select_order(db, payload["table_id"], payload["booking_id"], callback)
    assert order is not None, "bookings are never deleted"
    return msgspec.structs.replace(order, status=payload["status"])


async def send_mails(db: asyncpg.Pool, settings: Settings, smtp_url: Secret, policy: Policy | None = None) -> JobResult:
    """Send the mails that are due.

    The token of the cancel button is made here and only its hash is stored, before the mail leaves: a mail that is sent
    again has a button that works, and so has the one that may have arrived already.
    """
    route = smtp.route_of(smtp_url)
    sender = HeaderRegistry()("From", settings.mail_from).addresses[0].addr_spec  # type: ignore[attr-defined]  # the header class is made at run time

    async def send(message: Message) -> None:
        order = await order_of(db, message, settings)
        link = None
        if compose.WORDS[message.event].can_cancel:
            token = await make_token(db, order, message.created_at)
            link = compose.cancel_link(settings.public_url, token)
        mail = compose.compose(order, message.event, message.created_at, settings.mail_from, link)
        assert order.email is not None
        await smtp.send(route, mail, sender, order.email)

    return await delivery.deliver(db, MAIL, send, policy)


async def make_token(db: asyncpg.Pool, order: Order, told_at: datetime) -> str:
    """A new token that cancels the order; stored as its hash alone. told_at: when what its mail tells of happened."""
    token = secrets.token_urlsafe(32)
    expires_at = order.starts_at or told_at + TOKEN_LIFE
    await bookings.insert_cancel_token(db, order.table_id, order.id, token_hash(token), expires_at)
    return token


def token_hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


async def send_texts(db: asyncpg.Pool, settings: Settings, texting: Texting, policy: Policy | None = None) -> JobResult:
    """Send the text messages that are due."""

    async def send(message: Message) -> None:
        order = await order_of(db, message, settings)
        assert order.phone is not None
        text = WORDS[message.event].format(id=order.id)
        await texting.send(order.phone, text, f"{message.subject}:{message.event}")

    return await delivery.deliver(db, TEXT, send, policy)


async def forward_orders(
    db: asyncpg.Pool, client: aiohttp.ClientSession, settings: Settings, policy: Policy | None = None
) -> JobResult:
    """Tell the accounting program of the orders that are due, signed anew at each attempt."""
    accounting = Upstream(client, "accounting", settings.accounting_url)

    async def send(message: Message) -> None:
        body = responses.encode_json(await order_of(db, message, settings))
        headers = {
            "Content-Type": "application/json",
            signature.SIGNATURE_HEADER: signature.sign(settings.accounting_secret, body, time.time()),
        }
        async with accounting.call("POST", "/orders", data=body, headers=headers) as response:
            await response.read()

    return await delivery.deliver(db, FORWARD, send, policy)
