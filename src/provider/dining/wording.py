"""The wording of the messages to guests: emails and text messages, by event."""

from dataclasses import dataclass

from provider.dining.models import Event

TABLE_TYPE_NAMES = {"regular": "table in the hall", "cabin": "cabin", "room": "private room"}


@dataclass(frozen=True)
class EventText:
    """The text of the emails about one event.

    cancelling: stands above the cancel button, with the time at which that stops working; None without a button.
    """

    subject: str
    opening: str
    closing: str | None = None
    cancelling: str | None = None


EVENT_TEXTS: dict[Event, EventText] = {
    "received": EventText(
        "We have received your order for a table",
        "Thank you for your order. We will write to you again as soon as we have decided on it.",
        cancelling="If your plans change, you can cancel the order with the button below until {until}.",
    ),
    "confirmed": EventText(
        "Your table is confirmed",
        "Your table is confirmed. We look forward to seeing you.",
        cancelling="If your plans change, please cancel with the button below: another guest can then have the table. "
        "The button works until {until}.",
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
    "received": "{restaurant}: we have received your order no. {id} for a table, {when}, and will decide on it soon.",
    "confirmed": "{restaurant}: your table is confirmed, {when} (order no. {id}).",
    "declined": "{restaurant}: we are sorry, we cannot offer you the table of order no. {id}, {when}.",
    "cancelled": "{restaurant}: your table is cancelled, {when} (order no. {id}).",
    "expired": "{restaurant}: we are sorry, we did not decide on order no. {id} in time; no table is reserved for you.",
}
REASON_TEXT = " Reason: {reason}"
