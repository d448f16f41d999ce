"""Parts of a page that are read independently. A part that fails shows the reason in its place."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

import asyncpg
import structlog

from common.db.errors import PoolExhaustedError, describe_failure, explain_unavailability

log = structlog.get_logger()

T = TypeVar("T")

FAILURES_OF_A_PART: tuple[type[Exception], ...] = (
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,
    asyncpg.InsufficientResourcesError,
    PoolExhaustedError,
)
"""Failures of one statement. When PostgreSQL cannot be reached, no part can be read, and the page is an error."""


@dataclass(frozen=True)
class FailedPart:
    """A part that could not be read, and why, in a sentence."""

    reason: str


async def read_part(name: str, reading: Awaitable[T]) -> T | FailedPart:
    """What is read, or why it is not there."""
    try:
        return await reading
    except FAILURES_OF_A_PART as error:
        log.warning("part_of_page_failed", part=name, error=describe_failure(error))
        return FailedPart(explain_unavailability(error))


def value_or_none(value: T | FailedPart | None) -> T | None:
    """What was read; None if it could not be, or was not asked for."""
    return None if isinstance(value, FailedPart) else value
