"""Tokens and configured faults of the stand-in."""

import asyncio
import random
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from common.db.pool import transaction
from common.web.errors import FailedPermanently, Invalid
from provider.offers import queries


@dataclass(frozen=True)
class OffersBehaviour:
    """The configured behaviour of the stand-in; by default it has no faults.

    latency: seconds before each response. error_rate: share of requests that fail with 500. token_seconds: lifetime of
    a token, 0 = unlimited. one_token: refuse a second token while one is valid. tick_seconds: time between price
    changes.
    """

    latency: float = 0.0
    error_rate: float = 0.0
    token_seconds: float = 0.0
    one_token: bool = False
    tick_seconds: float = 60.0

    async def simulate_faults(self) -> None:
        """Wait for the latency, then raise FailedPermanently at the error rate."""
        if self.latency:
            await asyncio.sleep(self.latency)
        if self.error_rate and random.random() < self.error_rate:
            raise FailedPermanently("The service failed, as configured.")


async def issue_token(db: asyncpg.Pool, behaviour: OffersBehaviour, now: datetime) -> str:
    """Return a new token. Raises Invalid when another one is valid and `one_token` is set."""
    token = uuid.uuid4()
    expires_at = now + timedelta(seconds=behaviour.token_seconds) if behaviour.token_seconds else None
    async with transaction(db) as connection:
        if behaviour.one_token:
            await queries.lock_tokens(connection)
            if await queries.select_valid_token_exists(connection, now):
                raise Invalid("Cannot generate access token because another is valid.")
        await queries.insert_token(connection, token, now, expires_at)
    return str(token)
