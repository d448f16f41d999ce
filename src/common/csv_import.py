"""Shared by all commands that import CSV files: options, rejected lines, progress and the closing report."""

import argparse
import csv
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NoReturn

import asyncpg
import msgspec
from tqdm import tqdm

from common.csv_files import CsvFile, CsvHeaderError
from common.db.errors import DATABASE_UNAVAILABLE
from common.tables import csv_cell
from common.text_blocks import DamagedFileError, open_file

MAX_REPORTED_LINES = 1_000

NOT_STORED: tuple[type[Exception], ...] = (*DATABASE_UNAVAILABLE, asyncpg.PostgresError)
"""Raised when PostgreSQL fails during an import, which can then be run again."""

CANNOT_OPEN: tuple[type[OSError], ...] = (FileNotFoundError, IsADirectoryError, PermissionError, NotADirectoryError)
"""Raised when a file cannot be opened; other errors of the system may come from the database."""


class RejectedLine(msgspec.Struct, frozen=True, order=True, omit_defaults=True):
    """A line that was not stored, by its number in the file, and the reason."""

    line: int
    """Number of the line in the file; the header is line 1."""
    reason: str
    """Why it was not stored."""
    text: str | None = None
    """The line itself; only where all rejected lines were asked for."""


@dataclass(frozen=True)
class ImportOptions:
    """How a command imports. dry_run: store nothing. rejected: a file for the rejected lines."""

    dry_run: bool = False
    rejected: Path | None = None


def add_import_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `ImportOptions`."""
    parser.add_argument("--dry-run", action="store_true", help="check the files and report, but store nothing")
    parser.add_argument(
        "--rejected", metavar="FILE", type=Path, help="write the rejected lines, with their reasons, to this CSV file"
    )


def import_options(arguments: argparse.Namespace) -> ImportOptions:
    return ImportOptions(arguments.dry_run, arguments.rejected)


STORE_ALL = ImportOptions()
"""The options of a command to which none is given."""


@dataclass
class ImportResult:
    """How many rows of a file were stored now, were stored already, changed what was stored, and were rejected.

    changed: the lines with what each changes. notices: see `Header`.
    """

    name: str
    stored: int = 0
    already_stored: int = 0
    rejected: list[RejectedLine] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    changed: list[tuple[int, str]] = field(default_factory=list)

    @property
    def has_rows(self) -> bool:
        """Whether any row was taken."""
        return bool(self.stored + self.already_stored + len(self.changed))

    def reject(self, line: int, reason: str, _: str = "") -> None:
        self.rejected.append(RejectedLine(line, reason))

    @property
    def status(self) -> int:
        """The exit status: 1 if a line was rejected, or the file has no row that was taken."""
        return 1 if self.rejected or not self.has_rows else 0

    def report(self, *, dry_run: bool = False) -> None:
        """Print one line of figures, then notices and rejected lines, up to MAX_REPORTED_LINES, on standard error.

        The lines that change what is stored are printed too, up to MAX_REPORTED_LINES.
        """
        would_be = "would be " * dry_run
        words = f"{self.stored} {would_be}stored, {self.already_stored} already stored"
        words += f", {len(self.changed)} {would_be}changed" * bool(self.changed)
        print(f"{self.name}: {words}, {len(self.rejected)} rejected")
        for line, change in self.changed[:MAX_REPORTED_LINES]:
            print(f"{self.name}: line {line}: {change}")
        if len(self.changed) > MAX_REPORTED_LINES:
            print(f"{self.name}: … and {len(self.changed) - MAX_REPORTED_LINES} more changes")
        print_notices(self.name, self.notices)
        print_rejected(self.name, sorted(self.rejected), len(self.rejected))


def print_notices(name: str, notices: Iterable[str]) -> None:
    for notice in notices:
        print(f"{name}: {notice}", file=sys.stderr)


def print_rejected(name: str, rejected: Sequence[RejectedLine], total: int) -> None:
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


@contextmanager
def open_with_progress(path: Path) -> Iterator[tuple[BinaryIO, "tqdm[NoReturn]"]]:
    """Open a file, with a progress bar over its bytes, which shows only on a terminal. Raises OSError."""
    with open_file(path) as file:
        size = file.seek(0, 2)
        file.seek(0)
        with tqdm(total=size, unit="B", unit_scale=True, desc=path.name, disable=None, file=sys.stderr) as bar:
            yield file, bar


StoreRows = Callable[[CsvFile, ImportResult, Callable[[], object]], Awaitable[None]]
"""Stores the rows of a file, and adds the outcome to the result. Calls the function after each chunk, for the progress.

Raises PostgreSQL's errors.
"""


async def import_file(
    path: Path, open_csv: Callable[[BinaryIO], CsvFile], store: StoreRows, options: ImportOptions = STORE_ALL
) -> int:
    """Import one file and print a report; returns the exit status, 1 if a line was rejected or the file has no rows.

    open_csv: reads the header of the file; raises CsvHeaderError and DamagedFileError.
    """
    result = ImportResult(path.name)
    failed = 0
    try:
        with open_with_progress(path) as (raw, bar):
            file = open_csv(raw)
            result.notices += file.header.notices
            try:
                await store(file, result, lambda: bar.update(raw.tell() - bar.n))
            except NOT_STORED as error:
                failed = print_error(f"{path}: PostgreSQL failed; the import can be run again ({error})")
            if options.rejected is not None:
                raw.seek(0)
                with rejected_writer(options.rejected) as write:
                    for line in with_texts(open_csv(raw), result.rejected):
                        write(path.name, line)
    except (CsvHeaderError, DamagedFileError) as error:
        return print_error(f"{path}: {error}")
    except CANNOT_OPEN as error:
        return print_error(f"{error.filename or path}: {error.strerror}")
    result.report(dry_run=options.dry_run)
    if not failed and result.status and not result.rejected:
        return print_error(f"{path}: the file contains no rows")
    return failed or result.status


@contextmanager
def rejected_writer(target: Path) -> Iterator[Callable[[str, RejectedLine], None]]:
    """A function that writes a rejected line, of the named file, to a new CSV file for people. Raises OSError."""
    with target.open("w", encoding="utf-8", errors="replace", newline="") as output:
        writer = csv.writer(output)
        writer.writerow(("file", "line", "reason", "text"))

        def write(name: str, rejected: RejectedLine) -> None:
            cells = (name, rejected.line, rejected.reason, rejected.text)
            writer.writerow([csv_cell(cell) for cell in cells])

        yield write


def with_texts(file: CsvFile, rejected: Iterable[RejectedLine]) -> Iterator[RejectedLine]:
    """The rejected lines with their texts, for which the file is read once more. file: just opened."""
    reasons = {each.line: each.reason for each in sorted(rejected)}
    unreadable: list[RejectedLine] = []

    def reject(line: int, reason: str, text: str) -> None:
        unreadable.append(RejectedLine(line, reason, text))

    try:
        for line, _ in file.records(reject):
            yield from unreadable
            unreadable.clear()
            if line in reasons:
                yield RejectedLine(line, reasons[line], file.record.decode(errors="replace"))
    except DamagedFileError as error:
        reject(file.line + 1, f"cannot be read: {error}", "")
    yield from unreadable
