"""The connection pool of an application, and the types of the first argument of query functions."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import structlog
from asyncpg.pool import PoolAcquireContext, PoolConnectionProxy

from common.config import Secret
from common.db.errors import DATABASE_UNAVAILABLE, NoConnectionError, PoolExhaustedError
from common.db.time_limits import ACQUIRE_SECONDS, DEFAULT_TIMEOUTS, Timeouts, connection_class

log = structlog.get_logger()

Connection = asyncpg.Connection | PoolConnectionProxy
Executor = asyncpg.Pool | asyncpg.Connection | PoolConnectionProxy

MAX_QUERIES = 50_000
"""A connection is replaced after so many statements."""

IDLE_SECONDS = 300.0
"""A connection that was idle for longer is closed."""

RETRY_SECONDS = 0.3
"""The pause before `wait_until_reachable` tries again."""


class BoundedPool(asyncpg.Pool):
    """A pool that acquires connections in FIFO order with a time-out, including inside `pool.fetch`.

    By default asyncpg waits without a limit, and gives a free connection to the next caller, ahead of those that wait:
    under load some would wait until their time-out. Raises PoolExhaustedError, or NoConnectionError when PostgreSQL
    cannot be reached.
    """

    acquire_seconds = ACQUIRE_SECONDS
    turns: asyncio.Semaphore
    """As many as connections; FIFO."""
    in_turn: set[PoolConnectionProxy]
    """The connections in use, each of which holds a turn."""

    def acquire(self, *, timeout: float | None = None) -> PoolAcquireContext:
        return _FifoAcquisition(self, self.acquire_seconds if timeout is None else timeout)

    async def release(self, connection: PoolConnectionProxy, *, timeout: float | None = None) -> None:
        """Give a connection back.

        asyncpg does it in a task of its own, so that no cancellation can stop it, which takes a tenth of the time of a
        short statement. Only the end of a statement that is being cancelled has to be awaited.
        """
        held = connection._con  # type: ignore[attr-defined]  # the type stubs leave it out
        try:
            if held is None or held._protocol._is_cancelling():
                await super().release(connection, timeout=self.acquire_seconds if timeout is None else timeout)
            else:
                held._on_release()
                is_idle = not held.is_in_transaction() and held._protocol.queries_count < MAX_QUERIES
                await connection._holder.release(None if is_idle else self.acquire_seconds)  # a timer costs as much
        finally:
            if connection in self.in_turn:
                self.in_turn.remove(connection)
                self.turns.release()


class _FifoAcquisition(PoolAcquireContext):
    """Acquires in first-come, first-served order, by `async with` as by `await`."""

    pool: BoundedPool
    timeout: float | None

    async def __aenter__(self) -> PoolConnectionProxy:
        if not self.pool.turns.locked() and self.pool.get_idle_size():
            # At most a new connection, which has a limit of its own; the timers of a time-out cost more than the rest.
            self.timeout = None
            await self.pool.turns.acquire()
            return await self.acquire_in_turn()
        has_turn = False
        try:
            async with asyncio.timeout(self.timeout):
                await self.pool.turns.acquire()
                has_turn = True
                return await self.acquire_in_turn()
        except TimeoutError:
            if has_turn:
                raise NoConnectionError(f"PostgreSQL did not answer within {self.timeout:g} s") from None
            raise PoolExhaustedError(f"no connection was free within {self.timeout:g} s") from None

    def __await__(self) -> Generator[Any, None, PoolConnectionProxy]:
        return self.__aenter__().__await__()

    async def acquire_in_turn(self) -> PoolConnectionProxy:
        try:
            connection: PoolConnectionProxy = await super().__aenter__()
        except BaseException:  # a cancellation too: the next waiter goes on
            self.pool.turns.release()
            raise
        self.pool.in_turn.add(connection)
        return connection


async def connect(*arguments: Any, **options: Any) -> asyncpg.Connection:
    """Connect as `asyncpg.connect` does. Raises NoConnectionError when PostgreSQL cannot be reached."""
    try:
        return await asyncpg.connect(*arguments, **options)
    except OSError as error:  # a TimeoutError is one
        raise NoConnectionError(f"{type(error).__name__}: {error}".removesuffix(": ")) from error


async def connect_with(url: Secret, application: str, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> asyncpg.Connection:
    """A single connection like those of `create_pool`. Raises NoConnectionError when PostgreSQL cannot be reached."""
    return await connect(
        url.reveal(),
        timeout=10,
        connection_class=connection_class(timeouts),
        server_settings={"application_name": application},
    )


async def _skip_reset(connection: asyncpg.Connection) -> None:
    """Do nothing: our statements leave no state in the session, and RESET ALL costs a round trip."""


def create_pool(url: Secret, *, application: str, size: int = 10, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> BoundedPool:
    """Create a pool, which `async with pool` or `await pool` connects. The role has the settings of its sessions."""
    pool = BoundedPool(
        url.reveal(),
        min_size=0,
        max_size=size,
        max_queries=MAX_QUERIES,
        max_inactive_connection_lifetime=IDLE_SECONDS,
        connection_class=connection_class(timeouts),
        record_class=asyncpg.Record,
        connect=connect,
        setup=None,
        init=None,
        reset=_skip_reset,
        loop=None,
        timeout=5,
        command_timeout=timeouts.statement + 5 if timeouts.statement else None,
        server_settings={"application_name": application},
    )
    pool.acquire_seconds = timeouts.acquire
    pool.turns = asyncio.Semaphore(size)
    pool.in_turn = set()
    return pool


@asynccontextmanager
async def transaction(db: asyncpg.Pool) -> AsyncIterator[PoolConnectionProxy]:
    """A connection in a transaction, which the end of the block commits and an exception rolls back."""
    async with db.acquire() as connection, connection.transaction():
        yield connection


@asynccontextmanager
async def rolled_back(connection: Connection) -> AsyncIterator[None]:
    """A transaction that leaves nothing."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield
    finally:
        await transaction.rollback()


async def wait_until_reachable(
    url: Secret, *, seconds: float, report: Callable[[Exception], None] = lambda error: None
) -> None:
    """Return when PostgreSQL accepts connections. Raises the last error if it does not within `seconds`.

    report: called with the first error, if the first attempt fails.
    """
    deadline = time.monotonic() + seconds
    is_reported = False
    while True:
        try:
            connection = await connect(url.reveal(), timeout=5)
        except DATABASE_UNAVAILABLE as error:
            if time.monotonic() > deadline:
                raise
            if not is_reported:
                report(error)
                is_reported = True
            await asyncio.sleep(RETRY_SECONDS)
        else:
            await connection.close()
            return
