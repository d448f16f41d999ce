"""Text messages to guests who left only a phone number."""

from typing import Protocol

import structlog

from provider.dining.contact_fields import mask_phone

log = structlog.get_logger()

SMS_TEXTS = {
    "received": "We have received your order no. {id} for a table and will decide on it soon.",
    "confirmed": "Your table is confirmed (order no. {id}).",
    "declined": "We are sorry, we cannot offer you the table of order no. {id}.",
    "cancelled": "Your table is cancelled (order no. {id}).",
}


class SmsGateway(Protocol):
    """A way to send text messages. Raises UpstreamError where one could not be sent, and it will be tried again."""

    async def send(self, phone: str, text: str, reference: str) -> None:
        """phone: E.164. reference: the same for the same message sent again."""


class LoggingSmsGateway:
    """Stands where a provider of text messages would be: says in the log that one would leave, not to whom."""

    async def send(self, phone: str, text: str, reference: str) -> None:
        log.info("text_message", phone=mask_phone(phone), text=text, reference=reference)
