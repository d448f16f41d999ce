"""Simulated offers: the offers of a product at a time, and their prices.

The offers are a pure function of the product's id and the tick (by default a minute): replicas agree, a restart changes
nothing, and nothing is stored. A product has a few shops. A shop has one offer at a time: its price changes at each
tick and its stock falls to zero; one tick later an offer with a new id replaces it.
"""

import random
import uuid
from datetime import datetime
from functools import lru_cache

from provider.offers.models import Offer

NAMESPACE = uuid.UUID("6f1c3b0e-3f0a-5d55-9b1e-0f6a7c1f2d10")

MAX_PRICE_CHANGE = 0.03
"""Largest relative change of a price in one tick."""

USUAL_PRICE_EXPONENTS = (2.5, 5.7)
"""The usual price of a product is a power of ten with an exponent from this range: 3.16 to 5,011.87 in major units."""

MIN_LIFETIME, MAX_LIFETIME = 20, 60
"""Of an offer, in ticks."""


def offers_at(product_id: str, now: datetime, tick_seconds: float) -> list[Offer]:
    """Return the offers of a product: two to seven, with prices of at least 1."""
    return _offers(product_id, int(now.timestamp() // tick_seconds))


@lru_cache(maxsize=20_000)
def _offers(product_id: str, tick: int) -> list[Offer]:
    rng = random.Random(product_id)
    usual_price = int(10 ** rng.uniform(*USUAL_PRICE_EXPONENTS))
    offers = []
    for shop in range(rng.randint(2, 7)):
        lifetime = rng.randint(MIN_LIFETIME, MAX_LIFETIME)
        number, age = divmod(tick + rng.randrange(lifetime), lifetime)
        offers.append(_offer(f"{product_id}/{shop}/{number}", usual_price, age, lifetime))
    return offers


def _offer(name: str, usual_price: int, age: int, lifetime: int) -> Offer:
    """Return the offer called `name` when it is `age` ticks old. In its last tick it is sold out."""
    rng = random.Random(name)
    initial_stock = rng.randint(5, 200)
    price = usual_price * rng.uniform(0.8, 1.25)
    for _ in range(age):
        price *= 1 + rng.uniform(-MAX_PRICE_CHANGE, MAX_PRICE_CHANGE)
    stock = initial_stock * (lifetime - 1 - age) // (lifetime - 1)
    return Offer(str(uuid.uuid5(NAMESPACE, name)), max(1, round(price)), stock)
