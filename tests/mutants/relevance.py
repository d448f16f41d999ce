"""Which test files probably notice a change of a file."""

import ast
import re
from collections import Counter
from functools import cache
from itertools import chain
from pathlib import Path

from tests.mutants.mutant import Mutant

WORD = re.compile(r"[A-Za-z_]\w{3,}")
OTHER_FILES = 6
"""How many test files outside the folders of a changed file are run on its mutants, after those of the folders."""
LINES_AROUND = 3


def folders_with_tests(root: Path, path: str) -> list[str]:
    """The tests of a file: the folder that mirrors its folder, or the nearest above it that exists.

    The SQL of a slice lies in the migrations of its application and has the slice's name.
    """
    parts = Path(path).parts[1:]
    if "migrations" in parts:
        slice_name = Path(path).stem.lstrip("0123456789_")
        folder = Path("tests", parts[0], slice_name)
        return [str(folder if (root / folder).is_dir() else folder.parent)]
    folder = Path("tests", *parts[:-1])
    while not (root / folder).is_dir():
        folder = folder.parent
    return [str(folder)]


def relevant_files(root: Path, mutant: Mutant, folders: list[str]) -> list[str]:
    """The test files of the folders, then the most relevant of all others, each part ordered by relevance.

    A test file is the more relevant, the more words it shares with the place of the change and the rarer these are;
    most relevant is one that is named after the changed file.
    """
    stem = Path(mutant.path).stem.lstrip("0123456789_")
    words = words_of_place(mutant)
    known = words_by_test(root)
    frequency = Counter(chain.from_iterable(known.values()))

    def relevance(path: str) -> float:
        return (stem in Path(path).stem) + sum(1 / frequency[word] for word in words & known[path])

    ordered = sorted(known, key=lambda path: (-relevance(path), path))
    inside = [path for path in ordered if any(Path(path).is_relative_to(folder) for folder in folders)]
    outside = [path for path in ordered if path not in inside and relevance(path) > 0]
    return inside + outside[:OTHER_FILES]


def words_of_place(mutant: Mutant) -> set[str]:
    """The words of the changed lines, of the enclosing function and class, of the file and of its folder."""
    lines = mutant.text.splitlines()
    near = lines[max(0, mutant.line - 1 - LINES_AROUND) : mutant.line + LINES_AROUND]
    words = set(WORD.findall("\n".join(near)))
    if mutant.path.endswith(".py"):
        words.update(enclosing_names(ast.parse(mutant.text), mutant.line))
    return words | {Path(mutant.path).stem.lstrip("0123456789_"), Path(mutant.path).parent.name}


def enclosing_names(tree: ast.Module, line: int) -> set[str]:
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and node.lineno <= line <= (node.end_lineno or node.lineno)
    }


@cache
def words_by_test(root: Path) -> dict[str, frozenset[str]]:
    """The words of each test file, by its path relative to the root; the file's name counts as words."""
    return {
        str(path.relative_to(root)): frozenset(WORD.findall(path.read_text(encoding="utf-8"))) | {path.stem[5:]}
        for path in sorted((root / "tests").rglob("test_*.py"))
        if "mutants" not in path.parts
    }
