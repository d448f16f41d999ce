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
from common.csv_import import NOT_STORED, CsvHeaderError, ImportResult, RejectedLine, byte_progress, print_error
from provider.booking_events.import_csv import decompressed, read_chunks
from provider.booking_events.models import StagedRow
from provider.booking_events.service import store_chunk


async def connect(url: Secret) -> asyncpg.Connection:
    """A connection whose transactions end within the time in which the feed promises that a row becomes visible."""
    return await asyncpg.connect(url.reveal(), server_settings={"transaction_timeout": "60s", "timezone": "UTC"})


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
            result.stored += stored
            result.already_stored += len(chunk) - stored - len(clashes)
            result.rejected += [RejectedLine(line, "id is stored with different content") for line in clashes]
            advance()
            chunk = following
    finally:
        await connection.close()


async def import_file(url: Secret, path: Path) -> int:
    """Load the file and print a report; returns the exit status, 1 if any line was rejected."""
    try:
        raw = path.open("rb")
    except OSError as error:
        return print_error(f"{path}: {error.strerror}")
    result = ImportResult(path.name)
    failed = 0
    with raw, byte_progress(path) as bar:
        chunks = read_chunks(decompressed(raw, path), result.rejected, datetime.now(UTC))
        try:
            await store_file(url, chunks, result, lambda: bar.update(raw.tell() - bar.n))
        except CsvHeaderError as error:
            return print_error(f"{path}: {error}")
        except NOT_STORED as error:
            failed = print_error(f"{path}: PostgreSQL failed; the import can be run again ({error})")
    result.report()
    return failed or (1 if result.rejected else 0)
