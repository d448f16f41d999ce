"""What dining has to know from outside."""

from dataclasses import dataclass
from typing import Literal

from common.config import Secret

Role = Literal["admin", "customer"]


@dataclass(frozen=True)
class User:
    """Somebody who may log in. password: as it is typed, or its argon2 hash ($argon2…)."""

    username: str
    password: Secret
    role: Role


@dataclass(frozen=True)
class DiningSettings:
    """What dining has to know from outside.

    public_url: base of the links in mails. callback_url: base of the address that the accounting program calls back.
    smtp_url: where mail leaves; None lets it wait in the outbox, except in the demo (inbox: its own catcher takes it).
    """

    users: tuple[User, ...]
    jwt_secret: Secret
    public_url: str
    callback_url: str
    accounting_url: str
    accounting_secret: Secret
    mail_from: str
    smtp_url: Secret | None
    inbox: bool
