"""The embedded server: the first user starts it, all share it, the last one stops it, also when users are killed."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from common import cli
from common.config import Secret
from common.devstack import cluster
from common.devstack.cluster_owner import binaries, owner_of
from common.devstack.embedded import UNSAFE_FAST_SETTINGS, attach
from tests.support.applications import SOURCE
from tests.support.databases import fetch_value
from tests.support.processes import User, postmaster_pid, processes_of, user, watchdog_pid
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Configuration:
    """The configuration of a command."""

    data_dir: Path
    database_url: Secret | None = None
    log_level: str = "info"


async def test_the_server_is_created_started_and_stopped_and_its_data_survive(data_dir: Path) -> None:
    with attach(data_dir, settings=UNSAFE_FAST_SETTINGS) as server:
        server.ensure_database("hotel")
        await fetch_value(server.url("hotel"), "CREATE TABLE guest AS SELECT 'Zoë'::text AS name")
    assert processes_of(data_dir) == []
    with attach(data_dir, settings=UNSAFE_FAST_SETTINGS) as server:
        server.ensure_database("hotel")
        assert await fetch_value(server.url("hotel"), "SELECT upper(name) FROM guest") == "ZOË"
    assert processes_of(data_dir) == []


async def test_the_server_listens_only_on_a_socket_of_its_owner(data_dir: Path) -> None:
    with attach(data_dir, settings=UNSAFE_FAST_SETTINGS) as server:
        assert psutil.Process(postmaster_pid(data_dir)).net_connections("inet") == []
        socket = server.cluster.socket_dir / ".s.PGSQL.5432"
        assert socket.stat().st_mode & 0o777 == 0o700
        assert socket.stat().st_uid == owner_of(data_dir / "postgresql").uid
        assert await fetch_value(server.url("postgres"), "SHOW listen_addresses") == ""


async def test_settings_are_durable_by_default_and_may_be_overridden(data_dir: Path) -> None:
    with attach(data_dir, settings={"work_mem": "5MB"}) as server:
        url = server.url("postgres")
        assert [await fetch_value(url, f"SHOW {name}") for name in ("fsync", "synchronous_commit")] == ["on", "on"]
        assert await fetch_value(url, "SHOW work_mem") == "5MB"
        assert await fetch_value(url, "SHOW timezone") == "UTC"


async def test_psql_accepts_the_url(data_dir: Path) -> None:
    with attach(data_dir, settings=UNSAFE_FAST_SETTINGS) as server:
        server.ensure_database('odd "name", 1')
        psql = subprocess.run(
            [binaries() / "psql", "-XAtc", "SELECT current_database()", server.url('odd "name", 1')],
            capture_output=True,
            text=True,
            check=True,
        )
        assert psql.stdout.strip() == 'odd "name", 1'


def test_the_server_and_its_watchdog_have_their_own_sessions(data_dir: Path) -> None:
    with attach(data_dir, settings=UNSAFE_FAST_SETTINGS):
        for pid in (postmaster_pid(data_dir), watchdog_pid(data_dir)):
            assert os.getsid(pid) == pid
            assert os.getpgid(pid) == pid


def test_users_share_one_server_and_the_last_to_leave_stops_it(data_dir: Path) -> None:
    with user(data_dir) as first, user(data_dir) as second:
        shared = postmaster_pid(data_dir)
        first.leave()
        assert postmaster_pid(data_dir) == shared
        assert psutil.pid_exists(shared)
        with attach(data_dir, settings=UNSAFE_FAST_SETTINGS):
            second.leave()
            assert postmaster_pid(data_dir) == shared
    assert processes_of(data_dir) == []


def test_claims_of_one_process_are_counted_separately(data_dir: Path) -> None:
    with attach(data_dir, settings=UNSAFE_FAST_SETTINGS):
        with attach(data_dir):
            shared = postmaster_pid(data_dir)
        assert psutil.pid_exists(shared)
    assert processes_of(data_dir) == []


async def test_users_that_start_at_once_get_one_server_and_one_database(data_dir: Path) -> None:
    users = [User(data_dir, "hotel") for _ in range(5)]
    assert [started.first_line() for started in users] == ["attached"] * 5
    assert (data_dir / "postgresql.log").read_text().count("ready to accept connections") == 1
    with attach(data_dir) as server:
        count = "SELECT count(*) FROM pg_database WHERE datname = 'hotel'"
        assert await fetch_value(server.url("postgres"), count) == 1
    for started in users:
        started.leave()
    assert processes_of(data_dir) == []


def test_a_killed_user_has_left(data_dir: Path) -> None:
    with user(data_dir) as killed, user(data_dir) as other:
        shared = postmaster_pid(data_dir)
        killed.kill()
        assert psutil.pid_exists(shared)
        other.leave()
    assert processes_of(data_dir) == []


def test_the_server_ends_when_its_only_user_is_killed(data_dir: Path) -> None:
    with user(data_dir) as only:
        only.kill()
        wait_until(lambda: processes_of(data_dir) == [])
    with user(data_dir):
        assert psutil.pid_exists(postmaster_pid(data_dir))


def test_a_child_that_inherits_the_claim_is_a_user_until_it_ends(data_dir: Path) -> None:
    with attach(data_dir, settings=UNSAFE_FAST_SETTINGS) as server:
        child = subprocess.Popen(["sleep", "600"], pass_fds=[server.claim])
        shared = postmaster_pid(data_dir)
    try:
        assert psutil.pid_exists(shared)
    finally:
        child.kill()
        child.wait()
    wait_until(lambda: processes_of(data_dir) == [])


@pytest.mark.parametrize("name", ["a" * 120, "mit Leerzeichen, Komma & Zeichen '%41' ü"])
async def test_a_path_that_is_not_possible_for_a_socket_is_replaced_by_a_short_one(public_dir: Path, name: str) -> None:
    data_dir = public_dir / name
    with attach(data_dir, settings=UNSAFE_FAST_SETTINGS) as server:
        short = server.cluster.socket_dir
        assert len(str(short)) < 60
        assert short.stat().st_mode & 0o777 == 0o700
        assert await fetch_value(server.url("postgres"), "SELECT 1") == 1
    assert not short.exists()
    assert processes_of(data_dir) == []


def test_the_log_is_rotated(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_MAX_LOG_BYTES", 100)
    for _ in range(3):
        with attach(data_dir, settings=UNSAFE_FAST_SETTINGS) as server:
            server.ensure_database("hotel")
    logs = sorted(path.name for path in data_dir.glob("*.log*"))
    assert logs == ["postgresql.log", "postgresql.log.1"]
    assert (data_dir / "postgresql.log").read_text().count("ready to accept connections") == 1


def test_a_command_without_a_url_gets_a_database_on_the_embedded_server(data_dir: Path) -> None:
    external = Secret("postgresql://external/x")
    with cli.database(Configuration(data_dir, database_url=external), "x") as url:
        assert url is external
        assert not data_dir.exists()
    with cli.database(Configuration(data_dir), "hotel") as url:
        assert url.reveal().startswith("postgresql://postgres@/hotel?host=")
    assert processes_of(data_dir) == []


def test_psql_can_be_opened_by_name(data_dir: Path) -> None:
    psql = subprocess.run(
        [sys.executable, "-m", "common.devstack.embedded", "psql", "postgres", "-XAtc", "SELECT 6 * 7"],
        env={**os.environ, "PYTHONPATH": str(SOURCE), "NIGHTAUDIT_DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (psql.stdout, psql.stderr, psql.returncode) == ("42\n", "", 0)
    assert processes_of(data_dir) == []
