"""The messages of validation errors: one style, whether a validator of ours or of pydantic refuses the value."""

from typing import Annotated, Any, Literal

import pydantic
import pytest
from pydantic import Field

from common.web.errors import field_errors
from common.web.input_types import WITHOUT_NUL, Id, Input, Instant, Name, QueryId


class Inner(Input):
    number: int


class Everything(Input):
    """A field of every kind."""

    text: Annotated[str, Field(min_length=2, max_length=3)] = "ab"
    storable: Annotated[str, Field(pattern=WITHOUT_NUL)] = "a"
    code: Annotated[str, Field(pattern=r"^[a-z]+$")] = "a"
    filled: Annotated[str, Field(min_length=1)] = "a"
    whole: Annotated[int, Field(ge=1, le=10)] = 1
    open_range: Annotated[float, Field(gt=0, lt=1)] = 0.5
    flag: bool = True
    kind: Literal["a", "b", "c"] = "a"
    items: Annotated[list[int], Field(min_length=1, max_length=2)] | None = None
    inner: Inner | None = None
    id: Id = 1
    query_id: QueryId = 1
    name: Name = "Ann"
    at: Instant | None = None


@pytest.mark.parametrize(
    ("given", "field", "message"),
    [
        ({"text": 1}, "text", "must be text"),
        ({"text": "a"}, "text", "must have at least 2 characters"),
        ({"text": "abcd"}, "text", "must have at most 3 characters"),
        ({"storable": "a\0"}, "storable", "must not contain a NUL character"),
        ({"code": "{}"}, "code", "is not in the expected form"),
        ({"filled": ""}, "filled", "must have at least 1 character"),
        ({"whole": "1"}, "whole", "must be a whole number"),
        ({"whole": 1.5}, "whole", "must be a whole number"),
        ({"whole": 0}, "whole", "must be at least 1"),
        ({"whole": 11}, "whole", "must be at most 10"),
        ({"open_range": 0}, "open_range", "must be greater than 0.0"),
        ({"open_range": 1}, "open_range", "must be less than 1.0"),
        ({"open_range": "x"}, "open_range", "must be a number"),
        ({"flag": 1}, "flag", "must be true or false"),
        ({"kind": "d"}, "kind", "must be 'a', 'b' or 'c'"),
        ({"items": []}, "items", "must have at least 1 item"),
        ({"items": [1, 2, 3]}, "items", "must have at most 2 items"),
        ({"items": {}}, "items", "must be a list"),
        ({"inner": []}, "inner", "must be an object"),
        ({"inner": {}}, "inner.number", "is required"),
        ({"inner": {"number": None}}, "inner.number", "must be a whole number"),
        ({"id": 0}, "id", "must be at least 1"),
        ({"query_id": "x"}, "query_id", "must be a whole number"),
        ({"name": 1}, "name", "must be text"),
        ({"at": "now"}, "at", "must be an instant with an offset from UTC, such as 2020-01-01T00:00:00Z"),
        ({"unknown": 1}, "unknown", "is not a known field"),
    ],
)
def test_a_message_says_what_the_value_must_be(given: dict[str, Any], field: str, message: str) -> None:
    with pytest.raises(pydantic.ValidationError) as caught:
        Everything.model_validate_json(pydantic.TypeAdapter(dict[str, Any]).dump_json(given))

    assert [(error.field, error.message) for error in field_errors(caught.value)] == [(field, message)]


def test_a_body_that_is_not_json_is_named() -> None:
    with pytest.raises(pydantic.ValidationError) as caught:
        Everything.model_validate_json("{")

    [error] = field_errors(caught.value)
    assert error.field == "body"
    assert error.message.startswith("is not valid JSON: ")
