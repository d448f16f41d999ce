"""Descriptions of the fields of models: the string literals that stand below the fields in the source."""

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise


@cache
def field_descriptions(model: type) -> Mapping[str, str]:
    """The descriptions of the fields of a class, those of its bases included, by the fields' names in Python."""
    found: dict[str, str] = {}
    for each in reversed(model.__mro__):
        body = _class_bodies(each.__module__).get(each.__qualname__, [])
        found |= dict(_described_fields(body))
    return found


@cache
def _class_bodies(module: str) -> Mapping[str, list[ast.stmt]]:
    """The bodies of the classes of a module, by qualified name; empty for a module without source."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (KeyError, OSError, TypeError):
        return {}
    return dict(_named_bodies(tree, ""))


def _named_bodies(node: ast.AST, prefix: str) -> Iterator[tuple[str, list[ast.stmt]]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield prefix + child.name, child.body
            yield from _named_bodies(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _named_bodies(child, f"{prefix}{child.name}.<locals>.")
        else:
            yield from _named_bodies(child, prefix)


def _described_fields(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for field, following in pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(following, ast.Expr)
            and isinstance(following.value, ast.Constant)
            and isinstance(following.value.value, str)
        ):
            yield field.target.id, inspect.cleandoc(following.value.value)
