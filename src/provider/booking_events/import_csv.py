"""CSV files of booking events: rows ready for the table, and what is wrong with the lines that are none."""

import csv
import io
import zlib
from collections.abc import Callable, Iterator
from datetime import date, datetime
from functools import lru_cache
from gzip import GzipFile
from pathlib import Path
from typing import BinaryIO, NamedTuple

from common.web.input_types import MAX_ID, parse_instant, parse_night, require_finite
from provider.booking_events.models import parse_room_id_text, require_plausible

CHUNK_ROWS = 10_000
LONGEST_LINE = 10_000

COLUMNS = ("id", "hotel_id", "event_timestamp", "status", "room_id", "night_of_stay")
ALIASES = {"room_reservation_id": "room_id"}
STATUSES = {"1": 1, "2": 2}

UNREADABLE: tuple[type[Exception], ...] = (OSError, EOFError, zlib.error)
"""What reading raises where a file breaks off or is not what its name says."""

StagedRow = tuple[int, int, int, datetime, int, str, date]
"""The line, then COLUMNS."""


class Rejected(NamedTuple):
    """A line of the file that was not stored (the header is line 1), and why."""

    line: int
    reason: str


class HeaderError(Exception):
    """The file is not one of booking events."""


def decompressed(raw: BinaryIO, path: Path) -> BinaryIO:
    """The bytes of the file's text: through gzip where its name says so."""
    return io.BufferedReader(GzipFile(fileobj=raw), 2**18) if path.suffix == ".gz" else raw


def read_chunks(file: BinaryIO, rejected: list[Rejected], now: datetime) -> Iterator[list[StagedRow]]:
    """The good rows in chunks, each in the order of the ids; bad lines go to `rejected`.

    A line is a record: a bad one cannot swallow the next. Where the file breaks off, what was read before counts.
    Raises HeaderError.
    """
    number = 0
    chunk: list[StagedRow] = []
    try:
        parse = line_parser(read_header(file.readline(LONGEST_LINE)), now)
        number = 1
        for number, line in enumerate(read_lines(file), start=2):
            if not line or line.isspace():
                continue
            row = parse(number, line)
            if isinstance(row, Rejected):
                rejected.append(row)
                continue
            chunk.append(row)
            if len(chunk) == CHUNK_ROWS:
                yield sort_by_id(chunk)
                chunk = []
    except UNREADABLE as error:
        rejected.append(Rejected(number + 1, f"cannot be read: {error}"))
    if chunk:
        yield sort_by_id(chunk)


def sort_by_id(chunk: list[StagedRow]) -> list[StagedRow]:
    """By id, then by line: everybody who writes events takes them in the order of their ids, so nobody locks up."""
    return sorted(chunk, key=lambda row: (row[1], row[0]))


def read_lines(file: BinaryIO) -> Iterator[str]:
    """The lines without their ends. One longer than LONGEST_LINE comes cut, and is never whole in memory."""
    while raw := file.readline(LONGEST_LINE):
        rest = raw
        while len(rest) == LONGEST_LINE and not rest.endswith(b"\n"):
            rest = file.readline(LONGEST_LINE)
        yield raw.decode("utf-8", errors="replace").rstrip("\r\n")


def read_header(line: bytes) -> list[int]:
    """Where each of `COLUMNS` stands. Raises HeaderError when one is missing, double or unknown."""
    text = line.decode("utf-8-sig", errors="replace").rstrip("\r\n")
    names = [ALIASES.get(name.strip(), name.strip()) for name in split(text)]
    if sorted(names) != sorted(COLUMNS):
        raise HeaderError(
            f"the header must name the columns {', '.join(COLUMNS)}, in any order; it is {text[:200]!r}"
            if text
            else "the file is empty"
        )
    return [names.index(column) for column in COLUMNS]


def split(line: str) -> list[str]:
    """The cells of a line; none where it is no CSV."""
    if '"' not in line:
        return line.split(",")
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error:
        return []


def parse_file_instant(text: str) -> datetime:
    """RFC 3339, or `YYYY-MM-DD HH:MM:SS` with or without fraction, which is taken as UTC. Raises ValueError."""
    if len(text) < 19:
        raise ValueError("must be an instant, such as 2020-01-01T00:00:00Z or 2020-01-01 00:00:00")
    stamp = text if text[10] in "Tt" else f"{text[:10]}T{text[11:]}" if text[10] == " " else ""
    if stamp[-1:] not in "Zz" and "+" not in stamp[19:] and "-" not in stamp[19:]:
        stamp += "Z"
    return parse_instant(stamp)


def parse_id(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 20 and 1 <= int(text) <= MAX_ID:
        return int(text)
    raise ValueError("must be a whole number from 1 to 2^63 - 1")


def parse_status(text: str) -> int:
    if text not in STATUSES:
        raise ValueError("must be 1 or 2")
    return STATUSES[text]


@lru_cache(4096)
def parse_file_night(text: str) -> date:
    return require_finite(parse_night(text))


def line_parser(order: list[int], now: datetime) -> Callable[[int, str], StagedRow | Rejected]:
    """A function from a line and its number to a row, or to why the line is none, which names every wrong column."""

    def parse_event_time(text: str) -> datetime:
        return require_plausible(require_finite(parse_file_instant(text)), now)

    parsers: tuple[Callable[[str], int | str | date | datetime], ...] = (
        parse_id,
        parse_id,
        parse_event_time,
        parse_status,
        parse_room_id_text,
        parse_file_night,
    )
    id_at, hotel_at, time_at, status_at, room_at, night_at = order

    def faults(cells: list[str]) -> Iterator[str]:
        for column, parse, position in zip(COLUMNS, parsers, order, strict=True):
            try:
                parse(cells[position].strip())
            except ValueError as error:
                yield f"{column} {error}"

    def parse_line(number: int, line: str) -> StagedRow | Rejected:
        if len(line) >= LONGEST_LINE - 1:
            return Rejected(number, "is too long")
        cells = split(line)
        if len(cells) != len(COLUMNS):
            return Rejected(number, f"has {len(cells)} columns instead of {len(COLUMNS)}")
        try:
            return (
                number,
                parse_id(cells[id_at].strip()),
                parse_id(cells[hotel_at].strip()),
                parse_event_time(cells[time_at].strip()),
                parse_status(cells[status_at].strip()),
                parse_room_id_text(cells[room_at].strip()),
                parse_file_night(cells[night_at].strip()),
            )
        except ValueError:
            return Rejected(number, "; ".join(faults(cells)))

    return parse_line
