"""Compiles what makes the address of a route once per worker, not in each application that a test creates.

That takes twenty times as long as the rest of creating an application: a sixth of the time of a test with one.
"""

from typing import Any

from werkzeug.routing.converters import BaseConverter
from werkzeug.routing.rules import Rule

_compile = Rule._compile_builder  # Werkzeug has no public name for it
_compiled: dict[tuple[Any, ...], Any] = {}


def compile_routes_once() -> None:
    """Let all rules of this process with the same text and the same converters share their compiled parts."""
    Rule._compile_builder = _compile_once  # type: ignore[assignment]  # a private method, which no type describes well


def _compile_once(rule: Rule, append_unknown: bool = True) -> Any:
    converters = tuple((name, *_parts(converter)) for name, converter in sorted(rule._converters.items()))
    key = (rule.rule, rule.subdomain, rule.host, repr(rule.defaults), converters, append_unknown)
    if key not in _compiled:
        _compiled[key] = _compile(rule, append_unknown)
    return _compiled[key]


def _parts(converter: BaseConverter) -> tuple[type[BaseConverter], str]:
    """The kind of a converter and its arguments."""
    arguments = {name: value for name, value in vars(converter).items() if name != "map"}
    return type(converter), repr(sorted(arguments.items()))
