"""Waits for conditions that cannot be awaited: states of processes, databases and jobs."""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

POLL_SECONDS = 0.02


async def eventually(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait until the condition, which may be async, returns a true value, and return that. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while True:
            result = condition()
            if inspect.isawaitable(result):
                result = await result
            if result:
                return result
            await asyncio.sleep(POLL_SECONDS)


def wait_until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """The same outside of an event loop."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(POLL_SECONDS)
    return result
