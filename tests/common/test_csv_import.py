"""What every import command shares."""

import csv
import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.csv_files import CsvFile
from common.csv_import import MAX_REPORTED_LINES, ImportResult, RejectedLine, rejected_writer, with_texts
from common.text_blocks import DamagedFileError, open_file, read_blocks


def test_the_report_names_the_first_rejected_lines_in_their_order(capsys: pytest.CaptureFixture[str]) -> None:
    result = ImportResult("a.csv", stored=3, already_stored=2)
    result.rejected += [RejectedLine(line, "is wrong") for line in range(MAX_REPORTED_LINES + 5, 0, -1)]

    result.report()

    out, err = capsys.readouterr()
    assert out == f"a.csv: 3 stored, 2 already stored, {MAX_REPORTED_LINES + 5} rejected\n"
    assert err.splitlines()[:1] == ["a.csv: line 1: is wrong"]
    assert err.splitlines()[-1] == "a.csv: … and 5 more"
    assert len(err.splitlines()) == MAX_REPORTED_LINES + 1


@pytest.mark.parametrize(
    ("stored", "already_stored", "rejected", "status"), [(1, 0, 0, 0), (0, 1, 0, 0), (1, 0, 1, 1), (0, 0, 0, 1)]
)
def test_the_exit_status_says_whether_every_row_was_taken_and_there_was_one(
    stored: int, already_stored: int, rejected: int, status: int
) -> None:
    result = ImportResult("a.csv", stored, already_stored, [RejectedLine(2, "is wrong")] * rejected)
    assert result.status == status


def test_rejected_lines_are_neutralised_against_formulas(tmp_path: Path) -> None:
    with rejected_writer(tmp_path / "rejected.csv") as write:
        write("=1.csv", RejectedLine(2, "+1 is wrong", '=HYPERLINK("http://evil.example"),1'))
    with (tmp_path / "rejected.csv").open(newline="") as file:
        assert list(csv.reader(file))[1] == ["'=1.csv", "2", "'+1 is wrong", '\'=HYPERLINK("http://evil.example"),1']


def test_rejected_lines_are_written_with_their_texts_in_the_order_of_the_file(tmp_path: Path) -> None:
    data = b'id,name\n1,a\n\xff,b\n3,"two\nlines"\n4,d\n5\n'
    rejected = [RejectedLine(4, "is stored"), RejectedLine(2, "is wrong")]
    with rejected_writer(tmp_path / "rejected.csv") as write:
        for line in with_texts(CsvFile(read_blocks(io.BytesIO(data)), ("id", "name")), rejected):
            write("events.csv", line)
    with (tmp_path / "rejected.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [
            ["file", "line", "reason", "text"],
            ["events.csv", "2", "is wrong", "1,a"],
            ["events.csv", "3", "is not valid UTF-8 or UTF-16", "\ufffd,b"],
            ["events.csv", "4", "is stored", '3,"two\nlines"'],
            ["events.csv", "7", "has 1 columns instead of 2", "5"],
        ]


def test_where_a_damaged_file_ends_is_the_number_of_the_line_after_the_last() -> None:
    def blocks() -> Iterator[bytes]:
        yield b"id\n1\n2\n3"
        raise DamagedFileError("the data is cut off")

    file = CsvFile(blocks(), ("id",))
    assert list(with_texts(file, [RejectedLine(3, "is stored")])) == [
        RejectedLine(3, "is stored", "2"),
        RejectedLine(4, "cannot be read: the data is cut off", ""),
    ]


def test_a_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"id\n1\n",))
    writer.start()
    with open_file(pipe) as file:
        assert file.read() == b"id\n1\n"
        assert file.seek(0) == 0
    writer.join()
