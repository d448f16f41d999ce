"""Comparison of two checkouts on the same machine in the same run: `make bench AGAINST=/path/to/other/checkout`."""

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.table import Column, format_cells, format_failure, format_figure, format_heading

ROUNDS = 3
HERE = Path(__file__).resolve().parents[1]
COLUMNS = (
    Column("benchmark", 51),
    Column("here", 9, numeric=True),
    Column("there", 9, numeric=True),
    Column("unit", 10),
    Column("here/there", 10, numeric=True),
)

Figures = dict[tuple[str, int], tuple[float, str]]
"""Figure and unit of each row, by its name and the number of rows of the same name above it."""


def compare(other: Path, names: Sequence[str], scale: str) -> bool:
    """Run each benchmark `ROUNDS` times in turn here and there, and print the ratio of the medians of each row.

    A benchmark that fails is printed, and the others go on; returns whether all succeeded.
    """
    succeeded = True
    print(format_heading(COLUMNS), flush=True)
    for name in names:
        rounds: dict[Path, list[Figures]] = {HERE: [], other: []}
        try:
            for number in range(ROUNDS):
                for checkout in (HERE, other) if number % 2 == 0 else (other, HERE):
                    rounds[checkout].append(run_in(checkout, name, scale))
            for line in format_comparison(rounds[HERE], rounds[other]):
                print(line, flush=True)
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            print(format_failure(name, error), flush=True)
            succeeded = False
    return succeeded


def run_in(checkout: Path, name: str, scale: str) -> Figures:
    """Run a benchmark with the checkout's own virtual environment, or else with this one."""
    python = checkout / ".venv/bin/python"
    command = [str(python) if python.exists() else sys.executable, "-m", "benchmarks", "--only", name, "--scale", scale]
    environment = {**os.environ, "PYTHONPATH": str(checkout / "src")}
    done = subprocess.run(command, cwd=checkout, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return parse_figures(done.stdout)


def parse_figures(table: str) -> Figures:
    """Read the figures of a printed table; lines above its headings are ignored."""
    lines = table.partition("\n---")[2].splitlines()[1:]
    figures: Figures = {}
    seen: Counter[str] = Counter()
    for line in lines:
        name, ours, _, unit, *_ = re.split(" {2,}", line)
        figures[name, seen[name]] = (float(ours.replace(",", "")), unit)
        seen[name] += 1
    return figures


def format_comparison(here: Sequence[Figures], there: Sequence[Figures]) -> list[str]:
    """Return a line for each row. Rows renamed between the two commits are matched by their order.

    Raises ValueError if the numbers of rows or the units differ.
    """
    ours, theirs = here[0], there[0]
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} rows cannot be compared with {len(theirs)}")
    pairs = {row: row for row in ours if row in theirs}
    pairs |= zip((row for row in ours if row not in theirs), (row for row in theirs if row not in ours), strict=True)
    lines = []
    for row, (_, unit) in ours.items():
        if theirs[pairs[row]][1] != unit:
            raise ValueError(f"{row[0]}: the units of the two checkouts differ")
        left, right = median(run[row][0] for run in here), median(run[pairs[row]][0] for run in there)
        ratio = f"{left / right:.3f}" if right else "-"
        lines.append(format_cells((row[0], format_figure(left), format_figure(right), unit, ratio), COLUMNS))
    return lines
