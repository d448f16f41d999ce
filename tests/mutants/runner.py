"""Runs the tests on mutants in copies of the project, several at a time; a run can be continued from its results."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Queue
from tempfile import TemporaryDirectory
from threading import Lock, Thread

from tests.mutants.mutant import Mutant

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / ".mutants"
RESULTS = STATE / "results.jsonl"
COPIED = ("src", "tests", "benchmarks", "docker", "docs", "openapi", "requirements", "pyproject.toml", "README.md")
SECONDS = 900
"""A mutant whose tests take longer is noticed: it does not end."""


TestsOf = Callable[[Mutant], list[str]]


@dataclass(frozen=True)
class Result:
    """Whether a mutant was noticed, and by which test."""

    mutant_id: str
    path: str
    line: int
    change: str
    noticed: bool
    test: str


def read_results() -> dict[str, Result]:
    """The results of earlier runs, by mutant."""
    if not RESULTS.exists():
        return {}
    results = (Result(**json.loads(line)) for line in RESULTS.read_text().splitlines())
    return {result.mutant_id: result for result in results}


def run_mutants(mutants: Iterable[Mutant], processes: int, tests_of: TestsOf) -> Iterator[Result]:
    """Run the tests on each mutant that has no result yet, and yield all results.

    tests_of: gives the tests to run on a mutant, in their order.
    """
    known = read_results()
    waiting: Queue[Mutant | None] = Queue()
    finished: Queue[Result | None] = Queue()
    for mutant in mutants:
        if mutant.mutant_id in known:
            yield known[mutant.mutant_id]
        else:
            waiting.put(mutant)
    for _ in range(processes):
        waiting.put(None)
    lock = Lock()
    threads = [
        Thread(target=_work, args=(STATE / f"copy-{number}", waiting, finished, lock, tests_of))
        for number in range(processes)
    ]
    for thread in threads:
        thread.start()
    open_threads = processes
    while open_threads:
        result = finished.get()
        if result is None:
            open_threads -= 1
        else:
            yield result


def _work(
    copy: Path, waiting: "Queue[Mutant | None]", finished: "Queue[Result | None]", lock: Lock, tests_of: TestsOf
) -> None:
    try:
        make_copy(copy)
        while (mutant := waiting.get()) is not None:
            result = run_mutant(copy, mutant, tests_of(mutant))
            with lock, RESULTS.open("a") as file:
                file.write(json.dumps(asdict(result)) + "\n")
            finished.put(result)
    finally:
        finished.put(None)


def make_copy(copy: Path) -> None:
    """Copy the project to a folder, so that the tests never see a half-changed file of the project itself."""
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir(parents=True)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy2(source, copy / name)


def run_mutant(copy: Path, mutant: Mutant, tests: list[str]) -> Result:
    """Run the tests on one mutant; the first test that fails has noticed it."""
    file = copy / mutant.path
    original = file.read_text()
    file.write_text(mutant.text)
    try:
        noticed, test = run_tests(copy, tests)
    finally:
        file.write_text(original)
    return Result(mutant.mutant_id, mutant.path, mutant.line, mutant.change, noticed, test)


def run_tests(copy: Path, tests: list[str]) -> tuple[bool, str]:
    """Run tests in a copy of the project until one fails; returns whether one failed, and its name or the reason."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider", "--tb=no", *tests]
    environment: Mapping[str, str] = {
        **os.environ,
        "PYTHONPATH": str(copy / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HYPOTHESIS_STORAGE_DIRECTORY": str(copy / ".hypothesis"),
    }
    # Each run has temporary folders of its own: pytest closes those it shares with others to the embedded server.
    try:
        with TemporaryDirectory(prefix="nightaudit-mutant-") as folder:
            done = subprocess.run(
                command,
                cwd=copy,
                env={**environment, "PYTEST_DEBUG_TEMPROOT": folder},
                capture_output=True,
                text=True,
                timeout=SECONDS,
            )
    except subprocess.TimeoutExpired:
        return True, f"the tests did not end within {SECONDS} s"
    if done.returncode == 0:
        return False, ""
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return True, failed[0] if failed else f"pytest ended with {done.returncode}"
