"""Parses CSV files of booking events into rows for the table, and names the fault of every line that it rejects."""

import io
from collections.abc import Callable, Iterator
from datetime import date, datetime
from functools import lru_cache
from gzip import GzipFile
from pathlib import Path
from typing import BinaryIO

from common.csv_import import (
    MAX_RECORD_BYTES,
    UNREADABLE,
    CsvHeaderError,
    RejectedLine,
    match_header,
    parse_file_instant,
    read_records,
)
from common.limits import require_sane_event_time, require_sane_night
from common.web.input_types import MAX_ID, parse_night
from provider.booking_events.models import COLUMNS, StagedRow
from provider.hotel_rooms import parse_room_id_text

CHUNK_ROWS = 10_000

ALIASES = {"room_reservation_id": "room_id"}
STATUSES = {"1": 1, "2": 2}


def decompressed(raw: BinaryIO, path: Path) -> BinaryIO:
    """The file, read through gzip when its name ends in .gz."""
    return io.BufferedReader(GzipFile(fileobj=raw), 2**18) if path.suffix == ".gz" else raw


def read_chunks(file: BinaryIO, rejected: list[RejectedLine], now: datetime) -> Iterator[list[StagedRow]]:
    """Yield the valid rows in chunks, each sorted by id; invalid lines go to `rejected`.

    The rows before the point where a file is cut off are kept. Raises CsvHeaderError.
    """
    try:
        header = file.readline(MAX_RECORD_BYTES)
    except UNREADABLE as error:
        raise CsvHeaderError(f"cannot be read: {error}") from None
    parse = record_parser(match_header(header, COLUMNS, ALIASES), now)
    chunk: list[StagedRow] = []
    for number, cells in read_records(file, rejected):
        row = parse(number, cells)
        if isinstance(row, RejectedLine):
            rejected.append(row)
            continue
        chunk.append(row)
        if len(chunk) == CHUNK_ROWS:
            yield sort_by_id(chunk)
            chunk = []
    if chunk:
        yield sort_by_id(chunk)


def sort_by_id(chunk: list[StagedRow]) -> list[StagedRow]:
    """The rows by id, then by line. All writers insert in id order to avoid deadlocks."""
    return sorted(chunk, key=lambda row: (row[1], row[0]))


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
    return require_sane_night(parse_night(text))


def record_parser(positions: list[int], now: datetime) -> Callable[[int, list[str]], StagedRow | RejectedLine]:
    """A function from a line's number and cells to a row, or to a RejectedLine that names every invalid column.

    positions: of COLUMNS in the file.
    """

    def parse_event_time(text: str) -> datetime:
        return require_sane_event_time(parse_file_instant(text), now)

    parsers: tuple[Callable[[str], int | str | date | datetime], ...] = (
        parse_id,
        parse_id,
        parse_event_time,
        parse_status,
        parse_room_id_text,
        parse_file_night,
    )
    id_at, hotel_at, time_at, status_at, room_at, night_at = positions

    def faults(cells: list[str]) -> Iterator[str]:
        for column, parse, position in zip(COLUMNS, parsers, positions, strict=True):
            try:
                parse(cells[position].strip())
            except ValueError as error:
                yield f"{column} {error}"

    def parse_record(number: int, cells: list[str]) -> StagedRow | RejectedLine:
        if len(cells) != len(COLUMNS):
            return RejectedLine(number, f"has {len(cells)} columns instead of {len(COLUMNS)}")
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
            return RejectedLine(number, "; ".join(faults(cells)))

    return parse_record
