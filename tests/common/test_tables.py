"""The one writer of CSV and of workbooks."""

import csv
import errno
import io
import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import openpyxl
import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from common import tables
from common.tables import (
    Table,
    TooManyRowsError,
    columns_of,
    columns_of_items,
    csv_bytes,
    neutralised,
    table_of_json,
    xlsx_bytes,
)


def read_csv(table: Table) -> list[list[str]]:
    return list(csv.reader(io.StringIO(csv_bytes(table).decode(), newline="")))


def read_xlsx(table: Table) -> list[list[object]]:
    sheet = openpyxl.load_workbook(io.BytesIO(xlsx_bytes(table))).active
    assert sheet is not None
    return [list(row) for row in sheet.iter_rows(values_only=True)]


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ('=HYPERLINK("http://x")', '\'=HYPERLINK("http://x")'),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-1+1", "'-1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("＝1", "'＝1"),
        ("-5", "-5"),
        ("+1.5", "+1.5"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_a_text_that_a_spreadsheet_takes_for_a_formula_gets_an_apostrophe(text: str, safe: str) -> None:
    assert neutralised(text) == safe
    assert read_csv(Table("t", ["x"], [(text,)]))[1] == [safe]


def test_csv_and_workbook_have_the_same_cells_and_workbooks_the_ids_as_texts() -> None:
    at = datetime(2020, 1, 1, 12, tzinfo=UTC)
    columns = ["id", "hotel_id", "name", "count", "share", "open", "night", "at", "big"]
    rows = [
        (2**63 - 1, 7, "=1+1", -3, 0.5, True, date(2020, 2, 29), at, 2**60),
        (1, None, "", 0, None, False, None, at, 1),
    ]
    made = Table("t", columns, rows)
    assert read_csv(made) == [
        columns,
        [
            "9223372036854775807",
            "7",
            "'=1+1",
            "-3",
            "0.5",
            "true",
            "2020-02-29",
            "2020-01-01T12:00:00.000000Z",
            str(2**60),
        ],
        ["1", "", "", "0", "", "false", "", "2020-01-01T12:00:00.000000Z", "1"],
    ]
    assert read_xlsx(made) == [
        columns,
        [
            "9223372036854775807", "7", "=1+1", -3, 0.5, True, datetime(2020, 2, 29), "2020-01-01T12:00:00.000000Z",  # noqa: DTZ001 - so openpyxl gives it
            str(2**60),
        ],
        ["1", None, "", 0, None, False, None, "2020-01-01T12:00:00.000000Z", 1],
    ]  # fmt: skip


def test_dates_from_1900_on_are_dates_in_a_workbook_and_earlier_ones_which_it_does_not_know_are_texts() -> None:
    table = Table("t", ["night"], [(date(1899, 12, 31),), (date(1900, 1, 1),), (date(2199, 12, 31),)])
    sheet = openpyxl.load_workbook(io.BytesIO(xlsx_bytes(table))).active
    assert sheet is not None
    assert [cell.is_date for (cell,) in sheet.iter_rows(min_row=2)] == [False, True, True]


def test_a_number_that_a_workbook_cannot_hold_exactly_is_a_text() -> None:
    exact = 2**53
    table = Table("t", ["count"], [(exact,), (exact + 1,), (-exact,), (-exact - 1,)])
    assert read_xlsx(table)[1:] == [[exact], [str(exact + 1)], [-exact], [str(-exact - 1)]]


def test_a_formula_in_a_workbook_is_a_text() -> None:
    book = openpyxl.load_workbook(io.BytesIO(xlsx_bytes(Table("t", ["x"], [("=1+1",), ("http://example.com",)]))))
    assert [cell.data_type for (cell,) in book.worksheets[0].iter_rows(min_row=2)] == ["s", "s"]
    assert book.worksheets[0]["A3"].hyperlink is None


@given(st.lists(st.tuples(st.text(max_size=20), st.integers(), st.floats(allow_nan=False, allow_infinity=False))))
def test_every_row_of_any_content_is_in_both(rows: list[tuple[str, int, float]]) -> None:
    made = Table("t [x]/*", ["name", "count", "share"], rows)
    assert len(list(csv.reader(io.StringIO(csv_bytes(made).decode(), newline="")))) == len(rows) + 1
    xlsx_bytes(made)


def test_equal_tables_are_equal_files() -> None:
    made = [Table("t", ["x"], [(1,)]) for _ in range(2)]
    assert xlsx_bytes(made[0]) == xlsx_bytes(made[1])


def test_a_sheet_that_is_full_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_SHEET_ROWS", 2)
    assert len(read_xlsx(Table("t", ["x"], [(1,), (2,)]))) == 3
    with pytest.raises(TooManyRowsError, match="a workbook holds 2 rows"):
        xlsx_bytes(Table("t", ["x"], [(1,), (2,), (3,)]))


class Part(msgspec.Struct):
    id: int | str
    price: Decimal


class Whole(msgspec.Struct, rename={"from_": "from"}):
    from_: date
    name: str
    best: Part | None
    tags: list[str]


def test_the_fields_of_a_struct_in_a_row_are_columns_of_their_own() -> None:
    items: list[dict[str, Any]] = [
        {"from": "2020-01-01", "name": "2020-01-01", "best": {"id": 2**60, "price": 1.5}, "tags": ["a"]},
        {"from": "2020-01-02", "name": "x", "best": None, "tags": []},
    ]
    made = table_of_json("t", columns_of(Whole), items)
    assert list(made.columns) == ["from", "name", "best_id", "best_price", "tags"]
    assert [list(row) for row in made.rows] == [
        [date(2020, 1, 1), "2020-01-01", 2**60, 1.5, '["a"]'],
        [date(2020, 1, 2), "x", None, None, "[]"],
    ]
    assert [column.name for column in columns_of_items([{"a": 1}, {"b": 2, "a": 3}])] == ["a", "b"]


def no_space() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def rows_until_the_disk_is_full() -> Iterator[list[tables.Cell]]:
    yield ["a"]
    raise no_space()


@pytest.mark.parametrize("when", ["while rows are written", "at the end"])
def test_a_workbook_that_finds_the_disk_full_says_so_and_leaves_no_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, when: str
) -> None:
    def fail(_: xlsxwriter.Workbook) -> None:
        raise no_space()

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(xlsxwriter.Workbook, "_store_workbook", fail)
    rows = rows_until_the_disk_is_full() if when == "while rows are written" else iter([["a"]])
    with pytest.raises(OSError, match="No space left") as caught:
        xlsx_bytes(Table("stores", ["name"], rows))
    assert caught.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []


def test_a_workbook_leaves_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert read_xlsx(Table("stores", ["name"], iter([["a"]]))) == [["name"], ["a"]]
    assert list(tmp_path.iterdir()) == []
