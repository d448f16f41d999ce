"""A simulated fleet of stores, and what an hourly poll of it finds. Pure: the same seed gives the same past and future.

Everything about a store follows from the seed and its number, everything that befalls it from the week. So any stretch
of time can be polled at any moment, again and by several at once, with the same result.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

HOUR = timedelta(hours=1)
WEEK = timedelta(days=7)
EPOCH = datetime(2001, 1, 1, tzinfo=UTC)
"""A Monday; weeks are counted from here."""

TIMEZONE_WEIGHTS = {
    "America/New_York": 52,
    "America/Los_Angeles": 20,
    "America/Chicago": 10,
    "America/Phoenix": 4,
    "America/Denver": 3,
    "Europe/London": 3,
    "Asia/Beirut": 1,
    "Asia/Kolkata": 1,
    "Australia/Sydney": 1,
}
"""How a fleet is spread; the rest has no zone on file."""
NO_TIMEZONE_WEIGHT = 5

END_OF_DAY = time(23, 59, 59)


@dataclass(frozen=True)
class HoursRow:
    """A row of business hours in local wall clock; weekday 0 is Monday."""

    weekday: int
    opens: time
    closes: time


@dataclass(frozen=True)
class SimulatedStore:
    """A store of the fleet.

    hours: none means always open. outages_a_week: how many befall it on average. unpolled: the share of polls lost.
    """

    store_id: str
    timezone: str | None
    hours: tuple[HoursRow, ...]
    outages_a_week: float
    unpolled: float
    seed: str = field(repr=False)


@dataclass(frozen=True)
class SimulatedPoll:
    """What one poll of one store found."""

    store_id: str
    polled_at: datetime
    active: bool


def simulate_fleet(seed: int, size: int) -> list[SimulatedStore]:
    """The stores of a fleet; a larger fleet of the same seed begins with the same stores."""
    return [_store(seed, number) for number in range(size)]


def _store(seed: int, number: int) -> SimulatedStore:
    chance = random.Random(f"{seed}/store/{number}")
    zone = chance.choices([*TIMEZONE_WEIGHTS, None], weights=[*TIMEZONE_WEIGHTS.values(), NO_TIMEZONE_WEIGHT])[0]
    reliable = chance.random()
    return SimulatedStore(
        store_id=str(chance.randrange(10**18, 9 * 10**18)),
        timezone=zone,
        hours=_hours(chance),
        outages_a_week=0.4 if reliable < 0.7 else 2.5 if reliable < 0.95 else 12.0,
        unpolled=0.02 if chance.random() < 0.95 else 0.3,
        seed=f"{seed}/{number}",
    )


def _hours(chance: random.Random) -> tuple[HoursRow, ...]:
    """Kinds of shops: always open, round the clock by rows, day shifts, split shifts, night shifts over two rows."""
    kind = chance.random()
    if kind < 0.15:
        return ()
    if kind < 0.25:
        return tuple(HoursRow(day, time(0), END_OF_DAY) for day in range(7))
    closed = {day for day in (0, 6) if chance.random() < 0.2}
    opens = time(chance.choice((6, 7, 8, 9, 10, 11)), chance.choice((0, 0, 30)))
    rows: list[HoursRow] = []
    for day in range(7):
        if day in closed:
            continue
        if kind < 0.45:
            rows += [HoursRow(day, opens, time(14, 30)), HoursRow(day, time(17), time(22, 30))]
        elif kind < 0.65:
            rows += [HoursRow(day, opens, END_OF_DAY), HoursRow((day + 1) % 7, time(0), time(2))]
        else:
            rows.append(HoursRow(day, opens, time(chance.choice((17, 20, 21, 22, 23)))))
    return tuple(sorted(rows, key=lambda row: (row.weekday, row.opens)))


def is_open(store: SimulatedStore, instant: datetime) -> bool:
    """Whether the store's own clock says that it is open, to the second."""
    if not store.hours:
        return True
    wall = instant.astimezone(ZoneInfo(store.timezone or "America/Chicago"))
    now = wall.time().replace(microsecond=0)
    return any(
        row.weekday == wall.weekday() and row.opens <= now and (now < row.closes or row.closes == END_OF_DAY)
        for row in store.hours
    )


@lru_cache(maxsize=20_000)
def outages(store: SimulatedStore, week: int) -> tuple[tuple[datetime, datetime], ...]:
    """The outages of a store that begin in a week (counted from `EPOCH`): mostly under an hour, some for a day."""
    chance = random.Random(f"{store.seed}/outages/{week}")
    start = EPOCH + week * WEEK
    found = []
    at = start + timedelta(hours=chance.expovariate(store.outages_a_week / 168))
    while at < start + WEEK:
        end = at + timedelta(minutes=min(1440.0, chance.lognormvariate(3.8, 1.0)))
        found.append((at, end))
        at = end + timedelta(hours=chance.expovariate(store.outages_a_week / 168))
    return tuple(found)


def is_up(store: SimulatedStore, instant: datetime) -> bool:
    """Whether the store would answer a poll: no outage holds, and it is open, or left its till on."""
    week = (instant - EPOCH) // WEEK
    if any(start <= instant < end for each in (week - 1, week) for start, end in outages(store, each)):
        return False
    if is_open(store, instant):
        return True
    night = random.Random(f"{store.seed}/night/{instant.date()}")
    return night.random() < 0.1


def collector_is_down(seed: int, hour: int) -> bool:
    """Whether the collector itself was silent in an hour counted from `EPOCH`: two hours long, every ten days or so."""
    return any(random.Random(f"{seed}/collector/{hour - back}").random() < 0.004 for back in (0, 1))


def simulate_polls(
    seed: int, stores: Sequence[SimulatedStore], after: datetime, until: datetime
) -> Iterator[SimulatedPoll]:
    """What the polls in `(after, until]` found, hour by hour: each store about once an hour, at its own minute."""
    hour = (after - EPOCH) // HOUR
    while EPOCH + hour * HOUR <= until:
        if not collector_is_down(seed, hour):
            for store in stores:
                poll = _poll(store, hour)
                if poll is not None and after < poll.polled_at <= until:
                    yield poll
        hour += 1


def _poll(store: SimulatedStore, hour: int) -> SimulatedPoll | None:
    chance = random.Random(f"{store.seed}/poll/{hour}")
    if chance.random() < store.unpolled:
        return None
    own_second = random.Random(f"{store.seed}/second").uniform(60, 3400)
    at = EPOCH + hour * HOUR + timedelta(seconds=own_second + chance.uniform(-60, 199))
    return SimulatedPoll(store.store_id, at, is_up(store, at))
