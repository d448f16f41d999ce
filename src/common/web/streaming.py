"""Stream the output of PostgreSQL's COPY as a response, in constant memory."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import aclosing, suppress
from typing import Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from common.db.errors import PoolExhaustedError
from common.web.errors import Unavailable

MAX_BUFFERED_CHUNKS = 8

TOO_MANY_STREAMS = "All streaming connections are in use; retry in a few seconds."

Sink = Callable[[bytes], Coroutine[Any, Any, None]]
Copy = Callable[[PoolConnectionProxy, Sink], Awaitable[None]]


async def stream_copy(db: asyncpg.Pool, copy: Copy, *, detail: str = TOO_MANY_STREAMS) -> AsyncGenerator[bytes, None]:
    """The output of `copy` in chunks, each ending at the end of a line.

    copy: gets a connection of `db` and a function to write to. Raises Unavailable with `detail` before the first chunk
    when every connection of `db` is in use. `connection` ends a stream whose reader is too slow.
    """
    chunks: asyncio.Queue[bytes | None] = asyncio.Queue(MAX_BUFFERED_CHUNKS)

    async def write(chunk: bytes) -> None:
        await chunks.put(bytes(chunk))  # asyncpg may pass a bytearray

    async def produce() -> None:
        try:
            async with db.acquire() as connection:
                try:
                    await copy(connection, write)
                except BaseException:  # cancellation too; raised again
                    with suppress(asyncpg.InterfaceError):  # one with limits of its own is terminated already
                        connection.terminate()  # asyncpg cannot reuse a connection whose COPY was interrupted
                    raise
        except PoolExhaustedError:
            raise Unavailable(detail, retry_after=5) from None
        await chunks.put(None)

    producer = asyncio.create_task(produce())
    try:
        while (chunk := await _next(chunks, producer)) is not None:
            yield chunk
    finally:
        producer.cancel()
        await asyncio.gather(producer, return_exceptions=True)


async def _next(chunks: asyncio.Queue[bytes | None], producer: asyncio.Task[None]) -> bytes | None:
    """The next chunk; raises the producer's exception."""
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
    """Return the chunks once the first has arrived, so that an error until then still gets an error response."""
    first = await anext(chunks, b"")

    async def body() -> AsyncIterator[bytes]:
        async with aclosing(chunks) as rest:
            yield first
            async for chunk in rest:
                yield chunk

    return body()


async def empty_body() -> AsyncIterator[bytes]:
    """The body of a response to HEAD, without a Content-Length, since the length of the stream is unknown."""
    no_chunks: tuple[bytes, ...] = ()
    for chunk in no_chunks:
        yield chunk
