"""The exceptions of asyncpg in groups, and the text of a failure for a column of the database."""

import re

import asyncpg


class NoConnectionError(ConnectionError):
    """PostgreSQL cannot be connected to."""


class TransactionInDoubtError(ConnectionError):
    """A node of a cluster was lost while a transaction was committed, and does not know yet how it ended."""


class PoolExhaustedError(NoConnectionError):
    """Every connection of the pool stayed in use for as long as the caller may wait."""


DATABASE_UNAVAILABLE: tuple[type[Exception], ...] = (
    ConnectionError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InternalClientError,
)
"""Raised while PostgreSQL is down, starting, stopping or full, or if the pool has no free connection in time.

An OSError of another kind is not among them, because it may come from a file: a full disk of ours is not PostgreSQL's.
"""

TRANSIENT_ERRORS: tuple[type[Exception], ...] = (
    *DATABASE_UNAVAILABLE,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionTimeoutError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
"""Transient failures; the same request may succeed when retried (deadlocks, lock time-outs)."""

EXPLANATIONS: tuple[tuple[type[Exception], str], ...] = (
    (TransactionInDoubtError, "A node of the database has to finish an earlier transaction first."),
    (PoolExhaustedError, "All connections to the database are in use at the moment."),
    (asyncpg.QueryCanceledError, "The database took too long to answer."),
    (asyncpg.TransactionRollbackError, "Other requests changed the same data at the same time."),
    (asyncpg.LockNotAvailableError, "Other requests change the same data at the moment."),
    (asyncpg.TransactionTimeoutError, "The request took too long."),
    (asyncpg.IdleInTransactionSessionTimeoutError, "The request took too long."),
    (asyncpg.InsufficientResourcesError, "The database has no resources left at the moment."),
    (asyncpg.ReadOnlySQLTransactionError, "The database can only be read at the moment."),
)
UNREACHABLE = "The database cannot be reached at the moment."

NODE_FAILURES: tuple[type[Exception], ...] = (asyncpg.InternalServerError, asyncpg.PostgresConnectionError)
"""As what Citus reports, among other failures, that a worker is down."""

_NODE_FAILURE = re.compile(r"connection to the remote node|failure on connection|failed to connect|node .* failed")


def is_node_failure(error: BaseException) -> bool:
    """Whether a failure means that a worker of a Citus cluster is down."""
    return isinstance(error, NODE_FAILURES) and _NODE_FAILURE.search(str(error)) is not None


NUL_IN_TEXT: tuple[type[Exception], ...] = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)
"""Raised when text contains a NUL byte, which PostgreSQL cannot store."""


def explain_unavailability(error: BaseException) -> str:
    """A sentence for people on one of TRANSIENT_ERRORS, or on the failure of a node of a cluster."""
    if is_node_failure(error):
        return "A node of the database cannot be reached at the moment."
    return next((text for kind, text in EXPLANATIONS if isinstance(error, kind)), UNREACHABLE)


def describe_failure(failure: BaseException) -> str:
    """The type and message of an exception, without NULs or invalid characters, cut to 500 characters.

    The message may quote text from a hostile service, and the result is stored in PostgreSQL. PostgreSQL's DETAIL is
    left out: it quotes the failing row, which may be about a guest.
    """
    message = failure.args[0] if isinstance(failure, asyncpg.PostgresError) and failure.args else failure
    text = f"{type(failure).__name__}: {message}".removesuffix(": ")[:500]
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
