"""After kills, interrupted work and foreign files the embedded server starts, or reports the reason in one line."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from common.devstack import cluster
from common.devstack.cluster_owner import binaries
from common.devstack.embedded import UNSAFE_FAST_SETTINGS, EmbeddedError, attach
from tests.support.applications import process_environment
from tests.support.databases import fetch_value
from tests.support.processes import kill, postmaster_pid, processes_of, user, watchdog_pid
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow


def test_a_server_without_users_and_watchdog_is_taken_over(data_dir: Path) -> None:
    with user(data_dir) as only:
        kill(watchdog_pid(data_dir))
        only.kill()
        orphan = postmaster_pid(data_dir)
        with attach(data_dir):
            assert postmaster_pid(data_dir) == orphan
    assert processes_of(data_dir) == []


async def test_a_killed_server_is_restarted_for_its_users(data_dir: Path) -> None:
    with attach(data_dir) as server:
        server.ensure_database("hotel")
        await fetch_value(server.url("hotel"), "CREATE TABLE guest AS SELECT 1 AS id")
        assert server.ensure_running() is False
        kill(postmaster_pid(data_dir))
        assert server.ensure_running() is True
        assert await fetch_value(server.url("hotel"), "SELECT id FROM guest") == 1
        kill(postmaster_pid(data_dir))
        with attach(data_dir) as second:
            assert await fetch_value(second.url("hotel"), "SELECT id FROM guest") == 1
    assert processes_of(data_dir) == []


async def test_the_next_start_works_after_everything_was_killed(data_dir: Path) -> None:
    with attach(data_dir) as server:
        server.ensure_database("hotel")
        await fetch_value(server.url("hotel"), "CREATE TABLE guest AS SELECT 1 AS id")
        with user(data_dir) as killed:
            # A busy backend does not notice that its postmaster has been killed.
            busy = subprocess.Popen(
                [
                    binaries() / "psql",
                    "-XAtc",
                    "SELECT sum(i) FROM generate_series(1, 1e12) i",
                    server.url("hotel"),
                ],
                stderr=subprocess.DEVNULL,
            )
            activity = "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'SELECT sum%'"
            await eventually(lambda: fetch_value(server.url("hotel"), activity))
            kill(watchdog_pid(data_dir))
            kill(postmaster_pid(data_dir))
            killed.kill()
            with attach(data_dir) as again:
                assert await fetch_value(again.url("hotel"), "SELECT id FROM guest") == 1
                assert await fetch_value(again.url("hotel"), activity) is False
            busy.kill()
            busy.wait()
    assert processes_of(data_dir) == []


def test_a_stale_pid_file_that_names_another_process_does_not_prevent_the_start(data_dir: Path) -> None:
    with attach(data_dir, settings=UNSAFE_FAST_SETTINGS) as server:
        run_as = server.cluster.owner.run_as()
        written = (data_dir / "postgresql" / "postmaster.pid").read_text().split("\n", 1)[1]
        socket_lock = server.cluster.socket_dir / ".s.PGSQL.5432.lock"
        socket_lock_written = socket_lock.read_text().split("\n", 1)[1]
    other = subprocess.Popen(["sleep", "600"], cwd="/", **run_as)
    try:
        socket_lock.parent.mkdir(exist_ok=True, mode=0o700)
        if os.geteuid() == 0:
            server.cluster.owner.give(socket_lock.parent)
        (data_dir / "postgresql" / "postmaster.pid").write_text(f"{other.pid}\n{written}")
        socket_lock.write_text(f"{other.pid}\n{socket_lock_written}")
        with attach(data_dir, settings=UNSAFE_FAST_SETTINGS):
            assert postmaster_pid(data_dir) != other.pid
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


@pytest.mark.parametrize("written", ["", "12", "not a number\n", "0\n\n\n"])
def test_an_incomplete_pid_file_does_not_prevent_the_start(data_dir: Path, written: str) -> None:
    with attach(data_dir, settings=UNSAFE_FAST_SETTINGS):
        pass
    (data_dir / "postgresql" / "postmaster.pid").write_text(written)
    with attach(data_dir, settings=UNSAFE_FAST_SETTINGS):
        assert psutil.pid_exists(postmaster_pid(data_dir))


def test_an_interrupted_initialisation_is_repeated(data_dir: Path) -> None:
    (data_dir / "postgresql.new" / "base").mkdir(parents=True)
    (data_dir / "postgresql.new" / "PG_VERSION").write_text("18\n")
    with attach(data_dir, settings=UNSAFE_FAST_SETTINGS):
        assert not (data_dir / "postgresql.new").exists()


def test_a_symbolic_link_in_place_of_the_short_socket_directory_is_refused(public_dir: Path) -> None:
    data_dir = public_dir / ("a" * 120)
    with attach(data_dir, settings=UNSAFE_FAST_SETTINGS) as server:
        short = server.cluster.socket_dir
    short.symlink_to(public_dir)
    try:
        with pytest.raises(EmbeddedError, match=r"belongs to another user; remove it$"), attach(data_dir):
            pass
    finally:
        short.unlink()


def test_a_cluster_of_another_major_version_is_named(data_dir: Path) -> None:
    with attach(data_dir, settings=UNSAFE_FAST_SETTINGS):
        pass
    (data_dir / "postgresql" / "PG_VERSION").write_text("9\n")
    expected = r"^.*postgresql was created by PostgreSQL 9, but \d+ is installed; .*$"
    with pytest.raises(EmbeddedError, match=expected), attach(data_dir):
        pass
    assert processes_of(data_dir) == []


def test_a_directory_that_is_not_a_cluster_is_left_unchanged(data_dir: Path) -> None:
    (data_dir / "postgresql").mkdir(parents=True)
    (data_dir / "postgresql" / "letter.txt").write_text("keep")
    with pytest.raises(EmbeddedError, match=r"is not a PostgreSQL cluster"), attach(data_dir):
        pass
    assert (data_dir / "postgresql" / "letter.txt").read_text() == "keep"


def test_a_data_directory_that_is_a_file_is_named(public_dir: Path) -> None:
    (public_dir / "data").write_text("")
    expected = r"data.* cannot be used: .*; set NIGHTAUDIT_DATA_DIR to another directory$"
    with pytest.raises(EmbeddedError, match=expected), attach(public_dir / "data"):
        pass


def test_the_reason_of_a_failed_start_is_reported_in_one_line(data_dir: Path) -> None:
    with pytest.raises(EmbeddedError) as caught, attach(data_dir, settings={"shared_buffers": "a lot"}):
        pass
    assert str(caught.value).startswith("PostgreSQL did not start: ")
    assert "shared_buffers" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert processes_of(data_dir) == []
    with attach(data_dir, settings=UNSAFE_FAST_SETTINGS):
        assert psutil.pid_exists(postmaster_pid(data_dir))


def test_the_reason_of_a_failed_initialisation_is_reported_in_one_line(data_dir: Path) -> None:
    """A limit on the size of files stands for a full disk."""
    script = """
import resource, signal, sys
from pathlib import Path
from common.devstack.embedded import EmbeddedError, attach
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    with attach(Path(sys.argv[1])):
        pass
except EmbeddedError as fault:
    print(fault)
"""
    ended = subprocess.run(
        [sys.executable, "-c", script, str(data_dir)],
        env=process_environment({}),
        cwd="/",
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert ended.stderr == ""
    assert ended.stdout.startswith("initdb failed: "), ended.stdout
    assert "File too large" in ended.stdout
    assert ended.stdout.count("\n") == 1
    assert processes_of(data_dir) == []


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("bootstrap\nFATAL:  No space left\nchild ended\ninitdb: removing contents\n", "FATAL:  No space left"),
        ("initdb: error: No space left\ninitdb: removing\n", "initdb: error: No space left"),
        ("something\nlast\n", "last"),
        ("", "it gave no reason"),
    ],
)  # fmt: skip
def test_the_reason_is_the_first_complaint(output: str, reason: str) -> None:
    assert cluster._reason(output) == reason


def test_a_database_is_created_again_after_a_lost_connection_alone(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    statuses: list[int] = []

    def run(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], statuses.pop(0), "", "ERROR:  no\nspace")

    with attach(data_dir) as server, monkeypatch.context() as patch:
        patch.setattr(subprocess, "run", run)
        patch.setattr(time, "sleep", lambda _: None)
        statuses += [2, 2, 0]
        server.ensure_database("hotel")
        for failing in ([1], [2, 3]):
            statuses += failing
            with pytest.raises(EmbeddedError, match="hotel could not be created: ERROR: no space"):
                server.ensure_database("hotel")
            assert statuses == []
