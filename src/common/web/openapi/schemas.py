"""Schemas of the OpenAPI document, in the form that generators of clients understand."""

from collections.abc import Mapping
from inspect import cleandoc
from typing import Any

Schema = dict[str, Any]

REFERENCE = "#/components/schemas/"

PYDANTIC_KEYWORDS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "min_length": "minLength",
    "max_length": "maxLength",
}
"""Pydantic's names of bounds that follow a custom validator, and the names in JSON Schema."""

VALUE_KEYWORDS = frozenset({"default", "example", "examples", "enum", "const"})
"""Keywords whose content is a value, not a schema."""


def tidy(schema: Any) -> Any:
    """The schema with the keywords of JSON Schema, and without what generators of clients do not understand.

    - Decimals are numbers: `responses.encode_json` writes them so, which msgspec's schema does not show.
    - Integers have 64 bits, and each enum has a type.
    - No default is null: an absent property is not a property that is null.
    - There are no titles, which pydantic derives from names.
    """
    if isinstance(schema, list):
        return [tidy(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    tidied: Schema = {}
    for name, value in schema.items():
        if name == "default" and value is None:
            continue
        if name in VALUE_KEYWORDS:
            tidied[name] = value
        elif name == "description":
            # msgspec copies docstrings, which are indented before Python 3.13.
            tidied[name] = cleandoc(value)
        elif name in ("properties", "$defs"):
            tidied[name] = {key: tidy(each) for key, each in value.items()}
        elif name != "title" or not isinstance(value, str):
            tidied[PYDANTIC_KEYWORDS.get(str(name), str(name))] = tidy(value)
    return _with_options(_with_type(tidied))


def _with_type(schema: Schema) -> Schema:
    """The schema with the type of its enum, and the format of its integers and decimals."""
    if schema.get("format") == "decimal":
        return {**schema, "type": "number", "format": "double"}
    if schema.get("type") == "number" and isinstance(schema.get("default"), str):  # pydantic's default of a Decimal
        schema = {**schema, "default": float(schema["default"])}
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    if values and "type" not in schema:
        for kind, name in ((str, "string"), (bool, "boolean"), (int, "integer")):
            if all(isinstance(value, kind) for value in values):
                schema = {**schema, "type": name}
                break
    return {**schema, "format": "int64"} if schema.get("type") == "integer" else schema


def _with_options(schema: Schema) -> Schema:
    """The schema with `oneOf` where a value cannot fit two of its options, which generators turn into a union."""
    if "anyOf" not in schema:
        return schema
    options = _flat(schema["anyOf"])
    if any(option.get("type") == "number" for option in options):  # which an integer is too
        options = [option for option in options if option.get("type") != "integer"]
    kinds = [_kind(option) for option in options]
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    if len(options) == 1:
        return {**options[0], **rest}
    is_exclusive = "discriminator" in schema or (None not in kinds and len(set(kinds)) == len(kinds))
    return {"oneOf" if is_exclusive else "anyOf": options, **rest}


def _flat(options: list[Schema]) -> list[Schema]:
    """The options, those of options included, without the one that permits every value."""
    found: list[Schema] = []
    for option in options:
        inner = option.get("anyOf") or option.get("oneOf")
        if inner and len(option) == 1:
            found += inner
        elif option:
            found.append(option)
    return found


def _kind(option: Schema) -> str | None:
    """The JSON type of an option; None when the schema does not say it."""
    if "$ref" in option:
        return "object"
    kind = option.get("type")
    return "number" if kind == "integer" else kind


def tidy_schemas(value: Any) -> Any:
    """An operation with all its schemas tidied."""
    if isinstance(value, list):
        return [tidy_schemas(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: tidy(each) if name == "schema" else each if name in VALUE_KEYWORDS else tidy_schemas(each)
        for name, each in value.items()
    }


def without_null(schema: Schema) -> Schema:
    """The schema of an optional query parameter, which is absent, never null."""
    for keyword in ("anyOf", "oneOf"):
        options = [option for option in schema.get(keyword, []) if option != {"type": "null"}]
        if options:
            schema = _with_options({**{name: schema[name] for name in schema if name != keyword}, "anyOf": options})
    return schema


def with_renamed_components(value: Any, names: Mapping[str, str]) -> Any:
    """The value with its references to components changed from one name to another."""
    if isinstance(value, list):
        return [with_renamed_components(each, names) for each in value]
    if not isinstance(value, dict):
        return value
    changed = {name: with_renamed_components(each, names) for name, each in value.items()}
    reference = changed.get("$ref")
    if isinstance(reference, str):
        old_name = reference.removeprefix(REFERENCE)
        changed["$ref"] = REFERENCE + names.get(old_name, old_name)
    return changed
