"""Products, offers and trends: as they come in, as they are stored, as they go out."""

import os
import time
import uuid
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from pydantic import Field, StringConstraints

from common.web.errors import Invalid
from common.web.input_types import WITHOUT_NUL, Input, PageQuery, QueryInstant

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=WITHOUT_NUL)]
Description = Annotated[str, StringConstraints(max_length=5000, pattern=WITHOUT_NUL)]

OfferId = int | str
Interval = Literal["hour", "day", "week"]
Registration = Literal["pending", "registered"]


def new_product_id() -> uuid.UUID:
    """A UUIDv7 (RFC 9562): milliseconds, then their fraction in the 12 bits behind the version, then chance."""
    nanoseconds = time.time_ns()
    milliseconds, rest = divmod(nanoseconds, 1_000_000)
    fraction = rest * 4096 // 1_000_000
    chance = int.from_bytes(os.urandom(8)) >> 2
    return uuid.UUID(int=milliseconds << 80 | 7 << 76 | fraction << 64 | 2 << 62 | chance)


class ProductInput(Input):
    """A product as it is created or replaced."""

    name: Name
    description: Description


def _absent() -> str:
    return ""


class ProductChange(Input):
    """What changes about a product; what is absent stays."""

    name: Name = Field(default_factory=_absent)
    description: Description = Field(default_factory=_absent)

    def given(self, field: Literal["name", "description"]) -> str | None:
        """The value of a field, None where the request did not name it."""
        return getattr(self, field) if field in self.model_fields_set else None


class ProductsQuery(PageQuery):
    search: Annotated[
        str | None, Field(max_length=200, pattern=WITHOUT_NUL, description="Part of the name, in any case of letters")
    ] = None


class OffersQuery(PageQuery):
    include: Annotated[Literal["closed"] | None, Field(description="`closed`: the vanished ones too")] = None


class TrendQuery(Input):
    from_: Annotated[
        QueryInstant | None,
        Field(alias="from", description="The period's start; the price that held then is its first point"),
    ] = None
    to: Annotated[QueryInstant | None, Field(description="The period's end, included")] = None
    interval: Annotated[
        Interval | None, Field(description="Answer in buckets (UTC; weeks begin on Monday) instead of single points")
    ] = None

    def require_ordered(self) -> None:
        """Raises Invalid for a period that ends before it begins."""
        if self.from_ is not None and self.to is not None and self.from_ > self.to:
            raise Invalid.field("from", "is after to")


class BestOffer(msgspec.Struct, frozen=True):
    """The offer with the lowest price of those in stock; prices are in minor units."""

    id: OfferId
    price: int
    items_in_stock: int


class Freshness(msgspec.Struct, frozen=True):
    """When the offers service last answered for a product, and why it did not at the last attempt (null: it did)."""

    last_success: datetime | None
    last_error: str | None


class Product(msgspec.Struct, frozen=True):
    """A product and the best that it is sold for."""

    id: uuid.UUID
    name: str
    description: str
    registration: Registration
    best_offer: BestOffer | None
    freshness: Freshness


class Offer(msgspec.Struct, frozen=True):
    """An offer as last seen; `closed_at` since when the service does not name it any more."""

    id: OfferId
    price: int
    items_in_stock: int
    first_seen: datetime
    last_seen: datetime
    closed_at: datetime | None


class PricePoint(msgspec.Struct, frozen=True):
    """The price from a moment on."""

    at: datetime
    price: int


class PriceBucket(msgspec.Struct, frozen=True):
    """The price points of an hour, a day or a week that begins at `at`."""

    at: datetime
    min: int
    max: int
    mean: float
    last: int


def _array_of(*models: type[msgspec.Struct]) -> dict[str, Any]:
    """The schema of an array of any of the models, written out: a document may hold only one array type by name."""
    schemas = [msgspec.json.schema(model)["$defs"][model.__name__] for model in models]
    return {"type": "array", "items": {"anyOf": schemas}}


Prices = Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema=_array_of(PricePoint, PriceBucket))]
"""The JSON of price points, or of buckets where the request named an interval."""


class Trend(msgspec.Struct, frozen=True):
    """What the lowest price in stock did over a period; change_percent = (last - first) / first * 100."""

    product_id: uuid.UUID
    from_: datetime | None = msgspec.field(name="from")
    to: datetime | None
    prices: Prices
    first: int | None
    last: int | None
    change_percent: float | None


class OfferTrend(msgspec.Struct, frozen=True):
    """What the price of one offer did over a period, while it was in stock."""

    product_id: uuid.UUID
    offer_id: OfferId
    from_: datetime | None = msgspec.field(name="from")
    to: datetime | None
    prices: Prices
    first: int | None
    last: int | None
    change_percent: float | None


def change_percent(first: int | None, last: int | None) -> float | None:
    """By how much of `first` the price moved, signed; None without a first price to compare with, or where it is 0."""
    if not first or last is None:
        return None
    return (last - first) / first * 100
