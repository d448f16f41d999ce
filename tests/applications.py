"""The applications as real processes on loopback, for tests of what only a served application can show."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 60.0
STOP_SECONDS = 60.0


@dataclass
class Served:
    """A running application: where it answers, its process, and what it has said on standard error."""

    url: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Tell it to end and wait until it has; returns its exit status."""
        self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment_of(name: str, port: int, environment: Mapping[str, str]) -> dict[str, str]:
    """What a process of the application finds in its environment: nothing of ours but the given."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PROVIDER_", "DASHBOARD_"))}
    return {**kept, "PYTHONPATH": str(ROOT / "src"), f"{name.upper()}_PORT": str(port), **environment}


@contextmanager
def served(name: str, environment: Mapping[str, str], folder: Path) -> Iterator[Served]:
    """`python -m NAME serve`, ready; it is told to end at the end of the block, and killed when it does not."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{name}-{port}.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", name, "serve"],
            env=environment_of(name, port, environment),
            cwd=folder,
            stdout=stderr,
            stderr=stderr,
        )
    application = Served(f"http://127.0.0.1:{port}", port, process, log)
    try:
        wait_until_ready(application)
        yield application
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until_ready(application: Served) -> None:
    """Return when /readyz answers 200; fails with the log when the process ends or does not come up in time."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and application.process.poll() is None:
        try:
            with urllib.request.urlopen(f"{application.url}/readyz", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"not ready:\n{application.log.read_text()}")
