"""Settings of the front desk."""

from dataclasses import dataclass

from common.config import Secrets


@dataclass(frozen=True)
class FrontDeskSettings:
    """Settings of the front desk.

    provider_url: every callback address of an order must be under it. shown_token: the staff token, if the login page
    may show it, which is the case in the demo alone.
    """

    provider_url: str
    accounting_secret: Secrets
    staff_token: Secrets
    shown_token: str | None = None
