"""The two files of `import-stays`: their columns, and how their lines become rows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.csv_files import CsvFile
from common.csv_import import ImportResult, RejectedLine, open_with_progress, with_texts
from common.text_blocks import DamagedFileError, open_file, read_blocks
from common.time_zones import parse_time_zone
from provider.stays.inputs.fields import MAX_GUESTS, MAX_NIGHTS, parse_day, parse_description, parse_property_id

CHUNK_ROWS = 500
"""A transaction holds a lock for each of its properties, and PostgreSQL's lock table is small."""

Row = tuple[Any, ...]
"""The number of a line, then the values of its columns; None for an optional one that is missing or empty."""

Parsers = dict[str, Callable[[str], Any]]
YES, NO = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0"})


def parse_text(text: str) -> str:
    if 1 <= len(text) <= 2000:
        return parse_description(text)
    raise ValueError("must have 1 to 2000 characters")


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """A parser of whole numbers within bounds."""

    def parse(text: str) -> int:
        if text.isascii() and text.isdigit() and len(text) <= 4 and least <= int(text) <= most:
            return int(text)
        raise ValueError(f"must be a whole number from {least} to {most}")

    return parse


def parse_yes_or_no(text: str) -> bool:
    if text.lower() in YES | NO:
        return text.lower() in YES
    raise ValueError("must be yes or no")


@dataclass(frozen=True)
class Columns:
    """The columns of a file with the parsers of their cells, those that may be missing, and other names."""

    required: Parsers
    optional: Parsers = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)

    def open(self, blocks: Iterator[bytes]) -> CsvFile:
        """Read the header of a file. Raises CsvHeaderError and DamagedFileError."""
        return CsvFile(blocks, (*self.required, *self.optional), self.aliases, self.optional)

    def parse(self, number: int, present: Sequence[str], cells: Sequence[str]) -> Row | RejectedLine:
        """The row, or a RejectedLine that names every invalid column. present: the columns of the cells."""
        values: dict[str, Any] = dict.fromkeys((*self.required, *self.optional))
        faults = []
        for column, cell in zip(present, cells, strict=True):
            try:
                if cell or column in self.required:
                    values[column] = (self.required | self.optional)[column](cell)
            except ValueError as error:
                faults.append(f"{column} {error}")
        return RejectedLine(number, "; ".join(faults)) if faults else (number, *values.values())


RULES = {
    "turnover_days": whole_number(0, 365),
    "timezone": parse_time_zone,
    "min_nights": whole_number(1, MAX_NIGHTS),
    "max_guests": whole_number(1, MAX_GUESTS),
    "on_sale": parse_yes_or_no,
}
"""The columns of properties that may be missing, in the order of the values of a row; see PropertyInput."""

PROPERTY = Columns({"property_id": parse_property_id, "description": parse_text}, RULES)
RESERVATION = Columns(
    {"property_id": parse_property_id, "start_date": parse_day, "number_of_nights": whole_number(1, MAX_NIGHTS)},
    aliases={"nights": "number_of_nights", "arrival": "start_date"},
)


def read_rows(path: Path, columns: Columns, result: ImportResult) -> Iterator[Row]:
    """Yield the valid rows, with the values in the order of the columns; invalid rows are added to the result.

    Raises CsvHeaderError, DamagedFileError, and OSError when the file cannot be opened.
    """
    with open_with_progress(path) as (raw, bar):
        file = columns.open(read_blocks(raw, progress=bar.update))
        result.notices += file.header.notices
        try:
            for number, cells in file.records(result.reject):
                row = columns.parse(number, file.header.columns, cells)
                if isinstance(row, RejectedLine):
                    result.rejected.append(row)
                else:
                    yield row
        except DamagedFileError as error:
            result.reject(file.line + 1, f"cannot be read: {error}")


def rejected_rows(path: Path, result: ImportResult, columns: Columns) -> Iterator[RejectedLine]:
    """The rejected rows of a file with their texts. Raises OSError when it cannot be read once more, as a pipe."""
    if result.rejected:
        with open_file(path) as raw:
            yield from with_texts(columns.open(read_blocks(raw)), result.rejected)
