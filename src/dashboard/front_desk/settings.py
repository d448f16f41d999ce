"""Settings of the front desk."""

from dataclasses import dataclass

from common.config import Secrets


@dataclass(frozen=True)
class FrontDeskSettings:
    """Settings of the front desk. provider_url: every callback address of an order must be under it."""

    provider_url: str
    accounting_secret: Secrets
    staff_token: Secrets
