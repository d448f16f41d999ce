"""Shared by all CSV imports: header, records, cells, instants, rejected lines, progress and the closing report."""

import csv
import re
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NoReturn

import asyncpg
import msgspec
from tqdm import tqdm

from common.db.errors import DATABASE_UNAVAILABLE

MAX_REPORTED_LINES = 1_000
MAX_RECORD_BYTES = 10_000

NOT_STORED: tuple[type[Exception], ...] = (*DATABASE_UNAVAILABLE, asyncpg.PostgresError)
"""Raised when PostgreSQL fails during an import, which can then be run again."""

UNREADABLE: tuple[type[Exception], ...] = (OSError, EOFError, zlib.error)
"""Raised on reading a file that is cut off, damaged or not in the format of its name."""

_INSTANT = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)[ Tt](?P<time>\d\d:\d\d(?::\d\d)?)(?:\.(?P<fraction>\d{1,9}))?"
    r" ?(?P<zone>UTC|GMT|[Zz]|[+-]\d\d(:?\d\d)?)?",
    re.ASCII,
)


class RejectedLine(msgspec.Struct, frozen=True, order=True):
    """A line that was not stored, by its number in the file (the header is line 1), and the reason."""

    line: int
    """Number of the line in the file; the header is line 1."""
    reason: str
    """Why it was not stored."""


class CsvHeaderError(Exception):
    """The header line does not name the columns of this import."""


@dataclass
class ImportResult:
    """How many rows of a file were stored now, were stored already, and were rejected."""

    name: str
    stored: int = 0
    already_stored: int = 0
    rejected: list[RejectedLine] = field(default_factory=list)

    def report(self) -> None:
        """Print one line of figures, then the rejected lines, up to MAX_REPORTED_LINES, on standard error."""
        print(f"{self.name}: {self.stored} stored, {self.already_stored} already stored, {len(self.rejected)} rejected")
        print_rejected(self.name, sorted(self.rejected), len(self.rejected))


def print_rejected(name: str, rejected: list[RejectedLine], total: int) -> None:
    """Print rejected lines on standard error, up to MAX_REPORTED_LINES, and how many of `total` were left out."""
    shown = rejected[:MAX_REPORTED_LINES]
    for each in shown:
        print(f"{name}: line {each.line}: {each.reason}", file=sys.stderr)
    if total > len(shown):
        print(f"{name}: … and {total - len(shown)} more", file=sys.stderr)


def print_error(message: str) -> int:
    """Print one line on standard error; returns the exit status 1."""
    print(f"nightaudit: {' '.join(message.split())}", file=sys.stderr)
    return 1


def byte_progress(path: Path) -> "tqdm[NoReturn]":
    """A progress bar over the bytes of a file; it shows only on a terminal. Raises OSError."""
    size = path.stat().st_size
    return tqdm(total=size, unit="B", unit_scale=True, desc=path.name, disable=None, file=sys.stderr)


def match_header(line: bytes, columns: Sequence[str], aliases: Mapping[str, str] | None = None) -> list[int]:
    """Find the position of each of `columns` in the header line, which may name them in any order and case.

    aliases: other names of columns, in lower case. Raises CsvHeaderError when a column is missing, duplicate or
    unknown.
    """
    if not line:
        raise CsvHeaderError("the file is empty")
    text = line.decode("utf-8-sig", errors="replace").strip()
    try:
        cells = [cell.strip().lower() for cell in split_cells(text)]
    except csv.Error:
        cells = []
    canonical = {column.lower(): column for column in columns} | dict(aliases or {})
    names = [canonical.get(cell, cell) for cell in cells]
    if sorted(names) != sorted(columns):
        raise CsvHeaderError(
            f"the header must name the columns {', '.join(columns)}, in any order; it is {text[:200]!r}"
        )
    return [names.index(column) for column in columns]


def read_records(
    file: BinaryIO, rejected: list[RejectedLine], *, multiline: bool = False
) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each record after the header, with the number of the line on which it ends.

    Blank lines are skipped. A record that is not UTF-8, is not CSV or exceeds MAX_RECORD_BYTES goes to `rejected`, as
    does the line at which the file becomes unreadable. multiline: quoted cells may contain line breaks; if not set, a
    missing quote affects only its own line.
    """
    number = 1
    try:
        while record := file.readline(MAX_RECORD_BYTES):
            number += 1
            while multiline and record.count(b'"') % 2 and record.endswith(b"\n") and len(record) < MAX_RECORD_BYTES:
                if not (line := file.readline(MAX_RECORD_BYTES)):
                    break
                record += line
                number += 1
            if len(record) >= MAX_RECORD_BYTES:
                _skip_line(file, record)
                rejected.append(RejectedLine(number, f"is longer than {MAX_RECORD_BYTES} bytes"))
                continue
            if record.isspace():
                continue
            try:
                cells = split_cells(record.decode().rstrip("\r\n"))
            except UnicodeDecodeError:
                rejected.append(RejectedLine(number, "is not valid UTF-8"))
            except csv.Error as error:
                rejected.append(RejectedLine(number, f"is not valid CSV: {error}"))
            else:
                yield number, cells
    except UNREADABLE as error:
        rejected.append(RejectedLine(number + 1, f"cannot be read: {error}"))


def _skip_line(file: BinaryIO, part: bytes) -> None:
    """Read the rest of the line; `part` is the part read last."""
    while part and not part.endswith(b"\n"):
        part = file.readline(MAX_RECORD_BYTES)


def split_cells(line: str) -> list[str]:
    """Split a line into its cells. Raises csv.Error when the quotes do not follow RFC 4180."""
    if '"' not in line:
        return line.split(",")
    return next(csv.reader([line], strict=True), [])


def parse_file_instant(text: str) -> datetime:
    """Parse an instant from a file; returns it in UTC. Raises ValueError.

    Accepts `T` or a space, with or without seconds and fraction, and as zone `Z`, `UTC`, `GMT`, `+01`, `+0100` or
    `+01:00`; without a zone it is UTC. Digits finer than a microsecond are cut off.
    """
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise ValueError("must be an instant, such as 2020-01-01T00:00:00Z or 2020-01-01 00:00:00")
    zone = match["zone"] or "Z"
    fraction = f".{match['fraction'][:6]}" if match["fraction"] else ""
    offset = zone if zone[0] in "+-" else "Z"
    try:
        return datetime.fromisoformat(f"{match['date']}T{match['time']}{fraction}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("is not a valid instant") from None
