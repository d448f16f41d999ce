"""The cursor of the list of products: what was asked, and the position in its order."""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Annotated, Any
from uuid import UUID

import msgspec

from common.limits import MAX_PRICE
from common.web.errors import Invalid
from common.web.pagination import decode_cursor
from dashboard.catalog.inputs import ProductsQuery
from dashboard.catalog.models import ProductPosition

SHAPES: Mapping[str, Any] = {
    "name": tuple[str, str, UUID],
    "price": tuple[str, Annotated[int, msgspec.Meta(ge=0, le=MAX_PRICE)] | None, UUID],
    "change_7d": tuple[str, float | None, UUID],
}
"""What a cursor of each order holds: a digest of what was asked, and the position."""


def position_of(query: ProductsQuery, position: ProductPosition) -> tuple[Any, ...]:
    """What the cursor of the page after the position holds."""
    return (_digest(query), *position)


def decode_position(query: ProductsQuery) -> ProductPosition | None:
    """The position in the cursor; None without one.

    Raises Invalid for a cursor of another order, stock or search, in whose list it is a position.
    """
    if query.cursor is None:
        return None
    digest, *position = decode_cursor(query.cursor, SHAPES[query.sort.removeprefix("-")])
    if digest != _digest(query):
        raise Invalid.field("cursor", "is not a valid cursor for this list")
    return ProductPosition(*position)


def _digest(query: ProductsQuery) -> str:
    asked = msgspec.json.encode([query.sort, query.in_stock, query.search])
    return blake2b(asked, digest_size=6).hexdigest()
