"""`python -m provider import-stays`: properties and reservations that existed before, from two CSV files.

Each reservation gets an id. Rows go through the same trigger and constraint as everybody's, in chunks of a transaction
each, so reservations can be made meanwhile; of two rows that overlap the first one stays and the other is reported.
What is stored already is left as it is: the import can be repeated.
"""

import csv
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from common.config import Secret
from common.db.errors import DATABASE_UNAVAILABLE
from provider.stays.models import LAST_DAY, MAX_NIGHTS, parse_day, parse_property_id
from provider.stays.queries import imports as queries

CHUNK_ROWS = 500
"""A transaction holds a lock for each property that it touches, and PostgreSQL's table of locks is not large."""
REPORTED_LINES = 1_000
NOT_STORED: tuple[type[Exception], ...] = (*DATABASE_UNAVAILABLE, asyncpg.PostgresError)


class Rejected(NamedTuple):
    """A record that was not stored, by the line on which it ends (the header is line 1), and why."""

    line: int
    reason: str


class Tally:
    """What became of a file's rows."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.stored = 0
        self.known = 0
        self.rejected: list[Rejected] = []

    def report(self) -> None:
        """One line of figures, then the rejected rows, the first thousand of them."""
        print(f"{self.name}: {self.stored} stored, {self.known} already there, {len(self.rejected)} rejected")
        for line, reason in sorted(self.rejected)[:REPORTED_LINES]:
            print(f"{self.name}: line {line}: {reason}", file=sys.stderr)
        if len(self.rejected) > REPORTED_LINES:
            print(f"{self.name}: … and {len(self.rejected) - REPORTED_LINES} more", file=sys.stderr)


class HeaderError(Exception):
    """The file is not what it is taken for."""


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


def read_rows(path: Path, parsers: Parsers, tally: Tally) -> Iterator[tuple[Any, ...]]:
    """Each good row as its line and its values in the order of `parsers`; bad ones go to the tally.

    The columns may come in any order. Raises HeaderError when one is missing, double or unknown, OSError for the file.
    """
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(file)
        header = [name.strip() for name in next(reader, [])]
        if sorted(header) != sorted(parsers):
            raise HeaderError(f"the header must name the columns {', '.join(parsers)}; it is {','.join(header)!r}")
        while True:
            try:
                cells = next(reader, None)
            except csv.Error as error:
                tally.rejected.append(Rejected(reader.line_num, str(error)))
                continue
            if cells is None:
                return
            if not cells:
                continue
            row = parse_row(reader.line_num, dict(zip(header, cells, strict=False)), len(cells), parsers)
            if isinstance(row, Rejected):
                tally.rejected.append(row)
            else:
                yield row


def parse_row(line: int, cells: dict[str, str], count: int, parsers: Parsers) -> tuple[Any, ...] | Rejected:
    """The row's line and values, or why it is none; every wrong column is named."""
    if count != len(parsers):
        return Rejected(line, f"has {count} columns instead of {len(parsers)}")
    values = []
    faults = []
    for column, parse in parsers.items():
        try:
            values.append(parse(cells[column].strip()))
        except ValueError as error:
            faults.append(f"{column} {error}")
    return Rejected(line, "; ".join(faults)) if faults else (line, *values)


def in_chunks(rows: Iterator[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    chunk: list[tuple[Any, ...]] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == CHUNK_ROWS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


async def import_properties(connection: asyncpg.Connection, path: Path, tally: Tally) -> None:
    for chunk in in_chunks(read_rows(path, PROPERTY, tally)):
        stored = await queries.insert_properties(connection, chunk)
        tally.stored += stored
        tally.known += len(chunk) - stored


async def import_reservations(connection: asyncpg.Connection, path: Path, tally: Tally) -> None:
    for chunk in in_chunks(read_rows(path, RESERVATION, tally)):
        possible = []
        for line, property_id, arrival, nights in chunk:
            if arrival > LAST_DAY - timedelta(days=nights):
                tally.rejected.append(Rejected(line, "ends after the year 9999"))
            else:
                possible.append((line, property_id, arrival, nights))
        stored = await queries.insert_reservations(connection, possible)
        tally.stored += len(stored)
        left = [row for row in possible if row[0] not in stored]
        for line, reason in await select_reasons(connection, left):
            if reason is None:
                tally.known += 1
            else:
                tally.rejected.append(Rejected(line, reason))


async def select_reasons(
    connection: asyncpg.Connection, left: Sequence[tuple[Any, ...]]
) -> list[tuple[int, str | None]]:
    """For each row that was not stored its line and why; None: it is stored already."""
    reasons: list[tuple[int, str | None]] = []
    for line, known, clash in await queries.select_conflicts(connection, left) if left else []:
        if not known:
            reasons.append((line, "property_id is not known"))
        elif clash is None:
            reasons.append((line, None))
        else:
            reasons.append((line, f"overlaps the stay from {clash.arrival} to {clash.departure}"))
    return reasons


def complain(reason: str) -> int:
    """One line on standard error; returns the exit status."""
    print(f"nightaudit: {' '.join(reason.split())}", file=sys.stderr)
    return 1


async def import_files(url: Secret, properties: Path, reservations: Path) -> int:
    """Load both files and say what happened; returns the exit status, 1 if any row was rejected."""
    tallies = [Tally(properties.name), Tally(reservations.name)]
    connection = await asyncpg.connect(url.reveal(), server_settings={"timezone": "UTC", "jit": "off"})
    path = properties
    try:
        await import_properties(connection, properties, tallies[0])
        path = reservations
        await import_reservations(connection, reservations, tallies[1])
    except HeaderError as error:
        return complain(f"{path}: {error}")
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        return complain(f"{path}: {error.strerror}")
    except NOT_STORED as error:
        return complain(f"{path}: PostgreSQL failed; the import may be run again ({error})")
    finally:
        await connection.close()
    for tally in tallies:
        tally.report()
    return 1 if any(tally.rejected for tally in tallies) else 0
