"""`python -m provider import-stays`, which loads existing properties and reservations from two CSV files, and `audit`.

Each reservation gets an id. Rows pass the same trigger and constraint as online reservations, in a transaction for each
chunk, so reservations can be made during the import; of two rows that overlap the first is stored and the other
reported. Rows that are stored already are skipped: the import can be repeated. The stays of a hotel's room enter the
feed in the same transaction.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from common.config import Secret
from common.csv_files import CsvFile, CsvHeaderError
from common.csv_import import (
    CANNOT_OPEN,
    NOT_STORED,
    STORE_ALL,
    ImportOptions,
    ImportResult,
    RejectedLine,
    open_with_progress,
    print_error,
    rejected_writer,
    with_texts,
)
from common.db.pool import connect_with, create_pool, rolled_back, transaction
from common.db.replica import read_by_command
from common.db.time_limits import IMPORT_TIMEOUTS, UNLIMITED
from common.limits import LATEST_NIGHT
from common.text_blocks import DamagedFileError, open_file, read_blocks
from provider.hotel_rooms import BOOKING
from provider.stays.audit import find_differences
from provider.stays.inputs import MAX_NIGHTS, parse_day, parse_description, parse_property_id
from provider.stays.models import ImportedStay, Refusal
from provider.stays.queries import free_stretches
from provider.stays.queries import imports as queries
from provider.stays.queries.properties import share_room_events
from provider.stays.service import AppendEvents, night_events

CHUNK_ROWS = 500
"""A transaction holds a lock for each of its properties, and PostgreSQL's lock table is small."""

CHUNK_NIGHTS = 20_000
"""Nights of a transaction, each of which may become an event; then it ends even before CHUNK_ROWS rows."""

MAX_NAMED = 100
"""Properties that `audit` names."""

Row = tuple[Any, ...]
"""The number of a line, then the values of its columns."""


def parse_text(text: str) -> str:
    if 1 <= len(text) <= 2000:
        return parse_description(text)
    raise ValueError("must have 1 to 2000 characters")


def parse_nights(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= MAX_NIGHTS:
        return int(text)
    raise ValueError(f"must be a whole number from 1 to {MAX_NIGHTS}")


Parsers = dict[str, Callable[[str], Any]]
PROPERTY: Parsers = {"property_id": parse_property_id, "description": parse_text}
RESERVATION: Parsers = {"property_id": parse_property_id, "start_date": parse_day, "number_of_nights": parse_nights}


ALIASES = {"nights": "number_of_nights", "arrival": "start_date"}


def read_rows(path: Path, parsers: Parsers, result: ImportResult) -> Iterator[Row]:
    """Yield the valid rows, with the values in the order of `parsers`; invalid rows are added to the result.

    Raises CsvHeaderError, DamagedFileError, and OSError when the file cannot be opened.
    """
    with open_with_progress(path) as (raw, bar):
        file = CsvFile(read_blocks(raw, progress=bar.update), tuple(parsers), ALIASES)
        result.notices += file.header.notices
        try:
            for number, cells in file.records(result.reject):
                row = parse_row(number, cells, parsers)
                if isinstance(row, RejectedLine):
                    result.rejected.append(row)
                else:
                    yield row
        except DamagedFileError as error:
            result.reject(file.line + 1, f"cannot be read: {error}")


def parse_row(number: int, cells: Sequence[str], parsers: Parsers) -> Row | RejectedLine:
    """The row, or a RejectedLine that names every invalid column."""
    values = []
    faults = []
    for (column, parse), cell in zip(parsers.items(), cells, strict=True):
        try:
            values.append(parse(cell))
        except ValueError as error:
            faults.append(f"{column} {error}")
    return RejectedLine(number, "; ".join(faults)) if faults else (number, *values)


async def import_properties(connection: asyncpg.Connection, path: Path, result: ImportResult) -> None:
    rows = read_rows(path, PROPERTY, result)
    while chunk := list(islice(rows, CHUNK_ROWS)):
        stored = await queries.insert_properties(connection, chunk)
        result.stored += stored
        result.already_stored += len(chunk) - stored


async def import_reservations(
    connection: asyncpg.Connection, path: Path, result: ImportResult, append: AppendEvents
) -> None:
    lines: dict[UUID | None, int] = {}  # of the file, by the reservation that each became
    for chunk in chunks_by_nights(read_rows(path, RESERVATION, result)):
        possible = []
        for row in chunk:
            line, _, arrival, nights = row
            if arrival + timedelta(days=nights - 1) > LATEST_NIGHT:
                result.rejected.append(RejectedLine(line, f"ends after the night of {LATEST_NIGHT}"))
            else:
                possible.append(row)
        stays = await store_reservations(connection, possible, append)
        result.stored += len(stays)
        lines.update((stay.reservation_id, stay.line) for stay in stays)
        stored = {stay.line for stay in stays}
        unstored = [row for row in possible if row[0] not in stored]
        for refusal in await queries.select_refusals(connection, unstored) if unstored else []:
            reason = reason_of(refusal, lines.get(refusal.reservation_id))
            if reason is None:
                result.already_stored += 1
            else:
                result.rejected.append(RejectedLine(refusal.line, reason))


def chunks_by_nights(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """Chunks of at most CHUNK_ROWS rows, each ended by the row with which it exceeds CHUNK_NIGHTS nights."""
    chunk: list[Row] = []
    nights = 0
    for row in rows:
        chunk.append(row)
        nights += row[3]
        if len(chunk) == CHUNK_ROWS or nights > CHUNK_NIGHTS:
            yield chunk
            chunk, nights = [], 0
    if chunk:
        yield chunk


async def store_reservations(
    connection: asyncpg.Connection, rows: Sequence[Row], append: AppendEvents
) -> list[ImportedStay]:
    """Store the rows whose nights are free, with the events of hotels' rooms, and return them."""
    async with connection.transaction():
        await share_room_events(connection)
        stored = await queries.insert_reservations(connection, rows)
        linked = [stay for stay in stored if stay.hotel_id is not None]
        await append(connection, [event for stay in linked for event in night_events(stay, BOOKING)])
    return stored


def reason_of(refusal: Refusal, stored_line: int | None) -> str | None:
    """Why a row was not stored; None when it was imported earlier.

    stored_line: the line of the same file that the stay in its way was; None if it was none.
    """
    if not refusal.is_property_known:
        return "property_id is unknown"
    if refusal.arrival is None:
        if refusal.booked_night is not None:
            return f"the feed of the hotel has the night of {refusal.booked_night} as booked"
        if refusal.blocked_night is not None:
            return f"the night of {refusal.blocked_night} is blocked or held by another site"
        return "its nights were taken for a moment; import the file again"
    if refusal.is_same and not refusal.is_online:
        return None if stored_line is None else f"is the same as line {stored_line}"
    stay = f"the stay from {refusal.arrival} to {refusal.departure}"
    if refusal.is_online:
        stay += ", which a guest has reserved online"
    if refusal.is_overlapping:
        return f"overlaps {stay}"
    return f"is within the turnover ({refusal.turnover_days} days) of {stay}"


async def import_files(
    url: Secret, properties: Path, reservations: Path, append: AppendEvents, options: ImportOptions = STORE_ALL
) -> int:
    """Load both files and print a report of each; returns the exit status.

    It is 1 if any row was rejected, or if neither file has a row that was taken. append: stores the events of stays in
    hotels' rooms. A dry run is one transaction that is rolled back: it must end within its time limit.
    """
    results = [ImportResult(properties.name), ImportResult(reservations.name)]
    connection = await connect_with(url, "provider-import", IMPORT_TIMEOUTS)
    path = properties
    try:
        async with rolled_back(connection) if options.dry_run else nullcontext():
            await import_properties(connection, properties, results[0])
            path = reservations
            await import_reservations(connection, reservations, results[1], append)
        if options.rejected is not None:
            with rejected_writer(options.rejected) as write:
                for each, result, parsers in (
                    (properties, results[0], PROPERTY),
                    (reservations, results[1], RESERVATION),
                ):
                    for line in rejected_rows(each, result, parsers):
                        write(each.name, line)
    except (CsvHeaderError, DamagedFileError) as error:
        return print_error(f"{path}: {error}")
    except CANNOT_OPEN as error:
        return print_error(f"{error.filename or path}: {error.strerror}")
    except NOT_STORED as error:
        return print_error(f"{path}: PostgreSQL failed; the import can be run again ({error})")
    finally:
        await connection.close()
    for result in results:
        result.report(dry_run=options.dry_run)
    has_rows = any(result.stored + result.already_stored for result in results)
    return 1 if any(result.rejected for result in results) or not has_rows else 0


def rejected_rows(path: Path, result: ImportResult, parsers: Parsers) -> Iterator[RejectedLine]:
    """The rejected rows of a file with their texts. Raises OSError when it cannot be read once more, as a pipe."""
    if result.rejected:
        with open_file(path) as raw:
            yield from with_texts(CsvFile(read_blocks(raw), tuple(parsers), ALIASES), result.rejected)


async def run_audit(url: Secret, *, repair: bool, read_url: Secret | None = None) -> int:
    """Recount the free stretches and print which differ; returns the exit status, 1 if any do.

    read_url: of the replica, if there is one, which is recounted unless the primary is to be repaired.
    repair: replace those that differ; the exit status is 1 all the same, since a difference has a cause.
    """
    async with create_pool(url, application="provider-audit", size=1, timeouts=UNLIMITED) as db:
        checked, different = await read_by_command(None if repair else read_url, db, find_differences)
        for property_id in different[:MAX_NAMED]:
            print(f"property {property_id}: its free stretches differ from the recount")
        if len(different) > MAX_NAMED:
            print(f"and {len(different) - MAX_NAMED} more")
        if repair:
            for property_id in different:
                async with transaction(db) as connection:
                    await free_stretches.recompute(connection, property_id)
    print(f"properties: {checked}")
    state = f"{len(different)} differ" if different else "equal to the recount"
    print(f"free stretches: {state}{', now repaired' if repair and different else ''}")
    return 1 if different else 0
