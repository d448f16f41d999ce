"""Schemas of the OpenAPI document: from models, tidied, and with an example where nobody wrote one."""

from collections.abc import Mapping
from inspect import cleandoc
from typing import Any

import msgspec
import pydantic

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
"""What pydantic calls a bound that it checks after a validator of ours, and what JSON Schema calls it."""

VALUE_KEYWORDS = frozenset({"default", "example", "examples", "enum", "const"})
"""Keywords that hold values, which are no schemas."""

FORMAT_EXAMPLES = {
    "date-time": "2020-01-01T00:00:00Z",
    "date": "2020-01-01",
    "time": "12:00:00",
    "uuid": "0b0d6a3c-6f0e-4a53-9d3c-1f6f0a4f6c11",
    "email": "guest@example.com",
    "uri": "https://example.com/",
}


def component(model: Any, components: Schema) -> Schema:
    """The schema of a model, its definitions moved to the components."""
    if isinstance(model, type) and issubclass(model, pydantic.BaseModel):
        schema = model.model_json_schema(ref_template=REFERENCE + "{model}")
        components.update(schema.pop("$defs", {}))
        components[model.__name__] = schema
        return {"$ref": REFERENCE + model.__name__}
    (schema,), found = msgspec.json.schema_components([model], ref_template=REFERENCE + "{name}")
    components.update(found)
    return schema


def media_content(schemas: Mapping[str, Any], components: Schema) -> Schema:
    """Content objects of media types; a model, or the model under `items`, becomes a reference to its component."""
    content: Schema = {}
    for name, given in schemas.items():
        if not isinstance(given, dict):
            schema = component(given, components)
        elif not isinstance(given.get("items", {}), dict):
            schema = {**given, "items": component(given["items"], components)}
        else:
            schema = given
        content[name] = {"schema": schema}
    return content


def tidy(schema: Any) -> Any:
    """The schema in JSON Schema's own words, without the titles that pydantic makes of the names.

    Decimals are numbers: common.json writes them so, and msgspec's schema does not know that.
    """
    if isinstance(schema, list):
        return [tidy(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("format") == "decimal":
        schema = {**schema, "type": "number", "format": "double"}
    tidied: Schema = {}
    for name, value in schema.items():
        if name in VALUE_KEYWORDS:
            tidied[name] = value
        elif name == "description":
            # msgspec copies docstrings, which are indented before Python 3.13.
            tidied[name] = cleandoc(value)
        elif name in ("properties", "$defs"):
            tidied[name] = {key: tidy(each) for key, each in value.items()}
        elif name != "title" or not isinstance(value, str):
            tidied[PYDANTIC_KEYWORDS.get(str(name), str(name))] = tidy(value)
    return tidied


def without_null(schema: Schema) -> Schema:
    """An optional query parameter is absent, never null."""
    schema = dict(schema)
    options = [option for option in schema.pop("anyOf", []) if option != {"type": "null"}]
    if len(options) == 1:
        schema = {**options[0], **schema}
    elif options:
        schema["anyOf"] = options
    if schema.get("default", ...) is None:
        del schema["default"]
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
        known = reference.removeprefix(REFERENCE)
        changed["$ref"] = REFERENCE + names.get(known, known)
    return changed


def example_of(schema: Schema, components: Schema) -> Any:
    """A value that the schema describes. Raises LookupError where it cannot be told from the schema alone."""
    if "$ref" in schema:
        return example_of(components[schema["$ref"].removeprefix(REFERENCE)], components)
    for keyword in ("examples", "enum"):
        if schema.get(keyword):
            return schema[keyword][0]
    for keyword in ("example", "const", "default"):
        if schema.get(keyword) is not None:
            return schema[keyword]
    options = schema.get("anyOf") or schema.get("oneOf")
    if options:
        return example_of(options[0], components)
    return _example_of_type(schema, components)


def _example_of_type(schema: Schema, components: Schema) -> Any:
    kind = schema.get("type")
    if kind == "object":
        return {name: example_of(each, components) for name, each in schema.get("properties", {}).items()}
    if kind == "array":
        return [example_of(schema["items"], components)] if "items" in schema else []
    if kind in ("integer", "number"):
        return min(max(1, schema.get("minimum", 1)), schema.get("maximum", 1))
    if kind == "string":
        if "pattern" in schema or schema.get("format", "date") not in FORMAT_EXAMPLES:
            raise LookupError(schema)
        return (
            FORMAT_EXAMPLES[schema["format"]] if "format" in schema else "text".ljust(schema.get("minLength", 0), "x")
        )
    if kind == "boolean":
        return True
    if kind == "null":
        return None
    raise LookupError(schema)
