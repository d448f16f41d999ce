"""What every CSV import shares."""

import gzip
import io

import pytest

from common.csv_import import (
    MAX_RECORD_BYTES,
    MAX_REPORTED_LINES,
    CsvHeaderError,
    ImportResult,
    RejectedLine,
    match_header,
    parse_file_instant,
    read_records,
)


def records(data: bytes, *, multiline: bool = False) -> tuple[list[tuple[int, list[str]]], list[RejectedLine]]:
    rejected: list[RejectedLine] = []
    return list(read_records(io.BytesIO(data), rejected, multiline=multiline)), rejected


@pytest.mark.parametrize(
    ("header", "positions"),
    [
        (b"id,name,day\n", [0, 1, 2]),
        (b"\xef\xbb\xbfday, ID ,Name\r\n", [1, 2, 0]),
        (b'"title","day","id"', [2, 0, 1]),
    ],
)
def test_a_header_names_the_columns_in_any_order_case_and_alias(header: bytes, positions: list[int]) -> None:
    assert match_header(header, ("id", "name", "day"), {"title": "name"}) == positions


@pytest.mark.parametrize("header", [b"", b"\n", b"id,name", b"id,name,name", b"id,name,day,more", b'"id,name,day'])
def test_a_header_with_other_columns_is_refused(header: bytes) -> None:
    with pytest.raises(CsvHeaderError):
        match_header(header, ("id", "name", "day"))


def test_records_come_with_the_numbers_of_their_lines() -> None:
    assert records(b'a,b\r\n\n  \n"c ""d""",e') == ([(2, ["a", "b"]), (5, ['c "d"', "e"])], [])


def test_a_line_that_cannot_be_used_is_rejected_by_its_number_and_the_others_are_read() -> None:
    long = b"x" * (3 * MAX_RECORD_BYTES)
    found, rejected = records(b"a\n\xff\n" + long + b'\nb\n"c\nd\n' + long)

    assert found == [(2, ["a"]), (5, ["b"]), (7, ["d"])]
    assert rejected == [
        RejectedLine(3, "is not valid UTF-8"),
        RejectedLine(4, f"is longer than {MAX_RECORD_BYTES} bytes"),
        RejectedLine(6, "is not valid CSV: unexpected end of data"),
        RejectedLine(8, f"is longer than {MAX_RECORD_BYTES} bytes"),
    ]


def test_a_quoted_cell_may_contain_line_ends_where_the_import_allows_them() -> None:
    assert records(b'1,"a\r\nb"\n2,c\n3,"d', multiline=True) == (
        [(3, ["1", "a\r\nb"]), (4, ["2", "c"])],
        [RejectedLine(5, "is not valid CSV: unexpected end of data")],
    )
    endless = b'"' + b"x\n" * MAX_RECORD_BYTES
    found, rejected = records(endless, multiline=True)
    assert rejected == [RejectedLine(1 + MAX_RECORD_BYTES // 2, f"is longer than {MAX_RECORD_BYTES} bytes")]
    assert len(found) == MAX_RECORD_BYTES - MAX_RECORD_BYTES // 2


def test_a_file_that_is_cut_off_gives_the_records_before_it() -> None:
    data = gzip.compress(b"a\nb\n")[:-8]
    rejected: list[RejectedLine] = []
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
        found = list(read_records(file, rejected))  # type: ignore[arg-type]  # a binary file in all but its type

    assert found == [(2, ["a"]), (3, ["b"])]
    assert [each.line for each in rejected] == [4]
    assert rejected[0].reason.startswith("cannot be read: ")


@pytest.mark.parametrize(
    "text",
    [
        "2026-10-01T10:00:00Z",
        "2026-10-01t10:00:00.000z",
        "2026-10-01 10:00:00",
        "2026-10-01 10:00",
        "2026-10-01 10:00:00+00",
        "2026-10-01 10:00:00 UTC",
        "2026-10-01 10:00:00GMT",
        "2026-10-01 12:00:00+0200",
        "2026-10-01T12:00:00 +02:00",
        "2026-10-01 10:00:00.000000999",
    ],
)
def test_an_instant_may_be_written_as_programs_write_it(text: str) -> None:
    assert parse_file_instant(text).isoformat() == "2026-10-01T10:00:00+00:00"


@pytest.mark.parametrize(
    "text", ["", "2026-10-01", "2026-02-30 10:00:00", "2026-10-01 24:00:00", "1790848800", "x" * 30]
)
def test_an_instant_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="instant"):
        parse_file_instant(text)


def test_the_report_names_the_first_rejected_lines_in_their_order(capsys: pytest.CaptureFixture[str]) -> None:
    result = ImportResult("a.csv", stored=3, already_stored=2)
    result.rejected += [RejectedLine(line, "is wrong") for line in range(MAX_REPORTED_LINES + 5, 0, -1)]

    result.report()

    out, err = capsys.readouterr()
    assert out == f"a.csv: 3 stored, 2 already stored, {MAX_REPORTED_LINES + 5} rejected\n"
    assert err.splitlines()[:1] == ["a.csv: line 1: is wrong"]
    assert err.splitlines()[-1] == "a.csv: … and 5 more"
    assert len(err.splitlines()) == MAX_REPORTED_LINES + 1
