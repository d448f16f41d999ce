"""Settings of the front desk."""

from dataclasses import dataclass

from common.config import Secret


@dataclass(frozen=True)
class FrontDeskSettings:
    """Settings of the front desk. provider_url: every callback address of an order must be under it."""

    provider_url: str
    accounting_secret: Secret
    staff_token: Secret
