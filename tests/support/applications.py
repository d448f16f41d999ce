"""The applications as real processes on loopback, for tests of what only a process can show."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
START_SECONDS = 90.0
STOP_SECONDS = 60.0


def free_port() -> int:
    """A port of the loopback on which nobody but the caller will listen, until this process ends.

    A socket that is bound and does not listen reserves it: the system gives the port to nobody else, neither to a
    server nor as the near end of a connection, while a server that asks for it may have it. Linux alone works so.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        if sys.platform == "linux":
            probe.detach()  # and left open
        return port


def process_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What a process of an application finds in its environment: nothing of ours but the given."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PROVIDER_", "DASHBOARD_"))}
    return {**kept, "PYTHONPATH": str(SOURCE), **environment}


def run_process(
    name: str, *arguments: str, environment: Mapping[str, str], folder: Path = ROOT
) -> "subprocess.CompletedProcess[str]":
    """`python -m NAME ARGUMENT ...`, run to its end."""
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
    """`python -m NAME ARGUMENT ...`, begun; `communicate` tells how it ends."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", name, *arguments),
        env=process_environment(environment),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@dataclass
class ApplicationProcess:
    """`python -m NAME serve` on a port of its own: started, ended and killed as often as a test likes."""

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
        """Start it and return when it is ready. AssertionError with its log where it does not get there."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.name, "serve"],
                env=process_environment({**self.environment, f"{self.name.upper()}_PORT": str(self.port)}),
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(lambda: self.is_ready() or not self.is_running(), START_SECONDS)
        assert self.is_running(), f"{self.name} ended with {self.process.returncode}:\n{self.output()}"

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=10):
                return True
        except (urllib.error.URLError, OSError):  # nobody answers yet, or 503
            return False

    def is_running(self) -> bool:
        return self.process.poll() is None

    def output(self) -> str:
        """What it wrote since it was first started."""
        return self.log.read_text()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Tell it to end and wait until it has; returns its exit status."""
        self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)

    def kill(self) -> None:
        """kill -9, it and its workers, unless it has ended."""
        if self.is_running():
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(STOP_SECONDS)
