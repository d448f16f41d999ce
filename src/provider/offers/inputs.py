"""Bodies of the requests to the offers service, as its documentation defines them."""

from typing import Annotated

from pydantic import Field, StringConstraints

from common.web.input_types import WITHOUT_NUL, Input

ProductName = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=WITHOUT_NUL)]
ProductDescription = Annotated[str, StringConstraints(max_length=20_000, pattern=WITHOUT_NUL)]
TextId = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00/]*$")]
IntegerId = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]


class ProductRegistration(Input):
    """A product under the caller's own id, which is a string or an integer."""

    id: TextId | IntegerId
    name: ProductName
    description: ProductDescription
