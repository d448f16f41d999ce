"""Rows and responses of the catalogue: products, their offers, and trends of prices."""

import uuid
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

OfferId = int | str
RegistrationState = Literal["pending", "registered"]


class BestOffer(msgspec.Struct, frozen=True):
    """The offer in stock with the lowest price, in minor units."""

    id: OfferId
    price: int
    items_in_stock: int


class Freshness(msgspec.Struct, frozen=True):
    """When the offers of a product were last refreshed, and the error of the last attempt (null when it succeeded)."""

    last_success: datetime | None
    last_error: str | None


class Product(msgspec.Struct, frozen=True):
    """A product and its best offer."""

    id: uuid.UUID
    name: str
    description: str
    registration: RegistrationState
    best_offer: BestOffer | None
    freshness: Freshness


class OfferState(msgspec.Struct, frozen=True):
    """An offer as last seen; closed_at: when it was first missing from the service's response."""

    id: OfferId
    price: int
    items_in_stock: int
    first_seen: datetime
    last_seen: datetime
    closed_at: datetime | None


class TrendPoint(msgspec.Struct, frozen=True):
    """The price from `at` on, until the next point."""

    at: datetime
    price: int


class TrendBucket(msgspec.Struct, frozen=True):
    """The points of the hour, day or week that begins at `at`."""

    at: datetime
    min: int
    max: int
    mean: float
    last: int


def _array_of(*models: type[msgspec.Struct]) -> dict[str, Any]:
    """The schema of an array of these models, inlined: an OpenAPI document may name only one array type."""
    schemas = [msgspec.json.schema(model)["$defs"][model.__name__] for model in models]
    return {"type": "array", "items": {"anyOf": schemas}}


Prices = Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema=_array_of(TrendPoint, TrendBucket))]
"""Points as JSON, or buckets when the request names an interval."""


class Trend(msgspec.Struct, frozen=True):
    """The lowest price in stock over a period; change_percent = (last - first) / first * 100."""

    product_id: uuid.UUID
    from_: datetime | None = msgspec.field(name="from")
    to: datetime | None
    prices: Prices
    first: int | None
    last: int | None
    change_percent: float | None


class OfferTrend(msgspec.Struct, frozen=True):
    """The price of one offer over a period, while it was in stock."""

    product_id: uuid.UUID
    offer_id: OfferId
    from_: datetime | None = msgspec.field(name="from")
    to: datetime | None
    prices: Prices
    first: int | None
    last: int | None
    change_percent: float | None
