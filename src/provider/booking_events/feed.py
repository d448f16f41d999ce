"""Streams the whole feed: lines from PostgreSQL's COPY, in constant memory."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import asyncpg

from common.db.pool import Connection
from common.web.streaming import Sink, stream_copy
from provider.booking_events import queries
from provider.booking_events.inputs import EventsQuery
from provider.booking_events.models import Position
from provider.booking_events.queries import FeedFormat

MAX_UNSTREAMED_EVENTS = 1000

TOO_MANY_STREAMS = "All streaming connections are in use. Retry, or page through the feed with `limit`."


def lines_after(
    db: asyncpg.Pool, query: EventsQuery, form: FeedFormat, after: Position | None
) -> AsyncGenerator[bytes, None]:
    """Chunks of COPY's output from a position on, each ending at the end of a line.

    Raises Unavailable, before the first chunk, when every connection for streams is in use.
    """

    async def copy(connection: Connection, output: Sink) -> None:
        await queries.copy_feed(connection, query, form, after, output)

    return stream_copy(db, copy, detail=TOO_MANY_STREAMS)


def as_lines(first: bytes, second: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    """The lines unchanged, as NDJSON or CSV."""

    async def body() -> AsyncIterator[bytes]:
        async with aclosing(rest) as chunks:
            yield first + second
            async for chunk in chunks:
                yield chunk

    return body()


def as_array(first: bytes, second: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    """The lines as a JSON array, an event per line. `first`: items, joined; `second` and `rest`: chunks of whole lines.

    The closing bracket is sent only after the last chunk, so a stream that breaks is not valid JSON.
    """

    async def body() -> AsyncIterator[bytes]:
        async with aclosing(rest) as chunks:
            yield b"[" + first + _as_items(second)
            async for chunk in chunks:
                yield _as_items(chunk)
        yield b"]\n"

    return body()


def _as_items(lines: bytes) -> bytes:
    return b",\n" + lines[:-1].replace(b"\n", b",\n")
