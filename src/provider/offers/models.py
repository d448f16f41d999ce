"""Responses of the offers service, as its documentation defines them."""

import msgspec


class AccessToken(msgspec.Struct, frozen=True):
    """A token to which registered products belong."""

    access_token: str


class RegisteredProduct(msgspec.Struct, frozen=True):
    """The id of the registered product, as the caller sent it."""

    id: int | str


class Offer(msgspec.Struct, frozen=True):
    """An offer of a product by a shop."""

    id: str
    price: int
    items_in_stock: int


class OffersError(msgspec.Struct, frozen=True):
    """An error in the format of the offers service."""

    code: str
    msg: str


class RegistrationStatus(msgspec.Struct, frozen=True):
    """Whether a token is valid, and whether a product is registered with it."""

    token_valid: bool
    registered: bool
