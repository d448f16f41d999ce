"""What the front desk has to know from outside."""

from dataclasses import dataclass

from common.config import Secret


@dataclass(frozen=True)
class FrontDeskSettings:
    """What the front desk has to know from outside.

    provider_url: orders may name a callback address under it, and no other.
    """

    provider_url: str
    accounting_secret: Secret
    staff_token: Secret
