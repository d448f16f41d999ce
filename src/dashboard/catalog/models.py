"""Rows and responses of the catalogue: products, their offers, and trends of prices."""

import uuid
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from common.web.openapi.schemas import REFERENCE

OfferId = int | str
RegistrationState = Literal["pending", "registered"]
Interval = Literal["hour", "day", "week"]
PriceRange = Literal["1d", "1w", "1m", "3m", "1y", "all"]
ProductSort = Literal["name", "-name", "price", "-price", "change_7d", "-change_7d"]


class BestOffer(msgspec.Struct, frozen=True):
    """The offer in stock with the lowest price."""

    id: OfferId
    """Id of the offer, as the service gave it."""
    price: int
    """In minor units."""
    items_in_stock: int
    """How many can be bought."""


class Freshness(msgspec.Struct, frozen=True):
    """How recent the offers of a product are."""

    last_success: datetime | None
    """When they were last refreshed; null before the first time."""
    last_error: str | None
    """Why the last attempt failed; null when it succeeded."""
    last_attempt: datetime | None = None
    """When they were last asked for, or the registration was last attempted; null before the first time."""
    next_attempt: datetime | None = None
    """After a failure: the earliest time of the next attempt; null otherwise."""


class Mark(msgspec.Struct, frozen=True):
    """Which changes of a product raise an alert."""

    below: int | None
    """An alert is raised when the best price is lower than this, in minor units; null: no alert about the price."""
    back_in_stock: bool
    """Whether an alert is raised when it is in stock again."""
    watched_since: datetime | None
    """Since when its return is watched: it was out of stock then, or later; null when it is not watched."""


class Product(msgspec.Struct, frozen=True):
    """A product and its best offer."""

    id: uuid.UUID
    """Id of the product."""
    name: str
    """Name of the product."""
    description: str
    """The product in words."""
    registration: RegistrationState
    """Whether the offers service knows the product; a pending one is registered later."""
    best_offer: BestOffer | None
    """The offer in stock with the lowest price; null when nothing is in stock."""
    offers_in_stock: int
    """How many of its open offers are in stock, free ones included."""
    change_7d: float | None
    """Change of the lowest price in stock over seven days, in percent; null when either price is unknown."""
    mark: Mark | None
    """Which changes of the product raise an alert; null when none does."""
    freshness: Freshness
    """How recent its offers are."""

    def is_old(self, now: datetime, gap: timedelta) -> bool:
        """Whether the last answer is longer ago than `gap`, so that the price of now is not known."""
        answered = self.freshness.last_success
        return answered is not None and answered < now - gap


class ListedProduct(Product, frozen=True):
    """A product of a list."""

    lowest_30d: bool | None
    """Whether no price of the last 30 days was lower than its best price, and one was higher; null when that is not
    known: without a best price, after an old answer, or when the prices of more than one of the 30 days are unknown."""


class ProductPosition(NamedTuple):
    """The position of a product in a list. value: what the list is sorted by; None when it is not known."""

    value: str | int | float | None
    product_id: uuid.UUID


class OfferState(msgspec.Struct, frozen=True):
    """An offer as last seen."""

    id: OfferId
    """Id of the offer, as the service gave it."""
    price: int
    """In minor units."""
    items_in_stock: int
    """How many can be bought; 0 = sold out."""
    first_seen: datetime
    """The first response that contained it."""
    last_seen: datetime
    """The last response that contained it."""
    closed_at: datetime | None
    """The first response that did not contain it any more; null while it is open."""


class TrendPoint(msgspec.Struct, frozen=True):
    """A price, and since when it was valid: until the next point, or until nothing was in stock."""

    at: datetime
    """Since when the price was valid."""
    price: int
    """In minor units."""


class TrendBucket(msgspec.Struct, frozen=True):
    """The prices that were valid in an hour, a day or a week, the one carried into it included."""

    at: datetime
    """The first moment of the bucket."""
    min: int
    """The lowest price, in minor units."""
    max: int
    """The highest price."""
    mean: float
    """The mean price, weighted by how long each price was valid."""
    last: int
    """The last price."""


def _array_of(*models: type[msgspec.Struct]) -> dict[str, Any]:
    """The schema of an array of one of these models, which the operation names as further components."""
    return {"type": "array", "items": {"oneOf": [{"$ref": REFERENCE + model.__name__} for model in models]}}


Prices = Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema=_array_of(TrendPoint, TrendBucket))]
"""Points as JSON, or buckets when the request names an interval."""


class PriceStep(msgspec.Struct, frozen=True):
    """A price and when it began; null means that nothing was in stock. It holds until the next step."""

    at: datetime
    """Since when."""
    price: int | None
    """In minor units; null when nothing was in stock."""


class PriceBucket(msgspec.Struct, frozen=True):
    """The prices of an hour, a day or a week, the one carried into it included."""

    at: datetime
    """The first moment of the bucket."""
    min: int | None
    """The lowest price, in minor units; null when nothing was in stock, or no price is known."""
    max: int | None
    """The highest price."""
    mean: float | None
    """The mean price, weighted by how long each price was valid."""
    last: int | None
    """The price at the end; null when nothing was in stock then."""
    in_stock_share: float | None
    """The share of the known time in which something was in stock, 0 to 1; null when no price is known."""


class PriceGap(msgspec.Struct, frozen=True):
    """A period in which no price is known, since the offers service could not be asked."""

    from_: datetime = msgspec.field(name="from")
    """The last successful refresh before it."""
    to: datetime | None
    """The first successful refresh after it; null while it lasts."""


class PriceExtreme(msgspec.Struct, frozen=True):
    """The lowest or highest price, and when it was valid first."""

    price: int
    """In minor units."""
    at: datetime
    """The first time in the period at which it was valid."""


class PriceFigures(msgspec.Struct, frozen=True):
    """The figures of a period of a price history; each is None when there is no price to make it of.

    known_seconds: for how long the price, or that there was none, is known. unknown_seconds: the rest of the period,
    from known_since on.
    """

    known_since: datetime | None
    lowest: PriceExtreme | None
    highest: PriceExtreme | None
    mean: float | None
    in_stock_share: float | None
    known_seconds: float
    unknown_seconds: float


Steps = Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema=_array_of(PriceStep, PriceBucket))]
"""Steps as JSON, or buckets when the request names an interval."""


class PriceHistory(msgspec.Struct, frozen=True):
    """The lowest price in stock over a period, the times without one included."""

    product_id: uuid.UUID
    """Id of the product."""
    from_: datetime = msgspec.field(name="from")
    """Start of the period."""
    to: datetime
    """End of the period."""
    known_since: datetime | None
    """The first time at which the product had a price or is known to have had none; null before it."""
    steps: Steps
    """Steps, or buckets when the request names an interval, in order; with a Link header if there are more."""
    lowest: PriceExtreme | None
    """The lowest price of the period; null when nothing was in stock."""
    highest: PriceExtreme | None
    """The highest price of the period."""
    mean: float | None
    """The mean price, weighted by how long each price was valid; gaps and times without stock do not count. Null when
    no price is known for any time."""
    in_stock_share: float | None
    """The share of the known time in which something was in stock, 0 to 1; gaps do not count."""
    gaps: list[PriceGap]
    """The first 1,000 gaps of the period. `steps` continues the price before a gap through it, although no price is
    known there."""


class OfferKey(NamedTuple):
    """What identifies an offer: the service numbers its offers by product. offer_id: as text."""

    product_id: uuid.UUID
    offer_id: str


class Period(NamedTuple):
    """The period of a trend, both ends included. end: None for one without an end. now: the time of the request."""

    start: datetime
    end: datetime | None
    now: datetime


class PeriodEnds(NamedTuple):
    """The first and the last price of a period; None when nothing was in stock."""

    first: int | None
    last: int | None


class Trend(msgspec.Struct, frozen=True):
    """The lowest price in stock over a period."""

    product_id: uuid.UUID
    """Id of the product."""
    from_: datetime | None = msgspec.field(name="from")
    """Start of the period; null when not asked for: 400 days before its end."""
    to: datetime | None
    """End of the period; null when not asked for: now."""
    prices: Prices
    """Points, or buckets when the request names an interval, in order; with a Link header if there are more."""
    first: int | None
    """The first price of the whole period; null when nothing was in stock."""
    last: int | None
    """The last price of the whole period."""
    change_percent: float | None
    """(last - first) / first * 100; null without a first price."""


class OfferTrend(msgspec.Struct, frozen=True):
    """The price of one offer over a period, while it was in stock."""

    product_id: uuid.UUID
    """Id of the product."""
    offer_id: OfferId
    """Id of the offer, as the service gave it."""
    from_: datetime | None = msgspec.field(name="from")
    """Start of the period; null when not asked for: 400 days before its end."""
    to: datetime | None
    """End of the period; null when not asked for: now."""
    prices: Prices
    """Points, or buckets when the request names an interval, in order; with a Link header if there are more."""
    first: int | None
    """The first price of the whole period; null when it was not in stock."""
    last: int | None
    """The last price of the whole period."""
    change_percent: float | None
    """(last - first) / first * 100; null without a first price."""


class CatalogMark(NamedTuple):
    """What tells one state of the catalogue from another."""

    products: int
    names: str
    changed_at: datetime | None


class PriceMove(NamedTuple):
    """The lowest price in stock of a product, in minor units.

    price_before: a day ago; None if nothing was in stock. is_lowest: it is known to be the lowest in 30 days.
    """

    product_id: uuid.UUID
    name: str
    price: int
    price_before: int | None
    is_lowest: bool
