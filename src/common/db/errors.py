"""What asyncpg raises, in groups by what the caller can do about it."""

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
"""What asyncpg raises while PostgreSQL is gone, starting, stopping or full, or when the pool has no connection
in time."""

TRANSIENT_ERRORS: tuple[type[Exception], ...] = (
    *DATABASE_UNAVAILABLE,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionTimeoutError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
"""What a request may meet through no fault of its own, and not when it is sent again; deadlocks among them."""

NUL_IN_TEXT: tuple[type[Exception], ...] = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)
"""PostgreSQL's refusal of a text that it cannot hold, which is one with a NUL."""
