"""The commands of the documents beside a running system, which `make run` starts on ports of its own."""

import csv
import gzip
import json
import os
import shlex
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.applications import ROOT, free_port, process_environment
from tests.support.documents import blocks, commands_of
from tests.support.processes import processes_of
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


SMALL_DEMO = {"PROVIDER_GENERATOR_HOTELS": "3", "PROVIDER_GENERATOR_ROOMS": "20", "PROVIDER_GENERATOR_YEARS": "1"}
"""A past that is written and counted within seconds, on a busy machine too."""


class RunningSystem:
    """What `make run` starts, with free ports and a data directory of its own."""

    def __init__(self, folder: Path, *variables: str) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.ports = {"9000": str(free_port()), "8000": str(free_port())}
        self.log = folder / "make-run.log"
        self.variables = variables
        self.environment = process_environment({"NIGHTAUDIT_DATA_DIR": str(self.data_dir), **SMALL_DEMO})

    def start(self) -> None:
        """Run the recipe of `make run` and wait until it says that everything is up."""
        recipe = subprocess.run(
            ["make", "--dry-run", "--old-file=.venv/.runtime", "run", *self.variables],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        command = [sys.executable, *shlex.split(recipe.replace("\\\n", " "))[2:]]
        assert command[1:3] == ["-m", "common.devstack.supervisor"]
        ports = {"PROVIDER_PORT": self.ports["9000"], "DASHBOARD_PORT": self.ports["8000"]}
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                env={**self.environment, **ports},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        wait_until(lambda: "Ctrl-C stops everything" in self.log.read_text() or self.process.poll() is not None, 120)
        assert self.process.poll() is None, self.log.read_text()

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(90) == 0, self.log.read_text()
        wait_until(lambda: processes_of(self.data_dir) == [])

    def here(self, command: str) -> str:
        """The command with the ports of this system."""
        for documented, port in self.ports.items():
            command = command.replace(f"127.0.0.1:{documented}", f"127.0.0.1:{port}")
        return command

    def curl(self, command: str) -> bytes:
        """Send the request of a curl command; returns the body of a response with status 200."""
        url, *options = shlex.split(self.here(command))[1:]
        headers = dict(option.split(": ", 1) for option in options if option != "-H")
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as response:
            assert response.status == 200
            body: bytes = response.read()
            return body

    def run_script(self, script: str, programs: Path) -> str:
        """Run lines of a shell until one fails, with the programs of a folder first; returns its output."""
        ended = subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-c", self.here(script)],
            env={**self.environment, "PATH": f"{programs}:{os.environ['PATH']}"},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def get(self, path: str, port: str = "8000") -> Any:
        return json.loads(self.curl(f"curl http://127.0.0.1:{port}{path}"))

    def run(self, command: str) -> str:
        """Run a command of the activated virtual environment; returns its output."""
        program, *arguments = shlex.split(command)
        assert program == "python"
        ended = subprocess.run(
            [sys.executable, *arguments],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout


@contextmanager
def running(folder: Path, *variables: str) -> Iterator[RunningSystem]:
    system = RunningSystem(folder, *variables)
    system.start()
    try:
        yield system
    finally:
        system.stop()
        sys.stderr.write(system.log.read_text())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that the user of the embedded server can pass."""
    for each in (tmp_path, *tmp_path.parents):
        if each.stat().st_uid == os.geteuid():
            each.chmod(each.stat().st_mode | 0o711)
    return tmp_path


def test_the_first_commands_of_the_readme_answer_something_at_once(folder: Path) -> None:
    with running(folder) as system:
        commands = commands_of("README.md", "curl ")
        bodies = [json.loads(system.curl(command)) for command in commands]

        assert len(commands) >= 3
        products = next(body for command, body in zip(commands, bodies, strict=True) if "/products" in command)
        assert {product["name"] for product in products} >= {"Espresso machine", "Minibar"}
        assert next(body for command, body in zip(commands, bodies, strict=True) if "view_tables" in command)
        assert len(system.get("/events?limit=3", "9000")) == 3
        wait_until(lambda: finished_job(system, "ingest_booking_events", "ok"), 120)
        hotels = [(hotel["hotel_id"], hotel["name"], hotel["rooms"]) for hotel in system.get("/hotels")["hotels"]]
        assert hotels == [(1, "Harbour House", 20), (2, "Corn Exchange Hotel", 20), (3, "Saltmarsh Lodge", 20)]
        # The first pull of a new directory may come before the first poll.
        wait_until(lambda: finished_job(system, "pull_stores", "ok"), 120)
    with running(folder) as system:
        wait_until(lambda: 'job_runs_total{job="pull_stores",outcome="ok"}' in metrics(system), 120)
        assert 'outcome="failed"' not in metrics(system)


def metrics(system: RunningSystem) -> str:
    """The finished runs of jobs of the dashboard since its start."""
    lines = system.curl("curl http://127.0.0.1:8000/metrics").decode().splitlines()
    return "\n".join(line for line in lines if line.startswith("job_runs_total"))


def finished_job(system: RunningSystem, name: str, outcome: str) -> bool:
    jobs = {job["name"]: job for job in system.get("/jobs")["jobs"]}
    return bool(jobs[name]["last_outcome"] == outcome)


def write_csv(path: Path, rows: list[list[object]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def write_files(folder: Path) -> None:
    """Write the files that docs/own-data.md names."""
    write_csv(
        folder / "events.csv",
        [
            ["id", "hotel_id", "event_timestamp", "status", "room_id", "night_of_stay"],
            *([n, 1, "2026-01-02T10:00:00Z", 1, n, f"2026-02-{n:02}"] for n in range(1, 21)),
        ],
    )
    (folder / "events.csv.gz").write_bytes(gzip.compress((folder / "events.csv").read_bytes()))
    write_csv(folder / "properties.csv", [["property_id", "description"], ["villa", "By the lake"]])
    write_csv(
        folder / "reservations.csv",
        [["property_id", "start_date", "number_of_nights"], ["villa", "2026-07-01", 3]],
    )
    write_csv(
        folder / "status.csv", [["store_id", "status", "timestamp_utc"], ["1", "active", "2026-01-02 10:00:00 UTC"]]
    )
    write_csv(
        folder / "hours.csv",
        [["store_id", "dayOfWeek", "start_time_local", "end_time_local"], ["1", 0, "09:00:00", "17:00:00"]],
    )
    write_csv(folder / "zones.csv", [["store_id", "timezone_str", "group"], ["1", "America/Denver", "mountain"]])
    write_csv(folder / "hotels.csv", [["hotel_id", "name", "rooms"], ["1", "Hotel Harbour", 40]])


def test_the_commands_for_own_data_work_beside_a_system_on_other_ports(folder: Path) -> None:
    write_files(folder)
    with running(folder, "DEMO=0") as system:
        assert system.get("/products") == []
        assert {job["name"] for job in system.get("/jobs")["jobs"] if job["next_run"] is None} >= {
            "register_products", "refresh_offers",
        }  # fmt: skip
        assert system.get("/hotels")["hotels"] == []
        assert f"{system.data_dir}/secrets.env" in system.log.read_text()
        commands = commands_of("docs/own-data.md", "python -m ")
        audits = [command for command in commands if " audit" in command]
        assert len(commands) > len(audits) == 3
        for command in commands:
            if command not in audits:
                system.run(command)

        def is_counted() -> bool:
            hotels = system.get("/hotels")
            return len(hotels["hotels"]) > 1 and hotels["hotels"][0]["events"] == 20

        wait_until(is_counted, 120)
        outputs = [system.run(command) for command in audits]
        assert all("equal to the recount" in output for output in outputs)
        assert outputs[2].startswith("feed: ")
        for command in commands_of("docs/http.md", "curl "):
            assert system.curl(command)


CURL = """
import sys, urllib.error, urllib.request

headers, method, body, arguments = {}, None, None, iter(sys.argv[1:])
for argument in arguments:
    if argument == "-X":
        method = next(arguments)
    elif argument == "-H":
        name, _, value = next(arguments).partition(": ")
        headers[name] = value
    elif argument == "--json":
        body, headers["Content-Type"] = next(arguments).encode(), "application/json"
    elif argument == "--data-binary":
        body = open(next(arguments).removeprefix("@"), "rb").read()
    elif argument != "-s":
        url = argument
request = urllib.request.Request(url, body, headers, method=method)
try:
    print(urllib.request.urlopen(request, timeout=60).read().decode())
except urllib.error.HTTPError as error:
    sys.exit(f"{argument}: {error.read().decode()}")
"""
"""What the documents use of curl, which a machine for tests need not have. It fails when a request is refused."""


def test_the_commands_of_everyday_work_are_all_answered(folder: Path) -> None:
    programs = folder / "programs"
    programs.mkdir()
    (programs / "curl").write_text(f"#!{sys.executable}\n{CURL}")
    (programs / "python3").symlink_to(sys.executable)
    (programs / "curl").chmod(0o755)
    write_files(folder)
    with running(folder, "DEMO=0") as system:
        script = "\n".join(block.text for block in blocks() if block.document == "docs/everyday.md")
        output = system.run_script(script.replace(".nightaudit/", f"{system.data_dir}/"), programs)

    for word in ('"status":"waiting"', '"nights":4', '"back_in_stock":true', '"deleted":0', '"report_id"', ".ics"):
        assert word in output


def test_an_audit_of_the_feed_without_a_provider_names_the_address(folder: Path) -> None:
    with running(folder, "DEMO=0") as system:
        wait_until(lambda: finished_job(system, "ingest_booking_events", "ok"))
    ended = subprocess.run(
        [sys.executable, "-m", "dashboard", "audit", "--feed"],
        env={**system.environment, "DASHBOARD_PROVIDER_URL": "http://127.0.0.1:9"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("nightaudit: the feed at http://127.0.0.1:9 cannot be read: ")
    assert ended.stderr.count("\n") == 1
