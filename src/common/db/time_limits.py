"""The settings of our sessions and the time limits of statements, kept where a transaction pooler keeps them too.

Behind PgBouncer in transaction mode a connection has no session of its own: it refuses start parameters that it does
not know, and a `SET` would act on whichever transactions come next. So the settings belong to the role in the database,
and a pool with limits of its own sets them in each transaction, in the message that begins it.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, ClassVar, TypeVar

import asyncpg

ACQUIRE_SECONDS = 5.0
"""How long a request waits for a connection before the response is 503."""


@dataclass(frozen=True)
class Timeouts:
    """Time limits of a pool in seconds.

    statement, transaction: PostgreSQL's limits (0 = none). The feed relies on them: a row becomes visible soon after
    its recorded time. acquire: the wait for a connection.
    """

    statement: float = 30
    transaction: float = 60
    acquire: float = ACQUIRE_SECONDS

    def as_settings(self) -> Mapping[str, str]:
        """PostgreSQL's settings of these limits, in milliseconds."""
        statement, transaction = (f"{int(seconds * 1000)}" for seconds in (self.statement, self.transaction))
        return {
            "statement_timeout": statement,
            "transaction_timeout": transaction,
            "idle_in_transaction_session_timeout": transaction,
        }


DEFAULT_TIMEOUTS = Timeouts()
UNLIMITED = Timeouts(statement=0, transaction=0)
IMPORT_TIMEOUTS = Timeouts(statement=0)
"""Of commands that store events: the feed's promise rests on the limit of transactions alone."""

SESSION_SETTINGS: Mapping[str, str] = {"timezone": "UTC", "jit": "off", **DEFAULT_TIMEOUTS.as_settings()}
"""What each session of our role in our database begins with, once the database has been migrated."""

T = TypeVar("T")


async def _in_transaction(connection: asyncpg.Connection, statement: Callable[[], Awaitable[T]]) -> T:
    """Run a statement in a transaction of its own, unless one is open: the limits are those of the transaction."""
    if connection.is_in_transaction():
        return await statement()
    transaction = connection.transaction()
    await transaction.start()
    try:
        result = await statement()
    except BaseException:  # a cancellation too; raised again
        if not connection.is_closed():  # as it is when the transaction took too long
            await transaction.rollback()
        raise
    await transaction.commit()
    return result


def _limited(method: Any) -> Any:
    """The method of a connection, with the limits of the pool."""

    @wraps(method)
    async def call(self: asyncpg.Connection, *args: Any, **options: Any) -> Any:
        return await _in_transaction(self, lambda: method(self, *args, **options))

    return call


class LimitedConnection(asyncpg.Connection):
    """A connection with other limits than those of the role; see `connection_class`."""

    set_limits: ClassVar[str]
    """Sets the limits until the transaction ends."""

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        execute = super().execute
        if query.startswith("BEGIN"):  # the statement of `transaction`
            return await execute(f"{query} {self.set_limits}", timeout=timeout)
        return await _in_transaction(self, lambda: execute(query, *args, timeout=timeout))

    async def copy_from_query(self, query: str, *args: Any, **options: Any) -> str:
        copy = super().copy_from_query

        async def copy_or_terminate() -> str:
            try:
                status: str = await copy(query, *args, **options)
            except BaseException:  # a cancellation too; raised again
                self.terminate()  # no ROLLBACK, which would wait until the COPY has ended
                raise
            return status

        return await _in_transaction(self, copy_or_terminate)

    executemany = _limited(asyncpg.Connection.executemany)
    fetch = _limited(asyncpg.Connection.fetch)
    fetchrow = _limited(asyncpg.Connection.fetchrow)
    fetchval = _limited(asyncpg.Connection.fetchval)
    copy_to_table = _limited(asyncpg.Connection.copy_to_table)
    copy_records_to_table = _limited(asyncpg.Connection.copy_records_to_table)


def connection_class(timeouts: Timeouts) -> type[asyncpg.Connection]:
    """The class of connections with these limits: asyncpg's own for those that the role has anyway."""
    settings = timeouts.as_settings()
    if settings == DEFAULT_TIMEOUTS.as_settings():
        return asyncpg.Connection
    # PostgreSQL does not start the clock of a transaction again when its limit changes, only when it had none.
    changes = {"transaction_timeout": "0"}.items(), settings.items()
    set_limits = " ".join(f"SET LOCAL {name} = {value};" for each in changes for name, value in each)
    return type("LimitedConnection", (LimitedConnection,), {"set_limits": set_limits})
