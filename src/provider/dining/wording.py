"""The wording of the messages to guests: emails and text messages, by event."""

from dataclasses import dataclass

from provider.dining.models import Event

TABLE_TYPE_NAMES = {"regular": "table in the hall", "cabin": "cabin", "room": "private room"}


@dataclass(frozen=True)
class EventText:
    """The text of the emails about one event.

    cancelling: stands above the cancel button; None without a button.
    """

    subject: str
    opening: str
    closing: str | None = None
    cancelling: str | None = None


EVENT_TEXTS: dict[Event, EventText] = {
    "received": EventText(
        "We have received your order for a table",
        "Thank you for your order. We will write to you again as soon as we have decided on it.",
        cancelling="If your plans change, you can cancel the order with the button below.",
    ),
    "confirmed": EventText(
        "Your table is confirmed",
        "Your table is confirmed. We look forward to seeing you.",
        cancelling="If your plans change, please cancel with the button below: another guest can then have the table.",
    ),
    "declined": EventText(
        "We cannot offer you the table",
        "We are sorry: we cannot offer you the table that you ordered.",
        closing="Perhaps another table or another time suits you. You are welcome to order again.",
    ),
    "cancelled": EventText(
        "Your table is cancelled",
        "Your table is cancelled.",
        closing="You are welcome to order again at any time.",
    ),
    "expired": EventText(
        "We did not decide on your order in time",
        "We are sorry: nobody decided on your order before its time had passed, so no table was reserved for you.",
        closing="You are welcome to order again at any time.",
    ),
}

SMS_TEXTS: dict[Event, str] = {
    "received": "We have received your order no. {id} for a table and will decide on it soon.",
    "confirmed": "Your table is confirmed (order no. {id}).",
    "declined": "We are sorry, we cannot offer you the table of order no. {id}.",
    "cancelled": "Your table is cancelled (order no. {id}).",
    "expired": "We are sorry, we did not decide on order no. {id} in time; no table was reserved for you.",
}
