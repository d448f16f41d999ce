"""Changes of SQL, in migrations and in the statements within Python files.

No mutation tool of the package index changes SQL; the rules are ours. A rule is tried on each line of a statement.
"""

import ast
import re
from collections.abc import Iterator

from tests.mutants.mutant import Mutant

RULES: tuple[tuple[str, str, str], ...] = (
    ("greater or equal becomes greater", r">=", ">"),
    ("less or equal becomes less", r"<=", "<"),
    ("greater becomes greater or equal", r"(?<![<=>@&|-])>(?![=>@&|])", ">="),
    ("less becomes less or equal", r"(?<![<@])<(?![=>@&|<])", "<="),
    ("equal becomes not equal", r"(?<![<>:!=]) = (?=\S)", " <> "),
    ("a condition is dropped", r"^(\s*)AND .*$", r"\1"),
    ("a condition is true", r"\bWHERE (?=\S)", "WHERE TRUE OR "),
    ("OR becomes AND", r"\bOR (?!REPLACE)", "AND "),
    ("AND becomes OR", r"(?<!BETWEEN )\bAND (?=[^;]*$)", "OR "),
    ("plus becomes minus", r"(?<=[\w)]) \+ (?=[\w($])", " - "),
    ("minus becomes plus", r"(?<=[\w)]) - (?=[\w($])", " + "),
    ("max becomes min", r"\bmax\(", "min("),
    ("min becomes max", r"\bmin\(", "max("),
    ("greatest becomes least", r"\bgreatest\(", "least("),
    ("least becomes greatest", r"\bleast\(", "greatest("),
    ("lower becomes upper", r"\blower\(", "upper("),
    ("upper becomes lower", r"\bupper\(", "lower("),
    ("descending becomes ascending", r" DESC\b", ""),
    ("an order is reversed", r"\bORDER BY (\w+)(?=\s*(,|$|\)))", r"ORDER BY \1 DESC"),
    ("IS NULL becomes IS NOT NULL", r"\bIS NULL\b", "IS NOT NULL"),
    ("IS NOT NULL becomes IS NULL", r"\bIS NOT NULL\b", "IS NULL"),
    ("NOT EXISTS becomes EXISTS", r"\bNOT EXISTS\b", "EXISTS"),
    ("a row lock is dropped", r"\bFOR (NO KEY )?UPDATE\b( SKIP LOCKED)?|\bFOR (KEY )?SHARE\b", ""),
    ("SKIP LOCKED is dropped", r" SKIP LOCKED\b", ""),
    ("DISTINCT is dropped", r"\bDISTINCT (?!ON\b)", ""),
    ("a left join becomes an inner join", r"\bLEFT JOIN\b", "JOIN"),
    ("UNION ALL becomes EXCEPT ALL", r"\bUNION ALL\b", "EXCEPT ALL"),
    ("a FILTER is dropped", r" FILTER \(WHERE [^()]*\)", ""),
    ("an interval is doubled", r"(?i)interval '1 (hour|day|minute|second|week)", r"INTERVAL '2 \1"),
    ("TRUE becomes FALSE", r"\bTRUE\b", "FALSE"),
    ("FALSE becomes TRUE", r"\bFALSE\b", "TRUE"),
    ("a bound becomes exclusive", r"'\[\]'", "'[)'"),
    ("a bound becomes inclusive", r"'\[\)'", "'[]'"),
    ("a number is one larger", r"(?<![\w.$'])(\d{1,6})(?![\w.'])", "+1"),
    ("a unique constraint is dropped", r"\bUNIQUE\b(?=\s*\()", "CHECK"),
)

INDEX = re.compile(r"^CREATE INDEX\b[^;]*;", re.MULTILINE)
STATEMENT = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH)\b[\s\S]*\b(FROM|VALUES|SET|SELECT|WHERE)\b")


def sql_mutants(path: str, text: str) -> Iterator[Mutant]:
    """Yield each change of the SQL of a file, an .sql or a .py. path: relative to the root of the project."""
    lines = text.splitlines(keepends=True)
    for number in statement_lines(path, text):
        line = lines[number - 1]
        code, mark, comment = line.rstrip("\n").partition("--" if path.endswith(".sql") else "  # ")
        for change, pattern, replacement in RULES:
            for match in re.finditer(pattern, code):
                new = str(int(match[1]) + 1) if replacement == "+1" else match.expand(replacement)
                changed = code[: match.start()] + new + code[match.end() :]
                if changed != code:
                    whole = "".join((*lines[: number - 1], changed, mark, comment, "\n", *lines[number:]))
                    yield Mutant(path, number, f"{change}: `{code.strip()[:70]}`", whole)


def statement_lines(path: str, text: str) -> list[int]:
    """The numbers of the lines of SQL: of a .py file its statements, of an .sql file all but comments and indexes.

    An index that is not unique changes how long an answer takes, and never the answer.
    """
    if path.endswith(".sql"):
        indexes = {
            number
            for found in INDEX.finditer(text)
            for number in range(text.count("\n", 0, found.start()) + 1, text.count("\n", 0, found.end()) + 2)
        }
        return [
            number
            for number, line in enumerate(text.splitlines(), 1)
            if line.strip() and line.strip()[:2] != "--" and number not in indexes
        ]
    numbers: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue  # a docstring
        if isinstance(node, ast.Call):
            for argument in node.args:
                if is_statement(argument):
                    numbers.update(range(argument.lineno, (argument.end_lineno or argument.lineno) + 1))
        elif isinstance(node, ast.Assign | ast.Return) and node.value is not None and is_statement(node.value):
            numbers.update(range(node.value.lineno, (node.value.end_lineno or node.value.lineno) + 1))
    return sorted(numbers)


def is_statement(node: ast.expr) -> bool:
    """Whether an expression is a string, formatted or not, that holds an SQL statement."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and STATEMENT.search(node.value) is not None
    if isinstance(node, ast.JoinedStr):
        parts = [part.value for part in node.values if isinstance(part, ast.Constant)]
        return STATEMENT.search(" ".join(map(str, parts))) is not None
    return False
