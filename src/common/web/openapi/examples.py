"""Examples that are made from schemas."""

from typing import Any

from common.web.openapi.schemas import REFERENCE, Schema

FORMAT_EXAMPLES = {
    "date-time": "2020-01-01T00:00:00Z",
    "date": "2020-01-01",
    "time": "12:00:00",
    "uuid": "0b0d6a3c-6f0e-4a53-9d3c-1f6f0a4f6c11",
    "email": "guest@example.com",
    "uri": "https://example.com/",
}


def example_of(schema: Schema, components: Schema) -> Any:
    """A value that the schema permits. Raises LookupError where the schema alone does not suffice to make one."""
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
