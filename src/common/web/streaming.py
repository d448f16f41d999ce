"""Large answers out of PostgreSQL's COPY, in memory that does not grow with the result."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import aclosing
from typing import Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from common.web.errors import Unavailable

MAX_BUFFERED_CHUNKS = 8
STALLED_READER_SECONDS = 60.0
"""A reader that takes nothing for so long is given up: it holds a connection and a snapshot."""

TOO_MANY_STREAMS = "As many readers as there may be stream from here just now."

Sink = Callable[[bytes], Coroutine[Any, Any, None]]
Copy = Callable[[PoolConnectionProxy, Sink], Awaitable[None]]


async def stream_copy(
    db: asyncpg.Pool, copy: Copy, *, all_taken: str = TOO_MANY_STREAMS
) -> AsyncGenerator[bytes, None]:
    """What `copy` writes, in chunks that each end at the end of a line.

    copy: gets a connection of `db` and where to write. Raises Unavailable with the words `all_taken`, before the first
    chunk, when every connection is taken.
    """
    chunks: asyncio.Queue[bytes | None] = asyncio.Queue(MAX_BUFFERED_CHUNKS)

    async def take(chunk: bytes) -> None:
        async with asyncio.timeout(STALLED_READER_SECONDS):
            await chunks.put(bytes(chunk))  # a bytearray of asyncpg as often as not

    async def produce() -> None:
        try:
            connection = await db.acquire()
        except TimeoutError:
            raise Unavailable(all_taken, retry_after=5) from None
        try:
            await copy(connection, take)
        except BaseException:  # cancelled too; raised again
            connection.terminate()  # asyncpg's connection is of no further use when a COPY was broken off
            raise
        finally:
            await db.release(connection)
        await chunks.put(None)

    producer = asyncio.create_task(produce())
    try:
        while (chunk := await _next(chunks, producer)) is not None:
            yield chunk
    finally:
        producer.cancel()
        await asyncio.gather(producer, return_exceptions=True)


async def _next(chunks: asyncio.Queue[bytes | None], producer: asyncio.Task[None]) -> bytes | None:
    """The next chunk; raises what the producer raised."""
    if chunks.empty() and not producer.done():
        getter = asyncio.ensure_future(chunks.get())
        try:
            await asyncio.wait((getter, producer), return_when=asyncio.FIRST_COMPLETED)
            if getter.done():
                return getter.result()
        finally:
            getter.cancel()
    if chunks.empty():
        producer.result()
        return None
    return chunks.get_nowait()


async def prefetch_first_chunk(chunks: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    """The same chunks once the first of them is there, so that what keeps it away is still answered as an error."""
    first = await anext(chunks, b"")

    async def body() -> AsyncIterator[bytes]:
        async with aclosing(chunks) as rest:
            yield first
            async for chunk in rest:
                yield chunk

    return body()


async def empty_body() -> AsyncIterator[bytes]:
    """The body of an answer to HEAD: of a length that only the stream itself would tell."""
    no_chunks: tuple[bytes, ...] = ()
    for chunk in no_chunks:
        yield chunk
