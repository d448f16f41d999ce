"""Reading the feed whole: as a stream of lines out of PostgreSQL's COPY, in memory that does not grow with the
result."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import asyncpg

from common.db.pool import Connection
from common.web.streaming import Sink, stream_copy
from provider.booking_events import queries
from provider.booking_events.models import EventsQuery, Position
from provider.booking_events.queries import FeedFormat

MAX_UNSTREAMED_EVENTS = 1000

TOO_MANY_STREAMS = "As many readers as there may be stream the feed just now; pages, with limit, are to be had."


def lines_after(
    db: asyncpg.Pool, query: EventsQuery, shape: FeedFormat, after: Position | None
) -> AsyncGenerator[bytes, None]:
    """Whole chunks of COPY's output from a position on, each ending at the end of a line.

    Raises Unavailable, before the first chunk, when every connection for streams is taken.
    """

    async def copy(connection: Connection, output: Sink) -> None:
        await queries.copy_feed(connection, query, shape, after, output)

    return stream_copy(db, copy, all_taken=TOO_MANY_STREAMS)


def as_lines(first: bytes, second: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    """NDJSON or CSV: the lines as they are."""

    async def body() -> AsyncIterator[bytes]:
        async with aclosing(rest) as chunks:
            yield first + second
            async for chunk in chunks:
                yield chunk

    return body()


def as_array(first: bytes, second: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    """A JSON array of the lines, one event a line. `first`: items, joined; `second` and `rest`: chunks of whole lines.

    The bracket is closed only when all has come.
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
