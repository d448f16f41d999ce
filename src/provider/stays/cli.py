"""`python -m provider import-stays`: loads existing properties and reservations from two CSV files.

Each reservation gets an id. Rows pass the same trigger and constraint as online reservations, in a transaction for each
chunk, so reservations can be made during the import; of two rows that overlap the first is stored and the other
reported. Rows that are stored already are skipped: the import can be repeated.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import asyncpg

from common.config import Secret
from common.csv_import import (
    MAX_RECORD_BYTES,
    NOT_STORED,
    CsvHeaderError,
    ImportResult,
    RejectedLine,
    match_header,
    print_error,
    read_records,
)
from provider.stays.inputs import LAST_DAY, MAX_NIGHTS, parse_day, parse_property_id
from provider.stays.queries import imports as queries

CHUNK_ROWS = 500
"""A transaction holds a lock for each of its properties, and PostgreSQL's lock table is small."""

Row = tuple[Any, ...]
"""The number of a line, then the values of its columns."""


def parse_text(text: str) -> str:
    if 1 <= len(text) <= 2000 and "\0" not in text:
        return text
    raise ValueError("must have 1 to 2000 characters")


def parse_nights(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= MAX_NIGHTS:
        return int(text)
    raise ValueError(f"must be a whole number from 1 to {MAX_NIGHTS}")


Parsers = dict[str, Callable[[str], Any]]
PROPERTY: Parsers = {"property_id": parse_property_id, "description": parse_text}
RESERVATION: Parsers = {"property_id": parse_property_id, "start_date": parse_day, "number_of_nights": parse_nights}


def read_rows(path: Path, parsers: Parsers, result: ImportResult) -> Iterator[Row]:
    """Yield the valid rows, with the values in the order of `parsers`; invalid rows are added to the result.

    Raises CsvHeaderError, and OSError when the file cannot be opened.
    """
    with path.open("rb") as file:
        positions = match_header(file.readline(MAX_RECORD_BYTES), tuple(parsers))
        for number, cells in read_records(file, result.rejected, multiline=True):
            row = parse_row(number, cells, positions, parsers)
            if isinstance(row, RejectedLine):
                result.rejected.append(row)
            else:
                yield row


def parse_row(number: int, cells: list[str], positions: list[int], parsers: Parsers) -> Row | RejectedLine:
    """The row, or a RejectedLine that names every invalid column."""
    if len(cells) != len(parsers):
        return RejectedLine(number, f"has {len(cells)} columns instead of {len(parsers)}")
    values = []
    faults = []
    for (column, parse), position in zip(parsers.items(), positions, strict=True):
        try:
            values.append(parse(cells[position].strip()))
        except ValueError as error:
            faults.append(f"{column} {error}")
    return RejectedLine(number, "; ".join(faults)) if faults else (number, *values)


async def import_properties(connection: asyncpg.Connection, path: Path, result: ImportResult) -> None:
    rows = read_rows(path, PROPERTY, result)
    while chunk := list(islice(rows, CHUNK_ROWS)):
        stored = await queries.insert_properties(connection, chunk)
        result.stored += stored
        result.already_stored += len(chunk) - stored


async def import_reservations(connection: asyncpg.Connection, path: Path, result: ImportResult) -> None:
    rows = read_rows(path, RESERVATION, result)
    while chunk := list(islice(rows, CHUNK_ROWS)):
        possible = []
        for line, property_id, arrival, nights in chunk:
            if arrival > LAST_DAY - timedelta(days=nights):
                result.rejected.append(RejectedLine(line, "ends after the year 9999"))
            else:
                possible.append((line, property_id, arrival, nights))
        stored = await queries.insert_reservations(connection, possible)
        result.stored += len(stored)
        for line, reason in await select_reasons(connection, [row for row in possible if row[0] not in stored]):
            if reason is None:
                result.already_stored += 1
            else:
                result.rejected.append(RejectedLine(line, reason))


async def select_reasons(connection: asyncpg.Connection, rows: Sequence[Row]) -> list[tuple[int, str | None]]:
    """The line of each row that was not stored, and the reason; None when it is stored already."""
    reasons: list[tuple[int, str | None]] = []
    for line, property_is_known, conflict in await queries.select_conflicts(connection, rows) if rows else []:
        if not property_is_known:
            reasons.append((line, "property_id is unknown"))
        elif conflict is None:
            reasons.append((line, None))
        else:
            reasons.append((line, f"overlaps the stay from {conflict.arrival} to {conflict.departure}"))
    return reasons


async def import_files(url: Secret, properties: Path, reservations: Path) -> int:
    """Load both files and print a report of each; returns the exit status, 1 if any row was rejected."""
    results = [ImportResult(properties.name), ImportResult(reservations.name)]
    connection = await asyncpg.connect(url.reveal(), server_settings={"timezone": "UTC", "jit": "off"})
    path = properties
    try:
        await import_properties(connection, properties, results[0])
        path = reservations
        await import_reservations(connection, reservations, results[1])
    except CsvHeaderError as error:
        return print_error(f"{path}: {error}")
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        return print_error(f"{path}: {error.strerror}")
    except NOT_STORED as error:
        return print_error(f"{path}: PostgreSQL failed; the import can be run again ({error})")
    finally:
        await connection.close()
    for result in results:
        result.report()
    return 1 if any(result.rejected for result in results) else 0
