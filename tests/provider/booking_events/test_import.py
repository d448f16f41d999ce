"""`python -m provider import FILE`, with valid, invalid and damaged files."""

import csv
import gzip
import lzma
import random
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.config import Secret
from common.csv_import import ImportOptions
from provider.booking_events import cli, import_csv, queries
from provider.booking_events.cli import import_event_file
from tests.support.applications import ROOT, process_environment, run_process, start_process
from tests.support.citus import cluster_of_environment
from tests.support.waiting import eventually

REAL = ROOT.parent / "shared" / "data" / "hotel_booking_events.csv.gz"
HEADER = "id,hotel_id,event_timestamp,status,room_id,night_of_stay\n"
INTERRUPTED = "nightaudit: interrupted; stored rows stay, and the command can be run again"
UUID = "6f1c2b1e-9a51-4c3f-8f57-0d5b7f5a2c11"


def line(number: int, **changes: Any) -> str:
    row = {
        "id": number,
        "hotel_id": 1,
        "event_timestamp": "2020-01-01T00:00:00Z",
        "status": 1,
        "room_id": 5,
        "night_of_stay": "2020-01-05",
    }
    return ",".join(map(str, {**row, **changes}.values())) + "\n"


Import = Callable[..., Any]


@pytest.fixture
def load(provider_url: Secret, tmp_path: Path) -> Import:
    """Imports a file with the given content; returns the exit status."""

    async def load(content: str | bytes, name: str = "events.csv") -> int:
        data = content.encode() if isinstance(content, str) else content
        (tmp_path / name).write_bytes(data)
        return await import_event_file(provider_url, tmp_path / name)

    return load


async def ids(db: asyncpg.Pool) -> list[int]:
    return [row["id"] for row in await db.fetch("SELECT id FROM booking_event ORDER BY id")]


async def test_the_columns_may_come_in_any_order_and_instants_in_the_forms_of_files(
    load: Import, provider_db: asyncpg.Pool
) -> None:
    content = (
        "room_reservation_id,night_of_stay,id,status,event_timestamp,hotel_id\n"
        f"{UUID},2020-01-05,1,1,2020-01-01 12:30:00,7\n"
        f"{UUID.upper()},2020-01-05,2,2,2020-01-01 12:30:00.25,7\n"
        "12,2020-01-05,3,1,2020-01-01T12:30:00+02:00,7\n"
        "9223372036854775807,2020-01-05,9223372036854775807,1,2020-01-01 12:30:00+02:00,9223372036854775807\n"
        "12,2020-01-05,4,1,2020-01-01 12:30:00+00,7\n"
        "12,2020-01-05,5,1,2020-01-01 12:30 UTC,7\n"
        "12,2020-01-05,6,1,2020-01-01T12:30:00.000+0000,7\n"
    )

    assert await load(content) == 0
    at_half_past = "SELECT id FROM booking_event WHERE event_timestamp = '2020-01-01 12:30Z' ORDER BY id"
    assert [row["id"] for row in await provider_db.fetch(at_half_past)] == [1, 4, 5, 6]
    bodies = [
        row["body"]
        for row in await provider_db.fetch("SELECT body FROM booking_event WHERE id NOT IN (4, 5, 6) ORDER BY id")
    ]
    assert bodies == [
        f'{{"id":1,"hotel_id":7,"event_timestamp":"2020-01-01T12:30:00.000000Z","status":1,"room_id":"{UUID}",'
        '"night_of_stay":"2020-01-05"}',
        '{"id":2,"hotel_id":7,"event_timestamp":"2020-01-01T12:30:00.250000Z","status":2,'
        f'"room_id":"{UUID.upper()}","night_of_stay":"2020-01-05"}}',
        '{"id":3,"hotel_id":7,"event_timestamp":"2020-01-01T10:30:00.000000Z","status":1,"room_id":12,'
        '"night_of_stay":"2020-01-05"}',
        '{"id":9223372036854775807,"hotel_id":9223372036854775807,"event_timestamp":"2020-01-01T10:30:00.000000Z",'
        '"status":1,"room_id":9223372036854775807,"night_of_stay":"2020-01-05"}',
    ]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("\ufeff" + HEADER + line(1) + line(2), "events.csv"),
        ((HEADER + line(1) + line(2)).replace("\n", "\r\n"), "events.csv"),
        (HEADER + line(1) + "\n\r\n  \n" + line(2).rstrip(), "events.csv"),
        (
            HEADER
            + '"1","1","2020-01-01 00:00:00","1","5","2020-01-05"\n'
            + " 2 , 1 ,2020-01-01T00:00:00Z,1,5,2020-01-05",
            "e",
        ),
        (gzip.compress((HEADER + line(1) + line(2)).encode()), "events.csv.gz"),
        (gzip.compress((HEADER + line(1)).encode()) + gzip.compress(line(2).encode()), "events.csv.gz"),
        ('"id","hotel_id","event_timestamp","status","room_id","night_of_stay"\n' + line(2) + line(1), "events.csv"),
        (lzma.compress((HEADER + line(1) + line(2)).encode()), "events.csv.xz"),
        (gzip.compress((HEADER + line(1) + line(2)).encode()), "events"),
        (("sep=;\n" + HEADER + line(1) + line(2)).replace(",", ";").encode("utf-16"), "events.csv"),
        (HEADER.replace(",", ",Note,", 1) + '1,"two\nlines",' + line(1)[2:] + "2,," + line(2)[2:], "events.csv"),
        (HEADER + line(1, event_timestamp=1577836800) + line(2, event_timestamp=1577836800000), "events.csv"),
    ],
    ids=[
        "BOM",
        "CRLF",
        "empty lines",
        "quotes and spaces",
        "gzip",
        "two gzip members",
        "quoted header",
        "xz",
        "gzip without its name",
        "semicolons in UTF-16",
        "a column more, with a line break",
        "epoch times",
    ],
)
async def test_files_in_the_formats_that_programs_write_are_accepted(
    load: Import, provider_db: asyncpg.Pool, content: str | bytes, name: str
) -> None:
    assert await load(content, name) == 0
    assert await ids(provider_db) == [1, 2]


async def test_invalid_lines_are_reported_and_the_valid_ones_stored(
    load: Import, provider_db: asyncpg.Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    ahead = (datetime.now(UTC) + timedelta(days=1, hours=1)).isoformat()
    content = HEADER + "".join(
        [
            line(1),
            line(0),
            line(3, status=3, night_of_stay="2020-02-30"),
            line(4, event_timestamp="2020-01-01"),
            line(5, event_timestamp=ahead),
            line(6, room_id="x"),
            line(2**63),
            "8,1,2020-01-01T00:00:00Z,1,5\n",
            '9,"1,2020-01-01T00:00:00Z,1,5,2020-01-05\n',
            "\n",
            line(11, night_of_stay="9999-12-31"),
            "x" * 50_000 + "\n",
            "\x00\x01\n",
            line(14, hotel_id="١"),
            line(15),
        ]
    )

    assert await load(content) == 1
    assert await ids(provider_db) == [1, 15]
    out, err = capsys.readouterr()
    assert "2 stored, 0 already stored, 12 rejected" in out
    reported = dict(each.removeprefix("events.csv: ").split(": ", 1) for each in err.splitlines())
    assert sorted(reported, key=lambda name: int(name.split()[1])) == [
        f"line {number}" for number in (3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15)
    ]
    assert reported["line 4"] == "status must be 1 or 2; night_of_stay is not a valid date"
    assert reported["line 9"] == "has 5 columns instead of 6"
    assert reported["line 10"] == "is not valid CSV: unexpected end of data"
    assert "future" in reported["line 6"]
    assert reported["line 13"] == "is longer than 10000 bytes"


async def test_the_same_file_again_stores_nothing(
    load: Import, provider_db: asyncpg.Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    content = HEADER + line(1, room_id=UUID) + line(2)
    assert await load(content) == 0
    assert await load(content.replace("00:00Z", "00:00+00:00").replace(UUID, UUID.upper()) + line(3)) == 0

    assert await ids(provider_db) == [1, 2, 3]
    assert "1 stored, 2 already stored, 0 rejected" in capsys.readouterr().out


async def test_an_id_with_other_content_is_a_rejected_line(
    load: Import, provider_db: asyncpg.Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await load(HEADER + line(1)) == 0
    assert await load(HEADER + line(2) + line(1, hotel_id=2) + line(3, hotel_id=9) + line(3, hotel_id=2) + line(2)) == 1

    out, err = capsys.readouterr()
    assert "2 stored, 1 already stored, 2 rejected" in out
    assert err.splitlines() == [f"events.csv: line {line}: id is stored with different content" for line in (3, 5)]
    assert await provider_db.fetchval("SELECT hotel_id FROM booking_event WHERE id = 3") == 9


@pytest.mark.parametrize("damage", ["cut", "garbled"])
async def test_the_lines_before_the_end_of_a_damaged_file_are_stored(
    load: Import, provider_db: asyncpg.Pool, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    generator = random.Random(1)
    whole = gzip.compress(
        (HEADER + "".join(line(n, room_id=generator.randrange(1, 10**9)) for n in range(1, 40_001))).encode()
    )
    half = len(whole) // 2
    broken = whole[:half] if damage == "cut" else whole[:half] + bytes(64) + whole[half + 64 :]

    assert await load(broken, "events.csv.gz") == 1
    out, err = capsys.readouterr()
    stored = await ids(provider_db)
    assert f"{len(stored)} stored" in out
    assert stored[:10_000] == list(range(1, 10_001))
    last = re.fullmatch(r"events\.csv\.gz: line (\d+): cannot be read: .+", err.splitlines()[-1])
    assert last is not None
    if damage == "cut":  # in garbled data the rejected lines come before it too
        assert int(last[1]) == len(stored) + 2, "the header and the stored lines come before it"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"", "events.csv"),
        (b"", "events.csv.gz"),
        (gzip.compress(b""), "events.csv.gz"),
        (b"id,hotel_id\n1,1\n", "events.csv"),
        (HEADER.replace("status", "id").encode(), "events.csv"),
        (line(1).encode(), "events.csv"),
        (bytes(range(256)) * 1000, "events.csv"),
        (b'"\r' * 1000, "events.csv"),
        (b"no gzip at all", "events.csv.gz"),
        (gzip.compress(HEADER.encode())[:12], "events.csv.gz"),
    ],
    ids=[
        "empty",
        "empty with the name of gzip",
        "gzip of nothing",
        "two columns",
        "a column twice",
        "no header",
        "garbage",
        "quotes and returns",
        "no gzip",
        "the beginning of a gzip",
    ],
)
async def test_a_file_that_does_not_contain_events_is_reported_in_one_line(
    load: Import, provider_db: asyncpg.Pool, capsys: pytest.CaptureFixture[str], content: bytes, name: str
) -> None:
    assert await load(content, name) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert await ids(provider_db) == []


async def test_a_connection_that_is_lost_during_the_import_is_reported_in_one_line(
    load: Import, provider_db: asyncpg.Pool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_csv, "CHUNK_ROWS", 10)
    name = "copy_to_staging" if cluster_of_environment() else "copy_events"
    copy_events, calls = getattr(queries, name), []

    async def failing(connection: Any, rows: Any) -> None:
        calls.append(rows)
        if len(calls) == 3:
            pid = await connection.fetchval("SELECT pg_backend_pid()")
            await provider_db.execute("SELECT pg_terminate_backend($1)", pid)
        await copy_events(connection, rows)

    monkeypatch.setattr(queries, name, failing)
    content = HEADER + "".join(map(line, range(1, 101)))

    assert await load(content) == 1
    out, err = capsys.readouterr()
    assert "20 stored" in out
    (report,) = (each for each in err.splitlines() if '"logger":"asyncio"' not in each)
    assert "the import can be run again" in report
    assert await load(content) == 0
    assert await ids(provider_db) == list(range(1, 101))


async def test_the_transactions_of_an_import_are_bounded_in_time(provider_url: Secret) -> None:
    connection = await cli.connect(provider_url)
    try:
        assert await connection.fetchval("SHOW transaction_timeout") == "1min"
    finally:
        await connection.close()


def test_the_command_loads_a_file_and_reports_missing_ones(provider_url: Secret, tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text(HEADER + line(1) + line(0))
    environment = {"PROVIDER_DATABASE_URL": provider_url.reveal()}

    done = run_process("provider", "import", str(tmp_path / "events.csv"), environment=environment)
    missing = run_process("provider", "import", str(tmp_path / "none.csv"), environment=environment)
    folder = run_process("provider", "import", str(tmp_path), environment=environment)

    assert done.returncode == 1
    assert done.stdout == "events.csv: 1 stored, 0 already stored, 1 rejected\n"
    assert done.stderr == "events.csv: line 3: id must be a whole number from 1 to 2^63 - 1\n"
    for refused in (missing, folder):
        assert refused.returncode == 1
        assert len(refused.stderr.splitlines()) == 1
        assert refused.stderr.startswith("nightaudit: ")


async def test_ctrl_c_during_an_import_ends_the_command_with_one_line(
    provider_url: Secret, provider_db: asyncpg.Pool, tmp_path: Path
) -> None:
    file = tmp_path / "events.csv"
    file.write_text(HEADER + "".join(map(line, range(1, import_csv.CHUNK_ROWS + 2))))
    async with provider_db.acquire() as other, other.transaction():
        await other.execute("LOCK TABLE booking_event")
        environment = {"PROVIDER_DATABASE_URL": provider_url.reveal()}
        process = await start_process("provider", "import", str(file), environment=environment)
        await eventually(
            lambda: other.fetchval(
                "SELECT count(*) FROM pg_locks WHERE relation = 'booking_event'::regclass AND NOT granted"
            )
        )
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()

    assert (process.returncode, out, err.decode().splitlines()) == (130, b"", [INTERRUPTED])
    assert await ids(provider_db) == []


async def test_a_dry_run_counts_what_an_import_would_do_and_stores_nothing(
    provider_url: Secret, provider_db: asyncpg.Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "events.csv"
    path.write_text(HEADER + line(1) + line(2))
    assert await import_event_file(provider_url, path) == 0
    path.write_text(
        HEADER + line(1) + line(2, hotel_id=9) + line(3) + line(3) + line(3, hotel_id=9) + line(4) + line(0)
    )
    capsys.readouterr()

    assert await import_event_file(provider_url, path, ImportOptions(dry_run=True)) == 1
    checked = capsys.readouterr()
    assert await ids(provider_db) == [1, 2]
    assert await import_event_file(provider_url, path) == 1

    stored = capsys.readouterr()
    assert checked.out == "events.csv: 2 would be stored, 2 already stored, 3 rejected\n"
    assert checked == (stored.out.replace(" stored,", " would be stored,", 1), stored.err)


async def test_rejected_lines_are_written_to_a_file_whole(
    provider_url: Secret, provider_db: asyncpg.Pool, tmp_path: Path
) -> None:
    (tmp_path / "events.csv.gz").write_bytes(gzip.compress((HEADER + line(1) + line(0) + line(1, hotel_id=2)).encode()))
    options = ImportOptions(rejected=tmp_path / "rejected.csv")
    assert await import_event_file(provider_url, tmp_path / "events.csv.gz", options) == 1
    with (tmp_path / "rejected.csv").open(newline="") as file:
        found = list(csv.reader(file))
    assert found == [
        ["file", "line", "reason", "text"],
        ["events.csv.gz", "3", "id must be a whole number from 1 to 2^63 - 1", line(0).rstrip()],
        ["events.csv.gz", "4", "id is stored with different content", line(1, hotel_id=2).rstrip()],
    ]


async def test_a_file_without_rows_exits_with_1_and_says_so(load: Import, capsys: pytest.CaptureFixture[str]) -> None:
    assert await load(HEADER) == 1
    assert capsys.readouterr().err.splitlines()[0].endswith("events.csv: the file contains no rows")


async def test_an_id_that_a_spreadsheet_has_rounded_is_named(load: Import, capsys: pytest.CaptureFixture[str]) -> None:
    assert await load(HEADER + line(1) + "1.48E+18" + line(1)[1:]) == 1
    assert capsys.readouterr().err == (
        "events.csv: line 3: id must be a whole number from 1 to 2^63 - 1; a spreadsheet has rounded it\n"
    )


def test_the_command_reads_a_pipe(provider_url: Secret, tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text(HEADER + line(1))
    command = [sys.executable, "-m", "provider", "import", "/dev/stdin"]
    environment = process_environment({"PROVIDER_DATABASE_URL": provider_url.reveal()})
    with subprocess.Popen(["cat", "events.csv"], cwd=tmp_path, stdout=subprocess.PIPE) as cat:
        done = subprocess.run(command, stdin=cat.stdout, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "stdin: 1 stored, 0 already stored, 0 rejected\n", "")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
async def test_no_file_ends_in_anything_but_a_report(
    provider_url: Secret, tmp_path: Path, capsys: pytest.CaptureFixture[str], data: st.DataObject
) -> None:
    """A valid file with parts replaced by what hypothesis thinks of."""
    written = bytearray((HEADER + line(1) + line(2) + line(3)).encode())
    for _ in range(data.draw(st.integers(0, 3))):
        start = data.draw(st.integers(0, len(written)))
        written[start : start + data.draw(st.integers(0, 5))] = data.draw(st.binary(max_size=5))
    (tmp_path / "events.csv").write_bytes(written)
    assert await import_event_file(provider_url, tmp_path / "events.csv") in (0, 1)
    out, err = capsys.readouterr()
    assert out.startswith("events.csv: ") or err.startswith("nightaudit: ")


@pytest.mark.skipif(not REAL.exists(), reason="the real data are not installed")
async def test_the_real_data_are_loaded_completely(
    provider_url: Secret, provider_db: asyncpg.Pool, tmp_path: Path
) -> None:
    assert await import_event_file(provider_url, REAL) == 0

    recount = sqlite3.connect(":memory:")
    with gzip.open(REAL, "rt") as file:
        names = file.readline().strip().split(",")
        recount.execute(f"CREATE TABLE event ({', '.join(names)})")
        places = ",".join("?" * len(names))
        recount.executemany(f"INSERT INTO event VALUES ({places})", (each.rstrip().split(",") for each in file))
    by_night = "SELECT hotel_id, status, {night}, count(*) FROM {table} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    expected = recount.execute(
        by_night.format(night="night_of_stay", table="event").replace("hotel_id,", "hotel_id + 0,", 1)
    ).fetchall()
    recount.close()
    found = await provider_db.fetch(by_night.format(night="night_of_stay::text", table="booking_event"))
    assert [(hotel, int(status), night, count) for hotel, status, night, count in expected] == [
        tuple(row) for row in found
    ]
