"""Reads the feed: in pages, and as a whole by PostgreSQL's COPY, in constant memory."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import date, timedelta

import asyncpg

from common.db.distribution import is_distributed
from common.db.pool import Connection, Executor
from common.limits import MAX_WINDOW_DAYS
from common.tables import Row, workbook_parts
from common.web.errors import Invalid
from common.web.streaming import Sink, stream_copy
from provider.booking_events import queries
from provider.booking_events.inputs import EventsQuery
from provider.booking_events.models import COLUMNS, Page, Position
from provider.booking_events.queries import FeedFormat, LineReader

MAX_UNSTREAMED_EVENTS = 1000

WINDOW_EVENTS = 20_000
"""On a cluster, a statement that streams events is to read about as many: fewer make it slow, more make it wait."""

FIRST_WINDOW = timedelta(days=1)
SMALLEST_WINDOW = timedelta(milliseconds=1)

TOO_MANY_STREAMS = "All streaming connections are in use. Retry, or page through the feed with `limit`."


async def read_page(
    reader: LineReader, query: EventsQuery, form: FeedFormat, after: Position | None, limit: int
) -> Page:
    """Up to `limit` events after a position; fewer, even none, when a page may not read more to find them.

    With filters other than the hotel and the time of the event, a statement reads at most `queries.max_read_events`
    events in the order of the feed, or `queries.MAX_FEW_EVENTS` in any order.
    """
    end = None
    if not queries.is_filtered(query):
        found = await queries.select_page(reader, query, form, after, limit)
    elif await queries.are_few(reader.db, query):
        found = await queries.select_few(reader, query, form, after, limit)
    else:
        found = await queries.select_filtered_page(reader, query, form, after, limit)
        if not found.has_more:
            end = await queries.select_end_of_filtered_page(reader.db, query, after)
    lines, last, has_more = found
    if has_more:
        return Page(lines, last)
    # Events stored between the two statements may have moved the end before the last event of the page.
    return Page(lines, max(end, last) if end is not None and last is not None else end)


async def require_narrow(db: Executor, query: EventsQuery) -> None:
    """Raises Invalid for events by room or night, without `limit`, that only a reading of a large feed could find."""
    if not query.is_wide or await queries.are_few(db, query):
        return
    if await queries.select_end_of_filtered_page(db, query, None) is not None:
        raise Invalid.field(
            "hotel_id",
            "is required with a room or a night, since the feed is large; instead of it, `limit`, or `updated__gte` and"
            f" `updated__lte` that are at most {MAX_WINDOW_DAYS} days apart",
        )


def lines_after(
    db: asyncpg.Pool, query: EventsQuery, form: FeedFormat, after: Position | None
) -> AsyncGenerator[bytes, None]:
    """Chunks of COPY's output from a position on, each ending at the end of a line.

    Raises Unavailable, before the first chunk, when every connection for streams is in use.
    """

    async def copy(connection: Connection, output: Sink) -> None:
        if await is_distributed(connection, "booking_event"):
            await copy_windows(connection, query, form, after, output)
        else:
            await queries.copy_feed(connection, query, form, after, output)

    return stream_copy(db, copy, detail=TOO_MANY_STREAMS)


async def copy_windows(
    connection: Connection, query: EventsQuery, form: FeedFormat, after: Position | None, output: Sink
) -> None:
    """Write all events after a position to `output` in windows of their time, each of about WINDOW_EVENTS events.

    A cluster would otherwise collect and sort all events before it returns the first.
    """
    if (span := await queries.select_span(connection, query, after)) is None:
        return
    start, last = span
    width = FIRST_WINDOW
    while start <= last:
        end = start + min(width, last - start)
        window = query.model_copy(update={"updated__gte": start, "updated__lte": end})
        count = await queries.copy_feed(connection, window, form, after, output)
        width = 2 * width if count < WINDOW_EVENTS else max(width / 2, SMALLEST_WINDOW)
        start = end + timedelta(microseconds=1)


def as_lines(first: bytes, second: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    """The lines unchanged, as NDJSON or CSV."""

    async def body() -> AsyncIterator[bytes]:
        async with aclosing(rest) as chunks:
            yield first + second
            async for chunk in chunks:
                yield chunk

    return body()


def as_array(first: bytes, second: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    """The lines as a JSON array, an event per line. `first` and `second` may be empty; chunks of `rest` are not.

    The closing bracket is sent only after the last chunk, so a stream that breaks is not valid JSON.
    """

    async def body() -> AsyncIterator[bytes]:
        async with aclosing(rest) as chunks:
            items = as_items(first + second)
            yield b"[" + items
            separator = b",\n" if items else b""
            async for chunk in chunks:
                yield separator + as_items(chunk)
                separator = b",\n"
        yield b"]\n"

    return body()


def as_workbook(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    """A workbook of lines of CSV."""

    async def rows() -> AsyncIterator[list[Row]]:
        async with aclosing(rest) as chunks:
            yield _cells(first)
            async for chunk in chunks:
                yield _cells(chunk)

    return workbook_parts("events", COLUMNS, rows())


def _cells(lines: bytes) -> list[Row]:
    """The cells of lines of CSV, none of which is quoted."""
    found: list[Row] = []
    for line in lines.decode().splitlines():
        event_id, hotel_id, at, status, room_id, night = line.split(",")
        found.append((event_id, hotel_id, at, int(status), room_id, date.fromisoformat(night)))
    return found


async def no_lines() -> AsyncGenerator[bytes, None]:
    """No chunk at all."""
    nothing: tuple[bytes, ...] = ()
    for chunk in nothing:
        yield chunk


def as_items(lines: bytes) -> bytes:
    """The lines as the items of a JSON array."""
    return lines[:-1].replace(b"\n", b",\n")
