"""Import one store file, whether pulled, uploaded or named on the command line.

The rows stream into a staging table of the transaction: memory does not grow with the file, and no row is visible
before all are. Other imports wait only while the staged rows are merged.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import asyncpg

from common.db.pool import Connection, transaction
from dashboard.uptime.intake.parse import StoreFile, StoreFileParser
from dashboard.uptime.models import ImportSummary, NewImport
from dashboard.uptime.queries import imports as queries
from dashboard.uptime.queries.imports import LoadOutcome

BULK_ROWS = 100_000

STAGING_TABLES = {
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
    before_commit: Callable[[Connection], Awaitable[None]] | None = None,
) -> ImportSummary:
    """Import every valid row of a CSV file; importing the same file again changes nothing.

    db: a pool whose time-outs allow for the time in which the file arrives. chunks: its decompressed bytes, in pieces
    of up to a quarter megabyte. source: where it came from, for the list of imports. before_commit: runs last in the
    transaction. Nothing is stored when `chunks` or `before_commit` raises, or when the header is wrong, which raises
    Invalid.
    """
    started_at = datetime.now(UTC)
    async with transaction(db) as connection:
        zones = await queries.select_timezone_names(connection) if kind is StoreFile.TIMEZONES else None
        parser = StoreFileParser(kind, zones)
        await _stage(connection, parser, chunks)
        await queries.raise_work_memory(connection)
        await queries.lock_imports(connection)
        outcome = await _merge(connection, parser)
        new_import = NewImport(
            kind=kind,
            source=source,
            started_at=started_at,
            rows=parser.rows,
            new=outcome.new,
            changed=outcome.changed,
            rejected=parser.rejected,
            rejected_total=parser.rejected_total,
        )
        await queries.insert_import(connection, new_import)
        if before_commit is not None:
            await before_commit(connection)
    return ImportSummary(parser.rows, outcome.new, parser.rejected, parser.rejected_total)


async def _stage(connection: Connection, parser: StoreFileParser, chunks: AsyncIterator[bytes]) -> None:
    """Read the header, then copy the rows to the staging table as they arrive."""
    first_rows = b""
    ended = False
    while not parser.columns and not ended:
        chunk = await anext(chunks, None)
        ended = chunk is None
        first_rows += parser.finish() if chunk is None else parser.feed(chunk)

    async def valid_rows() -> AsyncIterator[bytes]:
        yield first_rows
        if not ended:
            async for chunk in chunks:
                if rows := parser.feed(chunk):
                    yield rows
            yield parser.finish()

    match parser.kind:
        case StoreFile.STATUS:
            await queries.create_poll_staging(connection)
        case StoreFile.BUSINESS_HOURS:
            await queries.create_hours_staging(connection)
        case StoreFile.TIMEZONES:
            await queries.create_timezone_staging(connection)
    columns = [column.name for column in parser.columns]
    await queries.copy_to_staging(connection, STAGING_TABLES[parser.kind], columns, valid_rows())


async def _merge(connection: Connection, parser: StoreFileParser) -> LoadOutcome:
    """Merge the staged rows into the tables of the stores."""
    match parser.kind:
        case StoreFile.STATUS:
            return await _merge_polls(connection, parser.rows)
        case StoreFile.BUSINESS_HOURS:
            return await queries.replace_staged_hours(connection)
        case StoreFile.TIMEZONES:
            new = await queries.upsert_staged_timezones(connection)
            return LoadOutcome(new, new > 0)


async def _merge_polls(connection: Connection, rows: int) -> LoadOutcome:
    """Merge the staged polls; if this is the first bulk import, build the primary key after the insert."""
    bulk = rows >= BULK_ROWS
    first_bulk = bulk and not await queries.has_polls(connection)
    await queries.analyze_staged_polls(connection)
    if first_bulk:
        await queries.drop_store_poll_primary_key(connection)
    await queries.upsert_poll_spans(connection)
    await queries.delete_staged_polls_of_kept_days(connection)
    marked_inactive = await queries.mark_inactive_on_conflict(connection)
    new = await queries.insert_staged_polls(connection)
    if first_bulk:
        await queries.create_store_poll_primary_key(connection)
    if bulk:
        await queries.analyze_polls(connection)
    return LoadOutcome(new, new + marked_inactive > 0)
