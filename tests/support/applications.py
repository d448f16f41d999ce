"""Runs the applications as processes that listen on loopback."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
START_SECONDS = 90.0
STOP_SECONDS = 60.0


def free_port() -> int:
    """Reserve a free port of the loopback until this process ends, and return it.

    A bound socket that does not listen reserves the port on Linux: the system does not assign it to another socket,
    but a server that names it can listen on it.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        if sys.platform == "linux":
            probe.detach()  # leaves it open
        return port


NOT_INHERITED = ("PROVIDER_", "DASHBOARD_", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")
"""Beginnings of names of environment variables."""


def process_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment with the settings of the applications replaced by the given ones.

    What `make test` tells a make that a test runs is left out: it would print the folder and other error lines.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
    return {**kept, "PYTHONPATH": str(SOURCE), **environment}


def run_process(
    name: str, *arguments: str, environment: Mapping[str, str], folder: Path = ROOT
) -> "subprocess.CompletedProcess[str]":
    """Run `python -m NAME ARGUMENT ...` and wait until it ends."""
    return subprocess.run(
        [sys.executable, "-m", name, *arguments],
        env=process_environment(environment),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


async def start_process(
    name: str, *arguments: str, environment: Mapping[str, str], folder: Path = ROOT
) -> asyncio.subprocess.Process:
    """Start `python -m NAME ARGUMENT ...`."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", name, *arguments),
        env=process_environment(environment),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@dataclass
class ApplicationProcess:
    """`python -m NAME serve` on its own port. It can be started again after it has ended."""

    name: str
    environment: Mapping[str, str]
    folder: Path
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.log = self.folder / f"{self.name}-{self.port}.log"
        self.process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it is ready. Raises AssertionError with its output if it ends before."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.name, "serve"],
                env=process_environment({**self.environment, f"{self.name.upper()}_PORT": str(self.port)}),
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.wait_until_ready(self.output)

    def wait_until_ready(self, output: Callable[[], str]) -> None:
        """Wait until it is ready. Raises AssertionError with its output if it ends before."""
        wait_until(lambda: self.is_ready() or not self.is_running(), START_SECONDS)
        assert self.is_running(), f"{self.name} ended with {self.process.returncode}:\n{output()}"

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=10):
                return True
        except (urllib.error.URLError, OSError):  # it does not listen yet, or answers 503
            return False

    def is_running(self) -> bool:
        return self.process.poll() is None

    def output(self) -> str:
        """Return what it has written since its first start."""
        return self.log.read_text()

    def stop(self, signal_number: int = signal.SIGTERM) -> int:
        """Send a signal, wait until the process ends and return its exit status."""
        self.process.send_signal(signal_number)
        return self.process.wait(STOP_SECONDS)

    def kill(self) -> None:
        """Kill it and its workers with SIGKILL, unless it has ended."""
        if self.is_running():
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(STOP_SECONDS)
