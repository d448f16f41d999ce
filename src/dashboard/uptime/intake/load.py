"""Import one store file, whether pulled, uploaded or named on the command line.

The file is on this machine before the transaction begins, so that no transaction waits for a network. The rows stream
into a staging table of the transaction: memory does not grow with the file, and no row is visible before all are. Other
imports wait only while the staged rows are merged.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO

import asyncpg

from common.csv_import import RejectedLine
from common.db.pool import Connection, transaction
from common.text_blocks import BLOCK_BYTES, DamagedFileError, FileTooLargeError, read_blocks
from common.web.errors import FieldError, Invalid, TooLarge
from dashboard.uptime.intake.parse import MAX_NAMED_STORES, Outcome, StoreFile, StoreFileReader
from dashboard.uptime.models.imports import ImportSummary, NewImport
from dashboard.uptime.queries import imports as queries
from dashboard.uptime.queries.imports import LoadOutcome

BULK_ROWS = 100_000

STAGING_TABLES = {
    StoreFile.STATUS: "staged_poll",
    StoreFile.BUSINESS_HOURS: "staged_hours",
    StoreFile.TIMEZONES: "staged_timezone",
}


def _ignore(_: object) -> None:
    """Tell no one."""


@dataclass(frozen=True)
class Intake:
    """A file to import.

    file: open for reading. source: where it came from, for the list of imports. now: polls that are dated later than
    the poller's clock can be are rejected. limit: the largest size in bytes. require_rows: refuse a file without rows.
    made_by: who imports it. is_pull: pulled from a source, which may still have polls that were deleted by hand.
    dry_run: store nothing. progress: called with the number of bytes read since the last call. on_rejected: gets every
    rejected line, with its text.
    """

    kind: StoreFile
    file: BinaryIO
    source: str
    now: datetime
    made_by: str
    is_pull: bool = False
    limit: int | None = None
    require_rows: bool = False
    dry_run: bool = False
    progress: Callable[[int], object] = _ignore
    on_rejected: Callable[[RejectedLine], object] = _ignore


class _DryRunEnded(Exception):  # noqa: N818 - it is not an error
    """Rolls the transaction of a dry run back."""


async def import_file(
    db: asyncpg.Pool, intake: Intake, *, before_commit: Callable[[Connection], Awaitable[None]] | None = None
) -> ImportSummary:
    """Import every valid row of a CSV file; importing the same file again changes nothing.

    db: a pool whose time-outs allow for the time that a file of this size takes. before_commit: runs last in the
    transaction. Nothing is stored when it raises. Raises Invalid for a wrong header, a damaged file, or one of which no
    row was accepted, and TooLarge; nothing is stored then either.
    """
    started_at = datetime.now(UTC)
    zones = await queries.select_timezone_names(db) if intake.kind is StoreFile.TIMEZONES else None
    try:
        reader = await asyncio.to_thread(_open, intake, zones)
        new = 0
        try:
            async with transaction(db) as connection:
                await _stage(connection, reader)
                await _withhold_spoiled_hours(connection, reader, intake)
                _require_accepted_rows(reader.outcome, intake)
                outcome = await _merge(connection, reader, intake)
                new = outcome.new
                if intake.dry_run:
                    raise _DryRunEnded  # noqa: TRY301 - it rolls the transaction back
                await queries.insert_import(connection, _import_of(intake, started_at, reader.outcome, outcome))
                if before_commit is not None:
                    await before_commit(connection)
        except _DryRunEnded:
            pass
    except DamagedFileError as error:
        raise _refused("body", str(error)) from None
    except FileTooLargeError as error:
        raise TooLarge(f"The file was refused: {error}.") from None
    found = reader.outcome
    return ImportSummary(found.rows, new, found.rejected, found.rejected_total, found.notices)


def _open(intake: Intake, zones: dict[str, str] | None) -> StoreFileReader:
    blocks = read_blocks(intake.file, progress=intake.progress, limit=intake.limit)
    return StoreFileReader(intake.kind, blocks, intake.now, zones, intake.on_rejected)


def _refused(field: str, reason: str) -> Invalid:
    return Invalid(f"The file was refused: {reason}.", errors=[FieldError(field, reason)])


def _require_accepted_rows(outcome: Outcome, intake: Intake) -> None:
    """Raises Invalid for a file of which every row was rejected, or that has none although some are required."""
    if outcome.rows == 0 and intake.require_rows:
        raise _refused("body", "the file contains no rows")
    if outcome.rows and outcome.rejected_total == outcome.rows:
        none = "its only row is not" if outcome.rows == 1 else f"none of its {outcome.rows} rows is"
        raise Invalid(
            f"The file was refused: {none} valid.",
            errors=[FieldError(f"lines.{each.line}", each.reason) for each in outcome.rejected],
        )


def _import_of(intake: Intake, started_at: datetime, found: Outcome, outcome: LoadOutcome) -> NewImport:
    return NewImport(
        kind=intake.kind,
        source=intake.source,
        made_by=intake.made_by,
        started_at=started_at,
        rows=found.rows,
        new=outcome.new,
        changed=outcome.changed,
        rejected=found.rejected,
        rejected_total=found.rejected_total,
        notices=found.notices,
    )


async def _stage(connection: Connection, reader: StoreFileReader) -> None:
    """Copy the rows to the staging table while a thread reads the next ones."""
    match reader.kind:
        case StoreFile.STATUS:
            await queries.create_poll_staging(connection)
        case StoreFile.BUSINESS_HOURS:
            await queries.create_hours_staging(connection)
        case StoreFile.TIMEZONES:
            await queries.create_timezone_staging(connection)
    await queries.raise_work_memory(connection)
    columns = [column.name for column in reader.columns]
    rows = _read_ahead(reader.rows())
    await queries.copy_to_staging(connection, STAGING_TABLES[reader.kind], columns, rows, reader.delimiter)
    await queries.lock_imports(connection)


async def _read_ahead(rows: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The rows in larger blocks; each is read in a thread while the one before is used."""
    reading = asyncio.create_task(asyncio.to_thread(_next_block, rows))
    try:
        while block := await reading:
            reading = asyncio.create_task(asyncio.to_thread(_next_block, rows))
            yield block
    finally:
        await asyncio.gather(reading, return_exceptions=True)


def _next_block(rows: Iterator[bytes]) -> bytes:
    """Some rows, up to about BLOCK_BYTES; empty after the last."""
    parts = []
    size = 0
    for part in rows:
        parts.append(part)
        size += len(part)
        if size >= BLOCK_BYTES // 2:
            break
    return b"".join(parts)


async def _withhold_spoiled_hours(connection: Connection, reader: StoreFileReader, intake: Intake) -> None:
    """Take the other rows of stores with a rejected row out: without that row the store would seem closed on a day.

    They count as rejected; to name their lines, the file is read once more.
    """
    found = reader.outcome
    if reader.kind is not StoreFile.BUSINESS_HOURS or not found.spoiled_stores:
        return
    withheld = await queries.delete_staged_hours(connection, list(found.spoiled_stores))
    if withheld:
        await asyncio.to_thread(_reject_withheld, reader, intake)
    for store_id, line in list(found.spoiled_stores.items())[:MAX_NAMED_STORES]:
        found.notices.append(
            f"store {store_id!r} keeps its old hours, because line {line} was rejected; "
            f"its {withheld.get(store_id, 0)} valid rows were not used"
        )
    if len(found.spoiled_stores) > MAX_NAMED_STORES:
        found.notices.append(f"{len(found.spoiled_stores) - MAX_NAMED_STORES} more stores keep their old hours")


def _reject_withheld(reader: StoreFileReader, intake: Intake) -> None:
    intake.file.seek(0)
    again = StoreFileReader(intake.kind, read_blocks(intake.file), intake.now)
    for line in again.withheld_lines(reader.outcome.spoiled_stores):
        reader.reject(line)
    reader.outcome.rejected.sort()


async def _merge(connection: Connection, reader: StoreFileReader, intake: Intake) -> LoadOutcome:
    """Merge the staged rows into the tables of the stores."""
    match reader.kind:
        case StoreFile.STATUS:
            return await _merge_polls(connection, reader.outcome, intake)
        case StoreFile.BUSINESS_HOURS:
            return await queries.replace_staged_hours(connection)
        case StoreFile.TIMEZONES:
            with_groups = any(column.name == "store_group" for column in reader.columns)
            new = await queries.upsert_staged_timezones(connection, with_groups=with_groups)
            return LoadOutcome(new, new > 0)


async def _merge_polls(connection: Connection, found: Outcome, intake: Intake) -> LoadOutcome:
    """Merge the staged polls; if this is the first bulk import, build the primary key after the insert."""
    bulk = found.rows >= BULK_ROWS and not intake.dry_run
    first_bulk = bulk and not await queries.has_polls(connection)
    await queries.analyze_staged_polls(connection)
    if first_bulk:
        await queries.drop_store_poll_primary_key(connection)
    if intake.is_pull and (deleted := await queries.delete_staged_polls_deleted_by_hand(connection)):
        found.notices.append(f"{deleted} polls were not taken: they had been deleted by hand")
    await queries.upsert_poll_spans(connection)
    await queries.delete_staged_polls_of_kept_days(connection)
    await queries.forget_days_of_staged_polls(connection)
    marked_inactive = await queries.mark_inactive_on_conflict(connection)
    new = await queries.insert_staged_polls(connection)
    if first_bulk:
        await queries.create_store_poll_primary_key(connection)
    if bulk:
        await queries.analyze_polls(connection)
    return LoadOutcome(new, new + marked_inactive > 0)
