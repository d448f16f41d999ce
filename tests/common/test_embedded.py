"""The embedded server: who starts it, who shares it, who stops it, and what a kill leaves."""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import asyncpg
import psutil
import pytest

from applications import SOURCE
from common import cluster, cluster_owner, embedded
from common.cluster_owner import SYSTEM_USER, binaries, owner_of
from common.embedded import FORGETFUL, EmbeddedError, attach
from processes import User, can_run, kill, postmaster, processes_of, user, watchdog
from waiting import eventually, wait_until

pytestmark = pytest.mark.slow

AS_ROOT = os.geteuid() == 0


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that every user can reach. `tmp_path` is closed to others, again by each run of pytest."""
    with tempfile.TemporaryDirectory(prefix="nightaudit-test-") as path:
        Path(path).chmod(0o711)
        yield Path(path)


@pytest.fixture
def data_dir(place: Path) -> Iterator[Path]:
    """A data directory of which nothing runs after the test, whatever the test left."""
    path = place / "data"
    yield path
    for process in processes_of(path):
        process.kill()


@pytest.fixture(scope="session")
def ordinary() -> Callable[..., User]:
    """Starts a user that is not root: `nobody` where the tests run as root."""
    if not AS_ROOT:
        return User
    nobody = pwd.getpwnam("nobody").pw_uid
    for name in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        if can_run(Path(name), nobody):
            return partial(User, python=Path(name), uid=nobody)
    pytest.skip("no user but root can run a Python with this source")


async def value(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_the_server_is_made_started_and_stopped_and_the_data_survives(data_dir: Path) -> None:
    with attach(data_dir, settings=FORGETFUL) as server:
        server.ensure_database("hotel")
        await value(server.url("hotel"), "CREATE TABLE guest AS SELECT 'Zoë'::text AS name")
    assert processes_of(data_dir) == []
    with attach(data_dir, settings=FORGETFUL) as server:
        server.ensure_database("hotel")
        assert await value(server.url("hotel"), "SELECT upper(name) FROM guest") == "ZOË"
    assert processes_of(data_dir) == []


async def test_the_server_listens_on_nothing_but_a_socket_of_its_owner(data_dir: Path) -> None:
    with attach(data_dir, settings=FORGETFUL) as server:
        assert psutil.Process(postmaster(data_dir)).net_connections("inet") == []
        socket = server.cluster.socket_dir / ".s.PGSQL.5432"
        assert socket.stat().st_mode & 0o777 == 0o700
        assert socket.stat().st_uid == owner_of(data_dir / "postgresql").uid
        assert await value(server.url("postgres"), "SHOW listen_addresses") == ""


async def test_settings_are_durable_by_default_and_may_be_overridden(data_dir: Path) -> None:
    with attach(data_dir, settings={"work_mem": "5MB"}) as server:
        url = server.url("postgres")
        assert [await value(url, f"SHOW {name}") for name in ("fsync", "synchronous_commit")] == ["on", "on"]
        assert await value(url, "SHOW work_mem") == "5MB"
        assert await value(url, "SHOW timezone") == "UTC"


async def test_the_url_serves_psql_as_well(data_dir: Path) -> None:
    with attach(data_dir, settings=FORGETFUL) as server:
        server.ensure_database('odd "name", 1')
        shown = subprocess.run(
            [binaries() / "psql", "-XAtc", "SELECT current_database()", server.url('odd "name", 1')],
            capture_output=True,
            text=True,
            check=True,
        )
        assert shown.stdout.strip() == 'odd "name", 1'


def test_the_server_has_a_session_of_its_own(data_dir: Path) -> None:
    with attach(data_dir, settings=FORGETFUL):
        for pid in (postmaster(data_dir), watchdog(data_dir)):
            assert os.getsid(pid) == pid
            assert os.getpgid(pid) == pid


def test_users_share_one_server_and_the_last_to_leave_stops_it(data_dir: Path) -> None:
    with user(data_dir) as first, user(data_dir) as second:
        shared = postmaster(data_dir)
        first.leave()
        assert postmaster(data_dir) == shared
        assert psutil.pid_exists(shared)
        with attach(data_dir, settings=FORGETFUL):
            second.leave()
            assert postmaster(data_dir) == shared
    assert processes_of(data_dir) == []


def test_claims_of_one_process_count_one_by_one(data_dir: Path) -> None:
    with attach(data_dir, settings=FORGETFUL):
        with attach(data_dir):
            shared = postmaster(data_dir)
        assert psutil.pid_exists(shared)
    assert processes_of(data_dir) == []


async def test_many_that_start_at_once_get_one_server_and_one_database(data_dir: Path) -> None:
    users = [User(data_dir, "hotel") for _ in range(5)]
    assert [started.answer() for started in users] == ["attached"] * 5
    assert (data_dir / "postgresql.log").read_text().count("ready to accept connections") == 1
    with attach(data_dir) as server:
        count = "SELECT count(*) FROM pg_database WHERE datname = 'hotel'"
        assert await value(server.url("postgres"), count) == 1
    for started in users:
        started.leave()
    assert processes_of(data_dir) == []


def test_a_killed_user_has_left(data_dir: Path) -> None:
    with user(data_dir) as killed, user(data_dir) as other:
        shared = postmaster(data_dir)
        killed.kill()
        assert psutil.pid_exists(shared)
        other.leave()
    assert processes_of(data_dir) == []


def test_the_server_ends_when_its_only_user_is_killed(data_dir: Path) -> None:
    with user(data_dir) as only:
        only.kill()
        wait_until(lambda: processes_of(data_dir) == [])
    with user(data_dir):
        assert psutil.pid_exists(postmaster(data_dir))


def test_a_child_that_inherits_the_claim_is_a_user_until_it_ends(data_dir: Path) -> None:
    with attach(data_dir, settings=FORGETFUL) as server:
        child = subprocess.Popen(["sleep", "600"], pass_fds=[server.claim])
        shared = postmaster(data_dir)
    try:
        assert psutil.pid_exists(shared)
    finally:
        child.kill()
        child.wait()
    wait_until(lambda: processes_of(data_dir) == [])


def test_a_server_that_outlived_everything_is_taken_over(data_dir: Path) -> None:
    with user(data_dir) as only:
        kill(watchdog(data_dir))
        only.kill()
        left = postmaster(data_dir)
        with attach(data_dir):
            assert postmaster(data_dir) == left
    assert processes_of(data_dir) == []


async def test_a_killed_server_is_started_again_for_those_attached(data_dir: Path) -> None:
    with attach(data_dir) as server:
        server.ensure_database("hotel")
        await value(server.url("hotel"), "CREATE TABLE guest AS SELECT 1 AS id")
        assert server.ensure_running() is False
        kill(postmaster(data_dir))
        assert server.ensure_running() is True
        assert await value(server.url("hotel"), "SELECT id FROM guest") == 1
        kill(postmaster(data_dir))
        with attach(data_dir) as second:
            assert await value(second.url("hotel"), "SELECT id FROM guest") == 1
    assert processes_of(data_dir) == []


async def test_the_next_start_works_after_everything_was_killed(data_dir: Path) -> None:
    with attach(data_dir) as server:
        server.ensure_database("hotel")
        await value(server.url("hotel"), "CREATE TABLE guest AS SELECT 1 AS id")
        with user(data_dir) as killed:
            # A backend that computes does not notice that its postmaster has died.
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
            await eventually(lambda: value(server.url("hotel"), activity))
            kill(watchdog(data_dir))
            kill(postmaster(data_dir))
            killed.kill()
            with attach(data_dir) as again:
                assert await value(again.url("hotel"), "SELECT id FROM guest") == 1
                assert await value(again.url("hotel"), activity) is False
            busy.kill()
            busy.wait()
    assert processes_of(data_dir) == []


def test_a_stale_pid_file_that_names_a_stranger_does_not_stop_the_start(data_dir: Path) -> None:
    with attach(data_dir, settings=FORGETFUL) as server:
        run_as = server.cluster.owner.run_as()
        written = (data_dir / "postgresql" / "postmaster.pid").read_text().split("\n", 1)[1]
        socket_lock = server.cluster.socket_dir / ".s.PGSQL.5432.lock"
        socket_lock_written = socket_lock.read_text().split("\n", 1)[1]
    stranger = subprocess.Popen(["sleep", "600"], cwd="/", **run_as)
    try:
        socket_lock.parent.mkdir(exist_ok=True, mode=0o700)
        if AS_ROOT:
            server.cluster.owner.give(socket_lock.parent)
        (data_dir / "postgresql" / "postmaster.pid").write_text(f"{stranger.pid}\n{written}")
        socket_lock.write_text(f"{stranger.pid}\n{socket_lock_written}")
        with attach(data_dir, settings=FORGETFUL):
            assert postmaster(data_dir) != stranger.pid
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("written", ["", "12", "not a number\n", "0\n\n\n"])
def test_a_half_written_pid_file_does_not_stop_the_start(data_dir: Path, written: str) -> None:
    with attach(data_dir, settings=FORGETFUL):
        pass
    (data_dir / "postgresql" / "postmaster.pid").write_text(written)
    with attach(data_dir, settings=FORGETFUL):
        assert psutil.pid_exists(postmaster(data_dir))


def test_an_interrupted_initialisation_is_done_again(data_dir: Path) -> None:
    (data_dir / "postgresql.new" / "base").mkdir(parents=True)
    (data_dir / "postgresql.new" / "PG_VERSION").write_text("18\n")
    with attach(data_dir, settings=FORGETFUL):
        assert not (data_dir / "postgresql.new").exists()


@pytest.mark.parametrize("name", ["a" * 120, "mit Leerzeichen, Komma & Zeichen '%41' ü"])
async def test_a_path_that_no_socket_can_have_is_served_by_a_short_one(place: Path, name: str) -> None:
    data_dir = place / name
    with attach(data_dir, settings=FORGETFUL) as server:
        short = server.cluster.socket_dir
        assert len(str(short)) < 60
        assert short.stat().st_mode & 0o777 == 0o700
        assert await value(server.url("postgres"), "SELECT 1") == 1
    assert not short.exists()
    assert processes_of(data_dir) == []


def test_a_stranger_in_the_place_of_the_short_socket_directory_is_refused(place: Path) -> None:
    data_dir = place / ("a" * 120)
    with attach(data_dir, settings=FORGETFUL) as server:
        short = server.cluster.socket_dir
    short.symlink_to(place)
    try:
        with pytest.raises(EmbeddedError, match=r"is another user's: remove it$"), attach(data_dir):
            pass
    finally:
        short.unlink()


def test_a_cluster_of_another_major_version_is_named(data_dir: Path) -> None:
    with attach(data_dir, settings=FORGETFUL):
        pass
    (data_dir / "postgresql" / "PG_VERSION").write_text("9\n")
    expected = r"^.*postgresql was made by PostgreSQL 9, and this is \d+: .*$"
    with pytest.raises(EmbeddedError, match=expected), attach(data_dir):
        pass
    assert processes_of(data_dir) == []


def test_a_directory_that_is_no_cluster_is_left_alone(data_dir: Path) -> None:
    (data_dir / "postgresql").mkdir(parents=True)
    (data_dir / "postgresql" / "letter.txt").write_text("keep")
    with pytest.raises(EmbeddedError, match=r"is no PostgreSQL cluster"), attach(data_dir):
        pass
    assert (data_dir / "postgresql" / "letter.txt").read_text() == "keep"


def test_a_data_directory_that_is_a_file_is_named(place: Path) -> None:
    (place / "data").write_text("")
    expected = r"data.* cannot be used: .*NIGHTAUDIT_DATA_DIR$"
    with pytest.raises(EmbeddedError, match=expected), attach(place / "data"):
        pass


def test_a_server_that_does_not_start_says_why_in_one_line(data_dir: Path) -> None:
    with pytest.raises(EmbeddedError) as refused, attach(data_dir, settings={"shared_buffers": "a lot"}):
        pass
    assert str(refused.value).startswith("PostgreSQL did not start: ")
    assert "shared_buffers" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert processes_of(data_dir) == []
    with attach(data_dir, settings=FORGETFUL):
        assert psutil.pid_exists(postmaster(data_dir))


def test_an_ordinary_user_needs_no_rights_of_root(place: Path, ordinary: Callable[..., User]) -> None:
    place.chmod(0o777)
    somebody = ordinary(place / "data", "hotel")
    assert somebody.answer() == "attached"
    server = psutil.Process(postmaster(place / "data"))
    assert server.uids().real == psutil.Process(somebody.process.pid).uids().real != 0
    assert (place / "data").stat().st_mode & 0o777 == 0o700
    somebody.kill()
    wait_until(lambda: processes_of(place / "data") == [])


def test_a_directory_that_cannot_be_written_is_named(place: Path, ordinary: Callable[..., User]) -> None:
    place.chmod(0o555)
    somebody = ordinary(place / "data")
    assert somebody.answer() == (
        f"refused: {place}/data cannot be used: Permission denied; "
        "another directory may be named in NIGHTAUDIT_DATA_DIR"
    )
    somebody.leave()


@pytest.mark.skipif(not AS_ROOT, reason="takes two users")
def test_the_data_of_another_user_is_refused(place: Path, ordinary: Callable[..., User]) -> None:
    place.chmod(0o777)
    with attach(place / "root", settings=FORGETFUL):
        pass
    somebody = ordinary(place / "root")
    assert somebody.answer().startswith(f"refused: {place}/root belongs to the user root: run as that user")
    somebody.leave()
    somebody = ordinary(place / "nobody")
    assert somebody.answer() == "attached"
    somebody.leave()
    expected = "belongs to the user nobody: run as that user"
    with pytest.raises(EmbeddedError, match=expected), attach(place / "nobody"):
        pass


def test_the_log_does_not_grow_for_ever(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_LARGEST_LOG", 100)
    for _ in range(3):
        with attach(data_dir, settings=FORGETFUL) as server:
            server.ensure_database("hotel")
    logs = sorted(path.name for path in data_dir.glob("*.log*"))
    assert logs == ["postgresql.log", "postgresql.log.1"]
    assert (data_dir / "postgresql.log").read_text().count("ready to accept connections") == 1


def test_an_application_without_a_url_gets_one_on_the_embedded_server(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTAUDIT_DATA_DIR", str(data_dir))
    with embedded.database("postgresql://elsewhere/x", "x") as url:
        assert url == "postgresql://elsewhere/x"
        assert not data_dir.exists()
    with embedded.database(None, "hotel") as url:
        assert url.startswith("postgresql://postgres@/hotel?host=")
    assert processes_of(data_dir) == []


def test_psql_can_be_opened_by_name(data_dir: Path) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "common.embedded", "psql", "postgres", "-XAtc", "SELECT 6 * 7"],
        env={**os.environ, "PYTHONPATH": str(SOURCE), "NIGHTAUDIT_DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (shown.stdout, shown.stderr, shown.returncode) == ("42\n", "", 0)
    assert processes_of(data_dir) == []


@pytest.mark.skipif(not AS_ROOT, reason="only root gives permissions to another user")
def test_root_opens_no_more_than_the_way_to_the_cluster(data_dir: Path) -> None:
    data_dir.mkdir(mode=0o700)
    with attach(data_dir, settings=FORGETFUL):
        pass
    assert data_dir.stat().st_mode & 0o777 == 0o701
    assert data_dir.parent.stat().st_mode & 0o007 == 0o001
    for path in data_dir.iterdir():
        assert path.stat().st_mode & 0o077 == 0
        assert (path.stat().st_uid != 0) is (path.name == "postgresql")


def test_without_useradd_root_uses_a_user_that_is_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = cluster_owner._entry
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(cluster_owner, "_entry", lambda name: None if name == SYSTEM_USER else found(name))
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    nobody = found("nobody")
    assert nobody is not None
    assert owner_of(tmp_path / "postgresql").uid == nobody.pw_uid
