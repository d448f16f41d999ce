"""The messages of validation errors, in the style of our own: what the value must be, after the name of its field."""

from collections.abc import Mapping
from typing import Any

from common.web.input_types import WITHOUT_NUL

UNKNOWN_FIELD = "is not a known field"

WORDING: Mapping[str, str] = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "decimal_type": "must be a number",
    "dict_type": "must be an object",
    "extra_forbidden": UNKNOWN_FIELD,
    "finite_number": "must be a finite number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number with fewer digits",
    "int_type": "must be a whole number",
    "json_invalid": "is not valid JSON: {error}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "list_type": "must be a list",
    "literal_error": "must be {expected}",
    "missing": "is required",
    "model_attributes_type": "must be an object",
    "model_type": "must be an object",
    "string_pattern_mismatch": "is not in the expected form",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have at least {min_length} characters",
    "string_type": "must be text",
    "too_long": "must have at most {max_length} items",
    "too_short": "must have at least {min_length} items",
}
"""By the type of the error of pydantic; the names in braces are of its context."""


PATTERNS: Mapping[str, str] = {WITHOUT_NUL: "must not contain a NUL character"}
"""The wording for texts that do not match a pattern; what a pattern means stands better in a validator of its own."""


def message_of(error: Mapping[str, Any]) -> str:
    """The message of an error of pydantic; that of a validator of ours as it is."""
    context = error.get("ctx", {})
    wording = PATTERNS.get(context.get("pattern", ""), WORDING.get(error["type"]))
    if wording is None:
        message: str = error["msg"]
        return message.removeprefix("Value error, ")
    text = wording.format(**context)
    return text.replace(" 1 characters", " 1 character").replace(" 1 items", " 1 item")
