"""`python -m dashboard import-stores`."""

import gzip
import lzma
import signal
import subprocess
from pathlib import Path

import asyncpg

from common.config import Secret
from tests.conftest import TEST_ENVIRONMENT
from tests.dashboard.uptime.conftest import HOURS, STATUS, ZONES
from tests.support.applications import run_process, start_process
from tests.support.waiting import eventually

POLL = "1,active,2023-01-23 16:14:00 UTC\n"
WAITING = "SELECT pid FROM pg_locks WHERE relation = 'store_poll'::regclass AND NOT granted LIMIT 1"
"""The backend of the command while a test has locked the table."""


def environment(url: Secret) -> dict[str, str]:
    return {**TEST_ENVIRONMENT, "DASHBOARD_DATABASE_URL": url.reveal()}


def run_import(url: Secret, folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return run_process("dashboard", "import-stores", *arguments, environment=environment(url), folder=folder)


async def test_files_are_imported_compressed_or_not(
    dashboard_url: Secret, dashboard_db: asyncpg.Pool, tmp_path: Path
) -> None:
    (tmp_path / "s.csv.xz").write_bytes(lzma.compress((STATUS + POLL).encode()))
    (tmp_path / "h.csv.gz").write_bytes(gzip.compress((HOURS + "1,0,09:00:00,12:00:00\n").encode()))
    (tmp_path / "z.csv").write_text(ZONES + "1,Europe/London\n")
    result = run_import(
        dashboard_url, tmp_path, "--status", "s.csv.xz", "--business-hours", "h.csv.gz", "--timezones", "z.csv"
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        "z.csv: 1 row, 1 new, 0 rejected",
        "h.csv.gz: 1 row, 1 new, 0 rejected",
        "s.csv.xz: 1 row, 1 new, 0 rejected",
    ]
    assert await dashboard_db.fetchval("SELECT string_agg(source, ' ' ORDER BY import_id) FROM store_import") == (
        "z.csv h.csv.gz s.csv.xz"
    )


async def test_rejected_lines_and_refused_files_exit_with_1_and_the_rest_is_imported(
    dashboard_url: Secret, dashboard_db: asyncpg.Pool, tmp_path: Path
) -> None:
    (tmp_path / "s.csv").write_text(STATUS + "1,open,2023-01-23 16:14:00 UTC\n" + POLL)
    (tmp_path / "h.csv").write_text("nonsense\n")
    result = run_import(
        dashboard_url, tmp_path, "--status", "s.csv", "--business-hours", "h.csv", "--timezones", "none.csv"
    )
    assert result.returncode == 1
    assert result.stdout.splitlines() == ["s.csv: 2 rows, 1 new, 1 rejected"]
    assert "s.csv: line 2: status 'open' must be active or inactive" in result.stderr
    assert "h.csv: The file was refused: the header must name the columns" in result.stderr
    assert "store_id, dayOfWeek, start_time_local, end_time_local are missing (it is 'nonsense')" in result.stderr
    assert "none.csv: No such file or directory" in result.stderr
    assert "Traceback" not in result.stderr
    assert await dashboard_db.fetchval("SELECT count(*) FROM store_poll") == 1


async def test_no_file_at_all_is_an_error(dashboard_url: Secret, tmp_path: Path) -> None:
    result = run_import(dashboard_url, tmp_path)
    assert result.returncode == 1
    assert "no file is given" in result.stderr


async def test_a_folder_instead_of_a_file_is_an_error(dashboard_url: Secret, tmp_path: Path) -> None:
    result = run_import(dashboard_url, tmp_path, "--status", str(tmp_path))
    assert result.returncode == 1
    assert result.stderr.splitlines() == [f"nightaudit: {tmp_path}: Is a directory"]


async def test_ctrl_c_ends_the_import_with_one_line(
    dashboard_url: Secret, dashboard_db: asyncpg.Pool, tmp_path: Path
) -> None:
    (tmp_path / "s.csv").write_text(STATUS + POLL)
    async with dashboard_db.acquire() as other, other.transaction():
        await other.execute("LOCK TABLE store_poll")
        process = await start_process(
            "dashboard", "import-stores", "--status", "s.csv", environment=environment(dashboard_url), folder=tmp_path
        )
        await eventually(lambda: other.fetchval(WAITING))
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()

    assert (process.returncode, out) == (130, b"")
    assert err.decode().splitlines() == ["nightaudit: interrupted; stored rows stay, and the command can be run again"]
    assert await dashboard_db.fetchval("SELECT count(*) FROM store_poll") == 0


async def test_a_lost_connection_to_postgresql_is_reported_in_one_line(
    dashboard_url: Secret, dashboard_db: asyncpg.Pool, tmp_path: Path
) -> None:
    (tmp_path / "s.csv").write_text(STATUS + POLL)
    async with dashboard_db.acquire() as other, other.transaction():
        await other.execute("LOCK TABLE store_poll")
        process = await start_process(
            "dashboard", "import-stores", "--status", "s.csv", environment=environment(dashboard_url), folder=tmp_path
        )
        await other.execute("SELECT pg_terminate_backend($1)", await eventually(lambda: other.fetchval(WAITING)))
        out, err = await process.communicate()

    assert (process.returncode, out) == (1, b"")
    (message,) = err.decode().splitlines()
    assert message.startswith("nightaudit: s.csv: PostgreSQL failed; the import may be run again (")


async def test_an_option_may_be_repeated_and_a_dry_run_stores_nothing(
    dashboard_url: Secret, dashboard_db: asyncpg.Pool, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text(STATUS + POLL)
    (tmp_path / "b.csv").write_text(STATUS + POLL.replace("16:14", "17:14") + "2,open,2023-01-23 16:14:00\n")
    arguments = ("--status", "a.csv", "--status", "b.csv", "--rejected", "rejected.csv")
    checked = run_import(dashboard_url, tmp_path, *arguments, "--dry-run")
    assert checked.returncode == 1
    assert checked.stdout.splitlines() == [
        "a.csv: 1 row, 1 would be new, 0 rejected",
        "b.csv: 2 rows, 1 would be new, 1 rejected",
    ]
    assert await dashboard_db.fetchval("SELECT count(*) FROM store_import") == 0
    stored = run_import(dashboard_url, tmp_path, *arguments)
    assert stored.stdout == checked.stdout.replace("would be ", "")
    assert await dashboard_db.fetchval("SELECT count(*) FROM store_poll") == 2
    assert (tmp_path / "rejected.csv").read_text().splitlines() == [
        "file,line,reason,text",
        "b.csv,3,status 'open' must be active or inactive,\"2,open,2023-01-23 16:14:00\"",
    ]


async def test_a_file_without_a_valid_row_exits_with_1(dashboard_url: Secret, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(STATUS)
    (tmp_path / "z.csv").write_text(ZONES + "1,Nowhere\n")
    result = run_import(dashboard_url, tmp_path, "--status", "s.csv", "--timezones", "z.csv")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        "nightaudit: z.csv: The file was refused: its only row is not valid.",
        "z.csv: line 2: timezone_str 'Nowhere' is not a known time zone",
        "nightaudit: s.csv: The file was refused: the file contains no rows.",
    ]


async def test_the_files_of_the_source_are_pulled_by_a_command(
    dashboard_url: Secret, dashboard_db: asyncpg.Pool, tmp_path: Path
) -> None:
    (tmp_path / "store status.csv").write_text(STATUS + POLL)
    (tmp_path / "notes.csv").write_text("a;b\n")
    settings = {**environment(dashboard_url), "DASHBOARD_STORES_URL": str(tmp_path)}
    first = run_process("dashboard", "pull-stores", environment=settings)
    assert first.returncode == 1
    assert first.stdout == "1 file, 0 unchanged, 1 row, 1 new, 0 rejected, 1 not read\n"
    assert "notes.csv" in first.stderr + first.stdout
    (tmp_path / "notes.csv").unlink()
    again = run_process("dashboard", "pull-stores", "--all", environment=settings)
    assert (again.returncode, again.stdout) == (0, "1 file, 0 unchanged, 1 row, 0 new, 0 rejected, 0 not read\n")
    nowhere = run_process("dashboard", "pull-stores", environment={**settings, "DASHBOARD_STORES_URL": "/nowhere"})
    assert nowhere.stderr.splitlines()[-1] == "nightaudit: /nowhere: No such file or directory"
