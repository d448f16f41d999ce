"""Text messages to guests who gave only a phone number."""

from typing import Protocol

import msgspec
import structlog

from provider.dining.contact_fields import mask_phone
from provider.dining.models import Event, TableOrder
from provider.dining.wording import SMS_TEXTS

log = structlog.get_logger()


class TextMessage(msgspec.Struct, frozen=True):
    """A text message. phone: E.164."""

    phone: str
    text: str


def text_message(order: TableOrder, event: Event) -> TextMessage:
    """Return the text message about an event of an order."""
    assert order.phone is not None
    return TextMessage(order.phone, SMS_TEXTS[event].format(id=order.id))


class SmsGateway(Protocol):
    """A service that sends text messages."""

    async def send(self, phone: str, text: str, reference: str) -> None:
        """Send a text message. Raises UpstreamError when it was not sent; the outbox then retries it.

        phone: E.164. reference: the same at every attempt of one message.
        """


class LoggingSmsGateway:
    """Logs text messages, with a masked phone number, instead of sending them."""

    async def send(self, phone: str, text: str, reference: str) -> None:
        log.info("text_message", phone=mask_phone(phone), text=text, reference=reference)
