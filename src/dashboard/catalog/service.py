"""Creation of products, and figures of trends and price histories."""

import os
import time
from datetime import datetime, timedelta
from uuid import UUID

from common.upstream import UpstreamError
from dashboard.catalog.inputs import ProductInput
from dashboard.catalog.models import Interval, Period
from dashboard.catalog.offers_client import OffersClient
from dashboard.catalog.queries.trends import INTERVAL_SECONDS, SOME_MONDAY

MAX_ERROR_LENGTH = 500
"""Characters of an error that are stored."""

REGISTER_SECONDS = 5.0
"""How long the creation of a product waits for its registration; after that a job registers it."""

MIN_GAP = timedelta(minutes=5)
"""A shorter pause between two successful refreshes of a product is not shown as a gap in its history."""

INTERVALS_OF_A_GAP = 5


def shortest_gap(refresh_seconds: float) -> timedelta:
    """Return the shortest time without a successful refresh that counts as a gap."""
    return max(MIN_GAP, INTERVALS_OF_A_GAP * timedelta(seconds=refresh_seconds))


def new_product_id() -> UUID:
    """A UUIDv7 (RFC 9562): milliseconds, their fraction in 12 bits, 62 random bits.

    Made here rather than by PostgreSQL's uuidv7(): a product is registered, with its id, before it is stored.
    """
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    fraction = nanoseconds * 4096 // 1_000_000
    random_bits = int.from_bytes(os.urandom(8)) >> 2
    return UUID(int=milliseconds << 80 | 7 << 76 | fraction << 64 | 2 << 62 | random_bits)


async def try_to_register(client: OffersClient, product_id: UUID, product: ProductInput) -> str | None:
    """Register a new product with the offers service; returns the error, None on success.

    Registration comes before storing, since no transaction may wait for the network. If storing then fails, the service
    keeps a product without offers requests, which is harmless.
    """
    try:
        await client.register_within(REGISTER_SECONDS, product_id, product.name, product.description)
    except UpstreamError as error:
        return str(error)[:MAX_ERROR_LENGTH]
    return None


def next_bucket(at: datetime, interval: Interval) -> datetime:
    """The first moment of the bucket after the one of an instant."""
    width = timedelta(seconds=INTERVAL_SECONDS[interval])
    return _first_moment(at, width) + width


def bucket_period(
    period: Period, interval: Interval, known_since: datetime | None, after: datetime | None, count: int
) -> tuple[datetime, datetime]:
    """The start and the end of up to `count` buckets: those of the period from the first known price on.

    after: the last bucket of the page before. The one that is not over ends now.
    """
    width = timedelta(seconds=INTERVAL_SECONDS[interval])
    start = _first_moment(max(period.start, known_since or period.start), width)
    if after is not None:
        start = max(start, next_bucket(after, interval))
    end = period.now
    if period.end is not None and period.end < period.now:
        end = min(period.now, _first_moment(period.end, width) + width)
    return start, max(start, min(end, start + count * width))


def _first_moment(at: datetime, width: timedelta) -> datetime:
    """The first moment of the bucket of an instant."""
    return at - (at - SOME_MONDAY) % width


def change_percent(first: int | None, last: int | None) -> float | None:
    """The change from `first` to `last` in percent of `first`; None when either is None or `first` is 0."""
    if not first or last is None:
        return None
    return (last - first) / first * 100
