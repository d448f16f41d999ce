"""The access token of the offers service, stored in the database and shared by all replicas.

A new token is requested only when there is none, or when the service rejected the stored one: products of the old
service belong to the token that registered them, and the present one refuses a second token while the first is valid,
for five minutes. A lease on the token's row lets a single replica request a token, without a lock or a transaction
during the call; the others poll the row. When the service issues no token (it is down, or another token is still valid)
no replica asks before `not_before`, and every failure doubles that pause.
"""

import asyncio
import os
import secrets
import socket
from collections.abc import Awaitable, Callable

import asyncpg
import structlog

from common.upstream import UpstreamError
from dashboard.catalog.queries import offers_token as queries
from dashboard.catalog.queries.offers_token import RENEWAL_LEASE, OffersToken

log = structlog.get_logger()

POLL_SECONDS = 0.1
MAX_WAIT_SECONDS = 1.5
"""How long a caller waits for `not_before`; if that is later, the call fails at once."""

CLOSE_SECONDS = 3.0
MAX_BACKOFF_SECONDS = 60.0
MAX_PAUSE_SECONDS = 3600.0


class NoTokenError(UpstreamError):
    """No token is available; the call was not made."""


class SharedToken:
    """The token of one service, shared by all replicas and cached in this one.

    request_token: calls the service for a new token. Raises UpstreamError.
    """

    def __init__(self, db: asyncpg.Pool, service: str, request_token: Callable[[], Awaitable[str]]) -> None:
        self.db = db
        self.service = service
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._request_token = request_token
        self._token: str | None = None
        self._accepted = False
        self._search: asyncio.Task[str] | None = None

    async def get(self) -> str:
        """The current token. Raises NoTokenError."""
        return self._token or await self._find_shared(None)

    async def get_after_rejection(self, rejected: str) -> str:
        """The token to use instead of one that the service rejected with 401. Raises NoTokenError.

        The stored token is read first; if it is the rejected one, a single caller requests a new one.
        """
        if self._token is not None and self._token != rejected:
            return self._token
        return await self._find_shared(rejected)

    async def note_accepted(self, token: str) -> None:
        """Store that the service accepted the token."""
        if not self._accepted and token == self._token:
            self._accepted = True
            await queries.update_token_accepted(self.db, self.service, token)

    async def close(self) -> None:
        """Wait a few seconds for a request in progress, whose token would be lost otherwise."""
        if self._search is not None and not self._search.done():
            await asyncio.wait([self._search], timeout=CLOSE_SECONDS)
            self._search.cancel()
            await asyncio.gather(self._search, return_exceptions=True)

    async def _find_shared(self, rejected: str | None) -> str:
        """Find a token other than the rejected one, by one search for all callers, which outlives cancelled callers."""
        if self._search is None or self._search.done():
            self._search = asyncio.create_task(self._find(rejected))
            self._search.add_done_callback(_retrieve_exception)
        token = await asyncio.shield(self._search)
        if token == rejected:  # the search began before this token was rejected
            return await self._find_shared(rejected)
        return token

    async def _find(self, rejected: str | None) -> str:
        while True:
            stored = await queries.select_token(self.db, self.service)
            if stored.token is not None and stored.token != rejected:
                return self._keep(stored.token)
            if stored.wait_seconds > MAX_WAIT_SECONDS:
                reason = f"the offers service issues no token at present: {stored.last_error or ''}".removesuffix(": ")
                raise NoTokenError(reason, retry_after=stored.wait_seconds)
            if stored.wait_seconds > 0:
                await asyncio.sleep(stored.wait_seconds)
            elif stored.requested or not await queries.claim_renewal(self.db, self.service, self.owner, rejected):
                await asyncio.sleep(POLL_SECONDS)
            else:
                return self._keep(await self._renew(stored))

    def _keep(self, token: str) -> str:
        self._accepted = self._accepted and token == self._token
        self._token = token
        return token

    async def _renew(self, stored: OffersToken) -> str:
        pause = min(MAX_BACKOFF_SECONDS, 2.0 ** min(stored.unused_tokens_in_a_row, 10))
        try:
            async with asyncio.timeout(RENEWAL_LEASE.total_seconds() - 2):
                token = await self._request_token()
        except (UpstreamError, TimeoutError) as error:
            retry_after = error.retry_after if isinstance(error, UpstreamError) else None
            pause = max(pause, min(retry_after or 0.0, MAX_PAUSE_SECONDS))
            reason = str(error) or "no response"
            await queries.release_renewal(self.db, self.service, self.owner, None, pause, reason)
            log.warning("offers_token_not_issued", error=reason, next_attempt_seconds=round(pause, 1))
            raise NoTokenError(f"the offers service issued no token: {reason}", retry_after=pause) from error
        await queries.release_renewal(self.db, self.service, self.owner, token, pause)
        log.info("offers_token_obtained")
        return token


def _retrieve_exception(search: asyncio.Task[str]) -> None:
    """Mark the exception as retrieved, so that asyncio does not report it when no caller is left."""
    if not search.cancelled():
        search.exception()
