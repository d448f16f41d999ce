"""Tokens of the stand-in, and how it misbehaves when it is told to."""

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
    """How the stand-in behaves; the defaults are those of a service without faults.

    latency: seconds before every answer. error_rate: the share of requests that fail with 500. token_seconds: how long
    a token is valid, 0 = for ever. one_token: whether a second token is refused while one is valid. tick_seconds: how
    often prices move.
    """

    latency: float = 0.0
    error_rate: float = 0.0
    token_seconds: float = 0.0
    one_token: bool = False
    tick_seconds: float = 60.0

    async def interfere(self) -> None:
        """Wait, and now and then raise Broken."""
        if self.latency:
            await asyncio.sleep(self.latency)
        if self.error_rate and random.random() < self.error_rate:
            raise FailedPermanently("The service failed, as it was told to.")


async def issue_token(db: asyncpg.Pool, behaviour: OffersBehaviour, now: datetime) -> str:
    """A new token. Raises Invalid where a second one is refused while another is valid."""
    token = uuid.uuid4()
    expires_at = now + timedelta(seconds=behaviour.token_seconds) if behaviour.token_seconds else None
    async with transaction(db) as connection:
        if behaviour.one_token:
            await queries.lock_tokens(connection)
            if await queries.select_valid_token_exists(connection, now):
                raise Invalid("Cannot generate access token because another is valid.")
        await queries.insert_token(connection, token, now, expires_at)
    return str(token)
