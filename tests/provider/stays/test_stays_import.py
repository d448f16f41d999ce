"""`python -m provider import-stays`."""

import re
import uuid
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import pytest

from common.config import Secret
from common.csv_import import ImportOptions, ImportResult
from common.db.pool import Connection
from provider.booking_events.service import append_events
from provider.hotel_rooms import NightEvent
from provider.stays.cli import import_stays, reservations
from provider.stays.cli.properties import import_properties
from provider.stays.cli.rows import CHUNK_ROWS
from provider.stays.queries.properties import note_room_link
from tests.support.citus import cluster_of_environment

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


async def import_files(url: Secret, properties: Path, reservations: Path) -> int:
    """The command, with the feed of this application."""
    return await import_stays.import_files(url, properties, reservations, append_events)


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
        "xE6vqTqA6LTwpE,2199-12-31,2",
        "xE6vqTqA6LTwpE,1899-12-31,1",
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
        "reservations.csv: line 10: ends after the night of 2199-12-31",
        "reservations.csv: line 11: start_date must be from 1900-01-01 to 2199-12-31",
    ]
    assert await provider_db.fetchval("SELECT count(*) FROM reservation") == 5


async def test_a_description_with_invisible_characters_is_rejected(
    provider_url: Secret, files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    files[0].write_text("property_id,description\na,A hut \u202etuh\nb,…\nc,A hut\n")
    files[1].write_text("property_id,start_date,number_of_nights\n")

    assert await import_files(provider_url, *files) == 1

    assert capsys.readouterr().err.splitlines() == [
        "properties.csv: line 2: description must not contain control characters, line breaks or invisible characters",
        "properties.csv: line 3: description must contain a letter or a digit",
    ]


async def test_a_description_has_1_to_2000_characters(
    provider_url: Secret, provider_db: asyncpg.Pool, files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    files[0].write_text(f"property_id,description\na,\nb,A\nc,{'é' * 2000}\nd,{'x' * 2001}\n")
    files[1].write_text("property_id,start_date,number_of_nights\n")

    assert await import_files(provider_url, *files) == 1

    assert capsys.readouterr().err.splitlines() == [
        "properties.csv: line 2: description must have 1 to 2000 characters",
        "properties.csv: line 5: description must have 1 to 2000 characters",
    ]
    assert [row["property_id"] for row in await provider_db.fetch("SELECT property_id FROM property ORDER BY 1")] == [
        "b",
        "c",
    ]


async def load(url: Secret, files: tuple[Path, Path], *lines: str) -> int:
    """Import the properties and these lines."""
    files[1].write_text("\n".join(["property_id,start_date,number_of_nights", *lines]) + "\n")
    return await import_files(url, *files)


async def test_the_same_row_twice_in_one_file_is_reported(
    provider_url: Secret, files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ["djddZlw8apLVfi,2021-01-10,2", "g3hbWxJ5TdXidt,2021-01-10,2", "djddZlw8apLVfi,2021-01-10,2"]

    first = await load(provider_url, files, *lines)
    captured = capsys.readouterr()
    again = await load(provider_url, files, *lines)

    assert (first, again) == (1, 0)
    assert "reservations.csv: 2 stored, 0 already stored, 1 rejected" in captured.out
    assert captured.err == "reservations.csv: line 4: is the same as line 2\n"
    assert "reservations.csv: 0 stored, 3 already stored, 0 rejected" in capsys.readouterr().out


async def test_the_same_row_in_another_chunk_is_reported_too(
    provider_url: Secret, files: tuple[Path, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reservations, "CHUNK_ROWS", 1)

    assert await load(provider_url, files, *["djddZlw8apLVfi,2021-01-10,2"] * 3) == 1

    assert capsys.readouterr().err.splitlines() == [
        f"reservations.csv: line {line}: is the same as line 2" for line in (3, 4)
    ]


async def test_a_row_that_overlaps_a_reservation_of_a_guest_says_so(
    provider_url: Secret, provider_db: asyncpg.Pool, files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Even one of the same nights: the row is another guest's stay, not the same stay again."""
    await load(provider_url, files)
    await provider_db.execute(
        "INSERT INTO reservation (property_id, arrival, departure, holder)"
        " VALUES ('djddZlw8apLVfi', '2021-01-10', '2021-01-12', uuidv7())"
    )
    capsys.readouterr()

    assert await load(provider_url, files, "djddZlw8apLVfi,2021-01-10,2", "djddZlw8apLVfi,2021-01-11,5") == 1

    captured = capsys.readouterr()
    assert "reservations.csv: 0 stored, 0 already stored, 2 rejected" in captured.out
    assert captured.err.splitlines() == [
        f"reservations.csv: line {line}: overlaps the stay from 2021-01-10 to 2021-01-12, which a guest has reserved"
        " online"
        for line in (2, 3)
    ]


async def test_a_row_with_a_blocked_night_is_reported_and_the_others_are_stored(
    provider_url: Secret, provider_db: asyncpg.Pool, files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    await load(provider_url, files)
    await provider_db.execute(
        "INSERT INTO property_block (property_id, first_night, end_date)"
        " VALUES ('djddZlw8apLVfi', '2021-01-10', '2021-01-12')"
    )
    capsys.readouterr()

    lines = ("djddZlw8apLVfi,2021-01-08,2", "djddZlw8apLVfi,2021-01-10,2", "djddZlw8apLVfi,2021-01-12,1")
    assert await load(provider_url, files, *lines) == 1

    captured = capsys.readouterr()
    assert "reservations.csv: 2 stored, 0 already stored, 1 rejected" in captured.out
    assert captured.err.splitlines() == [
        "reservations.csv: line 3: the night of 2021-01-10 is blocked or held by another site"
    ]


async def test_a_row_that_is_too_close_for_the_turnover_says_so(
    provider_url: Secret, provider_db: asyncpg.Pool, files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    await load(provider_url, files)
    await provider_db.execute("UPDATE property SET turnover_days = 3 WHERE property_id = 'djddZlw8apLVfi'")
    capsys.readouterr()
    lines = [
        "djddZlw8apLVfi,2021-01-10,2",
        "djddZlw8apLVfi,2021-01-14,1",  # two days after
        "djddZlw8apLVfi,2021-01-06,2",  # two days before
        "djddZlw8apLVfi,2021-01-11,1",
        "djddZlw8apLVfi,2021-01-15,1",
        "djddZlw8apLVfi,2020-12-30,1",
    ]

    assert await load(provider_url, files, *lines) == 1

    captured = capsys.readouterr()
    assert "reservations.csv: 3 stored, 0 already stored, 3 rejected" in captured.out
    assert captured.err.splitlines() == [
        "reservations.csv: line 3: is within the turnover (3 days) of the stay from 2021-01-10 to 2021-01-12",
        "reservations.csv: line 4: is within the turnover (3 days) of the stay from 2021-01-10 to 2021-01-12",
        "reservations.csv: line 5: overlaps the stay from 2021-01-10 to 2021-01-12",
    ]


async def test_an_overlap_is_named_before_a_stay_that_is_only_close(
    provider_url: Secret, provider_db: asyncpg.Pool, files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    await load(provider_url, files, "djddZlw8apLVfi,2021-01-02,1", "djddZlw8apLVfi,2021-01-10,2")
    await provider_db.execute("UPDATE property SET turnover_days = 3 WHERE property_id = 'djddZlw8apLVfi'")
    capsys.readouterr()

    await load(provider_url, files, "djddZlw8apLVfi,2021-01-04,7")

    assert capsys.readouterr().err == ("reservations.csv: line 2: overlaps the stay from 2021-01-10 to 2021-01-12\n")


class TestLinkedProperty:
    """Stays of a hotel's room."""

    @pytest.fixture
    async def linked(self, provider_url: Secret, provider_db: asyncpg.Pool, files: tuple[Path, Path]) -> None:
        await load(provider_url, files)
        await provider_db.execute(
            "UPDATE property SET hotel_id = 3, room_id = '17' WHERE property_id = 'djddZlw8apLVfi'"
        )
        async with provider_db.acquire() as connection:
            await note_room_link(connection, "djddZlw8apLVfi")

    async def test_imported_stays_enter_the_feed(
        self, linked: None, provider_url: Secret, provider_db: asyncpg.Pool, files: tuple[Path, Path]
    ) -> None:
        lines = ["djddZlw8apLVfi,2021-01-10,2", "g3hbWxJ5TdXidt,2021-01-10,2", "djddZlw8apLVfi,2021-03-01,1"]

        assert [await load(provider_url, files, *lines) for _ in range(2)] == [0, 0]

        events = await provider_db.fetch(
            "SELECT hotel_id, room_id, status, night_of_stay::text FROM booking_event ORDER BY night_of_stay"
        )
        assert [tuple(event) for event in events] == [
            (3, "17", 1, night) for night in ("2021-01-10", "2021-01-11", "2021-03-01")
        ]
        rooms = await provider_db.fetch("SELECT property_id, room_id FROM reservation ORDER BY arrival, property_id")
        assert [tuple(row) for row in rooms] == [
            ("djddZlw8apLVfi", "17"), ("g3hbWxJ5TdXidt", None), ("djddZlw8apLVfi", "17"),
        ]  # fmt: skip

    async def test_nights_that_the_hotel_has_sold_are_refused_with_that_reason(
        self,
        linked: None,
        provider_url: Secret,
        provider_db: asyncpg.Pool,
        files: tuple[Path, Path],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        await provider_db.execute(
            "SELECT store_events('{1}', '{3}', ARRAY[now()], '{1}', '{17}', '{2021-01-11}', '{false}')"
        )
        capsys.readouterr()

        assert await load(provider_url, files, "djddZlw8apLVfi,2021-01-10,2", "djddZlw8apLVfi,2021-01-12,2") == 1

        captured = capsys.readouterr()
        assert "reservations.csv: 1 stored, 0 already stored, 1 rejected" in captured.out
        assert captured.err == (
            "reservations.csv: line 2: the feed of the hotel has the night of 2021-01-11 as booked\n"
        )

    async def test_a_transaction_has_a_bounded_number_of_nights(
        self,
        linked: None,
        provider_url: Secret,
        provider_db: asyncpg.Pool,
        files: tuple[Path, Path],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Each night of a room is an event, and the feed promises that a transaction does not last long."""
        monkeypatch.setattr(reservations, "CHUNK_NIGHTS", 3)

        assert await load(provider_url, files, *(f"djddZlw8apLVfi,2021-0{month}-01,2" for month in range(1, 6))) == 0

        if not cluster_of_environment():  # where each node has numbers of its own for transactions
            transactions = await provider_db.fetch("SELECT count(*) FROM booking_event GROUP BY xmin::text ORDER BY 1")
            assert [row["count"] for row in transactions] == [2, 4, 4]


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
    await provider_db.execute("ALTER TABLE elsewhere RENAME TO reservation")


async def test_a_path_that_is_not_a_file_is_reported_in_one_line(
    provider_url: Secret, files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await import_files(provider_url, tmp_path, files[1]) == 1
    assert await import_files(provider_url, files[0], tmp_path / "nowhere.csv") == 1

    assert capsys.readouterr().err.splitlines() == [
        f"nightaudit: {tmp_path}: Is a directory",
        f"nightaudit: {tmp_path}/nowhere.csv: No such file or directory",
    ]


@pytest.mark.parametrize("header", ["property_id,start_date", "property_id,start_date,length", ""])
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

    assert capsys.readouterr().err == "properties.csv: line 3: is not valid UTF-8 or UTF-16\n"
    stored = await provider_db.fetch("SELECT property_id, description FROM property ORDER BY 1")
    assert [tuple(row) for row in stored] == [("a", "Über dem See"), ("c", "two\nlines")]


async def test_a_missing_file_is_named(
    provider_url: Secret, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await import_files(provider_url, tmp_path / "none.csv", tmp_path / "none.csv") == 1
    assert "none.csv" in capsys.readouterr().err


async def test_a_dry_run_reports_what_an_import_would_do_and_stores_nothing(
    provider_url: Secret,
    provider_db: asyncpg.Pool,
    files: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    files[1].write_text(RESERVATIONS + "xE6vqTqA6LTwpE,2021-01-03,2\nnowhere,2021-01-03\n")
    options = ImportOptions(dry_run=True, rejected=tmp_path / "rejected.csv")

    assert await import_stays.import_files(provider_url, *files, append_events, options) == 1

    captured = capsys.readouterr()
    assert captured.out.splitlines() == [
        "properties.csv: 3 would be stored, 0 already stored, 0 rejected",
        "reservations.csv: 4 would be stored, 0 already stored, 2 rejected",
    ]
    assert await provider_db.fetchval("SELECT count(*) FROM property") == 0
    assert (tmp_path / "rejected.csv").read_text().splitlines()[1:] == [
        'reservations.csv,6,overlaps the stay from 2021-01-02 to 2021-01-04,"xE6vqTqA6LTwpE,2021-01-03,2"',
        'reservations.csv,7,has 2 columns instead of 3,"nowhere,2021-01-03"',
    ]


async def test_a_failure_half_way_is_reported_with_what_was_stored_before_it(
    provider_url: Secret,
    files: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reservations, "CHUNK_ROWS", 2)
    files[1].write_text(RESERVATIONS.replace("2021-01-04,7", "2021-01-03,7"))
    chunks = []

    async def append(_: Connection, events: Sequence[NightEvent]) -> None:
        chunks.append(events)
        if len(chunks) == 2:
            raise asyncpg.QueryCanceledError("canceling statement")

    options = ImportOptions(rejected=tmp_path / "rejected.csv")
    assert await import_stays.import_files(provider_url, *files, append, options) == 1

    captured = capsys.readouterr()
    assert captured.out.splitlines() == [
        "properties.csv: 3 stored, 0 already stored, 0 rejected",
        "reservations.csv: 1 stored, 0 already stored, 1 rejected",
    ]
    assert "the import can be run again (canceling statement)" in captured.err
    assert "line 3: overlaps" in captured.err
    assert "reservations.csv,3,overlaps" in (tmp_path / "rejected.csv").read_text()


async def test_a_dry_run_locks_few_properties_at_a_time_and_sees_what_an_import_would(
    provider_url: Secret, provider_db: asyncpg.Pool, files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    ids = [f"p{number:04}" for number in range(1500)]
    files[0].write_text("property_id,description\n" + "".join(f"{each},A hut\n" for each in [*ids, ids[0]]))
    stays = [*(f"{each},2021-01-02,2\n" for each in ids), "p0000,2021-01-03,2\n", "none,2021-01-03,2\n"]
    files[1].write_text("property_id,start_date,number_of_nights\n" + "".join(stays))
    locks = []

    async def append(connection: Connection, _: Sequence[NightEvent]) -> None:
        locks.append(
            await connection.fetchval("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND mode ~ 'Exclus'")
        )

    assert await import_stays.import_files(provider_url, *files, append, ImportOptions(dry_run=True)) == 1
    assert max(locks) < CHUNK_ROWS + 50
    dry = capsys.readouterr()
    assert await provider_db.fetchval("SELECT count(*) FROM property") == 0
    assert await import_files(provider_url, *files) == 1

    wet = capsys.readouterr()
    assert dry.out == re.sub(r"(\d+) stored", r"\1 would be stored", wet.out)
    assert "line 1502: overlaps the stay from 2021-01-02 to 2021-01-04" in dry.err
    assert dry.err == wet.err


async def test_files_as_spreadsheets_write_them_are_imported(
    provider_url: Secret, provider_db: asyncpg.Pool, files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    files[0].write_text('Description;Property ID;Rating\r\n"Über; two\r\nlines";a;5\r\n', encoding="utf-16")
    files[1].write_bytes(b"property_id\tnights\tarrival\ra\t2\t2021-01-02\rb\xff\t1\t2021-01-02\r")

    assert await import_files(provider_url, *files) == 1

    captured = capsys.readouterr()
    assert captured.err.splitlines() == [
        "properties.csv: columns that are not known were ignored: Rating",
        "reservations.csv: line 3: is not valid UTF-8 or UTF-16",
    ]
    assert await provider_db.fetchval("SELECT description FROM property") == "Über; two\nlines"
    assert await provider_db.fetchval("SELECT count(*) FROM reservation") == 1


RULES = """property_id,description,on_sale,max_guests,Time zone,min_nights,turnover_days
a,A hut,yes,4,Europe/Berlin,2,1
b,A barn,no,,,,
"""
COLUMNS = "turnover_days, timezone, min_nights, max_guests, on_sale"


async def rules_of(db: asyncpg.Pool) -> dict[str, tuple[object, ...]]:
    """The columns of each property that may be missing in a file."""
    rows = await db.fetch(f"SELECT property_id, {COLUMNS} FROM property")
    return {row["property_id"]: tuple(row)[1:] for row in rows}


class TestRules:
    """Columns of properties that may be missing."""

    async def test_a_new_property_has_the_values_of_the_file_and_else_the_defaults(
        self, provider_url: Secret, provider_db: asyncpg.Pool, files: tuple[Path, Path]
    ) -> None:
        files[0].write_text(RULES)
        files[1].write_text("property_id,start_date,number_of_nights\nb,2021-01-02,2\n")

        assert await import_files(provider_url, *files) == 0

        assert await rules_of(provider_db) == {"a": (1, "Europe/Berlin", 2, 4, True), "b": (0, None, 1, None, False)}
        zones = [row["timezone"] for row in await provider_db.fetch("SELECT timezone FROM property_time_zone")]
        assert "Europe/Berlin" in zones
        assert await provider_db.fetchval("SELECT count(*) FROM reservation") == 1, "imports are facts, sold or not"

    async def test_a_chunk_of_properties_needs_few_statements(self, provider_db: asyncpg.Pool) -> None:
        """It holds the locks of its properties meanwhile."""
        rows = [(line, f"p{line}", "A hut", 1, "Europe/Berlin", 2, 4, True) for line in range(2, 102)]
        result, statements = ImportResult("properties.csv"), []
        async with provider_db.acquire() as connection:
            with connection.query_logger(lambda query: statements.append(query.query)):
                await import_properties(connection, iter(rows), result)

        assert (result.stored, result.changed) == (100, [])
        assert len(statements) < 10
        assert set((await rules_of(provider_db)).values()) == {(1, "Europe/Berlin", 2, 4, True)}

    async def test_a_dry_run_tells_what_would_change_and_a_run_changes_it_once(
        self,
        provider_url: Secret,
        provider_db: asyncpg.Pool,
        files: tuple[Path, Path],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        files[0].write_text(RULES)
        files[1].write_text("property_id,start_date,number_of_nights\n")
        await import_files(provider_url, *files)
        before = await rules_of(provider_db)
        files[0].write_text(
            "property_id,description,on_sale,min_nights,timezone,max_guests\n"
            "a,Another text,no,2,Asia/Tokyo,6\nb,A barn,false,,,\nc,A house,yes,3,,\nb,A barn,1,,,2\n"
        )
        capsys.readouterr()

        dry = ImportOptions(dry_run=True)
        assert await import_stays.import_files(provider_url, *files, append_events, dry) == 0

        assert capsys.readouterr().out.splitlines()[:3] == [
            "properties.csv: 1 would be stored, 1 already stored, 2 would be changed, 0 rejected",
            "properties.csv: line 2: a: timezone from Europe/Berlin to Asia/Tokyo, max_guests from 4 to 6, "
            "on_sale from yes to no",
            "properties.csv: line 5: b: max_guests from none to 2, on_sale from no to yes",
        ]
        assert await rules_of(provider_db) == before
        assert await import_files(provider_url, *files) == 0
        assert capsys.readouterr().out.splitlines()[:3] == [
            "properties.csv: 1 stored, 1 already stored, 2 changed, 0 rejected",
            "properties.csv: line 2: a: timezone from Europe/Berlin to Asia/Tokyo, max_guests from 4 to 6, "
            "on_sale from yes to no",
            "properties.csv: line 5: b: max_guests from none to 2, on_sale from no to yes",
        ]
        changed = {"a": (1, "Asia/Tokyo", 2, 6, False), "b": (0, None, 1, 2, True), "c": (0, None, 3, None, True)}
        assert await rules_of(provider_db) == changed
        assert await provider_db.fetchval("SELECT description FROM property WHERE property_id = 'a'") == "A hut"

    async def test_what_changes_is_what_searches_read(
        self, provider_url: Secret, provider_db: asyncpg.Pool, files: tuple[Path, Path]
    ) -> None:
        """The recount after each test compares the free stretches too."""
        files[0].write_text(RULES)
        files[1].write_text("property_id,start_date,number_of_nights\n")
        await import_files(provider_url, *files)
        files[0].write_text("property_id,description,on_sale,max_guests\na,A hut,no,4\nb,A barn,yes,3\n")

        await import_files(provider_url, *files)

        rows = await provider_db.fetch("SELECT property_id, max_guests FROM free_stretch")
        assert [tuple(row) for row in rows] == [("b", 3)]

    @pytest.mark.parametrize(
        ("column", "cell", "reason"),
        [
            ("timezone", "Mars", "must be UTC or the time zone of a region, such as Europe/Berlin"),
            ("min_nights", "0", "must be a whole number from 1 to 365"),
            ("max_guests", "1001", "must be a whole number from 1 to 1000"),
            ("max_guests", "2.0", "must be a whole number from 1 to 1000"),
            ("turnover_days", "-1", "must be a whole number from 0 to 365"),
            ("on_sale", "perhaps", "must be yes or no"),
        ],
    )
    async def test_a_value_that_is_not_valid_rejects_the_line(
        self,
        provider_url: Secret,
        provider_db: asyncpg.Pool,
        files: tuple[Path, Path],
        capsys: pytest.CaptureFixture[str],
        column: str,
        cell: str,
        reason: str,
    ) -> None:
        files[0].write_text(f"property_id,description,{column}\na,A hut,{cell}\nb,A barn,\n")
        files[1].write_text("property_id,start_date,number_of_nights\n")

        assert await import_files(provider_url, *files) == 1

        assert capsys.readouterr().err == f"properties.csv: line 2: {column} {reason}\n"
        assert list(await rules_of(provider_db)) == ["b"]


async def test_files_without_a_row_exit_with_1(provider_url: Secret, files: tuple[Path, Path]) -> None:
    files[0].write_text("property_id,description\n")
    files[1].write_text("property_id,start_date,number_of_nights\n")
    assert await import_files(provider_url, *files) == 1
