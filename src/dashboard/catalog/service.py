"""Decisions of the catalogue: how a product is created, and what a trend is."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from uuid import UUID

from common.upstream import UpstreamError
from dashboard.catalog.models import Interval, PriceBucket, PricePoint
from dashboard.catalog.offers_client import OffersService

REGISTER_SECONDS = 5.0
"""How long the creation of a product waits for the offers service; after that a job registers it."""


async def registration_error(service: OffersService, product_id: UUID, name: str, description: str) -> str | None:
    """Register a new product; None when the service took it, else why it did not.

    It is registered before it is stored, since no transaction may wait for the network. Where storing fails the service
    knows a product that nobody will ask for, which harms nobody.
    """
    try:
        await service.register_within(REGISTER_SECONDS, product_id, name, description)
    except UpstreamError as error:
        return str(error)[:500]
    return None


def bucket_start(at: datetime, interval: Interval) -> datetime:
    """The first moment of the hour, the day or the week (from Monday) that holds `at`, in UTC."""
    if interval == "hour":
        return at.replace(minute=0, second=0, microsecond=0)
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight if interval == "day" else midnight - timedelta(days=midnight.weekday())


def buckets(points: Sequence[PricePoint], interval: Interval) -> list[PriceBucket]:
    """Price points, given in order, by hour, day or week; the mean is that of the points. No point, no bucket."""
    found = []
    for at, group in groupby(points, lambda point: bucket_start(point.at, interval)):
        prices = [point.price for point in group]
        found.append(PriceBucket(at, min(prices), max(prices), sum(prices) / len(prices), prices[-1]))
    return found
