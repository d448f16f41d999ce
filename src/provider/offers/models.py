"""Responses of the offers service, as its documentation defines them."""

import msgspec


class AccessToken(msgspec.Struct, frozen=True):
    """An access token."""

    access_token: str
    """The token, for the header `Bearer`."""


class RegisteredProduct(msgspec.Struct, frozen=True):
    """The id of the registered product, as the caller sent it."""

    id: int | str
    """Id of the product."""


class Offer(msgspec.Struct, frozen=True):
    """An offer of a product by a shop."""

    id: str
    """Id of the offer."""
    price: int
    """In minor units."""
    items_in_stock: int
    """How many can be bought; 0 = sold out."""


class OffersError(msgspec.Struct, frozen=True):
    """An error in the format of the offers service."""

    code: str
    """The name of the HTTP status."""
    msg: str
    """What is wrong, in words."""


class InvalidValue(msgspec.Struct, frozen=True):
    """An invalid value of a request, in the format of the present service."""

    loc: list[str]
    """Where it is: `header` or `body`, and its name."""
    msg: str
    """What is wrong, in words."""
    type: str
    """The kind of the error."""


class PresentOffersError(msgspec.Struct, frozen=True):
    """An error in the format of the present service, which issues access tokens for a refresh token."""

    detail: str | list[InvalidValue]
    """What is wrong, in words; of a request that is not valid, every invalid value."""


class RegistrationStatus(msgspec.Struct, frozen=True):
    """Whether a token is valid, and whether a product is registered with it."""

    token_valid: bool
    registered: bool
