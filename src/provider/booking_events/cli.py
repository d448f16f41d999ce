"""`python -m provider import FILE`: loads booking events by COPY.

Reading and storing overlap: while PostgreSQL stores one chunk, the next is read. Each chunk is a transaction of its
own, short enough for the feed's promise that a row becomes visible soon after its recorded time.
"""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from common.config import Secret
from common.csv_files import CsvFile
from common.csv_import import STORE_ALL, ImportOptions, ImportResult, RejectedLine, import_file
from common.db.pool import connect_with, rolled_back
from common.db.time_limits import IMPORT_TIMEOUTS, UNLIMITED
from provider.booking_events import queries
from provider.booking_events.import_csv import open_events, read_chunks
from provider.booking_events.models import StagedRow
from provider.booking_events.service import store_chunk


async def connect(url: Secret) -> asyncpg.Connection:
    """A connection that stores events."""
    return await connect_with(url, "provider-import", IMPORT_TIMEOUTS)


async def store_file(
    url: Secret, chunks: Iterator[list[StagedRow]], result: ImportResult, advance: Callable[[], object]
) -> None:
    """Store chunk after chunk, reading one ahead; `advance` is called after each. Raises PostgreSQL's errors."""
    chunk = await asyncio.to_thread(next, chunks, None)
    connection = await connect(url)
    try:
        while chunk is not None:
            storing = asyncio.create_task(store_chunk(connection, chunk))
            try:
                following = await asyncio.to_thread(next, chunks, None)
                stored, clashes = await storing
            finally:  # when interrupted while reading: end the transaction before the connection is closed
                storing.cancel()
                await asyncio.gather(storing, return_exceptions=True)
            add_outcome(result, len(chunk), stored, clashes)
            advance()
            chunk = following
    finally:
        await connection.close()


async def check_file(
    url: Secret, chunks: Iterator[list[StagedRow]], result: ImportResult, advance: Callable[[], object]
) -> None:
    """Count what `store_file` would store, and store nothing. Raises PostgreSQL's errors.

    This is one transaction, however long it takes: the feed promises nothing about rows that it rolls back.
    """
    connection = await connect_with(url, "provider-import", UNLIMITED)
    rows = 0
    try:
        async with rolled_back(connection):
            await queries.create_staging(connection)
            while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
                await queries.copy_to_staging(connection, chunk)
                rows += len(chunk)
                advance()
            new = await queries.select_count_of_new(connection)
            add_outcome(result, rows, new, await queries.select_checked_clashes(connection))
    finally:
        await connection.close()


def add_outcome(result: ImportResult, rows: int, stored: int, clashes: list[int]) -> None:
    """Add the outcome of some rows. clashes: the lines whose id is stored with different content."""
    result.stored += stored
    result.already_stored += rows - stored - len(clashes)
    result.rejected += [RejectedLine(line, "id is stored with different content") for line in clashes]


async def import_event_file(url: Secret, path: Path, options: ImportOptions = STORE_ALL) -> int:
    """Load the file and print a report; returns the exit status, 1 if any line was rejected or the file has no rows."""
    store_chunks = check_file if options.dry_run else store_file

    async def store(file: CsvFile, result: ImportResult, advance: Callable[[], object]) -> None:
        await store_chunks(url, read_chunks(file, result.reject, datetime.now(UTC)), result, advance)

    return await import_file(path, open_events, store, options)
