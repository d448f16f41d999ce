"""The configuration of dining."""

import re
from dataclasses import dataclass
from datetime import timedelta
from email.headerregistry import Address
from typing import Literal
from zoneinfo import ZoneInfo

import phonenumbers

from common.config import Secret, Secrets
from provider.dining.mail.mailbox import parse_mailbox

DECISIONS_PATH = "/api/accounting/decisions"
CANCEL_PATH = "/api/customer/cancel_booking/"

ORDER_OPERATION = "POST /api/customer/book_table/"
SET_OPERATION = "POST /api/admin/set_booking/"
ORDER_OPERATIONS = (ORDER_OPERATION, SET_OPERATION)
"""The operations with an Idempotency-Key whose responses contain a guest's name and addresses."""

DEMO_DINERS_DOMAIN = "diners.example"
"""In the demo, orders with an email address in this domain are those of its own diners, which are not limited."""

Role = Literal["admin", "customer"]


def currency_code(value: str) -> str:
    """Return the code of a currency (ISO 4217). Raises ValueError."""
    if not re.fullmatch(r"[A-Z]{3}", value):
        raise ValueError("must be the code of a currency, such as EUR")
    return value


def region_code(value: str) -> str:
    """Return the code of a region that has phone numbers (ISO 3166-1 alpha-2). Raises ValueError."""
    if value not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError("must be the code of a region, such as DE")
    return value


@dataclass(frozen=True)
class User:
    """A person who may log in. password: plain text or an argon2 hash ($argon2…)."""

    username: str
    password: Secret
    role: Role


@dataclass(frozen=True)
class DiningSettings:
    """The configuration of dining.

    public_url: base of the links in emails. callback_url: base of the address that the accounting program calls back.
    smtp_url: the server that takes the emails; None: they wait in the outbox. inbox: the demo's own server takes them.
    orders_per_hour: orders that one address may send; 0: any number. demo_diners: the demo's own diners are exempt from
    that limit. timezone: of the restaurant. restaurant_address, reply_to: None if they are not stated in emails.
    currency: of all prices. phone_region: the region of phone numbers without a country code; None: they are refused.
    notice: how long before its start a guest may order a table at the latest.
    """

    users: tuple[User, ...]
    jwt_secret: Secrets
    public_url: str
    callback_url: str
    accounting_url: str
    accounting_secret: Secrets
    mail_from: str
    smtp_url: Secret | None
    inbox: bool
    orders_per_hour: int
    demo_diners: bool
    timezone: str
    restaurant_name: str
    restaurant_address: str | None
    currency: str
    reply_to: str | None
    phone_region: str | None
    notice: timedelta

    @property
    def sender(self) -> str:
        """The mailbox that emails come from, with the restaurant's name unless it has a name of its own."""
        mailbox = parse_mailbox(self.mail_from)
        return str(mailbox if mailbox.display_name else Address(self.restaurant_name, addr_spec=mailbox.addr_spec))

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of the restaurant."""
        return ZoneInfo(self.timezone)

    @property
    def decisions_url(self) -> str:
        """The address that the accounting program calls with its decisions."""
        return self.callback_url + DECISIONS_PATH

    @property
    def cancel_url(self) -> str:
        """The page behind the cancel buttons, without its token."""
        return self.public_url + CANCEL_PATH
