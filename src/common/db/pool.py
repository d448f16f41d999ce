"""The connection pool of an application, and the types of the first argument of query functions."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
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
"""How long a request waits for a connection before the response is 503."""


class BoundedPool(asyncpg.Pool):
    """A pool that acquires connections in FIFO order with a time-out, including inside `pool.fetch`.

    By default asyncpg waits without a limit, and gives a free connection to the next caller, ahead of those that wait:
    under load some would wait until their time-out.
    """

    acquire_seconds = ACQUIRE_SECONDS
    waiters: asyncio.Semaphore

    def acquire(self, *, timeout: float | None = None) -> PoolAcquireContext:
        return _FifoAcquisition(self, self.acquire_seconds if timeout is None else timeout)


class _FifoAcquisition(PoolAcquireContext):
    """Acquires in first-come, first-served order."""

    pool: BoundedPool
    timeout: float

    async def __aenter__(self) -> PoolConnectionProxy:
        async with asyncio.timeout(self.timeout):
            await self.pool.waiters.acquire()
            try:
                return await super().__aenter__()
            except BaseException:  # a cancellation too: the next waiter goes on
                self.pool.waiters.release()
                raise

    async def __aexit__(self, *error: Any) -> None:
        try:
            await super().__aexit__(*error)
        finally:
            self.pool.waiters.release()


async def _skip_reset(connection: asyncpg.Connection) -> None:
    """Do nothing: our statements leave no state in the session, and RESET ALL costs a round trip."""


@dataclass(frozen=True)
class Timeouts:
    """Time limits of a pool in seconds.

    statement, transaction: PostgreSQL's limits (0 = none). The feed relies on them: a row becomes visible soon after
    its recorded time. acquire: the wait for a connection.
    """

    statement: float = 30
    transaction: float = 60
    acquire: float = ACQUIRE_SECONDS


DEFAULT_TIMEOUTS = Timeouts()
UNLIMITED = Timeouts(statement=0, transaction=0)


def create_pool(url: Secret, *, application: str, size: int = 10, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> BoundedPool:
    """Create a pool, which `async with pool` or `await pool` connects."""
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
        reset=_skip_reset,
        loop=None,
        timeout=5,
        command_timeout=timeouts.statement + 5 if timeouts.statement else None,
        server_settings={
            "application_name": application,
            "timezone": "UTC",
            "jit": "off",
            "statement_timeout": f"{int(timeouts.statement * 1000)}",
            "transaction_timeout": f"{int(timeouts.transaction * 1000)}",
            "idle_in_transaction_session_timeout": f"{int(timeouts.transaction * 1000)}",
        },
    )
    pool.acquire_seconds = timeouts.acquire
    pool.waiters = asyncio.Semaphore(size)
    return pool


@asynccontextmanager
async def transaction(db: asyncpg.Pool) -> AsyncIterator[PoolConnectionProxy]:
    """A connection in a transaction, which the end of the block commits and an exception rolls back."""
    async with db.acquire() as connection, connection.transaction():
        yield connection


async def wait_until_reachable(
    url: Secret, *, seconds: float, report: Callable[[Exception], None] = lambda error: None
) -> None:
    """Return when PostgreSQL accepts connections. Raises the last error of asyncpg if it does not within `seconds`.

    report: called with the first error, if the first attempt fails.
    """
    deadline = time.monotonic() + seconds
    is_reported = False
    while True:
        try:
            connection: asyncpg.Connection[Any] = await asyncpg.connect(url.reveal(), timeout=5)
        except DATABASE_UNAVAILABLE as error:
            if time.monotonic() > deadline:
                raise
            if not is_reported:
                report(error)
                is_reported = True
            await asyncio.sleep(0.3)
        else:
            await connection.close()
            return
