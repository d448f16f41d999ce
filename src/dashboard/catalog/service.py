"""Creation of products, and figures of trends."""

import os
import time
from datetime import datetime, timedelta
from uuid import UUID

from common.upstream import UpstreamError
from dashboard.catalog.inputs import ProductInput
from dashboard.catalog.models import Interval
from dashboard.catalog.offers_client import OffersClient
from dashboard.catalog.queries.trends import INTERVAL_SECONDS

MAX_ERROR_LENGTH = 500
"""Characters of an error that are stored."""

REGISTER_SECONDS = 5.0
"""How long the creation of a product waits for its registration; after that a job registers it."""


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
    """The first moment of the bucket after the one that begins at `at`."""
    return at + timedelta(seconds=INTERVAL_SECONDS[interval])


def change_percent(first: int | None, last: int | None) -> float | None:
    """The change from `first` to `last` in percent of `first`; None when either is None or `first` is 0."""
    if not first or last is None:
        return None
    return (last - first) / first * 100
