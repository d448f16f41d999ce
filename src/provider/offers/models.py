"""What the offers service takes and gives, as its documentation has it."""

from typing import Annotated

import msgspec
from pydantic import Field, StringConstraints

from common.web.input_types import Input

ProductName = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]
ProductText = Annotated[str, StringConstraints(max_length=20_000, pattern=r"^[^\x00]*$")]
ProductKey = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00/]*$")]
ProductNumber = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]


class ProductRegistration(Input):
    """A product of the caller's, under the caller's own id: a string or a whole number."""

    id: ProductKey | ProductNumber
    name: ProductName
    description: ProductText


class AccessToken(msgspec.Struct, frozen=True):
    """The token that all registered products are tied to."""

    access_token: str


class RegisteredProduct(msgspec.Struct, frozen=True):
    """The id of the registered product, as it came."""

    id: int | str


class Offer(msgspec.Struct, frozen=True):
    """A product being sold for a price somewhere."""

    id: str
    price: int
    items_in_stock: int


class OffersError(msgspec.Struct, frozen=True):
    """An error as this service writes it."""

    code: str
    msg: str


class RegistrationStatus(msgspec.Struct, frozen=True):
    """What the service knows of a caller: is the token valid, is the product registered with it."""

    token_valid: bool
    registered: bool
