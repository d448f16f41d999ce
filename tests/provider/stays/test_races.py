"""Many guests at once: no request times out or gets a 5xx, and no night is sold twice."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta

import asyncpg
import pytest

from tests.support.storefront import Guest

DAY = timedelta(days=1)


async def test_a_hundred_requests_at_once_are_all_answered(
    guest: Guest, new_guest: Callable[[], Guest], soon: date
) -> None:
    for number in range(20):
        await guest.create_property(f"p{number:02}")

    async def one(number: int) -> int:
        visitor = new_guest()
        if number % 2:
            return (await visitor.reserve(f"p{number % 20:02}", soon + number * DAY, 1))[0].status_code
        return (await visitor.get(f"/properties/available?start_date={soon}&nights=2"))[0].status_code

    statuses = await asyncio.gather(*(one(number) for number in range(100)))

    assert statuses == [200] * 100


async def test_of_a_hundred_guests_one_gets_the_night(
    guest: Guest, new_guest: Callable[[], Guest], provider_db: asyncpg.Pool, soon: date
) -> None:
    await guest.create_property("hut")

    answers = await asyncio.gather(*(new_guest().reserve("hut", soon, 2) for _ in range(100)))

    assert Counter(answer.status_code for answer, _ in answers) == {200: 1, 409: 99}
    assert await provider_db.fetchval("SELECT count(*) FROM reservation") == 1


@pytest.mark.parametrize("link", [{}, {"hotel_id": 7, "room_id": 1}])
async def test_contended_properties_never_deadlock(
    guest: Guest,
    new_guest: Callable[[], Guest],
    provider_db: asyncpg.Pool,
    soon: date,
    link: dict[str, int],
) -> None:
    """Overlapping stays of several lengths, changed and cancelled, and changes of turnover, all on three properties."""
    for number in range(3):
        await guest.create_property(f"p{number}", **{name: value + number for name, value in link.items()})
    chance = random.Random(3)
    plans = [(chance.randrange(3), chance.randrange(20), chance.randint(1, 5), chance.random()) for _ in range(500)]

    async def visit(number: int, day: int, nights: int, mood: float) -> list[int]:
        visitor = new_guest()
        answer, reservation = await visitor.reserve(f"p{number}", soon + day * DAY, nights)
        statuses = [answer.status_code]
        if answer.status_code == 200 and 0.3 < mood < 0.8:
            path, start = f"/reservations/{reservation['reservation_id']}", soon + (number + day + 3) * DAY
            moved, _ = await visitor.call("PATCH", path, json={"start_date": start.isoformat(), "nights": nights + 1})
            assert moved.status_code in (200, 409)
        if answer.status_code == 200 and mood < 0.7:
            statuses.append(await visitor.cancel(reservation["reservation_id"]))
        if mood > 0.95:
            changed, _ = await guest.call("PATCH", f"/properties/p{number}", json={"turnover_days": nights - 1})
            assert changed.status_code == 200
        return statuses

    statuses = Counter(status for each in await asyncio.gather(*(visit(*plan) for plan in plans)) for status in each)

    assert set(statuses) == {200, 204, 409}
    live = await provider_db.fetch("SELECT property_id, arrival, departure FROM reservation WHERE cancelled_at IS NULL")
    assert len(live) == statuses[200] - statuses[204]
    nights = [
        (stay["property_id"], stay["arrival"] + n * DAY)
        for stay in live
        for n in range((stay["departure"] - stay["arrival"]).days)
    ]
    assert len(nights) == len(set(nights))


async def test_concurrent_cancellations_append_their_events_once(guest: Guest, soon: date) -> None:
    await guest.create_property("suite", hotel_id=7, room_id=1)
    _, reservation = await guest.reserve("suite", soon, 2)

    statuses = await asyncio.gather(*(guest.cancel(reservation["reservation_id"]) for _ in range(20)))

    assert set(statuses) == {204}
    _, events = await guest.get("/events?rpg_status=2")
    assert len(events) == 2
