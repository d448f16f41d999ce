"""Parts of a page that are read independently. A part that fails shows the reason in its place."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncpg
import structlog

from common.db.errors import (
    NODE_FAILURES,
    PoolExhaustedError,
    describe_failure,
    explain_unavailability,
    is_node_failure,
)

log = structlog.get_logger()

T = TypeVar("T")
View = TypeVar("View")

FAILURES_OF_A_PART: tuple[type[Exception], ...] = (
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,
    asyncpg.InsufficientResourcesError,
    PoolExhaustedError,
)
"""Failures of one statement. When PostgreSQL cannot be reached, no part can be read, and the page is an error.

A worker of a cluster that is down is such a failure too: other parts need other workers, or none.
"""


@dataclass(frozen=True)
class FailedPart:
    """A part that could not be read, and why, in a sentence."""

    reason: str


def read_part(name: str, reading: Coroutine[Any, Any, T]) -> asyncio.Task[T | FailedPart]:
    """What is read, or why it is not there.

    A browser may go away before the reading has begun; it is then closed, since a coroutine that is neither awaited nor
    closed is warned of in the log.
    """
    part = asyncio.create_task(_read(name, reading))
    part.add_done_callback(lambda _: reading.close())
    return part


async def _read(name: str, reading: Coroutine[Any, Any, T]) -> T | FailedPart:
    try:
        return await reading
    except FAILURES_OF_A_PART as error:
        failure = error
    except NODE_FAILURES as error:
        if not is_node_failure(error):
            raise
        failure = error
    log.warning("part_of_page_failed", part=name, error=describe_failure(failure))
    return FailedPart(explain_unavailability(failure))


def view_of(part: T | FailedPart, view: Callable[[T], View]) -> View | FailedPart:
    """What the template shows of a part; a part that could not be read stands for itself."""
    return part if isinstance(part, FailedPart) else view(part)


def value_or_none(value: T | FailedPart | None) -> T | None:
    """What was read; None if it could not be, or was not asked for."""
    return None if isinstance(value, FailedPart) else value
