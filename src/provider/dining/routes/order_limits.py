"""Limits of orders by guests, since each sends an email or a text message to somebody.

Only orders that are stored count: one that breaks a rule of the restaurant, or repeats another, sends nothing.
"""

from datetime import timedelta

from common.db.pool import Connection
from common.web.caller import caller_address
from common.web.rate_limit import Policy, take_token
from provider.dining.inputs import BookingInput
from provider.dining.settings import DEMO_DINERS_DOMAIN
from provider.resources import resources

HOUR = timedelta(hours=1)
ORDERS_PER_RECIPIENT = Policy("orders-to-recipient", 5, HOUR)


def per_address() -> Policy | None:
    """The limit of the orders from one address; None if the operator switched both limits off."""
    limit = resources().dining.orders_per_hour
    return Policy("orders", limit, HOUR) if limit else None


def per_recipient() -> Policy | None:
    """The limit of the orders for one recipient of messages; None if the operator switched both limits off."""
    return ORDERS_PER_RECIPIENT if resources().dining.orders_per_hour else None


async def take_tokens(connection: Connection, order: BookingInput) -> None:
    """Count an order that is about to be stored, in the transaction that stores it. Raises TooManyRequests.

    The demo's own diners have no limit.
    """
    for policy, owner in ((per_address(), caller_address()), (per_recipient(), recipient_of(order))):
        if policy is not None and not is_demo_diner(order):
            await take_token(connection, policy, owner)


def recipient_of(order: BookingInput) -> str:
    """The mailbox or the phone number that gets the messages: one key for all spellings of a mailbox."""
    if order.email is None:
        assert order.phone is not None
        return order.phone
    local, _, domain = order.email.casefold().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


def is_demo_diner(order: BookingInput) -> bool:
    email = order.email or ""
    return resources().dining.demo_diners and email.casefold().endswith(f"@{DEMO_DINERS_DOMAIN}")
