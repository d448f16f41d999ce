"""The table of a run: each row is printed at once, and a failure costs only the rows of the benchmark that failed."""

import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import __main__ as program
from benchmarks import stays
from benchmarks.servers import Context
from benchmarks.table import COLUMNS, Row, format_heading, format_row

ROOT = Path(__file__).resolve().parents[2]

TWO_ROWS = """
import asyncio, sys
from types import SimpleNamespace
from benchmarks.__main__ import print_row, run_all
from benchmarks.table import Row

async def run(context):
    context.add_row(Row("first", 1, 2, "s"))
    sys.stdin.readline()
    context.add_row(Row("second", 1, 2, "s"))

sys.modules["benchmarks.two_rows"] = SimpleNamespace(run=run)
asyncio.run(run_all(SimpleNamespace(add_row=print_row), ["two_rows"]))
"""


def test_a_row_is_printed_before_the_next_is_measured() -> None:
    environment = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    with subprocess.Popen(
        [sys.executable, "-c", TWO_ROWS],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        assert lines[0].startswith("benchmark ")
        assert lines[2].startswith("first ")
        assert process.poll() is None
        process.stdin.write("\n")
        process.stdin.close()
        assert process.stdout.readline().startswith("second ")
    assert process.returncode == 0


def test_rows_stand_below_their_headings() -> None:
    headings, line = format_heading().splitlines()
    row = format_row(Row("search", 12_345.6, 20_000, "requests/s", "a note", ">= 0.5"))
    assert headings.index("unit") == row.index("requests/s")
    assert headings.index("note") == row.index("a note")
    assert headings.index("limit") + len("limit") == row.index("20,000") + len("20,000")
    assert len(line.split("  ")) == len(COLUMNS)


def test_a_name_longer_than_its_column_is_printed_in_full() -> None:
    name = "n" * 80
    assert format_row(Row(name, 1, None, "s")).startswith(f"{name}  ")


@pytest.mark.parametrize(("ours", "target", "verdict"), [(8, ">= 0.7", "met"), (6, ">= 0.7", "MISSED"), (6, "", "")])
def test_the_ratio_is_ours_by_limit(ours: float, target: str, verdict: str) -> None:
    assert format_row(Row("work", ours, 10, "/s", "note", target)).split()[4:] == [
        f"{ours / 10:.2f}",
        *target.split(),
        *verdict.split(),
        "note",
    ]


def replace_benchmarks(monkeypatch: pytest.MonkeyPatch, **runs: Callable[[Context], Awaitable[None]]) -> None:
    """Make `main` run these benchmarks, without a database."""
    for name, run in runs.items():
        monkeypatch.setitem(sys.modules, f"benchmarks.{name}", SimpleNamespace(run=run))
    monkeypatch.setattr(program, "benchmark_names", lambda: list(runs))
    monkeypatch.setattr(program, "attach", nullcontext)
    monkeypatch.setattr(sys, "argv", ["benchmarks"])


async def one_row(context: Context) -> None:
    context.add_row(Row("a row", 1, 2, "s"))


async def row_and_failure(context: Context) -> None:
    context.add_row(Row("before the failure", 1, 2, "s"))
    raise LookupError("no such hotel")


def test_a_benchmark_that_fails_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    replace_benchmarks(monkeypatch, one=one_row, broken=row_and_failure, other=one_row)
    assert program.main() == 1
    output = capsys.readouterr()
    starts = [line.split("  ")[0] for line in output.out.splitlines()[2:]]
    assert starts == ["a row", "before the failure", "broken", "a row"]
    assert "broken  FAILED  LookupError: no such hotel" in output.out
    assert "Traceback" in output.err


def test_the_exit_status_is_0_when_all_benchmarks_succeed(monkeypatch: pytest.MonkeyPatch) -> None:
    replace_benchmarks(monkeypatch, one=one_row, other=one_row)
    assert program.main() == 0


def test_an_unknown_name_lists_the_names(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--only", "unknown"])
    with pytest.raises(SystemExit) as exit_:
        program.main()
    assert exit_.value.code == 2
    message = capsys.readouterr().err.splitlines()[-1]
    for name in ("booking_events", "bookings", "catalog", "dining", "stays", "uptime"):
        assert name in message


def test_every_benchmark_has_a_run() -> None:
    assert stays.__name__.rpartition(".")[2] in program.benchmark_names()
    for name in program.benchmark_names():
        assert callable(program.load_benchmark(name))
