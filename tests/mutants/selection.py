"""Which tests are run on a mutant: those that run the changed line, the quick ones first, so that most take seconds.

One run of the whole suite measures which lines each test runs and how long it takes. Of a line that runs at import, or
of a migration, nothing is known; there the test files are chosen by their words.
"""

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

from coverage import CoverageData

from tests.mutants.durations import FILE_VARIABLE
from tests.mutants.mutant import Mutant
from tests.mutants.relevance import folders_with_tests, relevant_files

DOCUMENT_TESTS = "tests/test_openapi_documents.py"
"""Notices each change of what is documented, which a module says when it is imported."""
OTHER_FOLDER = 3
"""A test of another folder than that of the changed file comes after one that takes so many times as long."""
FILES_AT_ONCE = 3


class Selection:
    """Chooses the tests of a mutant.

    root: of the project. state: a folder for what the run of the suite measures. max_seconds: how long the tests of one
    mutant may take in all, as they did in the whole suite; longer ones are left out.
    """

    def __init__(self, root: Path, state: Path, max_seconds: float) -> None:
        self.root = root
        self.max_seconds = max_seconds
        self.coverage = state / "coverage"
        self.durations_file = state / "durations.json"

    def measure(self) -> None:
        """Run the whole suite, unless that was done before. Tests that fail are never chosen."""
        if self.coverage.exists() and self.durations_file.exists():
            return
        print("the whole suite is run once, to see which tests run which lines", flush=True)
        options = ["-q", "-n", "auto", "--dist", "worksteal", "--no-header", "--tb=line", "-p", "no:cacheprovider"]
        measuring = ["--cov", "--cov-context=test", "--cov-report=", "--cov-fail-under=0"]
        subprocess.run(
            [sys.executable, "-m", "pytest", *options, *measuring, "-p", "tests.mutants.durations"],
            cwd=self.root,
            env={
                **os.environ,
                "PYTHONPATH": f"{self.root / 'src'}:{self.root}",
                FILE_VARIABLE: str(self.durations_file),
            },
            check=False,
        )
        shutil.copy(self.root / ".coverage" / "data", self.coverage)

    @cached_property
    def durations(self) -> Mapping[str, float]:
        """The seconds of each test."""
        found: dict[str, float] = json.loads(self.durations_file.read_text())
        return found

    @cached_property
    def tests_by_line(self) -> Mapping[str, Mapping[int, frozenset[str]]]:
        """The tests that run each line of each file of the product, by its path relative to the project."""
        data = CoverageData(str(self.coverage))
        data.read()
        found = {}
        for file in data.measured_files():
            path = "src" + file.rpartition("/src")[2]
            found[path] = {
                line: frozenset(context.partition("|")[0] for context in contexts if context)
                for line, contexts in data.contexts_by_lineno(file).items()
            }
        return found

    def tests_of(self, mutant: Mutant) -> list[str]:
        """The tests to run on a mutant, in their order."""
        folders = folders_with_tests(self.root, mutant.path)
        covering = self.covering_tests(mutant) if mutant.path.endswith(".py") else frozenset()

        def weight(test: str) -> float:
            inside = any(Path(test).is_relative_to(folder) for folder in folders)
            return self.durations[test] * (1 if inside else OTHER_FOLDER)

        if covering:
            return list(self.within_limit(sorted(covering, key=weight)))
        files = relevant_files(self.root, mutant, folders)
        rank = {file: number // FILES_AT_ONCE for number, file in enumerate(files)}
        rank[DOCUMENT_TESTS] = 0
        tests = [test for test in self.durations if test.partition("::")[0] in rank]
        return list(
            self.within_limit(sorted(tests, key=lambda test: (rank[test.partition("::")[0]], self.durations[test])))
        )

    def covering_tests(self, mutant: Mutant) -> frozenset[str]:
        """The tests that run the changed statement.

        Of one that runs at import, such as a decorator: those that run any line of its function, and DOCUMENT_TESTS.
        """
        by_line = self.tests_by_line.get(mutant.path, {})
        text = (self.root / mutant.path).read_text(encoding="utf-8")

        def tests_of_lines(lines: Iterable[int]) -> frozenset[str]:
            return frozenset(test for line in lines for test in by_line.get(line, ()) if test in self.durations)

        if tests := tests_of_lines(lines_of_statement(text, mutant.line)):
            return tests
        if tests := tests_of_lines(lines_of_function(text, mutant.line)):
            return tests.union(test for test in self.durations if test.startswith(DOCUMENT_TESTS))
        return frozenset()

    def within_limit(self, tests: Iterable[str]) -> Iterator[str]:
        """Yield tests until they take too long in all."""
        left = self.max_seconds
        for test in tests:
            left -= self.durations[test]
            if left < 0:
                return
            yield test


def lines_of_statement(text: str, line: int) -> range:
    """The lines of the smallest statement with that line; of one with a body only those before the body."""
    statements = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or node.lineno)
    ]
    if not statements:
        return range(0)
    smallest = min(statements, key=lambda node: (node.end_lineno or node.lineno) - node.lineno)
    body = getattr(smallest, "body", None)
    end = body[0].lineno - 1 if body and body[0].lineno > smallest.lineno else smallest.end_lineno or smallest.lineno
    return range(smallest.lineno, end + 1)


def lines_of_function(text: str, line: int) -> range:
    """The lines of the body of the innermost function with that line, decorators included; none outside functions."""
    functions = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and min([node.lineno, *(each.lineno for each in node.decorator_list)]) <= line <= (node.end_lineno or 0)
    ]
    if not functions:
        return range(0)
    innermost = max(functions, key=lambda node: node.lineno)
    return range(innermost.body[0].lineno, (innermost.end_lineno or innermost.lineno) + 1)
