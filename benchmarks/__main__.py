"""`python -m benchmarks`: run the modules of this package that have a `run` and print one table, row by row."""

import argparse
import asyncio
import importlib
import pkgutil
import shutil
import sys
import tempfile
import traceback
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import benchmarks
from benchmarks.comparison import compare
from benchmarks.servers import Context
from benchmarks.table import Row, format_failure, format_heading, format_row
from common.devstack.embedded import attach
from common.telemetry.logging import configure_logging
from tests.support.citus import cluster_of_environment

SCALES = {"1m": 1_000_000, "10m": 10_000_000, "100m": 100_000_000}
CLUSTER_MODULES = {"bookings_on_cluster"}
"""They need a cluster, which NIGHTAUDIT_TEST_CITUS names."""
SUPPORT_MODULES = {"__main__", "year", "cluster", "table", "comparison", "servers", "load", "bare"}

Benchmark = Callable[[Context], Awaitable[None]]


def benchmark_names() -> list[str]:
    left_out = SUPPORT_MODULES if cluster_of_environment() else SUPPORT_MODULES | CLUSTER_MODULES
    return sorted({module.name for module in pkgutil.iter_modules(benchmarks.__path__)} - left_out)


def load_benchmark(name: str) -> Benchmark:
    run: Benchmark = importlib.import_module(f"benchmarks.{name}").run
    return run


async def run_benchmark(context: Context, name: str) -> None:
    await load_benchmark(name)(context)


async def run_all(context: Context, names: Sequence[str]) -> bool:
    """Run the benchmarks one after another, also after a failure, which is printed; returns whether all succeeded."""
    succeeded = True
    print(format_heading(), flush=True)
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        (error,) = await asyncio.gather(run_benchmark(context, name), return_exceptions=True)
        if error is not None:
            traceback.print_exception(error)
            print(format_failure(name, error), flush=True)
            succeeded = False
    return succeeded


def print_row(row: Row) -> None:
    print(format_row(row), flush=True)


def main() -> int:
    """Return the exit status: 1 if a benchmark failed, else 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=benchmarks.__doc__)
    parser.add_argument("--only", choices=benchmark_names(), action="append", help="run only this benchmark")
    parser.add_argument(
        "--scale", choices=sorted(SCALES, key=SCALES.__getitem__), default="1m", help="rows of the large tables"
    )
    parser.add_argument(
        "--against",
        type=Path,
        metavar="CHECKOUT",
        help="run each benchmark in turn here and in another checkout, and print the ratio of their figures",
    )
    arguments = parser.parse_args()
    names = arguments.only or benchmark_names()
    if arguments.against:
        return 0 if compare(arguments.against.resolve(), names, arguments.scale) else 1
    directory = Path(tempfile.mkdtemp(prefix="nightaudit-bench-"))
    try:
        with attach(directory) as postgres:
            context = Context(SCALES[arguments.scale], directory, postgres, print_row)
            return 0 if asyncio.run(run_all(context, names)) else 1
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    configure_logging(level="warning")  # to standard error: standard output is the table
    sys.exit(main())
