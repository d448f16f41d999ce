"""Reading the three files of the stores as they stream in: bytes in, rows ready for PostgreSQL's COPY out.

Nearly every row of a real file is in form, so whole stretches are checked by one regular expression and passed on as
they are. A line that fails it is taken apart, which finds its reason, or that it is good after all. What leaves here
cannot fail in COPY.
"""

import csv
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from enum import StrEnum

from common.web.errors import FieldError, Invalid
from dashboard.uptime.models import Rejection

MAX_LINE_BYTES = 1_000
MAX_KEPT_REJECTIONS = 100
YEARS = range(1970, 2200)


class StoreFile(StrEnum):
    """The three files of the stores."""

    STATUS = "status"
    BUSINESS_HOURS = "business-hours"
    TIMEZONES = "timezones"


@dataclass(frozen=True)
class Column:
    """A column of a file.

    name: in the staging table. titles: what the header may call it, in any case. form: what nearly all values look
    like, every match of which PostgreSQL takes. read: any other value, as PostgreSQL takes it; raises ValueError.
    """

    name: str
    titles: tuple[str, ...]
    form: str
    read: Callable[[str], str]

    def is_called(self, title: str) -> bool:
        return title in [each.lower() for each in self.titles]


_INSTANT = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)[ Tt](?P<time>\d\d:\d\d(?::\d\d)?)(?:\.(?P<fraction>\d{1,9}))?"
    r" ?(?P<zone>UTC|GMT|[Zz]|[+-]\d\d(:?\d\d)?)?",
    re.ASCII,
)
_TIME = re.compile(r"\d?\d:\d\d(:\d\d(\.\d{1,6})?)?", re.ASCII)
_END_OF_DAY = re.compile(r"24:00(:00(\.0{1,6})?)?", re.ASCII)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")


def parse_store_id(text: str) -> str:
    if not text:
        raise ValueError("is missing")
    if len(text) > 100:
        raise ValueError("is longer than 100 characters")
    if not text.isprintable():
        raise ValueError("has characters that cannot be printed")
    return text


def parse_status(text: str) -> str:
    if text not in ("active", "inactive"):
        raise ValueError(f"must be active or inactive, not {_shown(text)}")
    return text


def parse_poll_instant(text: str) -> str:
    """An instant with or without `T`, seconds, fraction, zone (none: UTC); finer than a microsecond is cut off."""
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise ValueError(f"must be an instant such as 2023-01-22 12:09:39.388884 UTC, not {_shown(text)}")
    zone = match["zone"] or "Z"
    fraction = f".{match['fraction'][:6]}" if match["fraction"] else ""
    offset = "Z" if zone[0] not in "+-" else zone
    try:
        # In UTC: of the offsets that Python knows PostgreSQL refuses those of 16 hours and more.
        instant = datetime.fromisoformat(f"{match['date']}T{match['time']}{fraction}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"is no instant of the calendar: {_shown(text)}") from None
    if instant.year not in YEARS:
        raise ValueError(f"lies outside the years {YEARS.start} to {YEARS.stop - 1}: {_shown(text)}")
    return instant.isoformat()


def parse_weekday(text: str) -> str:
    if len(text) != 1 or text not in "0123456":
        raise ValueError(f"must be 0 (Monday) to 6 (Sunday), not {_shown(text)}")
    return text


def parse_opening(text: str) -> str:
    if not _TIME.fullmatch(text):
        raise ValueError(f"must be a time such as 09:00:00, not {_shown(text)}")
    padded = text.zfill(len(text) + 1) if text[1] == ":" else text
    try:
        time.fromisoformat(padded)
    except ValueError:
        raise ValueError(f"is no time of the day: {_shown(text)}") from None
    return padded


def parse_closing(text: str) -> str:
    return text if _END_OF_DAY.fullmatch(text) else parse_opening(text)


def timezone_parser(known: Mapping[str, str]) -> Callable[[str], str]:
    """Reads the name of a time zone. known: lower case to the name as the database has it."""

    def read(text: str) -> str:
        if text.lower() not in known:
            raise ValueError(f"is no time zone: {_shown(text)}")
        return known[text.lower()]

    return read


# Visible ASCII without the comma and the quotation mark; a Feb 29 is left to `read_instant`.
_ID_FORM = r"[!#-+\--~]{1,100}"
_DATE_FORM = (
    r"(?:19[7-9]\d|2[01]\d\d)-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)"
    r"|(?:0[13578]|1[02])-31)"
)
_TIME_FORM = r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d"
_INSTANT_FORM = rf"{_DATE_FORM}[ T]{_TIME_FORM}(?:\.\d{{1,6}})?(?: UTC|Z|\+00(?::?00)?)?"
_NEVER = r"(?!)"

_STORE_ID = Column("store_id", ("store_id",), _ID_FORM, parse_store_id)


def columns_of(kind: StoreFile, zones: Mapping[str, str]) -> tuple[Column, ...]:
    """The columns of a file. zones: the known time zones, lower case to name; only needed for their file."""
    match kind:
        case StoreFile.STATUS:
            return (
                _STORE_ID,
                Column("status", ("status",), "(?:in)?active", parse_status),
                Column("polled_at", ("timestamp_utc",), _INSTANT_FORM, parse_poll_instant),
            )
        case StoreFile.BUSINESS_HOURS:
            return (
                _STORE_ID,
                Column("weekday", ("dayOfWeek", "day"), "[0-6]", parse_weekday),
                Column("opens", ("start_time_local",), _TIME_FORM, parse_opening),
                Column("closes", ("end_time_local",), _TIME_FORM, parse_closing),
            )
        case StoreFile.TIMEZONES:
            return (_STORE_ID, Column("timezone", ("timezone_str",), _NEVER, timezone_parser(zones)))


class StoreFileParser:
    """One file on its way in: `feed` it bytes as they come, `finish` it, and pass on what both return.

    columns: those of the file in its own order, known (not empty) once the header was read.
    rows: rows read, good and bad; empty lines are none. rejected: the first bad ones; rejected_total: how many.
    A line is a record, so a bad one never swallows the next. Raises Invalid for a wrong header.
    """

    def __init__(self, kind: StoreFile, zones: Mapping[str, str] | None = None) -> None:
        self.kind = kind
        self.columns: tuple[Column, ...] = ()
        self.rows = 0
        self.rejected: list[Rejection] = []
        self.rejected_total = 0
        self._known = columns_of(kind, zones or {})
        self._line = 1
        self._rest = b""
        self._overlong = False
        self._good = re.compile(b"")

    def feed(self, data: bytes) -> bytes:
        """The good rows among the lines that are complete by now."""
        if self._overlong:
            _, newline, data = data.partition(b"\n")
            if not newline:
                return b""
            self._overlong = False
            self._end_line("is longer than 1000 bytes")
        end = data.rfind(b"\n") + 1
        block = self._rest + data[:end] if end else b""
        self._rest = data[end:] if end else self._rest + data
        rows = self._read_lines(block)
        if len(self._rest) > MAX_LINE_BYTES:
            if not self.columns:
                raise self._wrong_header(self._rest)
            self._rest = b""
            self._overlong = True
        return rows

    def finish(self) -> bytes:
        """The last row, when no line end follows it. Raises Invalid when there was not even a header."""
        if self._overlong:
            self._overlong = False
            self._end_line("is longer than 1000 bytes")
        rest, self._rest = self._rest, b""
        rows = self._read_lines(rest + b"\n") if rest else b""
        if not self.columns:
            raise self._wrong_header(b"")
        return rows

    def _read_lines(self, block: bytes) -> bytes:
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n")
        start = 0
        if not self.columns and block:
            start = block.index(b"\n") + 1
            self._read_header(block[: start - 1])
        good = []
        while start < len(block):
            stretch = self._good.match(block, start)
            assert stretch is not None
            end = stretch.end()
            if end > start:
                count = block.count(b"\n", start, end)
                self._line += count
                self.rows += count
                good.append(block[start:end])
            if end < len(block):
                start = block.index(b"\n", end) + 1
                good.append(self._read_line(block[end : start - 1]))
            else:
                start = end
        return b"".join(good)

    def _read_header(self, line: bytes) -> None:
        titles = [cell.strip().lower() for cell in _cells(line.decode("utf-8-sig", errors="replace"))]
        columns = tuple(column for title in titles for column in self._known if column.is_called(title))
        if len(columns) != len(titles) or sorted(c.name for c in columns) != sorted(c.name for c in self._known):
            raise self._wrong_header(line)
        self.columns = columns
        row = ",".join(f'(?:{column.form}|"{column.form}")' for column in columns)
        # Not possessive, which would do: Python before 3.11.5 loses its place in such a repetition (gh-101955).
        self._good = re.compile(f"(?:{row}\n)*".encode(), re.ASCII)

    def _wrong_header(self, line: bytes) -> Invalid:
        wanted = ", ".join(column.titles[0] for column in self._known)
        found = _shown(line.decode("utf-8-sig", errors="replace"))
        return Invalid(
            "The file was refused: its header is not that of such a file.",
            errors=[FieldError("header", f"must name the columns {wanted}, in any order; it is {found}")],
        )

    def _read_line(self, line: bytes) -> bytes:
        """A line out of form: a good row after all, or rejected, or empty."""
        if not line.strip():
            self._line += 1
            return b""
        try:
            text = line.decode()
        except UnicodeDecodeError:
            return self._end_line("is not UTF-8")
        if len(line) > MAX_LINE_BYTES:
            return self._end_line("is longer than 1000 bytes")
        try:
            cells = _cells(text)
        except csv.Error as error:
            return self._end_line(f"is no CSV: {error}")
        if len(cells) != len(self.columns):
            return self._end_line(f"has {len(cells)} fields instead of {len(self.columns)}")
        values, faults = [], []
        for column, cell in zip(self.columns, cells, strict=True):
            try:
                values.append(column.read(cell.strip()))
            except ValueError as error:
                faults.append(f"{column.titles[0]} {error}")
        if faults:
            return self._end_line("; ".join(faults))
        self._line += 1
        self.rows += 1
        return ",".join('"' + value.replace('"', '""') + '"' for value in values).encode() + b"\n"

    def _end_line(self, reason: str) -> bytes:
        """Reject the current line."""
        self._line += 1
        self.rows += 1
        self.rejected_total += 1
        if len(self.rejected) < MAX_KEPT_REJECTIONS:
            self.rejected.append(Rejection(self._line, reason))
        return b""


def _cells(line: str) -> list[str]:
    return next(csv.reader([line], strict=True), []) if '"' in line else line.split(",")
