"""Types of the price fields of requests."""

import math
import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

MAX_PRICE = Decimal("99999.99")

_QUERY_PRICE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,2})?")


def parse_price(value: Any) -> Decimal:
    """Return a price from a JSON number: two decimal places, 0 to 99,999.99. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("must be a number")
    number = Decimal(str(value))
    if not 0 <= number <= MAX_PRICE:
        raise ValueError("must be from 0 to 99999.99")
    if number != round(number, 2):
        raise ValueError("must not have more than two decimal places")
    return abs(round(number, 2))


def parse_query_price(value: Any) -> Decimal:
    """Return a price bound from a query string or from JSON; it may exceed `MAX_PRICE`. Raises ValueError."""
    text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not _QUERY_PRICE.fullmatch(text):
        raise ValueError("must be a number from 0 to 999999999.99 with at most two decimal places")
    return Decimal(text)


Price = Annotated[
    Decimal,
    BeforeValidator(parse_price),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 99999.99, "multipleOf": 0.01, "examples": [25.5]}),
]
PriceBound = Annotated[
    Decimal,
    BeforeValidator(parse_query_price),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 999_999_999.99, "multipleOf": 0.01, "examples": [25.5]}),
]
