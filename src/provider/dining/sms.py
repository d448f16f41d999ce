"""Text messages to guests who gave only a phone number."""

from typing import Protocol

import msgspec
import structlog

from provider.dining.contact_fields import mask_phone
from provider.dining.local_times import format_start
from provider.dining.models import Event, TableOrder
from provider.dining.settings import DiningSettings
from provider.dining.wording import REASON_TEXT, SMS_TEXTS

log = structlog.get_logger()


class TextMessage(msgspec.Struct, frozen=True):
    """A text message. phone: E.164."""

    phone: str
    text: str


def text_message(order: TableOrder, event: Event, settings: DiningSettings) -> TextMessage:
    """Return the text message about an event of an order."""
    assert order.phone is not None
    when = format_start(order.starts_at, settings)
    text = SMS_TEXTS[event].format(restaurant=settings.restaurant_name, id=order.id, when=when)
    if order.decline_reason is not None:
        text += REASON_TEXT.format(reason=order.decline_reason)
    return TextMessage(order.phone, text)


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
