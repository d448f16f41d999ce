"""`python -m benchmarks [--only NAME] [--scale 1m|10m|100m]`: every module here that has a `run`, one table."""

import argparse
import asyncio
import importlib
import pkgutil
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import benchmarks
from benchmarks.servers import Context
from benchmarks.table import Row, table
from common.devstack.embedded import attach

SCALES = {"1m": 1_000_000, "10m": 10_000_000, "100m": 100_000_000}
FRAME = {"__main__", "table", "servers", "load", "bare"}

Benchmark = Callable[[Context], Awaitable[list[Row]]]


def names() -> list[str]:
    """The benchmarks: modules of this package that are not the frame."""
    return sorted({module.name for module in pkgutil.iter_modules(benchmarks.__path__)} - FRAME)


def benchmark(name: str) -> Benchmark:
    """The `run` of a benchmark."""
    run: Benchmark = importlib.import_module(f"benchmarks.{name}").run
    return run


async def measure(context: Context, chosen: Sequence[str]) -> list[Row]:
    rows: list[Row] = []
    for name in chosen:
        print(f"{name} ...", file=sys.stderr, flush=True)
        rows += await benchmark(name)(context)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=benchmarks.__doc__)
    parser.add_argument("--only", choices=names(), action="append", help="only this benchmark")
    parser.add_argument(
        "--scale", choices=sorted(SCALES, key=SCALES.__getitem__), default="1m", help="rows of the large tables"
    )
    arguments = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="nightaudit-bench-"))
    try:
        with attach(directory) as postgres:
            context = Context(SCALES[arguments.scale], directory, postgres)
            rows = asyncio.run(measure(context, arguments.only or names()))
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
