"""`python -m dashboard import-stores`."""

import gzip
import lzma
import subprocess
import sys
from pathlib import Path

import asyncpg
from tests.dashboard.uptime.conftest import HOURS, STATUS, ZONES

from applications import environment_of
from common.config import Secret
from conftest import QUIET

POLL = "1,active,2023-01-23 16:14:00 UTC\n"


def run(url: Secret, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dashboard", "import-stores", *arguments],
        env=environment_of("dashboard", 0, {**QUIET, "DASHBOARD_PORT": "1", "DASHBOARD_DATABASE_URL": url.reveal()}),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


async def test_files_come_in_packed_or_not(dashboard_url: Secret, dashboard_db: asyncpg.Pool, tmp_path: Path) -> None:
    (tmp_path / "s.csv.xz").write_bytes(lzma.compress((STATUS + POLL).encode()))
    (tmp_path / "h.csv.gz").write_bytes(gzip.compress((HOURS + "1,0,09:00:00,12:00:00\n").encode()))
    (tmp_path / "z.csv").write_text(ZONES + "1,Europe/London\n")
    done = run(dashboard_url, tmp_path, "--status", "s.csv.xz", "--business-hours", "h.csv.gz", "--timezones", "z.csv")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "z.csv: 1 rows, 1 new, 0 rejected",
        "h.csv.gz: 1 rows, 1 new, 0 rejected",
        "s.csv.xz: 1 rows, 1 new, 0 rejected",
    ]
    assert await dashboard_db.fetchval("SELECT string_agg(source, ' ' ORDER BY import_id) FROM store_import") == (
        "z.csv h.csv.gz s.csv.xz"
    )


async def test_rejected_lines_and_refused_files_end_it_with_1_and_lose_nothing_else(
    dashboard_url: Secret, dashboard_db: asyncpg.Pool, tmp_path: Path
) -> None:
    (tmp_path / "s.csv").write_text(STATUS + "1,open,2023-01-23 16:14:00 UTC\n" + POLL)
    (tmp_path / "h.csv").write_text("nonsense\n")
    done = run(dashboard_url, tmp_path, "--status", "s.csv", "--business-hours", "h.csv", "--timezones", "none.csv")
    folder = run(dashboard_url, tmp_path, "--status", ".")
    assert (folder.returncode, folder.stderr) == (1, "nightaudit: .: is a directory\n")
    assert done.returncode == 1
    assert done.stdout.splitlines() == ["s.csv: 2 rows, 1 new, 1 rejected"]
    assert "line 2: status must be active or inactive, not 'open'" in done.stderr
    assert "h.csv: The file was refused: its header" in done.stderr
    assert "none.csv: no such file or directory" in done.stderr
    assert "Traceback" not in done.stderr
    assert await dashboard_db.fetchval("SELECT count(*) FROM store_poll") == 1


async def test_no_file_at_all_is_told(dashboard_url: Secret, tmp_path: Path) -> None:
    done = run(dashboard_url, tmp_path)
    assert done.returncode == 1
    assert "no file is named" in done.stderr
