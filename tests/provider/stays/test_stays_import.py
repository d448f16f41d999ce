"""`python -m provider import-stays`."""

import uuid
from pathlib import Path

import asyncpg
import pytest

from common.config import Secret
from provider.stays.cli import CHUNK_ROWS, import_files

PROPERTIES = """property_id,description
xE6vqTqA6LTwpE,Spacious 1-bedroom villa overlooking a lake!
djddZlw8apLVfi,"Ski in, ski out, 2-bedroom condo"
g3hbWxJ5TdXidt,"3 bedroom house, cook's kitchen"
"""
RESERVATIONS = """property_id,start_date,number_of_nights
xE6vqTqA6LTwpE,2021-01-02,2
xE6vqTqA6LTwpE,2021-01-04,7
xE6vqTqA6LTwpE,2021-01-22,3
djddZlw8apLVfi,2021-01-10,2
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A pair of files like the source's sample: stays back to back, no ids."""
    properties, reservations = tmp_path / "properties.csv", tmp_path / "reservations.csv"
    properties.write_text(PROPERTIES)
    reservations.write_text(RESERVATIONS)
    return properties, reservations


async def test_each_reservation_gets_an_id(
    provider_url: Secret, provider_db: asyncpg.Pool, files: tuple[Path, Path]
) -> None:
    assert await import_files(provider_url, *files) == 0

    rows = await provider_db.fetch("SELECT * FROM reservation ORDER BY property_id, arrival")
    assert [(row["property_id"], f"{row['arrival']}", f"{row['departure']}") for row in rows] == [
        ("djddZlw8apLVfi", "2021-01-10", "2021-01-12"),
        ("xE6vqTqA6LTwpE", "2021-01-02", "2021-01-04"),
        ("xE6vqTqA6LTwpE", "2021-01-04", "2021-01-11"),
        ("xE6vqTqA6LTwpE", "2021-01-22", "2021-01-25"),
    ]
    assert len({row["reservation_id"] for row in rows}) == 4
    assert {uuid.UUID(str(row["reservation_id"])).version for row in rows} == {7}
    assert await provider_db.fetchval("SELECT description FROM property WHERE property_id = 'g3hbWxJ5TdXidt'") == (
        "3 bedroom house, cook's kitchen"
    )


async def test_the_import_can_be_repeated(
    provider_url: Secret,
    provider_db: asyncpg.Pool,
    files: tuple[Path, Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    await import_files(provider_url, *files)
    before = await provider_db.fetch("SELECT * FROM reservation ORDER BY reservation_id")
    capsys.readouterr()

    assert await import_files(provider_url, *files) == 0

    assert await provider_db.fetch("SELECT * FROM reservation ORDER BY reservation_id") == before
    out = capsys.readouterr().out
    assert "properties.csv: 0 stored, 3 already stored, 0 rejected" in out
    assert "reservations.csv: 0 stored, 4 already stored, 0 rejected" in out


async def test_overlapping_rows_are_reported_and_the_valid_ones_stored(
    provider_url: Secret,
    provider_db: asyncpg.Pool,
    files: tuple[Path, Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    wrong = [
        "xE6vqTqA6LTwpE,2021-01-03,2",
        "nowhere,2021-01-03,2",
        "xE6vqTqA6LTwpE,2021-02-30,0",
        "xE6vqTqA6LTwpE,2021-03-01",
        "xE6vqTqA6LTwpE,9999-12-29,365",
        "xE6vqTqA6LTwpE,0001-01-01,1",
    ]
    right = "djddZlw8apLVfi,2021-01-12,5"
    files[1].write_text(RESERVATIONS + "\n".join([*wrong, right]) + "\n")

    assert await import_files(provider_url, *files) == 1

    captured = capsys.readouterr()
    assert "reservations.csv: 5 stored, 0 already stored, 6 rejected" in captured.out
    reported = captured.err.splitlines()
    assert reported == [
        "reservations.csv: line 6: overlaps the stay from 2021-01-02 to 2021-01-04",
        "reservations.csv: line 7: property_id is unknown",
        "reservations.csv: line 8: start_date is not a valid date; "
        "number_of_nights must be a whole number from 1 to 365",
        "reservations.csv: line 9: has 2 columns instead of 3",
        "reservations.csv: line 10: ends after the year 9999",
        "reservations.csv: line 11: start_date must be from 0001-01-02 to 9999-12-30",
    ]
    assert await provider_db.fetchval("SELECT count(*) FROM reservation") == 5


async def test_columns_may_come_in_any_order_and_files_have_any_length(
    provider_url: Secret, provider_db: asyncpg.Pool, files: tuple[Path, Path]
) -> None:
    lines = [f"1,{2000 + day // 300}-{1 + day % 12:02}-{1 + day % 300 // 12:02},djddZlw8apLVfi" for day in range(1500)]
    assert len(set(lines)) == 1500 > 2 * CHUNK_ROWS
    files[1].write_text("\n".join(["number_of_nights,start_date,property_id", *lines]))

    assert await import_files(provider_url, *files) == 0
    assert await provider_db.fetchval("SELECT count(*) FROM reservation") == 1500


async def test_a_failure_of_the_database_is_reported_in_one_line(
    provider_url: Secret, provider_db: asyncpg.Pool, files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    await provider_db.execute("ALTER TABLE reservation RENAME TO elsewhere")

    assert await import_files(provider_url, *files) == 1

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"nightaudit: {files[1]}: PostgreSQL failed; the import can be run again (")


async def test_a_path_that_is_not_a_file_is_reported_in_one_line(
    provider_url: Secret, files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await import_files(provider_url, tmp_path, files[1]) == 1
    assert await import_files(provider_url, files[0], tmp_path / "nowhere.csv") == 1

    assert capsys.readouterr().err.splitlines() == [
        f"nightaudit: {tmp_path}: Is a directory",
        f"nightaudit: {tmp_path}/nowhere.csv: No such file or directory",
    ]


@pytest.mark.parametrize("header", ["property_id,start_date", "property_id,start_date,nights", ""])
async def test_a_file_with_other_columns_is_refused(
    provider_url: Secret,
    provider_db: asyncpg.Pool,
    files: tuple[Path, Path],
    capsys: pytest.CaptureFixture[str],
    header: str,
) -> None:
    files[1].write_text(header + "\na,2021-01-01,1\n")

    assert await import_files(provider_url, *files) == 1

    assert "the header must name the columns" in capsys.readouterr().err
    assert await provider_db.fetchval("SELECT count(*) FROM reservation") == 0


async def test_an_undecodable_line_is_rejected_and_a_quoted_cell_may_hold_line_ends(
    provider_url: Secret, provider_db: asyncpg.Pool, files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [b"property_id,description", "a,Über dem See".encode(), b"b,\xdcber dem See", b'"c","two\nlines"']
    files[0].write_bytes(b"\n".join(lines))
    files[1].write_text("property_id,start_date,number_of_nights\n")

    assert await import_files(provider_url, *files) == 1

    assert capsys.readouterr().err == "properties.csv: line 3: is not valid UTF-8\n"
    stored = await provider_db.fetch("SELECT property_id, description FROM property ORDER BY 1")
    assert [tuple(row) for row in stored] == [("a", "Über dem See"), ("c", "two\nlines")]


async def test_a_missing_file_is_named(
    provider_url: Secret, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await import_files(provider_url, tmp_path / "none.csv", tmp_path / "none.csv") == 1
    assert "none.csv" in capsys.readouterr().err
