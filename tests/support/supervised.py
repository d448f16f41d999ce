"""Runs the supervisor with two small applications that log their start and end."""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil

from tests.support.applications import SOURCE, free_port
from tests.support.processes import processes_of
from tests.support.waiting import wait_until

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
        return "external"
    with socket.socket(socket.AF_UNIX) as probe:
        return "stopped" if probe.connect_ex(f"{folder[0]}/.s.PGSQL.5432") else "running"

def write(event, **fields):
    with (pathlib.Path(os.environ["EVENT_LOGS"]) / NAME).open("a") as log:
        log.write(json.dumps({"event": event, "pid": os.getpid(), "database": database(), **fields}) + "\\n")

async def serve():
    stop = asyncio.Event()
    if os.environ.get("IGNORES_SIGTERM") == NAME:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    host, port = (os.environ[f"{NAME.upper()}_{part}"] for part in ("HOST", "PORT"))
    server = await asyncio.start_server(answer, host, int(port))
    write("started", environment=dict(os.environ), arguments=sys.argv[1:])
    await stop.wait()
    while os.environ.get("WAITS_AT_END") == NAME and not (pathlib.Path(os.environ["EVENT_LOGS"]) / "end").exists():
        await asyncio.sleep(0.1)
    server.close()
    write("ended")

NAME = __package__
if os.environ.get("FAILS_AT_START") == NAME:
    sys.exit(3)
asyncio.run(serve())
"""


SETTINGS = ["--set", "KITCHEN_WINE_URL=http://{cellar}/wine", "--set", "KITCHEN_OWN=x{kitchen}"]


class SupervisedStack:
    """A supervisor with two applications, kitchen and cellar."""

    def __init__(
        self,
        folder: Path,
        *,
        by_make: bool = False,
        stdin: int = subprocess.DEVNULL,
        settings: Sequence[str] = (),
        **environment: str,
    ) -> None:
        self.folder = folder
        self.settings = [*SETTINGS, *settings]
        self.by_make = by_make
        self.stdin = stdin
        self.data_dir = folder / "data"
        self.output_file = folder / "output"
        self.event_logs = folder / "event_logs"
        self.ports = {name: free_port() for name in ("kitchen", "cellar")}
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "MAKELEVEL"},
            "PYTHONPATH": f"{SOURCE}{os.pathsep}{folder}",
            "NIGHTAUDIT_DATA_DIR": str(self.data_dir),
            "EVENT_LOGS": str(self.event_logs),
            **environment,
        }
        self.process = self.start()

    def start(self) -> "subprocess.Popen[bytes]":
        programs = [f"{name}:{port}" for name, port in self.ports.items()]
        command = [sys.executable, "-m", "common.devstack.supervisor", *programs, *self.settings]
        if self.by_make:
            (self.folder / "Makefile").write_text(f".PHONY: run\nrun:\n\t@exec {shlex.join(command)}\n")
            command = ["make", "-f", str(self.folder / "Makefile"), "run"]
        with self.output_file.open("wb") as output:
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

    def output(self) -> str:
        """Return what it has printed, but for the line about a start that takes long, as it may on a busy machine."""
        lines = self.output_file.read_text().splitlines(keepends=True)
        return "".join(line for line in lines if " is starting; after a crash " not in line)

    def prints(self, text: str) -> bool:
        """Wait until it has printed the text. False if it ends before."""
        wait_until(lambda: text in self.output() or self.process.poll() is not None)
        return text in self.output()

    def is_up(self) -> bool:
        """Wait until all applications are ready. False if it ends before."""
        return self.prints("Ctrl-C stops everything")

    def events(self, name: str, event: str) -> list[dict[str, object]]:
        path = self.event_logs / name
        complete, _, _incomplete = path.read_text().rpartition("\n") if path.exists() else ("", "", "")
        entries = [json.loads(line) for line in complete.splitlines()]
        return [entry for entry in entries if entry["event"] == event]

    def pids(self) -> list[int]:
        """Return the process ids of the applications since their last start."""
        return [int(str(self.events(name, "started")[-1]["pid"])) for name in self.ports]

    def stop(self, signal_number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(signal_number)
        return self.process.wait(60)

    def nothing_is_running(self) -> bool:
        return processes_of(self.data_dir) == [] and not any(pid_is_alive(pid) for pid in self.pids())


def pid_is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # ZombieProcess is a subclass
        return False
