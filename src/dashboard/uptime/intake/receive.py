"""Receive a store file from the network to disk, before a transaction begins."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from common.web.errors import TooLarge

MAX_FILE_BYTES = 1024 * 1024 * 1024
CHUNK_BYTES = 256 * 1024
MEMORY_BYTES = 1024 * 1024
"""A smaller file stays in memory."""


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
