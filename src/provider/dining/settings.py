"""The configuration of dining."""

from dataclasses import dataclass
from typing import Literal

from common.config import Secret, Secrets

DECISIONS_PATH = "/api/accounting/decisions"
CANCEL_PATH = "/api/customer/cancel_booking/"

ORDER_OPERATION = "POST /api/customer/book_table/"
SET_OPERATION = "POST /api/admin/set_booking/"
ORDER_OPERATIONS = (ORDER_OPERATION, SET_OPERATION)
"""The operations with an Idempotency-Key whose responses contain a guest's name and addresses."""

Role = Literal["admin", "customer"]


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
    that limit.
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

    @property
    def decisions_url(self) -> str:
        """The address that the accounting program calls with its decisions."""
        return self.callback_url + DECISIONS_PATH

    @property
    def cancel_url(self) -> str:
        """The page behind the cancel buttons, without its token."""
        return self.public_url + CANCEL_PATH
