"""Receive a store file from the network to disk, before a transaction begins."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from common.web.errors import Invalid, TooLarge

MAX_FILE_BYTES = 1024 * 1024 * 1024
CHUNK_BYTES = 256 * 1024
MEMORY_BYTES = 1024 * 1024
"""A smaller file stays in memory."""

SLOW_SECONDS = 60.0
LEAST_BYTES = 960 * 1024
"""An upload that brings less than this within SLOW_SECONDS of waiting for it, 16 KiB/s, is refused: slow ones would
hold the places of all others."""


async def steady_chunks(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the chunks of an upload as they arrive. Raises Invalid when they arrive too slowly."""
    waited, arrived = 0.0, 0
    while True:
        began = time.monotonic()
        try:
            async with asyncio.timeout(SLOW_SECONDS - waited):
                chunk = await anext(chunks, None)
        except TimeoutError:
            raise _too_slow() from None
        if chunk is None:
            return
        waited += time.monotonic() - began
        arrived += len(chunk)
        if arrived >= LEAST_BYTES:
            waited, arrived = 0.0, 0
        elif waited >= SLOW_SECONDS:
            raise _too_slow()
        yield chunk


def _too_slow() -> Invalid:
    return Invalid(f"The upload is too slow: less than 16 KiB/s arrived for {SLOW_SECONDS:.0f} seconds.")


@asynccontextmanager
async def received(chunks: AsyncIterator[bytes], *, limit: int = MAX_FILE_BYTES) -> AsyncIterator[BinaryIO]:
    """The chunks as a file, which is deleted after the block. Raises TooLarge past `limit` bytes."""
    with SpooledTemporaryFile(MEMORY_BYTES) as file:
        size = 0
        async for chunk in chunks:
            size += len(chunk)
            if size > limit:
                raise TooLarge(f"The file exceeds {limit} bytes.")
            await asyncio.to_thread(file.write, chunk)
        file.seek(0)
        yield cast(BinaryIO, file)
