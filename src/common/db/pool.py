"""The connection pool of an application, and what a query function may be given to run on."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import structlog
from asyncpg.pool import PoolAcquireContext, PoolConnectionProxy

from common.config import Secret
from common.db.errors import DATABASE_UNAVAILABLE

log = structlog.get_logger()

Connection = asyncpg.Connection | PoolConnectionProxy
Executor = asyncpg.Pool | asyncpg.Connection | PoolConnectionProxy

ACQUIRE_SECONDS = 5.0
"""How long a request may wait for a connection before it is answered 503."""


class BoundedPool(asyncpg.Pool):
    """A pool whose every acquisition is bounded in time and has its turn, those behind `pool.fetch` included.

    asyncpg waits for ever by default, which turns an overload into a pile-up. And it gives a free connection to whoever
    asks at that moment, before those who wait: under load some would wait until their time is over.
    """

    acquire_seconds = ACQUIRE_SECONDS
    turns: asyncio.Semaphore

    def acquire(self, *, timeout: float | None = None) -> PoolAcquireContext:
        return _FifoAcquisition(self, self.acquire_seconds if timeout is None else timeout)


class _FifoAcquisition(PoolAcquireContext):
    """An acquisition that first comes is first served."""

    pool: BoundedPool
    timeout: float

    async def __aenter__(self) -> PoolConnectionProxy:
        async with asyncio.timeout(self.timeout):
            await self.pool.turns.acquire()
            try:
                return await super().__aenter__()
            except BaseException:  # cancelled too: the turn is not lost
                self.pool.turns.release()
                raise

    async def __aexit__(self, *error: Any) -> None:
        try:
            await super().__aexit__(*error)
        finally:
            self.pool.turns.release()


async def _keep_session(connection: asyncpg.Connection) -> None:
    """Nothing to reset: no statement of ours leaves session state behind, and RESET ALL costs a round trip."""


def create_pool(
    url: Secret,
    *,
    application: str,
    size: int = 10,
    statement_seconds: float = 30,
    transaction_seconds: float = 60,
    acquire_seconds: float = ACQUIRE_SECONDS,
) -> BoundedPool:
    """A pool, not yet connected (`async with pool` or `await pool` does that).

    statement_seconds, transaction_seconds: PostgreSQL's own bounds on one statement and on one transaction of this pool
    (0 = none). They hold what the feed promises: that a row becomes visible soon after its recorded time.
    """
    pool = BoundedPool(
        url.reveal(),
        min_size=0,
        max_size=size,
        max_queries=50_000,
        max_inactive_connection_lifetime=300.0,
        connection_class=asyncpg.Connection,
        record_class=asyncpg.Record,
        connect=None,
        setup=None,
        init=None,
        reset=_keep_session,
        loop=None,
        timeout=5,
        command_timeout=statement_seconds + 5 if statement_seconds else None,
        server_settings={
            "application_name": application,
            "timezone": "UTC",
            "jit": "off",
            "statement_timeout": f"{int(statement_seconds * 1000)}",
            "transaction_timeout": f"{int(transaction_seconds * 1000)}",
            "idle_in_transaction_session_timeout": f"{int(transaction_seconds * 1000)}",
        },
    )
    pool.acquire_seconds = acquire_seconds
    pool.turns = asyncio.Semaphore(size)
    return pool


@asynccontextmanager
async def transaction(db: asyncpg.Pool) -> AsyncIterator[PoolConnectionProxy]:
    """A connection inside a transaction; committed at the end of the block, rolled back by any exception."""
    async with db.acquire() as connection, connection.transaction():
        yield connection


async def wait_until_reachable(url: Secret, *, seconds: float) -> None:
    """Return when PostgreSQL accepts connections; raises what asyncpg raised last when it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            connection: asyncpg.Connection[Any] = await asyncpg.connect(url.reveal(), timeout=5)
        except DATABASE_UNAVAILABLE:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.3)
        else:
            await connection.close()
            return
