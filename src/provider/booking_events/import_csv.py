"""Parses CSV files of booking events into rows for the table, and names the fault of every line that it rejects."""

import re
from collections.abc import Callable, Iterator
from datetime import date, datetime
from functools import lru_cache
from typing import BinaryIO

from common.csv_files import CsvFile, Reject
from common.instants import parse_instant
from common.limits import require_sane_event_time, require_sane_night
from common.text_blocks import DamagedFileError, read_blocks
from common.web.input_types import MAX_ID, parse_night
from provider.booking_events.models import COLUMNS, StagedRow, sort_by_id
from provider.hotel_rooms import parse_room_id_text

CHUNK_ROWS = 10_000

ALIASES = {"room_reservation_id": "room_id", "reservation_id": "room_id", "rpg_status": "status"}
STATUSES = {"1": 1, "2": 2}

_ROUNDED = re.compile(r"\d([.,]\d+)?E\+?\d+", re.IGNORECASE | re.ASCII)


def open_events(file: BinaryIO, progress: Callable[[int], object] | None = None) -> CsvFile:
    """Read the header of a file of events. Raises CsvHeaderError and DamagedFileError."""
    return CsvFile(read_blocks(file, progress=progress), COLUMNS, ALIASES)


def read_chunks(file: CsvFile, reject: Reject, now: datetime) -> Iterator[list[StagedRow]]:
    """Yield the valid rows in chunks, each sorted by id; invalid lines go to `reject`.

    The rows before the point where a file is cut off are kept.
    """
    parse = record_parser(now)
    chunk: list[StagedRow] = []
    try:
        for number, cells in file.records(reject):
            row = parse(number, cells)
            if isinstance(row, str):
                reject(number, row, "")
                continue
            chunk.append(row)
            if len(chunk) == CHUNK_ROWS:
                yield sort_by_id(chunk)
                chunk = []
    except (DamagedFileError, OSError) as error:
        reject(file.line + 1, f"cannot be read: {error}", "")
    if chunk:
        yield sort_by_id(chunk)


def parse_id(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 20 and 1 <= int(text) <= MAX_ID:
        return int(text)
    rounded = "; a spreadsheet has rounded it" if _ROUNDED.fullmatch(text) else ""
    raise ValueError(f"must be a whole number from 1 to 2^63 - 1{rounded}")


def parse_status(text: str) -> int:
    if text not in STATUSES:
        raise ValueError("must be 1 or 2")
    return STATUSES[text]


@lru_cache(4096)
def parse_file_night(text: str) -> date:
    return require_sane_night(parse_night(text))


def record_parser(now: datetime) -> Callable[[int, tuple[str, ...]], StagedRow | str]:
    """A function from a line's number and cells, those of COLUMNS, to a row, or to a text that names every fault."""

    def parse_event_time(text: str) -> datetime:
        return require_sane_event_time(parse_instant(text), now)

    parsers: tuple[Callable[[str], int | str | date | datetime], ...] = (
        parse_id,
        parse_id,
        parse_event_time,
        parse_status,
        parse_room_id_text,
        parse_file_night,
    )

    def faults(cells: tuple[str, ...]) -> Iterator[str]:
        for column, parse, cell in zip(COLUMNS, parsers, cells, strict=True):
            try:
                parse(cell)
            except ValueError as error:
                yield f"{column} {error}"

    def parse_record(number: int, cells: tuple[str, ...]) -> StagedRow | str:
        event_id, hotel_id, at, status, room_id, night = cells
        try:
            return (
                number,
                parse_id(event_id),
                parse_id(hotel_id),
                parse_event_time(at),
                parse_status(status),
                parse_room_id_text(room_id),
                parse_file_night(night),
            )
        except ValueError:
            return "; ".join(faults(cells))

    return parse_record
