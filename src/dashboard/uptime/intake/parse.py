"""Parse the three store files as they stream in: bytes in, rows for PostgreSQL's COPY out.

Nearly every row of a real file has the usual form, so a regular expression checks many rows at once and they pass
unchanged. A row that does not match is parsed cell by cell: it is corrected or rejected with a reason.
"""

import csv
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import time
from enum import StrEnum

from common.csv_import import CsvHeaderError, RejectedLine, match_header, parse_file_instant, split_cells
from common.web.errors import FieldError, Invalid

MAX_LINE_BYTES = 1_000
MAX_KEPT_REJECTIONS = 100
TOO_LONG = f"is longer than {MAX_LINE_BYTES} bytes"
TOO_LONG_HEADER = f"the header {TOO_LONG}"
YEARS = range(1970, 2200)


class StoreFile(StrEnum):
    """The three store files."""

    STATUS = "status"
    BUSINESS_HOURS = "business-hours"
    TIMEZONES = "timezones"


@dataclass(frozen=True)
class Column:
    """A column of a file.

    name: in the staging table. title: in the header. pattern: matches the usual values, all of which PostgreSQL
    accepts. parse: converts any other value to one that PostgreSQL accepts; raises ValueError.
    """

    name: str
    title: str
    pattern: str
    parse: Callable[[str], str]


TITLE_ALIASES = {"day": "dayOfWeek"}


_TIME = re.compile(r"\d?\d:\d\d(:\d\d(\.\d{1,6})?)?", re.ASCII)
_END_OF_DAY = re.compile(r"24:00(:00(\.0{1,6})?)?", re.ASCII)


def parse_store_id(text: str) -> str:
    if not text:
        raise ValueError("must not be empty")
    if len(text) > 100:
        raise ValueError("is longer than 100 characters")
    if not text.isprintable():
        raise ValueError("has characters that cannot be printed")
    return text


def parse_status(text: str) -> str:
    if text not in ("active", "inactive"):
        raise ValueError("must be active or inactive")
    return text


def parse_poll_instant(text: str) -> str:
    """Parse an instant and convert it to UTC: PostgreSQL refuses offsets of 16 hours and more, Python does not."""
    instant = parse_file_instant(text)
    if instant.year not in YEARS:
        raise ValueError(f"is outside the years {YEARS.start} to {YEARS.stop - 1}")
    return instant.isoformat()


def parse_weekday(text: str) -> str:
    if len(text) != 1 or text not in "0123456":
        raise ValueError("must be 0 (Monday) to 6 (Sunday)")
    return text


def parse_opening(text: str) -> str:
    if not _TIME.fullmatch(text):
        raise ValueError("must be a time, such as 09:00:00")
    padded = text.zfill(len(text) + 1) if text[1] == ":" else text
    try:
        time.fromisoformat(padded)
    except ValueError:
        raise ValueError("is not a valid time of day") from None
    return padded


def parse_closing(text: str) -> str:
    return text if _END_OF_DAY.fullmatch(text) else parse_opening(text)


def timezone_parser(names: Mapping[str, str]) -> Callable[[str], str]:
    """Return a parser of time zone names. names: the database's names by their lower case."""

    def parse(text: str) -> str:
        if text.lower() not in names:
            raise ValueError("is not a known time zone")
        return names[text.lower()]

    return parse


# Visible ASCII without the comma and the quotation mark; 29 February is left to `parse_poll_instant`.
_ID_PATTERN = r"[!#-+\--~]{1,100}"
_DATE_PATTERN = (
    r"(?:19[7-9]\d|2[01]\d\d)-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)"
    r"|(?:0[13578]|1[02])-31)"
)
_TIME_PATTERN = r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d"
_INSTANT_PATTERN = rf"{_DATE_PATTERN}[ T]{_TIME_PATTERN}(?:\.\d{{1,6}})?(?: UTC|Z|\+00(?::?00)?)?"
_MATCHES_NOTHING = r"(?!)"

_STORE_ID = Column("store_id", "store_id", _ID_PATTERN, parse_store_id)


def columns_of(kind: StoreFile, zones: Mapping[str, str]) -> tuple[Column, ...]:
    """The columns of a file. zones: the known time zones by their lower case; only for the file of time zones."""
    match kind:
        case StoreFile.STATUS:
            return (
                _STORE_ID,
                Column("status", "status", "(?:in)?active", parse_status),
                Column("polled_at", "timestamp_utc", _INSTANT_PATTERN, parse_poll_instant),
            )
        case StoreFile.BUSINESS_HOURS:
            return (
                _STORE_ID,
                Column("weekday", "dayOfWeek", "[0-6]", parse_weekday),
                Column("opens", "start_time_local", _TIME_PATTERN, parse_opening),
                Column("closes", "end_time_local", _TIME_PATTERN, parse_closing),
            )
        case StoreFile.TIMEZONES:
            return (_STORE_ID, Column("timezone", "timezone_str", _MATCHES_NOTHING, timezone_parser(zones)))


class StoreFileParser:
    """Incremental parser of one file: `feed` it bytes as they arrive, then `finish` it; both return valid rows.

    columns: in the order of the file; empty until the header has been read. rows: rows read, valid and rejected; empty
    lines do not count. rejected: the first rejected lines, up to `MAX_KEPT_REJECTIONS`; rejected_total: how many there
    are. Every line is a record, so an unclosed quotation mark does not affect the next line. Raises Invalid for a wrong
    header.
    """

    def __init__(self, kind: StoreFile, zones: Mapping[str, str] | None = None) -> None:
        self.kind = kind
        self.columns: tuple[Column, ...] = ()
        self.rows = 0
        self.rejected: list[RejectedLine] = []
        self.rejected_total = 0
        self._expected = columns_of(kind, zones or {})
        self._line = 1
        self._rest = b""
        self._skipping = False
        self._usual_rows = re.compile(b"")

    def feed(self, data: bytes) -> bytes:
        """Return the valid rows among the lines that are now complete."""
        if self._skipping:
            _, newline, data = data.partition(b"\n")
            if not newline:
                return b""
            self._skipping = False
            self._reject_line(TOO_LONG)
        end = data.rfind(b"\n") + 1
        block = self._rest + data[:end] if end else b""
        self._rest = data[end:] if end else self._rest + data
        rows = self._read_lines(block)
        if len(self._rest) > MAX_LINE_BYTES:
            if not self.columns:
                raise _wrong_header(TOO_LONG_HEADER)
            self._rest = b""
            self._skipping = True
        return rows

    def finish(self) -> bytes:
        """Return the last row, if the file does not end with a newline. Raises Invalid for an empty file."""
        if self._skipping:
            self._skipping = False
            self._reject_line(TOO_LONG)
        rest, self._rest = self._rest, b""
        rows = self._read_lines(rest + b"\n") if rest else b""
        if not self.columns:
            self._read_header(b"")
        return rows

    def _read_lines(self, block: bytes) -> bytes:
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n")
        start = 0
        if not self.columns and block:
            start = block.index(b"\n") + 1
            self._read_header(block[: start - 1])
        rows = []
        while start < len(block):
            usual = self._usual_rows.match(block, start)
            assert usual is not None
            end = usual.end()
            if end > start:
                count = block.count(b"\n", start, end)
                self._line += count
                self.rows += count
                rows.append(block[start:end])
            if end < len(block):
                start = block.index(b"\n", end) + 1
                rows.append(self._read_line(block[end : start - 1]))
            else:
                start = end
        return b"".join(rows)

    def _read_header(self, line: bytes) -> None:
        try:
            positions = match_header(line, [column.title for column in self._expected], TITLE_ALIASES)
        except CsvHeaderError as error:
            raise _wrong_header(str(error)) from None
        self.columns = tuple(self._expected[positions.index(place)] for place in range(len(positions)))
        row = ",".join(f'(?:{column.pattern}|"{column.pattern}")' for column in self.columns)
        # Not possessive, although backtracking is useless: Python before 3.11.5 miscounts such repetitions (gh-101955).
        self._usual_rows = re.compile(f"(?:{row}\n)*".encode(), re.ASCII)

    def _read_line(self, line: bytes) -> bytes:
        """Parse an unusual line cell by cell; returns the row, or nothing when the line is rejected or empty."""
        if not line.strip():
            self._line += 1
            return b""
        try:
            text = line.decode()
        except UnicodeDecodeError:
            return self._reject_line("is not UTF-8")
        if len(line) > MAX_LINE_BYTES:
            return self._reject_line(TOO_LONG)
        try:
            cells = split_cells(text)
        except csv.Error as error:
            return self._reject_line(f"is not valid CSV: {error}")
        if len(cells) != len(self.columns):
            return self._reject_line(f"has {len(cells)} fields instead of {len(self.columns)}")
        values, faults = [], []
        for column, cell in zip(self.columns, cells, strict=True):
            try:
                values.append(column.parse(cell.strip()))
            except ValueError as error:
                faults.append(f"{column.title} {_quoted(cell.strip())} {error}")
        if faults:
            return self._reject_line("; ".join(faults))
        self._line += 1
        self.rows += 1
        return ",".join('"' + value.replace('"', '""') + '"' for value in values).encode() + b"\n"

    def _reject_line(self, reason: str) -> bytes:
        """Count the current line as rejected; returns no row."""
        self._line += 1
        self.rows += 1
        self.rejected_total += 1
        if len(self.rejected) < MAX_KEPT_REJECTIONS:
            self.rejected.append(RejectedLine(self._line, reason))
        return b""


def _wrong_header(reason: str) -> Invalid:
    return Invalid(f"The file was refused: {reason}.", errors=[FieldError("header", reason)])


def _quoted(text: str) -> str:
    """The text in quotation marks, cut to 40 characters."""
    return repr(text if len(text) <= 40 else text[:39] + "…")
