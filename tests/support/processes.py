"""Starts, finds and kills processes that use an embedded server."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from tests.support.applications import SOURCE
from tests.support.waiting import wait_until

_USER = """
import sys
from pathlib import Path
from typing import Any
from common.devstack.embedded import UNSAFE_FAST_SETTINGS, EmbeddedError, attach
try:
    with attach(Path(sys.argv[1]), settings=UNSAFE_FAST_SETTINGS) as server:
        for name in sys.argv[2:]:
            server.ensure_database(name)
        print("attached", flush=True)
        sys.stdin.read()
except EmbeddedError as fault:
    print(f"refused: {fault}", flush=True)
"""


class User:
    """A process that uses the server of a data directory until `leave` or `kill`."""

    def __init__(
        self, data_dir: Path, *databases: str, python: Path = Path(sys.executable), uid: int | None = None
    ) -> None:
        self.process = subprocess.Popen(
            [str(python), "-c", _USER, str(data_dir), *databases],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd="/",
            env=_environment(),
            **_run_as(uid),
        )

    def first_line(self) -> str:
        """Return "attached", or "refused: " and the reason."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def leave(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()

    def kill(self) -> None:
        self.process.kill()
        self.leave()


@contextmanager
def user(data_dir: Path, *databases: str) -> Iterator[User]:
    """Start a user, wait until it is attached, and let it leave at the end of the block."""
    started = User(data_dir, *databases)
    try:
        line = started.first_line()
        assert line == "attached", line
        yield started
    finally:
        started.leave()


def can_run(python: Path, uid: int) -> bool:
    """Return whether a user can run this Python with the source of this project and its dependencies."""
    command = [str(python), "-c", "import common.devstack.embedded"]
    try:
        return (
            subprocess.run(
                command, cwd="/", env=_environment(), capture_output=True, check=False, **_run_as(uid)
            ).returncode
            == 0
        )
    except OSError:
        return False


def _environment() -> dict[str, str]:
    packages = [entry for entry in sys.path if entry.endswith("site-packages")]
    path = os.pathsep.join([str(SOURCE), *packages])
    return {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def _run_as(uid: int | None) -> dict[str, Any]:
    return {} if uid is None else {"user": uid, "group": uid, "extra_groups": []}


def postmaster_pid(data_dir: Path) -> int:
    """Return the process id in the server's pid file."""
    return int((data_dir / "postgresql" / "postmaster.pid").read_text().split("\n")[0])


def kill(pid: int) -> None:
    """Send SIGKILL and wait until the process has ended."""
    process = psutil.Process(pid)
    process.kill()
    wait_until(lambda: not is_alive(process))


def is_alive(process: psutil.Process) -> bool:
    """Return whether the process runs. A zombie does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # ZombieProcess is a subclass
        return False


def watchdog_pid(data_dir: Path) -> int:
    return int((data_dir / "locks" / "watchdog").read_text())


def processes_of(data_dir: Path) -> list[psutil.Process]:
    """Return the running processes of the server and its watchdog."""
    cluster = str(data_dir.resolve() / "postgresql")
    found = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()  # empty for a process that is ending, which holds no lock any more
            if command and (process.cwd() == cluster or command[-2:] == ["watch", str(data_dir)]):
                found.append(process)
        except psutil.Error:  # it belongs to another user, or has ended
            continue
    return found
