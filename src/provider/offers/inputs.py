"""Bodies of the requests to the offers service, as its documentation defines them."""

from functools import partial
from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema

from common.web.input_types import WITHOUT_NUL, Input, parse_name

ProductName = Annotated[
    str,
    BeforeValidator(partial(parse_name, max_length=1000)),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 1000}),
]
ProductDescription = Annotated[str, StringConstraints(max_length=20_000, pattern=WITHOUT_NUL)]
TextId = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00/]*$")]
IntegerId = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]


class ProductRegistration(Input):
    """A product under the caller's own id, which is a string or an integer."""

    id: TextId | IntegerId
    """The caller's own id of the product, a string or an integer."""
    name: ProductName
    """Name of the product."""
    description: ProductDescription
    """The product in words."""
