"""Waiting for what happens elsewhere, in a process, a database or a job, and cannot be awaited itself."""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

LOOKS_EVERY_SECONDS = 0.02


async def eventually(look: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Look until what is seen is true, and return it; TimeoutError when it never is. The look may be awaitable."""
    async with asyncio.timeout(seconds):
        while True:
            seen = look()
            if inspect.isawaitable(seen):
                seen = await seen
            if seen:
                return seen
            await asyncio.sleep(LOOKS_EVERY_SECONDS)


def wait_until(look: Callable[[], Any], seconds: float = 60.0) -> Any:
    """The same outside of an event loop."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(LOOKS_EVERY_SECONDS)
    return seen
