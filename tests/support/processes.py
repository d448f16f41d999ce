"""Real processes for tests: users of an embedded server that are told what to do, and are killed."""

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
    """A process that is attached to the server of a data directory until it is told to leave."""

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
        """What it says once: attached, or why not."""
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
    """An attached user, who leaves at the end unless it has ended before."""
    started = User(data_dir, *databases)
    try:
        answer = started.first_line()
        assert answer == "attached", answer
        yield started
    finally:
        started.leave()


def can_run(python: Path, uid: int) -> bool:
    """Can the user run this Python with the source of this project and its dependencies?"""
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
    """The process id of the server, as it wrote it."""
    return int((data_dir / "postgresql" / "postmaster.pid").read_text().split("\n")[0])


def kill(pid: int) -> None:
    """kill -9, and wait until the process has ended."""
    process = psutil.Process(pid)
    process.kill()
    wait_until(lambda: not is_alive(process))


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs. One that has ended does not, whether or not its parent has asked how."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # of which ZombieProcess is a kind
        return False


def watchdog_pid(data_dir: Path) -> int:
    return int((data_dir / "locks" / "watchdog").read_text())


def processes_of(data_dir: Path) -> list[psutil.Process]:
    """Every living process of the server and its watchdog, whoever started it."""
    cluster = str(data_dir.resolve() / "postgresql")
    found = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()  # none is left of one that is ending, whose locks are free already
            if words and (process.cwd() == cluster or words[-2:] == ["watch", str(data_dir)]):
                found.append(process)
        except psutil.Error:  # another user's, or it has ended
            continue
    return found
