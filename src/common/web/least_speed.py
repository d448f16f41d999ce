"""The least speed at which a client has to take a response or send a body."""

import asyncio
import time
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")

KIB_PER_SECOND = 16


class TooSlowError(Exception):
    """The client takes or sends less than KIB_PER_SECOND."""


class LeastSpeed:
    """Gives up a transfer that has been slower than KIB_PER_SECOND for `seconds` of waiting for the client.

    Only the time spent waiting for the client counts, not the time in which a response is made or a body is stored.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._least_bytes = int(seconds * KIB_PER_SECOND * 1024)
        self._waited = 0.0
        self._moved = 0

    async def wait_for(self, transfer: Awaitable[T], size: int = 0) -> T:
        """Wait for a part of the transfer. size: its bytes, where known; a long part may take as long as it needs.

        Raises TooSlowError when the time is over.
        """
        limit = asyncio.timeout(self._seconds * max(1.0, size / self._least_bytes) - self._waited)
        began = time.monotonic()
        try:
            async with limit:
                result = await transfer
        except TimeoutError:
            if not limit.expired():
                raise  # a time-out of the connection
            raise TooSlowError from None
        self._waited += time.monotonic() - began
        return result

    def count(self, size: int) -> None:
        """Count the bytes of a part that was waited for. Raises TooSlowError when there are too few so far."""
        self._moved += size
        if self._moved >= self._least_bytes:
            self._waited, self._moved = 0.0, 0
        elif self._waited >= self._seconds:
            raise TooSlowError
