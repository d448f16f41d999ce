"""Query strings, validated by pydantic."""

from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

import pydantic
from quart_schema import document_querystring

from common.web.errors import FieldError, Invalid, field_errors
from common.web.request_body import current_request

View = TypeVar("View", bound=Callable[..., Awaitable[Any]])


def validate_querystring(
    model: type[pydantic.BaseModel], *, context: Callable[[], Mapping[str, Any]] | None = None
) -> Callable[[View], View]:
    """Validate the query string against a pydantic model and pass it as `query_args`.

    Raises Invalid with every error found. A parameter that is given more than once is an error. Unlike quart-schema's
    decorator of this name it builds the validator once, which takes longer than to validate. context: called for each
    request; its result is the context of the validators.
    """
    adapter = pydantic.TypeAdapter(model)

    def decorate(view: View) -> View:
        @wraps(view)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            given = current_request().args
            values = {name: each if len(each) > 1 else each[0] for name, each in given.lists()}
            try:
                query = adapter.validate_python(values, context=context() if context else None)
            except pydantic.ValidationError as error:
                raise Invalid("The request is not valid.", errors=_errors_of(error, values)) from None
            return await view(*args, query_args=query, **kwargs)

        return document_querystring(model)(wrapper)  # type: ignore[return-value]  # quart-schema returns the view it is given

    return decorate


def _errors_of(error: pydantic.ValidationError, values: dict[str, Any]) -> list[FieldError]:
    return [
        FieldError(each.field, "is given more than once") if isinstance(values.get(each.field), list) else each
        for each in field_errors(error)
    ]
