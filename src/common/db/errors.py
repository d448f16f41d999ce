"""The exceptions of asyncpg in groups, and the text of a failure for a column of the database."""

import asyncpg

DATABASE_UNAVAILABLE: tuple[type[Exception], ...] = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InternalClientError,
)
"""Raised while PostgreSQL is down, starting, stopping or full, or if the pool has no free connection in time."""

TRANSIENT_ERRORS: tuple[type[Exception], ...] = (
    *DATABASE_UNAVAILABLE,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionTimeoutError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
"""Transient failures; the same request may succeed when retried (deadlocks, lock time-outs)."""

NUL_IN_TEXT: tuple[type[Exception], ...] = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)
"""Raised when text contains a NUL byte, which PostgreSQL cannot store."""


def describe_failure(failure: BaseException) -> str:
    """The type and message of an exception, without NULs or invalid characters, cut to 500 characters.

    The message may quote text from a hostile service, and the result is stored in PostgreSQL.
    """
    text = f"{type(failure).__name__}: {failure}".removesuffix(": ")[:500]
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
