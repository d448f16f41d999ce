"""The stand-in's market: which offers a product has at a moment, and at what price.

It is a pure function of the product's id and the tick (by default a minute), so that replicas agree, a restart changes
nothing, and nothing has to be written while prices walk. A product has a few places. In each place one offer follows
another: an offer lives for a number of ticks, its price takes a step at each, its stock falls to zero, and in the tick
after that it is gone and another offer, with an id of its own, has taken the place.
"""

import random
import uuid
from datetime import datetime
from functools import lru_cache

from provider.offers.models import Offer

NAMESPACE = uuid.UUID("6f1c3b0e-3f0a-5d55-9b1e-0f6a7c1f2d10")

MAX_STEP = 0.03
"""By how much of itself a price moves in one tick at most."""

MIN_LIFETIME, MAX_LIFETIME = 20, 60
"""In ticks."""


def offers_at(product_id: str, now: datetime, tick_seconds: float) -> list[Offer]:
    """The offers of a product at a moment: at least two, at most seven, none below a price of 1."""
    return _offers(product_id, int(now.timestamp() // tick_seconds))


@lru_cache(maxsize=20_000)
def _offers(product_id: str, tick: int) -> list[Offer]:
    character = random.Random(product_id)
    usual_price = int(10 ** character.uniform(2.5, 5.0))
    offers = []
    for place in range(character.randint(2, 7)):
        life = character.randint(MIN_LIFETIME, MAX_LIFETIME)
        age_now = tick + character.randrange(life)
        offers.append(_offer(product_id, place, usual_price, age_now // life, age_now % life, life))
    return offers


def _offer(product_id: str, place: int, usual_price: int, number: int, age: int, life: int) -> Offer:
    """The offer that is the `number`th in its place, `age` ticks after it came; in its last tick it is sold out."""
    name = f"{product_id}/{place}/{number}"
    chance = random.Random(name)
    stock = chance.randint(5, 200)
    price = usual_price * chance.uniform(0.8, 1.25)
    for _ in range(age):
        price *= 1 + chance.uniform(-MAX_STEP, MAX_STEP)
    left = stock * (life - 1 - age) // (life - 1)
    return Offer(str(uuid.uuid5(NAMESPACE, name)), max(1, round(price)), left)
