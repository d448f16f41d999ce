"""Taking in a file of the stores, whoever brings it: a pull, an upload or the command line.

The rows stream through into a staging table of the transaction, so that memory does not grow with the file and nothing
is seen of it until all of it is there. Other imports are kept waiting only while the staged rows move into place.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import asyncpg

from common.db.pool import Connection, transaction
from dashboard.uptime.intake.parse import StoreFile, StoreFileParser
from dashboard.uptime.models import ImportSummary
from dashboard.uptime.queries import imports as queries
from dashboard.uptime.queries.imports import LoadOutcome

BULK_ROWS = 100_000

STAGING = {
    StoreFile.STATUS: "staged_poll",
    StoreFile.BUSINESS_HOURS: "staged_hours",
    StoreFile.TIMEZONES: "staged_timezone",
}


async def import_file(
    db: asyncpg.Pool,
    kind: StoreFile,
    chunks: AsyncIterator[bytes],
    source: str,
    *,
    within: Callable[[Connection], Awaitable[None]] | None = None,
) -> ImportSummary:
    """Take in a CSV file: every good row, or nothing at all when its header is wrong.

    db: a pool whose time-outs allow for the time that the file takes to arrive. chunks: its bytes, unpacked, in pieces
    of up to a quarter megabyte. source: where it came from, for the list of imports. within: what else belongs into the
    transaction; when it raises, nothing was taken in. Importing the same file again changes nothing. Raises Invalid for
    a wrong header, and what `chunks` and `within` raise.
    """
    started_at = datetime.now(UTC)
    async with transaction(db) as connection:
        zones = await queries.select_timezone_names(connection) if kind is StoreFile.TIMEZONES else None
        reading = StoreFileParser(kind, zones)
        await _stage(connection, reading, chunks)
        await queries.raise_work_memory(connection)
        await queries.lock_imports(connection)
        stored = await _store(connection, reading)
        await queries.insert_import(
            connection,
            kind,
            source,
            reading.rows,
            stored,
            reading.rejected_total,
            reading.rejected,
            started_at,
        )
        if within is not None:
            await within(connection)
    return ImportSummary(reading.rows, stored.new, reading.rejected, reading.rejected_total)


async def _stage(connection: Connection, reading: StoreFileParser, chunks: AsyncIterator[bytes]) -> None:
    """Read the header, then copy the rows into the staging table as they come."""
    first = b""
    ended = False
    while not reading.columns and not ended:
        chunk = await anext(chunks, None)
        ended = chunk is None
        first += reading.finish() if chunk is None else reading.feed(chunk)

    async def rows() -> AsyncIterator[bytes]:
        yield first
        if not ended:
            async for chunk in chunks:
                if good := reading.feed(chunk):
                    yield good
            yield reading.finish()

    match reading.kind:
        case StoreFile.STATUS:
            await queries.create_poll_staging(connection)
        case StoreFile.BUSINESS_HOURS:
            await queries.create_hours_staging(connection)
        case StoreFile.TIMEZONES:
            await queries.create_timezone_staging(connection)
    columns = [column.name for column in reading.columns]
    await queries.copy_to_staging(connection, STAGING[reading.kind], columns, rows())


async def _store(connection: Connection, reading: StoreFileParser) -> LoadOutcome:
    match reading.kind:
        case StoreFile.STATUS:
            return await _store_polls(connection, reading.rows)
        case StoreFile.BUSINESS_HOURS:
            return await queries.replace_staged_hours(connection)
        case StoreFile.TIMEZONES:
            new = await queries.upsert_staged_timezones(connection)
            return LoadOutcome(new, new > 0)


async def _store_polls(connection: Connection, rows: int) -> LoadOutcome:
    """Where there are no polls yet, many come in without the key, which is built behind them."""
    bulk = rows >= BULK_ROWS
    first = bulk and not await queries.has_polls(connection)
    await queries.analyze_staged_polls(connection)
    if first:
        await queries.drop_store_poll_primary_key(connection)
    worsened = await queries.mark_inactive_on_conflict(connection)
    new = await queries.insert_staged_polls(connection)
    if first:
        await queries.create_store_poll_primary_key(connection)
    if bulk:
        await queries.analyze_polls(connection)
    return LoadOutcome(new, new + worsened > 0)
