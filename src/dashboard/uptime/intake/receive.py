"""Receive a store file from the network to disk, before a transaction begins."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from common.web.errors import Invalid, TooLarge
from common.web.least_speed import KIB_PER_SECOND, LeastSpeed, TooSlowError

MAX_FILE_BYTES = 1024 * 1024 * 1024
CHUNK_BYTES = 256 * 1024
MEMORY_BYTES = 1024 * 1024
"""A smaller file stays in memory."""

SLOW_SECONDS = 60.0
"""An upload of less than KIB_PER_SECOND for so long is refused: slow ones would hold the places of all others."""


async def steady_chunks(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the chunks of an upload as they arrive. Raises Invalid when they arrive too slowly."""
    speed = LeastSpeed(SLOW_SECONDS)
    try:
        while (chunk := await speed.wait_for(anext(chunks, None))) is not None:
            speed.count(len(chunk))
            yield chunk
    except TooSlowError:
        raise Invalid(
            f"The upload is too slow: less than {KIB_PER_SECOND} KiB/s arrived for {SLOW_SECONDS:.0f} seconds."
        ) from None


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
