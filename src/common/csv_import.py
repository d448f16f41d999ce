"""What every CSV import shares: cells, instants, rejected lines, progress and the closing report."""

import csv
import re
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import asyncpg
import msgspec
from tqdm import tqdm

from common.db.errors import DATABASE_UNAVAILABLE

MAX_REPORTED_LINES = 1_000

NOT_STORED: tuple[type[Exception], ...] = (*DATABASE_UNAVAILABLE, asyncpg.PostgresError)
"""Raised when PostgreSQL fails during an import, which can then be run again."""

_INSTANT = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)[ Tt](?P<time>\d\d:\d\d(?::\d\d)?)(?:\.(?P<fraction>\d{1,9}))?"
    r" ?(?P<zone>UTC|GMT|[Zz]|[+-]\d\d(:?\d\d)?)?",
    re.ASCII,
)


class RejectedLine(msgspec.Struct, frozen=True, order=True):
    """A line that was not stored, by its number in the file (the header is line 1), and the reason."""

    line: int
    reason: str


class CsvHeaderError(Exception):
    """The header line does not name the columns of this import."""


@dataclass
class ImportResult:
    """How many rows of a file were read, stored and rejected. Rows read, but in neither of the others, were known."""

    name: str
    read: int = 0
    stored: int = 0
    rejected: list[RejectedLine] = field(default_factory=list)

    @property
    def known(self) -> int:
        """Rows that were stored before."""
        return self.read - self.stored - len(self.rejected)

    def report(self) -> None:
        """Print one line of figures, then the rejected lines, up to MAX_REPORTED_LINES, on standard error."""
        print(f"{self.name}: {self.stored} stored, {self.known} already stored, {len(self.rejected)} rejected")
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


def split_cells(line: str) -> list[str]:
    """The cells of one line. Raises csv.Error where quotes are not as RFC 4180 has them."""
    if '"' not in line:
        return line.split(",")
    return next(csv.reader([line], strict=True), [])


def parse_file_instant(text: str) -> datetime:
    """An instant as files write it, in UTC. Raises ValueError.

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
