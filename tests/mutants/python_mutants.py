"""Changes of Python code, by the operators of Cosmic Ray."""

from collections.abc import Iterator

import cosmic_ray.plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator

from tests.mutants.mutant import Mutant

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


def python_mutants(path: str, text: str) -> Iterator[Mutant]:
    """Yield each change of a Python file. path: relative to the root of the project."""
    nodes = list(ast_nodes(get_ast(text)))
    for name in OPERATORS:
        operator = cosmic_ray.plugins.get_operator(name)()
        positions = [start for node in nodes for start, _ in operator.mutation_positions(node)]
        for occurrence, (line, column) in enumerate(positions):
            changed = changed_text(text, operator, occurrence)
            if changed is not None and changed != text:
                words = text.splitlines()[line - 1][column:].strip()
                yield Mutant(path, line, f"{name.removeprefix('core/')} at `{words[:60]}`", changed)


def changed_text(text: str, operator: Operator, occurrence: int) -> str | None:
    """The text with one occurrence changed; None for what the operator cannot change."""
    try:
        return mutate_code(text, operator, occurrence)
    except AttributeError:  # ExceptionReplacer fails on an exception with a dotted name
        return None
