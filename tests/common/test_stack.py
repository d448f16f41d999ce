"""The supervisor: what it starts, what it tells, and that nothing stays behind, however it ends."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from applications import SOURCE, free_port
from common.stack_plan import StackError, read
from processes import kill, postmaster, processes_of, watchdog
from waiting import wait_until

pytestmark = pytest.mark.slow

APPLICATION = """
import asyncio, json, os, pathlib, signal, socket, sys, urllib.parse

async def answer(reader, writer):
    line = await reader.readline()
    status = "200 OK" if b" /readyz " in line else "404 Not Found"
    writer.write(f"HTTP/1.1 {status}\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n".encode())
    writer.close()

def database():
    url = os.environ[f"{NAME.upper()}_DATABASE_URL"]
    folder = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query).get("host")
    if folder is None:
        return "elsewhere"
    with socket.socket(socket.AF_UNIX) as probe:
        return "gone" if probe.connect_ex(f"{folder[0]}/.s.PGSQL.5432") else "there"

def write(event, **facts):
    with (pathlib.Path(os.environ["DIARY"]) / NAME).open("a") as diary:
        diary.write(json.dumps({"event": event, "pid": os.getpid(), "database": database(), **facts}) + "\\n")

async def serve():
    stop = asyncio.Event()
    if os.environ.get("STUBBORN") == NAME:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    host, port = (os.environ[f"{NAME.upper()}_{part}"] for part in ("HOST", "PORT"))
    server = await asyncio.start_server(answer, host, int(port))
    write("started", environment=dict(os.environ), arguments=sys.argv[1:])
    await stop.wait()
    server.close()
    write("ended")

NAME = __package__
if os.environ.get("FAULTY") == NAME:
    sys.exit(3)
asyncio.run(serve())
"""


SETTINGS = ["--set", "KITCHEN_WINE_URL=http://{cellar}/wine", "--set", "KITCHEN_OWN=x{kitchen}"]


class Run:
    """A supervisor with two applications, kitchen and cellar, that write diaries."""

    def __init__(
        self, place: Path, *, by_make: bool = False, stdin: int = subprocess.DEVNULL, **environment: str
    ) -> None:
        self.place = place
        self.by_make = by_make
        self.stdin = stdin
        self.data_dir = place / "data"
        self.output = place / "output"
        self.diaries = place / "diaries"
        self.ports = {name: free_port() for name in ("kitchen", "cellar")}
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "MAKELEVEL"},
            "PYTHONPATH": f"{SOURCE}{os.pathsep}{place}",
            "NIGHTAUDIT_DATA_DIR": str(self.data_dir),
            "DIARY": str(self.diaries),
            **environment,
        }
        self.process = self.start()

    def start(self) -> "subprocess.Popen[bytes]":
        programs = [f"{name}:{port}" for name, port in self.ports.items()]
        command = [sys.executable, "-m", "common.stack", *programs, *SETTINGS]
        if self.by_make:
            (self.place / "Makefile").write_text(f".PHONY: run\nrun:\n\t@exec {shlex.join(command)}\n")
            command = ["make", "-f", str(self.place / "Makefile"), "run"]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                env=self.environment,
                cwd="/",
                stdin=self.stdin,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return self.process

    def said(self) -> str:
        return self.output.read_text()

    def is_up(self, lines: str = "Ctrl-C stops everything") -> bool:
        """Wait until it says so. False when it has ended without."""
        wait_until(lambda: lines in self.said() or self.process.poll() is not None)
        return lines in self.said()

    def diary(self, name: str, event: str) -> list[dict[str, object]]:
        path = self.diaries / name
        whole, _, _half_written = path.read_text().rpartition("\n") if path.exists() else ("", "", "")
        entries = [json.loads(line) for line in whole.splitlines()]
        return [entry for entry in entries if entry["event"] == event]

    def pids(self) -> list[int]:
        """The process of each application, as last started."""
        return [int(str(self.diary(name, "started")[-1]["pid"])) for name in self.ports]

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)

    def nothing_lives(self) -> bool:
        return processes_of(self.data_dir) == [] and not any(lives(pid) for pid in self.pids())


def lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # of which ZombieProcess is a kind
        return False


@pytest.fixture
def run() -> Iterator[Callable[..., Run]]:
    """Starts supervisors; whatever a test leaves is killed."""
    started: list[Run] = []
    with tempfile.TemporaryDirectory(prefix="nightaudit-test-") as name:
        place = Path(name)
        (place / "diaries").mkdir()
        for application in ("kitchen", "cellar"):
            (place / application).mkdir()
            (place / application / "__init__.py").touch()
            (place / application / "__main__.py").write_text(APPLICATION)

        def start(**options: Any) -> Run:
            started.append(Run(place, **options))
            return started[-1]

        yield start
        for left in started:
            if left.process.poll() is None:
                left.process.kill()
                left.process.wait()
            wait_until(lambda left=left: processes_of(left.data_dir) == [])  # type: ignore[misc]  # mypy cannot infer a default of a lambda


def test_both_applications_get_ports_addresses_databases_and_the_demo(run: Callable[..., Run]) -> None:
    stack = run(KITCHEN_OWN="mine", KITCHEN_PORT="", DASHBOARD_X="passed through")
    assert stack.is_up(), stack.said()
    (entry,) = stack.diary("kitchen", "started")
    assert entry["arguments"] == ["serve"]
    environment = entry["environment"]
    assert isinstance(environment, dict)
    kitchen, cellar = stack.ports.values()
    assert environment["KITCHEN_WINE_URL"] == f"http://127.0.0.1:{cellar}/wine"
    assert environment["KITCHEN_OWN"] == "mine"
    assert environment["KITCHEN_PORT"] == str(kitchen)
    assert environment["KITCHEN_HOST"] == "127.0.0.1"
    assert environment["NIGHTAUDIT_DEMO"] == "1"
    assert environment["DASHBOARD_X"] == "passed through"
    assert environment["KITCHEN_DATABASE_URL"].startswith("postgresql://postgres@/kitchen?host=")
    assert environment["CELLAR_DATABASE_URL"].startswith("postgresql://postgres@/cellar?host=")
    for path in ("/", "/docs", "/jobs", "/metrics"):
        assert f"http://127.0.0.1:{cellar}{path}" in stack.said()
    assert str(stack.data_dir) in stack.said()
    assert stack.end() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_applications_before_the_database(run: Callable[..., Run], number: signal.Signals) -> None:
    stack = run()
    assert stack.is_up(), stack.said()
    assert stack.end(number) == 0
    assert [stack.diary(name, "ended")[0]["database"] for name in stack.ports] == ["there", "there"]
    assert stack.nothing_lives()
    assert "Traceback" not in stack.said()
    stack.start()
    assert stack.is_up(), stack.said()
    assert stack.end() == 0


def test_ctrl_c_in_the_terminal_reaches_the_supervisor_alone(run: Callable[..., Run]) -> None:
    stack = run()
    assert stack.is_up(), stack.said()
    os.killpg(stack.process.pid, signal.SIGINT)
    assert stack.process.wait(60) == 0
    assert [stack.diary(name, "ended")[0]["database"] for name in stack.ports] == ["there", "there"]
    assert stack.nothing_lives()


def test_everything_ends_with_the_terminal_even_when_its_leader_does_not_tell(run: Callable[..., Run]) -> None:
    terminal, inner = os.openpty()
    stack = run(stdin=inner)
    os.close(inner)
    assert stack.is_up(), stack.said()
    os.close(terminal)
    assert stack.process.wait(60) == 0
    assert stack.nothing_lives()


def test_everything_ends_with_a_make_that_is_killed(run: Callable[..., Run]) -> None:
    stack = run(by_make=True)
    assert stack.is_up(), stack.said()
    kill(stack.process.pid)
    stack.process.wait()
    wait_until(stack.nothing_lives)
    assert stack.is_up("stopping")


def test_a_signal_in_the_middle_of_the_start_leaves_nothing(run: Callable[..., Run]) -> None:
    stack = run()
    wait_until(lambda: (stack.data_dir / "locks" / "watchdog").exists())
    assert stack.end() == 0
    # A watchdog that was interrupted while it was being started ends by itself.
    wait_until(lambda: processes_of(stack.data_dir) == [])
    assert "Traceback" not in stack.said()
    stack.start()
    assert stack.is_up(), stack.said()
    assert stack.end() == 0


def test_an_application_that_does_not_end_is_killed_at_the_second_signal(run: Callable[..., Run]) -> None:
    stack = run(STUBBORN="cellar")
    assert stack.is_up(), stack.said()
    stack.process.send_signal(signal.SIGINT)
    assert stack.is_up("stopping")
    assert stack.end(signal.SIGINT) == 0
    assert "cellar did not end and is killed" in stack.said()
    assert stack.nothing_lives()


def test_a_busy_port_is_told_in_one_line(run: Callable[..., Run]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        busy = listener.getsockname()[1]
        stack = run(CELLAR_PORT=str(busy))
        assert stack.process.wait(60) == 1
    expected = f"nightaudit: cellar cannot listen on 127.0.0.1:{busy} (Address already in use); "
    assert stack.said() == f"{expected}choose another port with CELLAR_PORT\n"
    assert not (stack.data_dir / "postgresql").exists()


def test_a_second_run_on_the_same_data_is_told_in_one_line(run: Callable[..., Run]) -> None:
    first = run()
    assert first.is_up(), first.said()
    pids = first.pids()
    second = Run(first.data_dir.parent)
    assert second.process.wait(60) == 1
    assert second.said() == (
        f"nightaudit: it is already running on {first.data_dir}; another needs another NIGHTAUDIT_DATA_DIR and ports\n"
    )
    assert first.pids() == pids
    assert all(lives(pid) for pid in pids)
    assert first.end() == 0


def test_an_application_that_dies_is_started_again(run: Callable[..., Run]) -> None:
    stack = run()
    assert stack.is_up(), stack.said()
    kill(stack.pids()[0])
    wait_until(lambda: len(stack.diary("kitchen", "started")) == 2)
    assert "nightaudit: kitchen ended with SIGKILL; it is started again in 0.5 s\n" in stack.said()
    assert len(stack.diary("cellar", "started")) == 1
    assert stack.end() == 0
    assert stack.nothing_lives()


def test_an_application_that_cannot_start_ends_the_run(run: Callable[..., Run]) -> None:
    stack = run(FAULTY="cellar")
    assert stack.process.wait(60) == 1
    assert stack.said() == "nightaudit: cellar ended before it was ready, with exit status 3\n"
    assert processes_of(stack.data_dir) == []


def test_a_database_server_that_dies_is_started_again(run: Callable[..., Run]) -> None:
    stack = run()
    assert stack.is_up(), stack.said()
    kill(postmaster(stack.data_dir))
    assert stack.is_up("PostgreSQL had died and was started again")
    assert stack.end() == 0
    assert stack.nothing_lives()


def test_everything_ends_when_the_supervisor_is_killed(run: Callable[..., Run]) -> None:
    stack = run()
    assert stack.is_up(), stack.said()
    kill(stack.process.pid)
    stack.process.wait()
    wait_until(stack.nothing_lives)
    assert [stack.diary(name, "ended")[0]["database"] for name in stack.ports] == ["there", "there"]
    stack.start()
    assert stack.is_up(), stack.said()
    assert stack.end() == 0


def test_a_start_waits_for_the_applications_of_a_killed_run(run: Callable[..., Run]) -> None:
    stack = run(STUBBORN="cellar")
    assert stack.is_up(), stack.said()
    stubborn = stack.pids()[1]
    kill(stack.process.pid)
    stack.process.wait()
    del stack.environment["STUBBORN"]
    stack.start()
    assert stack.is_up("waiting for the applications of a killed run to end")
    with suppress(ProcessLookupError):  # its own patience is over too
        os.kill(stubborn, signal.SIGKILL)
    assert stack.is_up(), stack.said()
    assert stack.end() == 0


def test_the_next_start_works_after_everything_was_killed(run: Callable[..., Run]) -> None:
    stack = run()
    assert stack.is_up(), stack.said()
    for pid in (stack.process.pid, *stack.pids(), watchdog(stack.data_dir), postmaster(stack.data_dir)):
        with suppress(ProcessLookupError):  # without a supervisor the others end
            os.kill(pid, signal.SIGKILL)
    stack.process.wait()
    stack.start()
    assert stack.is_up(), stack.said()
    assert stack.end() == 0
    assert stack.nothing_lives()


def test_with_databases_elsewhere_no_server_is_started(run: Callable[..., Run]) -> None:
    elsewhere = "postgresql://elsewhere/x"
    stack = run(KITCHEN_DATABASE_URL=elsewhere, CELLAR_DATABASE_URL=elsewhere)
    assert stack.is_up(), stack.said()
    assert not stack.data_dir.exists()
    assert stack.end() == 0


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1", "８０"])
def test_a_port_that_is_none_names_its_variable(port: str) -> None:
    with pytest.raises(StackError, match=r"^KITCHEN_PORT must be a whole number from 1 to 65535$"):
        read(["kitchen:1"], {"KITCHEN_PORT": port})


def test_two_applications_on_one_port_are_refused() -> None:
    with pytest.raises(StackError, match=r"^port 7000 is given to more than one; change KITCHEN_PORT$"):
        read(["kitchen:7000", "cellar:8000"], {"CELLAR_PORT": "7000"})


def test_an_address_is_one_that_can_be_reached() -> None:
    plan = read(
        ["kitchen:1", "cellar:2", "--set", "A={kitchen}/{cellar}"],
        {"KITCHEN_HOST": "0.0.0.0", "CELLAR_HOST": "::"},
    )
    assert plan.environment["A"] == "127.0.0.1:1/[::1]:2"
