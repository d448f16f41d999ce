"""Tables for people and spreadsheets: the one writer of CSV and of workbooks (XLSX).

JSON is the content; the other forms are made from it, so they cannot differ. A cell of CSV that a spreadsheet would
take for a formula gets an apostrophe; workbooks need none, since their texts are marked as texts; JSON never changes.
"""

import asyncio
import csv
import io
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import chain
from tempfile import SpooledTemporaryFile, TemporaryDirectory
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import msgspec
import xlsxwriter
from xlsxwriter.exceptions import FileCreateError

from common.instants import format_instant

TableFormat = Literal["json", "csv", "xlsx"]

CSV = "text/csv"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MAX_SHEET_ROWS = 1_048_575
"""Rows of a sheet below its header."""
MAX_CELL_CHARACTERS = 32_767
MAX_EXACT_INTEGER = 2**53
MEMORY_BYTES = 1024 * 1024
PART_BYTES = 64 * 1024

FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?")
"""A text that begins as a formula, but is a number. Statements of the database use these two as well."""
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)

Cell = str | int | float | bool | date | datetime | None
Row = Sequence[Cell]


@dataclass(frozen=True)
class Table:
    """A table: the name of its file and of its sheet, its columns, and its rows, which may come one after another."""

    name: str
    columns: Sequence[str]
    rows: Iterable[Row]


def neutralised(text: str) -> str:
    """The text, with an apostrophe before it if a spreadsheet would take it for a formula."""
    return f"'{text}" if text.startswith(FORMULA_BEGINS) and not NUMBER.fullmatch(text) else text


def csv_cell(cell: Cell) -> str | int | float:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, datetime):
        return format_instant(cell)
    if isinstance(cell, date):
        return cell.isoformat()
    return neutralised(cell) if isinstance(cell, str) else cell


def csv_lines(table: Table) -> Iterator[str]:
    """The header line and the lines of the rows, each with its line end."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")  # so that cells with either character are quoted
    for row in chain([table.columns], ([csv_cell(cell) for cell in row] for row in table.rows)):
        buffer.seek(0)
        buffer.truncate()
        writer.writerow(row)
        yield buffer.getvalue().removesuffix("\r\n") + "\n"


def csv_bytes(table: Table) -> bytes:
    return "".join(csv_lines(table)).encode()


class TooManyRowsError(Exception):
    """A sheet has no room for so many rows."""


class WorkbookWriter:
    """Writes a workbook row by row, in constant memory; ids are texts, so that no digit of them is rounded.

    A context manager, which deletes its temporary files at the end.
    """

    def __init__(self, name: str, columns: Sequence[str]) -> None:
        self._file: SpooledTemporaryFile[bytes] = SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115 - `__exit__` closes it
        self._folder = TemporaryDirectory(prefix="nightaudit-workbook-")
        options = {"constant_memory": True, "strings_to_urls": False, "tmpdir": self._folder.name}
        self._book = xlsxwriter.Workbook(self._file, options)
        self._book.set_properties({"created": datetime(2000, 1, 1)})  # noqa: DTZ001 - so that equal tables are equal files
        self._sheet = self._book.add_worksheet(re.sub(r"[\[\]:*?/\\]", " ", name)[:31])
        self._day = self._book.add_format({"num_format": "yyyy-mm-dd"})
        self._is_id = [column == "id" or column.endswith("_id") for column in columns]
        self._row = 0
        self._sheet.freeze_panes(1, 0)
        bold = self._book.add_format({"bold": True})
        for place, column in enumerate(columns):
            self._sheet.write_string(0, place, column, bold)

    def __enter__(self) -> "WorkbookWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._sheet._opt_close()  # a book that is not finished is not written
        self._folder.cleanup()
        self._file.close()

    def add(self, row: Row) -> None:
        """Raises TooManyRowsError when the sheet is full."""
        self._row += 1
        if self._row > MAX_SHEET_ROWS:
            raise TooManyRowsError(f"a workbook holds {MAX_SHEET_ROWS:,} rows")
        for place, cell in enumerate(row):
            self._write(place, cell)

    def add_all(self, rows: Iterable[Row]) -> None:
        """Raises TooManyRowsError when the sheet is full."""
        for row in rows:
            self.add(row)

    def _write(self, place: int, cell: Cell) -> None:
        match cell:
            case None:
                pass
            case bool():
                self._sheet.write_boolean(self._row, place, cell)
            case datetime():
                self._sheet.write_string(self._row, place, format_instant(cell))
            case date() if cell.year >= 1900:
                self._sheet.write_datetime(self._row, place, cell, self._day)
            case int() | float() if not self._is_id[place] and abs(cell) <= MAX_EXACT_INTEGER:
                self._sheet.write_number(self._row, place, cell)
            case _:
                self._sheet.write_string(self._row, place, str(cell)[:MAX_CELL_CHARACTERS])

    def finish(self) -> "SpooledTemporaryFile[bytes]":
        """The workbook as a file, to be read from its beginning. Raises OSError, for example on a full disk."""
        try:
            self._book.close()
        except FileCreateError as error:
            raise error.args[0] from None  # the OSError that it wraps
        self._file.seek(0)
        return self._file


def xlsx_bytes(table: Table) -> bytes:
    """Raises TooManyRowsError."""
    with WorkbookWriter(table.name, table.columns) as writer:
        writer.add_all(table.rows)
        return writer.finish().read()


async def workbook_parts(name: str, columns: Sequence[str], rows: AsyncIterator[Sequence[Row]]) -> AsyncIterator[bytes]:
    """Yield a workbook in parts, once all rows have come. Raises TooManyRowsError before the first part."""
    with WorkbookWriter(name, columns) as writer:
        async for some in rows:
            await asyncio.to_thread(writer.add_all, some)
        file = await asyncio.to_thread(writer.finish)
        while part := await asyncio.to_thread(file.read, PART_BYTES):
            yield part


@dataclass(frozen=True)
class Column:
    """A column of a JSON table: the fields that lead to it, and whether it holds days."""

    path: tuple[str, ...]
    is_day: bool

    @property
    def name(self) -> str:
        return "_".join(self.path)


def columns_of(model: Any) -> tuple[Column, ...]:
    """The columns of a list of structs of this type; the fields of structs in it are columns of their own."""
    return tuple(_columns(model, ()))


def _columns(model: Any, before: tuple[str, ...]) -> Iterator[Column]:
    for field in msgspec.structs.fields(model):
        is_union = get_origin(field.type) in (Union, UnionType)
        options = [each for each in get_args(field.type) if each is not type(None)] if is_union else [field.type]
        path = (*before, field.encode_name)
        if isinstance(options[0], type) and issubclass(options[0], msgspec.Struct):
            yield from _columns(options[0], path)
        else:
            yield Column(path, options[0] is date)


def table_of_json(name: str, columns: Sequence[Column], items: Sequence[Mapping[str, Any]]) -> Table:
    """The table of decoded JSON objects."""
    return Table(name, [column.name for column in columns], (_row(columns, item) for item in items))


def _row(columns: Sequence[Column], item: Mapping[str, Any]) -> Row:
    return [_cell(column, item) for column in columns]


def _cell(column: Column, item: Mapping[str, Any]) -> Cell:
    value: Any = item
    for field in column.path:
        value = value.get(field) if isinstance(value, Mapping) else None
    if column.is_day and isinstance(value, str) and _DAY.fullmatch(value):
        return date.fromisoformat(value)
    if isinstance(value, list | dict):
        return msgspec.json.encode(value).decode()
    return value


def columns_of_items(items: Sequence[Mapping[str, Any]]) -> tuple[Column, ...]:
    """The columns of objects whose type is not known: all fields that any of them has."""
    return tuple(Column((name,), is_day=False) for name in dict.fromkeys(name for item in items for name in item))
