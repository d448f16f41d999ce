"""Parse the three store files as they stream in: bytes in, rows for PostgreSQL's COPY out.

Nearly every row of a real file has the usual form, so a regular expression checks many rows at once and they pass
unchanged. A row that does not match is parsed cell by cell: it is corrected or rejected with a reason.
"""

import re
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from enum import StrEnum
from functools import partial

from common.csv_files import MAX_RECORD_BYTES, TOO_LONG, CsvFile, CsvHeaderError, Header
from common.csv_import import RejectedLine
from common.instants import parse_instant
from common.limits import EARLIEST_STORE_DAY, MAX_POLL_AHEAD, require_sane_store_day
from common.web.errors import FieldError, Invalid
from common.web.input_types import parse_name

MAX_ID_LENGTH = 100
MAX_KEPT_REJECTIONS = 100
MAX_NAMED_STORES = 20


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


TITLE_ALIASES = {
    "day": "dayOfWeek",
    "weekday": "dayOfWeek",
    "polled_at": "timestamp_utc",
    "timezone": "timezone_str",
    "store_group": "group",
}
OPTIONAL_TITLES = frozenset({"valid_from", "group"})
"""Columns that a file may lack."""

_TIME = re.compile(r"\d?\d:\d\d(:\d\d(\.\d{1,6})?)?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_END_OF_DAY = re.compile(r"24:00(:00(\.0{1,6})?)?", re.ASCII)


def parse_store_id(text: str) -> str:
    if not text:
        raise ValueError("must not be empty")
    if len(text) > MAX_ID_LENGTH:
        raise ValueError(f"is longer than {MAX_ID_LENGTH} characters")
    if not text.isprintable():
        raise ValueError("has characters that cannot be printed")
    return text


def parse_status(text: str) -> str:
    if text not in ("active", "inactive"):
        raise ValueError("must be active or inactive")
    return text


def parse_poll_instant(text: str, now: datetime) -> str:
    """Parse the instant of a poll. Raises ValueError for one that is later than the poller's clock can be."""
    instant = parse_instant(text)
    if instant.year < EARLIEST_STORE_DAY.year:
        raise ValueError(f"is before the year {EARLIEST_STORE_DAY.year}")
    if instant > now + MAX_POLL_AHEAD:
        raise ValueError("is in the future")
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


def parse_valid_from(text: str) -> str:
    """Parse the local day from which a row of hours holds; empty: it has always held."""
    if not text:
        return "-infinity"
    if not _DAY.fullmatch(text):
        raise ValueError("must be a date, such as 2026-03-01, or empty")
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise ValueError("is not a valid date") from None
    require_sane_store_day(found)
    return text


def parse_group(text: str) -> str:
    """Parse the group of a store; empty: none."""
    return parse_name(text) if text else ""


def timezone_parser(names: Mapping[str, str]) -> Callable[[str], str]:
    """Return a parser of time zone names. names: the database's names by their lower case."""

    def parse(text: str) -> str:
        if text.lower() not in names:
            raise ValueError("is not a known time zone")
        return names[text.lower()]

    return parse


# Visible ASCII without the quotation mark; the delimiter is taken out for each file.
_ID_CHARACTERS = "!#-~"
_DAY_PATTERN = r"(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
"""The days of any year; 29 February is left to `parse_poll_instant`."""
_TIME_PATTERN = r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d"
_ZONE_PATTERN = r"(?:\.\d{1,6})?(?: UTC|Z|\+00(?::?00)?)?"
_MATCHES_NOTHING = r"(?!)"
_ROUNDED_ID = re.compile(rb"(?:^|[,;\t\n\"])(\d(?:(?:[.,]\d+)?[Ee]\+|[.,]\d+E)\d+)(?=[,;\t\n\"])")
"""An id that a spreadsheet has turned into a number and rounded, such as 1.48E+18, 1,48E+18 or 1.48E18."""


def past_instants(now: datetime) -> str:
    """A pattern of the usual forms of instants, all of them in the past: of earlier years, days or minutes."""
    earlier_year = f"(?!0|1[0-8]|19[0-6])(?:{_below(now.year, 4)})-{_DAY_PATTERN}"
    earlier_day = (
        f"{now.year}-(?:(?=(?:{_below(now.month)})-){_DAY_PATTERN}|{now.month:02}-(?!00)(?:{_below(now.day)}))"
    )
    earlier_minute = f"(?:{_below(now.hour)}):[0-5]\\d|{now.hour:02}:(?:{_below(now.minute)})"
    return (
        f"(?:(?:{earlier_year}|{earlier_day})[ T]{_TIME_PATTERN}|{now:%Y-%m-%d}[ T](?:{earlier_minute}):[0-5]\\d)"
        f"{_ZONE_PATTERN}"
    )


def _below(end: int, digits: int = 2) -> str:
    """A pattern of the numbers from 0 to `end`, which is not included, in so many digits."""
    text = f"{end:0{digits}}"
    parts = [
        f"{text[:place]}[0-{int(digit) - 1}]" + r"\d" * (digits - place - 1)
        for place, digit in enumerate(text)
        if digit != "0"
    ]
    return "|".join(reversed(parts)) or _MATCHES_NOTHING


_STORE_ID = Column("store_id", "store_id", "ID", parse_store_id)
"""The pattern of an id depends on the delimiter."""


def columns_of(kind: StoreFile, zones: Mapping[str, str], now: datetime) -> tuple[Column, ...]:
    """The columns of a file. zones: the known time zones by their lower case; only for the file of time zones."""
    match kind:
        case StoreFile.STATUS:
            return (
                _STORE_ID,
                Column("status", "status", "(?:in)?active", parse_status),
                Column("polled_at", "timestamp_utc", past_instants(now), partial(parse_poll_instant, now=now)),
            )
        case StoreFile.BUSINESS_HOURS:
            return (
                _STORE_ID,
                Column("weekday", "dayOfWeek", "[0-6]", parse_weekday),
                Column("opens", "start_time_local", _TIME_PATTERN, parse_opening),
                Column("closes", "end_time_local", _TIME_PATTERN, parse_closing),
                Column("valid_from", "valid_from", _MATCHES_NOTHING, parse_valid_from),
            )
        case StoreFile.TIMEZONES:
            return (
                _STORE_ID,
                Column("timezone", "timezone_str", _MATCHES_NOTHING, timezone_parser(zones)),
                Column("store_group", "group", _MATCHES_NOTHING, parse_group),
            )


TITLES = {
    kind: tuple(column.title for column in columns_of(kind, {}, datetime(1970, 1, 1, tzinfo=UTC))) for kind in StoreFile
}


def _ignore_rejection(_: RejectedLine) -> None:
    """Keep no rejected line but the first ones."""


def _ignore_record(_: int, __: str, ___: str) -> None:
    """Skip a record that was rejected before."""


@dataclass
class Outcome:
    """What became of the rows of a file.

    rows: rows read, valid and rejected; empty lines do not count. rejected: the first rejected lines, up to
    `MAX_KEPT_REJECTIONS`; rejected_total: how many there are. spoiled_stores: the stores of rejected rows, with the
    line of the first. notices: what a person should know about the file.
    """

    rows: int = 0
    rejected: list[RejectedLine] = field(default_factory=list)
    rejected_total: int = 0
    spoiled_stores: dict[str, int] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)


class StoreFileReader:
    """Reads one file: rows for COPY in the order of `columns`, separated by `delimiter`.

    blocks: its text, as `read_blocks` yields it. on_rejected: gets every rejected line, with its text. Raises Invalid
    for a wrong header.
    """

    def __init__(
        self,
        kind: StoreFile,
        blocks: Iterator[bytes],
        now: datetime,
        zones: Mapping[str, str] | None = None,
        on_rejected: Callable[[RejectedLine], object] = _ignore_rejection,
    ) -> None:
        self.kind = kind
        self.outcome = Outcome()
        self._on_rejected = on_rejected
        try:
            self._file = CsvFile(blocks, TITLES[kind], TITLE_ALIASES, OPTIONAL_TITLES)
        except CsvHeaderError as error:
            raise Invalid(f"The file was refused: {error}.", errors=[FieldError("header", str(error))]) from None
        header = self._file.header
        self.delimiter = header.delimiter
        self.outcome.notices += header.notices
        expected = tuple(each for each in columns_of(kind, zones or {}, now) if each.title in header.columns)
        self._order = order_of(header)
        self.columns = tuple(expected[place] for place in self._order)
        self._expected = expected
        self._usual_rows = _usual_rows(self.columns, header.delimiter) if header.is_exact else None
        self._rounded = 0

    def rows(self) -> Iterator[bytes]:
        """Yield the valid rows in blocks. Raises what `read_blocks` does."""
        if self._usual_rows is None:
            for number, cells in self._file.records(self._reject_text):
                yield self._parse_cells(number, cells, self._file.record)
        else:
            yield from self._usual_blocks(self._usual_rows)
        if self._rounded:
            self.outcome.notices.append(
                f"{_ids_look(self._rounded)} as if a spreadsheet had rounded "
                f"{'it' if self._rounded == 1 else 'them'}, such as 1.48E+18; export ids as text"
            )

    def _usual_blocks(self, usual_rows: re.Pattern[bytes]) -> Iterator[bytes]:
        """Pass usual rows on as they are; the others are parsed one by one."""
        rest = b""
        skipping = False
        for data in self._file.blocks_after_header():
            block = data
            if skipping:
                _, newline, block = block.partition(b"\n")
                if not newline:
                    continue
                skipping = False
            rest = yield from self._read_records(rest + block, usual_rows, at_end=False)
            if len(rest) > MAX_RECORD_BYTES and b"\n" not in rest:
                self._file.line += 1
                self._reject_line(self._file.line, TOO_LONG, rest[:MAX_RECORD_BYTES])
                rest = b""
                skipping = True
        if rest:
            yield from self._read_records(rest + b"\n", usual_rows, at_end=True)

    def _read_records(
        self, block: bytes, usual_rows: re.Pattern[bytes], *, at_end: bool
    ) -> Generator[bytes, None, bytes]:
        """Yield the valid rows of a block; returns the rest, of which more is to come unless it is at the end."""
        start, complete = 0, block.rfind(b"\n") + 1
        while start < complete:
            usual = usual_rows.match(block, start)
            assert usual is not None
            end = usual.end()
            if end > start:
                rows = block[start:end]
                count = rows.count(b"\n")
                self._file.line += count
                self.outcome.rows += count
                if b"E" in rows or b"e+" in rows:
                    self._rounded += len(_ROUNDED_ID.findall(rows))
                yield rows
                start = end
            elif (stop := self._end_of_record(block, start, at_end=at_end)) is None:
                break
            else:
                yield self._read_record(block[start:stop])
                start = stop + 1
        return block[start:]

    def _end_of_record(self, block: bytes, start: int, *, at_end: bool) -> int | None:
        """Where a record ends: at the end of its line, or of a later line if a quoted cell goes on until there.

        None if that line may still come.
        """
        first = stop = block.index(b"\n", start)
        is_open = block.count(b'"', start, stop) % 2 == 1
        if not is_open or isinstance(self._file.split(block[start:stop]), list):
            return first
        while is_open:
            begin, stop = stop + 1, block.find(b"\n", stop + 1)
            if stop < 0 and not at_end and len(block) - start <= MAX_RECORD_BYTES:
                return None
            if stop < 0 or stop - start > MAX_RECORD_BYTES:
                return first
            is_open ^= block.count(b'"', begin, stop) % 2 == 1
        return stop if isinstance(self._file.split(block[start:stop]), list) else first

    def _read_record(self, record: bytes) -> bytes:
        """Parse an unusual record; returns the row, or nothing when it is rejected or empty."""
        number = self._file.line + 1
        self._file.line += 1 + record.count(b"\n")
        if not record.strip():
            return b""
        if len(record) > MAX_RECORD_BYTES:
            return self._reject_line(number, TOO_LONG, record[:MAX_RECORD_BYTES])
        cells = self._file.split(record)
        if isinstance(cells, str):
            return self._reject_line(number, cells, record)
        wanted = tuple(cells[position].strip() for position in self._file.header.positions)
        return self._parse_cells(number, wanted, record)

    def _parse_cells(self, number: int, cells: tuple[str, ...], record: bytes) -> bytes:
        """Parse the cells of a row, in the order of the expected columns; returns the row, or nothing."""
        values, faults = self._values(cells)
        if faults:
            return self._reject_line(number, "; ".join(faults), record)
        self._rounded += len(_ROUNDED_ID.findall(b"\n" + values[0].encode() + b"\n"))
        self.outcome.rows += 1
        return self.delimiter.join(_csv_cell(values[place]) for place in self._order).encode() + b"\n"

    def _values(self, cells: tuple[str, ...]) -> tuple[list[str], list[str]]:
        """The values of a row, and what is wrong with its cells."""
        values, faults = [], []
        for column, cell in zip(self._expected, cells, strict=True):
            try:
                values.append(column.parse(cell))
            except ValueError as error:
                faults.append(f"{column.title} {_quoted(cell)} {error}")
        return values, faults

    def withheld_lines(self, spoiled_stores: Mapping[str, int]) -> Iterator[RejectedLine]:
        """The valid rows of stores of which another row was rejected. spoiled_stores: with the line of that row.

        For a reader whose `rows` were not read.
        """
        for number, cells in self._file.records(_ignore_record):
            line = spoiled_stores.get(cells[0])
            if line is not None and not self._values(cells)[1]:
                reason = f"is not used, because line {line} of the same store was rejected"
                yield RejectedLine(number, reason, self._file.record.decode(errors="replace"))

    def _reject_text(self, number: int, reason: str, text: str) -> None:
        self._reject_line(number, reason, text.encode())

    def _reject_line(self, number: int, reason: str, line: bytes) -> bytes:
        """Count a line as rejected; returns no row."""
        text = line.decode(errors="replace")
        self.outcome.rows += 1
        self.reject(RejectedLine(number, reason, text))
        self._note_spoiled_store(number, text)
        return b""

    def reject(self, line: RejectedLine) -> None:
        """Count a row that was read as rejected."""
        self.outcome.rejected_total += 1
        if len(self.outcome.rejected) < MAX_KEPT_REJECTIONS:
            self.outcome.rejected.append(RejectedLine(line.line, line.reason))
        self._on_rejected(line)

    def _note_spoiled_store(self, number: int, text: str) -> None:
        """Remember the store that a rejected line names, as far as it can be told."""
        if self.kind is StoreFile.BUSINESS_HOURS:
            cells = text.split(self.delimiter)
            position = self._file.header.positions[0]
            store_id = cells[position].strip(' "') if position < len(cells) else ""
            if 0 < len(store_id) <= MAX_ID_LENGTH and store_id.isprintable():
                self.outcome.spoiled_stores.setdefault(store_id, number)


def order_of(header: Header) -> tuple[int, ...]:
    """The places of the expected columns in the order in which the file has them."""
    return tuple(sorted(range(len(header.positions)), key=lambda place: header.positions[place]))


def _usual_rows(columns: tuple[Column, ...], delimiter: str) -> re.Pattern[bytes]:
    """A pattern of rows that PostgreSQL accepts as they are."""
    store_id = rf"(?!{delimiter})[{_ID_CHARACTERS}](?:(?!{delimiter})[{_ID_CHARACTERS}]){{0,99}}"
    if delimiter == ",":
        store_id = r"[!#-+\--~]{1,100}"  # several times as fast
    patterns = [store_id if column is _STORE_ID else column.pattern for column in columns]
    row = delimiter.join(f'(?:{pattern}|"{pattern}")' for pattern in patterns)
    # Not possessive, although backtracking is useless: Python before 3.11.5 miscounts such repetitions (gh-101955).
    return re.compile(f"(?:{row}\n)*".encode(), re.ASCII)


def _ids_look(number: int) -> str:
    return "1 id looks" if number == 1 else f"{number} ids look"


def _csv_cell(value: str) -> str:
    """A cell for COPY; an empty one is null."""
    return '"' + value.replace('"', '""') + '"' if value else ""


def _quoted(text: str) -> str:
    """The text in quotation marks, cut to 40 characters."""
    return repr(text if len(text) <= 40 else text[:39] + "…")
