"""The access token of the offers service: asked for once, kept in the database, shared by all replicas.

Products belong to the token that they were registered with, so a token is precious: it is asked for only when there is
none or when the service refused the one there is. Who asks holds a lease in the token's row, so that of all replicas
one asks; it holds no lock and no transaction while it does. The others poll the row. When the service gives no token
(it is down, or says that another is valid) nobody asks before `not_before`, which moves away with every failure.
"""

import asyncio
import os
import secrets
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
import structlog

from common.db.pool import Executor
from common.upstream import UpstreamError

log = structlog.get_logger()

LEASE_SECONDS = 15.0
"""How long one asker may take; longer than the time-out of its call."""

POLL_SECONDS = 0.1
LONGEST_WAIT_SECONDS = 1.5
"""How long a request waits for `not_before`; what is further away fails at once and is tried again later."""

CLOSE_SECONDS = 3.0
LONGEST_BACKOFF_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 3600.0


class NoTokenError(UpstreamError):
    """There is no token at the moment; the call was not made."""


@dataclass(frozen=True)
class Access:
    """The row of a service: its token if it has one, who asks for another, and how long nobody may."""

    token: str | None
    asked_for: bool
    wait_seconds: float
    unused_tokens_in_a_row: int


class TokenKeeper:
    """The token of one service for one replica.

    ask: makes the call and returns a new token, or raises UpstreamError.
    """

    def __init__(self, db: asyncpg.Pool, service: str, ask: Callable[[], Awaitable[str]]) -> None:
        self.db = db
        self.service = service
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._ask = ask
        self._token: str | None = None
        self._proven = False
        self._finding: asyncio.Task[str] | None = None

    async def token(self) -> str:
        """The token to use. Raises NoTokenError."""
        return self._token or await self._replaced(None)

    async def after_refusal(self, refused: str) -> str:
        """The token to use instead of one that the service refused with 401. Raises NoTokenError.

        However many requests were refused: the stored token is read first, and one caller asks for a new one.
        """
        if self._token is not None and self._token != refused:
            return self._token
        return await self._replaced(refused)

    async def worked(self, token: str) -> None:
        """The service took the token: asking for it was not in vain."""
        if not self._proven and token == self._token:
            self._proven = True
            await update_proven(self.db, self.service, token)

    async def close(self) -> None:
        """Let a call that is under way end, for a while: its token would be lost otherwise."""
        if self._finding is not None and not self._finding.done():
            await asyncio.wait([self._finding], timeout=CLOSE_SECONDS)
            self._finding.cancel()
            await asyncio.gather(self._finding, return_exceptions=True)

    async def _replaced(self, refused: str | None) -> str:
        """One search at a time in this process; a caller that gives up does not end it for the others."""
        if self._finding is None or self._finding.done():
            self._finding = asyncio.create_task(self._find(refused))
            self._finding.add_done_callback(_note_failure)
        token = await asyncio.shield(self._finding)
        if token == refused:  # the search was for an older token than the one that was refused
            return await self._replaced(refused)
        return token

    async def _find(self, refused: str | None) -> str:
        while True:
            access = await select_access(self.db, self.service)
            if access.token is not None and access.token != refused:
                return self._keep(access.token)
            if access.wait_seconds > LONGEST_WAIT_SECONDS:
                raise NoTokenError("the offers service gives no token at present", retry_after=access.wait_seconds)
            if access.wait_seconds > 0:
                await asyncio.sleep(access.wait_seconds)
            elif access.asked_for or not await claim_renewal(self.db, self.service, self.owner, refused):
                await asyncio.sleep(POLL_SECONDS)
            else:
                return self._keep(await self._renew(access))

    def _keep(self, token: str) -> str:
        self._proven = self._proven and token == self._token
        self._token = token
        return token

    async def _renew(self, access: Access) -> str:
        pause = min(LONGEST_BACKOFF_SECONDS, 2.0 ** min(access.unused_tokens_in_a_row, 10))
        try:
            async with asyncio.timeout(LEASE_SECONDS - 2):
                token = await self._ask()
        except (UpstreamError, TimeoutError) as error:
            asked = error.retry_after if isinstance(error, UpstreamError) else None
            pause = max(pause, min(asked or 0.0, LONGEST_PAUSE_SECONDS))
            await release_renewal(self.db, self.service, self.owner, None, pause)
            log.warning("offers_token_refused", error=str(error), next_attempt_seconds=round(pause, 1))
            raise NoTokenError(f"the offers service gave no token: {error}", retry_after=pause) from error
        await release_renewal(self.db, self.service, self.owner, token, pause)
        log.info("offers_token_obtained")
        return token


def _note_failure(search: asyncio.Task[str]) -> None:
    """Those who wait hear of it; where nobody waits any more it is not an unhandled error."""
    if not search.cancelled():
        search.exception()


async def select_access(db: Executor, service: str) -> Access:
    row = await db.fetchrow(
        """
        SELECT token,
               coalesce(renewal_expires_at > clock_timestamp(), false) AS asked_for,
               greatest(0, CASE WHEN not_before > clock_timestamp()
                                THEN extract(epoch FROM not_before - clock_timestamp())
                                ELSE 0
                           END)::float8 AS wait_seconds,
               unused_tokens_in_a_row
          FROM offers_token
         WHERE service = $1
        """,
        service,
    )
    return Access(**row) if row else Access(None, asked_for=False, wait_seconds=0.0, unused_tokens_in_a_row=0)


async def claim_renewal(db: Executor, service: str, owner: str, refused: str | None) -> bool:
    """Take the right to ask for a token that is to replace `refused`; False when another has it or was faster."""
    return await db.fetchval(
        """
        INSERT INTO offers_token AS known (service, renewal_owner, renewal_expires_at)
        SELECT $1, $2, clock_timestamp() + $4::interval
        ON CONFLICT (service) DO UPDATE
           SET renewal_owner = excluded.renewal_owner, renewal_expires_at = excluded.renewal_expires_at
         WHERE (known.renewal_expires_at IS NULL OR known.renewal_expires_at <= clock_timestamp())
           AND known.not_before <= clock_timestamp()
           AND (known.token IS NULL OR known.token = $3::text)
        RETURNING true
        """,
        service, owner, refused, timedelta(seconds=LEASE_SECONDS),
    ) is not None  # fmt: skip


async def release_renewal(db: Executor, service: str, owner: str, token: str | None, pause: float) -> None:
    """Give the right back, with the new token or without; nobody asks again for `pause` seconds."""
    await db.execute(
        """
        UPDATE offers_token
           SET token = coalesce($3, token),
               obtained_at = CASE WHEN $3::text IS NULL THEN obtained_at ELSE clock_timestamp() END,
               renewal_owner = NULL,
               renewal_expires_at = NULL,
               unused_tokens_in_a_row = unused_tokens_in_a_row + 1,
               not_before = clock_timestamp() + $4::interval
         WHERE service = $1 AND renewal_owner = $2
        """,
        service, owner, token, timedelta(seconds=pause),
    )  # fmt: skip


async def update_proven(db: Executor, service: str, token: str) -> None:
    """The token works: the next one may be asked for as soon as this one ends."""
    await db.execute(
        """
        UPDATE offers_token
           SET unused_tokens_in_a_row = 0, not_before = clock_timestamp()
         WHERE service = $1 AND token = $2 AND unused_tokens_in_a_row > 0
        """,
        service, token,
    )  # fmt: skip
