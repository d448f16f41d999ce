"""Tokens and configured faults of the stand-in."""

import asyncio
import random
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from common.config import Secrets
from common.db.pool import transaction
from common.web.bearer import holder_digest
from common.web.errors import FailedPermanently, FieldError, Invalid, Unauthorized
from provider.offers import queries

TOKEN_HEADER = "Bearer"  # noqa: S105 - the name of a header
"""The service expects tokens in a header of this name, not in Authorization."""

PRESENT_TOKEN_SECONDS = 300.0
"""Lifetime of the access tokens of the present service."""


@dataclass(frozen=True)
class OffersBehaviour:
    """The configured behaviour of the stand-in; by default it is the old service, without faults.

    refresh_tokens: those for which it issues access tokens, as the present service does; None: it is the old one, which
    issues them to everybody. latency: seconds before each response. error_rate: share of requests that fail with 500.
    token_seconds: lifetime of an access token, 0 = unlimited. one_token: refuse a second access token while one is
    valid. tick_seconds: time between price changes.
    """

    refresh_tokens: Secrets | None = None
    latency: float = 0.0
    error_rate: float = 0.0
    token_seconds: float = 0.0
    one_token: bool = False
    tick_seconds: float = 60.0

    @property
    def present(self) -> bool:
        """Whether the stand-in is the present service."""
        return self.refresh_tokens is not None

    async def simulate_faults(self) -> None:
        """Wait for the latency, then raise FailedPermanently at the error rate."""
        if self.latency:
            await asyncio.sleep(self.latency)
        if self.error_rate and random.random() < self.error_rate:
            raise FailedPermanently("The service failed, as configured.")


def owner_of(behaviour: OffersBehaviour, refresh_token: str | None) -> uuid.UUID | None:
    """The owner of the products of a refresh token, a digest of it; None for the old service, which has none.

    Raises Invalid when the refresh token is missing, Unauthorized when it is wrong.
    """
    if behaviour.refresh_tokens is None:
        return None
    if refresh_token is None:
        raise Invalid("The request is not valid.", errors=[FieldError(TOKEN_HEADER, "field required")])
    if not behaviour.refresh_tokens.accepts(refresh_token):
        raise Unauthorized("Bad authentication")
    return holder_digest(refresh_token.encode())


async def issue_token(db: asyncpg.Pool, behaviour: OffersBehaviour, refresh_token: str | None, now: datetime) -> str:
    """Return a new access token.

    Raises Invalid when another one is valid and `one_token` is set, and what `owner_of` raises.
    """
    token = uuid.uuid4()
    owner = owner_of(behaviour, refresh_token)
    expires_at = now + timedelta(seconds=behaviour.token_seconds) if behaviour.token_seconds else None
    async with transaction(db) as connection:
        if behaviour.one_token:
            await queries.lock_tokens(connection)
            if await queries.select_valid_token_exists(connection, owner, now):
                raise Invalid("Cannot generate access token because another is valid")
        await queries.insert_token(connection, token, owner or token, now, expires_at)
    return str(token)
