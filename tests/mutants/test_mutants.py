"""The changes of meaning that `make mutants` draws from."""

import ast
import json
from pathlib import Path

from coverage import CoverageData

from tests.mutants.mutant import Mutant
from tests.mutants.python_mutants import is_python, python_mutants
from tests.mutants.relevance import OTHER_FILES, folders_with_tests, relevant_files
from tests.mutants.runner import ROOT
from tests.mutants.selection import Selection, lines_of_function, lines_of_statement
from tests.mutants.sql_mutants import sql_mutants

QUERY = '''"""SELECT is only a word FROM a docstring WHERE nothing runs."""


async def select_rows(db, first):
    """SELECT FROM a docstring."""
    return await db.fetch(
        """
        SELECT max(night) FROM row
         WHERE night >= $1
           AND cancelled_at IS NULL
        """,
        first,
    )
'''


def changed_lines(text: str, mutants: list[Mutant]) -> set[str]:
    """The lines that the mutants have and the text does not."""
    known = set(text.splitlines())
    return {line.strip() for mutant in mutants for line in mutant.text.splitlines() if line not in known}


def test_python_is_changed_in_one_place_at_a_time() -> None:
    text = "def open(hour: int | None) -> bool:\n    return hour is not None and hour >= 9\n"
    assert changed_lines(text, list(python_mutants("src/x.py", text))) >= {
        "return hour is not None and hour > 9",
        "return hour is not None and hour < 9",
        "return hour is None and hour >= 9",
        "return hour is not None or hour >= 9",
        "return hour is not None and hour >= 10",
    }


ROW_CLASS = """
LIMIT = 3 * 1024


@dataclass(frozen=True)
class Row:
    size: int = 4

    @cache
    def pairs(self, seconds: float = -0.5):
        size = 7
        return zip(self.cells, sizes(size), strict=True)
"""


def test_neither_how_objects_are_stored_nor_a_number_of_a_constant_or_a_default_is_changed() -> None:
    assert changed_lines(ROW_CLASS, list(python_mutants("src/x.py", ROW_CLASS))) == {"size = 8", "size = 6"}


def test_a_zip_of_lists_of_different_lengths_is_changed() -> None:
    text = "pairs = zip(some, more, strict=False)\n"
    assert changed_lines(text, list(python_mutants("src/x.py", text))) == {"pairs = zip(some, more, strict=True)"}


def test_types_are_not_changed() -> None:
    assert list(python_mutants("src/x.py", "def open(hour: int | None) -> str | None: ...\n")) == []


def test_an_exception_with_a_dotted_name_does_not_end_the_run() -> None:
    text = "try:\n    run()\nexcept asyncpg.PostgresError:\n    if broken:\n        raise\n"
    assert changed_lines(text, list(python_mutants("src/x.py", text))) == {"if not broken:"}


def test_a_change_that_is_no_python_is_left_out() -> None:
    """Cosmic Ray takes the two stars before a part of a dictionary for the operator of powers."""
    text = "def f(one, other):\n    return {**one, **other}\n"

    assert list(python_mutants("src/x.py", text)) == []
    assert changed_lines("x = y**n\n", list(python_mutants("src/x.py", "x = y**n\n"))) == {"x = y*n"}
    assert is_python("{*one}")
    assert not is_python("{*one, **other}")


def test_the_sql_of_a_statement_is_changed_and_no_docstring() -> None:
    mutants = list(sql_mutants("src/x.py", QUERY))
    assert changed_lines(QUERY, mutants) >= {
        "SELECT min(night) FROM row",
        "WHERE night > $1",
        "WHERE TRUE OR night >= $1",
        "AND cancelled_at IS NOT NULL",
        "OR cancelled_at IS NULL",
    }
    assert {mutant.line for mutant in mutants} <= {8, 9, 10}
    for mutant in mutants:
        ast.parse(mutant.text)


def test_a_condition_is_dropped_with_its_line() -> None:
    dropped = [
        mutant for mutant in sql_mutants("src/x.py", QUERY) if mutant.change.startswith("a condition is dropped")
    ]
    assert len(dropped) == 1
    assert "cancelled_at" not in dropped[0].text


def test_indexes_are_not_changed_but_unique_ones() -> None:
    text = (
        "CREATE INDEX few ON thing (id)\nWHERE state IS NULL AND size > 3;\n"
        "CREATE UNIQUE INDEX one ON thing (id) WHERE size > 2;\nSELECT 1 WHERE 2 > 1;\n"
    )
    assert {mutant.line for mutant in sql_mutants("src/x.sql", text)} == {3, 4}


def test_comments_of_a_migration_are_not_changed() -> None:
    text = "-- less than 3 >= 2\nCREATE TABLE x (n integer CHECK (n >= 2)); -- n >= 2\n"
    mutants = list(sql_mutants("src/x.sql", text))
    assert mutants
    for mutant in mutants:
        assert mutant.line == 2
        assert mutant.text.endswith("; -- n >= 2\n")


def test_comments_behind_the_lines_of_a_statement_are_not_changed() -> None:
    text = 'found = fetch(\n    "SELECT id FROM thing WHERE size > 2"  # 1 > 0 - always\n)\n'
    mutants = list(sql_mutants("src/x.py", text))
    assert mutants
    for mutant in mutants:
        assert mutant.text.splitlines()[1].endswith('"  # 1 > 0 - always')


def test_the_same_change_has_the_same_id_and_others_have_not() -> None:
    first, again = (list(sql_mutants("src/x.py", QUERY)) for _ in range(2))
    assert [mutant.mutant_id for mutant in first] == [mutant.mutant_id for mutant in again]
    assert len({mutant.mutant_id for mutant in first}) == len({mutant.text for mutant in first})


def test_the_folders_with_tests_a_file_are_those_of_its_folder() -> None:
    assert folders_with_tests(ROOT, "src/dashboard/bookings/queries/counters.py") == ["tests/dashboard/bookings"]
    assert folders_with_tests(ROOT, "src/dashboard/app.py") == ["tests/dashboard"]
    assert folders_with_tests(ROOT, "src/common/web/errors.py") == ["tests/common/web"]
    assert folders_with_tests(ROOT, "src/provider/migrations/functions/stays.sql") == ["tests/provider/stays"]


def test_each_migration_of_a_slice_has_the_folder_of_its_tests() -> None:
    for path in (ROOT / "src").rglob("migrations/[0-9]*.sql"):
        (folder,) = folders_with_tests(ROOT, str(path.relative_to(ROOT)))
        assert Path(folder).name in path.stem, path


def test_the_tests_that_name_the_changed_function_are_run_first() -> None:
    path = "src/dashboard/bookings/queries/quarantine.py"
    text = (ROOT / path).read_text()
    line = text[: text.index("def delete_old_quarantined")].count("\n") + 1
    tests = relevant_files(ROOT, Mutant(path, line, "", text), ["tests/dashboard/bookings"])
    inside = [test for test in tests if test.startswith("tests/dashboard/bookings/")]
    assert "delete_old_quarantined" in (ROOT / inside[0]).read_text()
    assert set(inside) == {
        str(each.relative_to(ROOT)) for each in (ROOT / "tests/dashboard/bookings").rglob("test_*.py")
    }
    assert tests[: len(inside)] == inside
    assert len(tests) == len(inside) + OTHER_FILES


LOOP = """@route
def search(rows):
    for row in rows:
        if row.free(
            "now"
        ):
            return row
    return None
"""


def test_the_lines_of_a_statement_do_not_contain_its_body() -> None:
    lines = [list(lines_of_statement(LOOP, line)) for line in (3, 5, 7)]
    assert lines == [[3], [4, 5, 6], [7]]


def test_the_lines_of_a_function_are_those_of_its_body() -> None:
    assert [list(lines_of_function(LOOP, line)) for line in (1, 8)] == [[3, 4, 5, 6, 7, 8]] * 2
    assert list(lines_of_function("LIMIT = 3\n", 1)) == []


def test_the_tests_of_a_changed_line_are_those_that_run_it(tmp_path: Path) -> None:
    (tmp_path / "src/dashboard/rooms").mkdir(parents=True)
    (tmp_path / "tests/dashboard/rooms").mkdir(parents=True)
    (tmp_path / "src/dashboard/rooms/search.py").write_text(LOOP)
    data = CoverageData(str(tmp_path / "coverage"))
    lines = {"quick": [7], "slow": [4, 7], "failed": [7], "longer than all may take": [7], "elsewhere": [3]}
    for name, numbers in lines.items():
        data.set_context(f"tests/dashboard/rooms/test_search.py::{name}|run")
        data.add_lines({str(tmp_path / "src/dashboard/rooms/search.py"): numbers})
    data.write()
    seconds = {"slow": 2.0, "quick": 1.0, "longer than all may take": 300.0, "elsewhere": 0.1}
    durations = {f"tests/dashboard/rooms/test_search.py::{name}": taken for name, taken in seconds.items()}
    durations["tests/test_openapi_documents.py::document"] = 0.01
    (tmp_path / "durations.json").write_text(json.dumps(durations))

    selection = Selection(tmp_path, tmp_path, 300.0)
    tests = [selection.tests_of(Mutant("src/dashboard/rooms/search.py", line, "", LOOP)) for line in (7, 8)]
    names = [[test.partition("::")[2] for test in each] for each in tests]
    assert names == [["quick", "slow"], ["document", "elsewhere", "quick", "slow"]]
