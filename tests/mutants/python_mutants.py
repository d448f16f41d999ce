"""Changes of Python code, by the operators of Cosmic Ray."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

import cosmic_ray.plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code

from tests.mutants.mutant import Mutant

NEW_EXCEPTION = "CosmicRayTestingException"

OPERATORS = (
    "core/AddNot",
    "core/ExceptionReplacer",
    "core/NumberReplacer",
    "core/RemoveDecorator",
    "core/ReplaceAndWithOr",
    "core/ReplaceBinaryOperator_Add_Sub",
    "core/ReplaceBinaryOperator_Div_Mul",
    "core/ReplaceBinaryOperator_FloorDiv_Mul",
    "core/ReplaceBinaryOperator_Mod_Mul",
    "core/ReplaceBinaryOperator_Mul_Add",
    "core/ReplaceBinaryOperator_Pow_Mul",
    "core/ReplaceBinaryOperator_Sub_Add",
    "core/ReplaceBreakWithContinue",
    "core/ReplaceComparisonOperator_Eq_NotEq",
    "core/ReplaceComparisonOperator_GtE_Gt",
    "core/ReplaceComparisonOperator_GtE_Lt",
    "core/ReplaceComparisonOperator_Gt_GtE",
    "core/ReplaceComparisonOperator_Gt_LtE",
    "core/ReplaceComparisonOperator_IsNot_Is",
    "core/ReplaceComparisonOperator_Is_IsNot",
    "core/ReplaceComparisonOperator_LtE_Gt",
    "core/ReplaceComparisonOperator_LtE_Lt",
    "core/ReplaceComparisonOperator_Lt_GtE",
    "core/ReplaceComparisonOperator_Lt_LtE",
    "core/ReplaceComparisonOperator_NotEq_Eq",
    "core/ReplaceContinueWithBreak",
    "core/ReplaceFalseWithTrue",
    "core/ReplaceOrWithAnd",
    "core/ReplaceTrueWithFalse",
    "core/ReplaceUnaryOperator_Delete_Not",
    "core/ReplaceUnaryOperator_USub_UAdd",
    "core/ZeroIterationForLoop",
)
"""Without the operators that change types (`int | None`), which no test can notice."""


NOT_NOTICEABLE = frozenset({"frozen", "gc", "slots", "kw_only"})
"""Arguments of calls and classes that change how objects are stored or made, and nothing that is computed."""

CACHES = re.compile(r"@(cache|lru_cache\b.*)")
"""Decorators without which a function computes the same again."""


@dataclass(frozen=True)
class Place:
    """Where an operator can change a file. occurrence: the number of the place among those of the operator."""

    operator: str
    occurrence: int
    line: int
    column: int


def find_places(text: str) -> Iterator[Place]:
    """Yield each place of a Python file where an operator changes the meaning."""
    nodes = list(ast_nodes(get_ast(text)))
    meaningless = without_meaning(text)
    for name in OPERATORS:
        operator = cosmic_ray.plugins.get_operator(name)()
        positions = [start for node in nodes for start, _ in operator.mutation_positions(node)]
        for occurrence, position in enumerate(positions):
            if not any(start <= position < end for start, end in meaningless):
                yield Place(name, occurrence, *position)


Span = tuple[tuple[int, int], tuple[int, int]]
"""The begin and the end of a part of a file: line from 1, column from 0; the end is not included."""


def without_meaning(text: str) -> list[Span]:
    """Where values say how objects are stored, and where the numbers of constants and of defaults stand.

    A test of the number in a constant would only repeat it: a time-out, a size, an example.
    """
    tree = ast.parse(text)
    storage = [node.value for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg in NOT_NOTICEABLE]
    storage += [keyword.value for call in calls_of_zip(tree) for keyword in call.keywords if is_true(keyword.value)]
    bodies = [tree.body, *(node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]
    constants = [node for body in bodies for node in body if isinstance(node, ast.Assign | ast.AnnAssign)]
    defaults = [
        default
        for node in ast.walk(tree)
        if isinstance(node, ast.arguments)
        for default in (*node.defaults, *node.kw_defaults)
        if default is not None
    ]
    numbers = [part for whole in (*constants, *defaults) for part in ast.walk(whole) if is_number(part)]
    return [span_of(node) for node in (*storage, *numbers)]


def calls_of_zip(tree: ast.AST) -> Iterator[ast.Call]:
    """The calls of `zip`, whose `strict=True` states what holds anyway."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name("zip")):
                yield node


def is_true(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def is_number(node: ast.AST) -> bool:
    """Whether an expression is a number, or made of numbers alone, such as `16 * 1024`."""
    match node:
        case ast.Constant(value=value):
            return isinstance(value, int | float) and not isinstance(value, bool)
        case ast.BinOp(left=left, right=right):
            return is_number(left) and is_number(right)
        case ast.UnaryOp(operand=operand):
            return is_number(operand)
    return False


def span_of(node: ast.AST) -> Span:
    assert isinstance(node, ast.expr)
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)


def change_place(path: str, text: str, place: Place) -> Mutant | None:
    """Change a place of a Python file; None for what the operator cannot change. path: relative to the project."""
    operator = cosmic_ray.plugins.get_operator(place.operator)()
    try:
        changed = mutate_code(text, operator, place.occurrence)
    except AttributeError:  # ExceptionReplacer fails on an exception with a dotted name, or writes into it
        return None
    if changed is None or changed == text or NEW_EXCEPTION in re.sub(rf"\b{NEW_EXCEPTION}\b", "", changed):
        return None
    words = text.splitlines()[place.line - 1][place.column :].strip()
    if CACHES.fullmatch(words) or not is_python(changed):
        return None
    return Mutant(path, place.line, f"{place.operator.removeprefix('core/')} at `{words[:60]}`", changed)


def is_python(text: str) -> bool:
    """Whether Python can parse a text. Cosmic Ray takes the stars of `{**one, **other}` for the operator of powers."""
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def python_mutants(path: str, text: str) -> Iterator[Mutant]:
    """Yield each change of a Python file. path: relative to the root of the project."""
    for place in find_places(text):
        mutant = change_place(path, text, place)
        if mutant is not None:
            yield mutant
