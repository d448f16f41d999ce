"""`make mutants`: change the product in small ways and see which changes no test notices."""

import argparse
import hashlib
import sys
from itertools import islice
from pathlib import Path

from tests.mutants.mutant import Mutant
from tests.mutants.python_mutants import change_place, find_places
from tests.mutants.runner import ROOT, STATE, Result, run_mutants
from tests.mutants.selection import Selection
from tests.mutants.sql_mutants import sql_mutants

SIMULATIONS = ("demand", "simulation")
"""What files with such names compute only has to be believable."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--module", default="", help="only files below this folder of src, such as dashboard/bookings")
    parser.add_argument("--python", type=int, default=200, help="how many changes of Python code are drawn")
    parser.add_argument("--sql", type=int, default=100, help="how many changes of SQL are drawn")
    parser.add_argument("--seed", type=int, default=1, help="the same seed draws the same changes of the same code")
    parser.add_argument("--processes", type=int, default=2, help="how many are tried at a time")
    parser.add_argument("--seconds", type=float, default=300.0, help="how long the tests of one change may take")
    parser.add_argument("--tests", nargs="*", help="the tests to run, instead of those of each change")
    options = parser.parse_args()
    chosen = [
        *draw_python(python_files(options.module), options.python, options.seed),
        *draw_sql(sql_files(options.module), options.sql, options.seed),
    ]
    STATE.mkdir(exist_ok=True)
    selection = Selection(ROOT, STATE, options.seconds)
    if not options.tests:
        selection.measure()

    def tests_of(mutant: Mutant) -> list[str]:
        return options.tests or selection.tests_of(mutant)

    results = []
    for number, result in enumerate(run_mutants(chosen, options.processes, tests_of), 1):
        results.append(result)
        print(f"{number}/{len(chosen)} {format_result(result)}", flush=True)
    print_summary(results)
    return 0


def python_files(module: str) -> list[Path]:
    return sorted(
        path
        for path in (ROOT / "src" / module).rglob("*.py")
        if path.name != "__init__.py" and not path.stem.endswith(SIMULATIONS)
    )


def sql_files(module: str) -> list[Path]:
    """The files with SQL: the migrations and the Python files. The dumped schema is made from the migrations."""
    migrations = [path for path in (ROOT / "src").rglob("*.sql") if path.name != "schema.sql"]
    if module:
        below = Path(module)
        migrations = [
            path
            for path in migrations
            if path.is_relative_to(ROOT / "src" / below)
            or (path.is_relative_to(ROOT / "src" / below.parts[0]) and path.stem.lstrip("0123456789_") == below.name)
        ]
    return sorted([*migrations, *python_files(module)])


def draw_python(files: list[Path], number: int, seed: int) -> list[Mutant]:
    """Draw changes of Python code at random, each with the same probability.

    Editing a file draws anew for that file alone, so most of the changes drawn from other files stay the same.
    """
    texts = {path: path.read_text(encoding="utf-8") for path in files}
    places = [(path, place) for path, text in texts.items() for place in find_places(text)]
    places.sort(key=lambda each: _lot(seed, str(each[0].relative_to(ROOT)), each[1].operator, each[1].occurrence))
    changes = (change_place(str(path.relative_to(ROOT)), texts[path], place) for path, place in places)
    return list(islice((mutant for mutant in changes if mutant is not None), number))


def draw_sql(files: list[Path], number: int, seed: int) -> list[Mutant]:
    """Draw changes of SQL at random, each with the same probability."""
    mutants = [
        mutant
        for path in files
        for mutant in sql_mutants(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))
    ]
    return sorted(mutants, key=lambda mutant: _lot(seed, mutant.path, mutant.change, mutant.mutant_id))[:number]


def _lot(seed: int, *what: object) -> bytes:
    """The lot of a change; those with the least lots are drawn."""
    return hashlib.sha256("\n".join(map(str, (seed, *what))).encode()).digest()


def format_result(result: Result) -> str:
    verdict = "noticed " if result.noticed else "SURVIVED"
    return f"{verdict} {result.path}:{result.line} {result.change}"


def print_summary(results: list[Result]) -> None:
    """Print the share that was noticed, and each survivor."""
    survivors = [result for result in results if not result.noticed]
    for result in sorted(survivors, key=lambda each: (each.path, each.line)):
        print(format_result(result))
    noticed = len(results) - len(survivors)
    share = f" ({noticed / len(results):.1%})" if results else ""
    print(f"{noticed} of {len(results)} noticed{share}")


if __name__ == "__main__":
    sys.exit(main())
