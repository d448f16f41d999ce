"""A simulated fleet of stores and its hourly polls. Pure: the same seed always gives the same stores and polls.

A store is derived from the seed and its number, its outages from the week. Any period can therefore be polled at any
time, repeatedly and concurrently, with the same result.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from provider.store_polls.models import HoursRow, SimulatedPoll, SimulatedStore

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
"""Relative frequencies of the time zones in a fleet."""
NO_TIMEZONE_WEIGHT = 5

END_OF_DAY = time(23, 59, 59)

RARELY_LOST = 0.1
DOWN_BEFORE = timedelta(hours=2, minutes=40)
"""Long enough for two polls, after which it is an alert."""
DOWN_AFTER = timedelta(hours=3)


def simulate_fleet(seed: int, size: int) -> list[SimulatedStore]:
    """Return the stores of a fleet. A larger fleet of the same seed starts with the same stores."""
    return [_store(seed, number) for number in range(size)]


def _store(seed: int, number: int) -> SimulatedStore:
    rng = random.Random(f"{seed}/store/{number}")
    zone = rng.choices([*TIMEZONE_WEIGHTS, None], weights=[*TIMEZONE_WEIGHTS.values(), NO_TIMEZONE_WEIGHT])[0]
    reliable = rng.random()
    return SimulatedStore(
        store_id=str(rng.randrange(10**18, 9 * 10**18)),
        timezone=zone,
        hours=_hours(rng),
        outages_per_week=0.4 if reliable < 0.7 else 2.5 if reliable < 0.95 else 12.0,
        lost_share=0.02 if rng.random() < 0.95 else 0.3,
        seed=f"{seed}/{number}",
    )


def _hours(rng: random.Random) -> tuple[HoursRow, ...]:
    """Return the hours of a store: none, round the clock, one shift, split shifts, or night shifts over two rows."""
    kind = rng.random()
    if kind < 0.15:
        return ()
    if kind < 0.25:
        return tuple(HoursRow(day, time(0), END_OF_DAY) for day in range(7))
    closed = {day for day in (0, 6) if rng.random() < 0.2}
    opens = time(rng.choice((6, 7, 8, 9, 10, 11)), rng.choice((0, 0, 30)))
    rows: list[HoursRow] = []
    for day in range(7):
        if day in closed:
            continue
        if kind < 0.45:
            rows += [HoursRow(day, opens, time(14, 30)), HoursRow(day, time(17), time(22, 30))]
        elif kind < 0.65:
            rows += [HoursRow(day, opens, END_OF_DAY), HoursRow((day + 1) % 7, time(0), time(2))]
        else:
            rows.append(HoursRow(day, opens, time(rng.choice((17, 20, 21, 22, 23)))))
    return tuple(sorted(rows, key=lambda row: (row.weekday, row.opens)))


def is_open(store: SimulatedStore, instant: datetime) -> bool:
    """Return whether the store is open by its local time, to the second."""
    if not store.hours:
        return True
    wall = instant.astimezone(ZoneInfo(store.timezone or "America/Chicago"))
    now = wall.time().replace(microsecond=0)
    return any(
        row.weekday == wall.weekday() and row.opens <= now and (now < row.closes or row.closes == END_OF_DAY)
        for row in store.hours
    )


def outages(store: SimulatedStore, week: int) -> tuple[tuple[datetime, datetime], ...]:
    """Return the outages of a store that begin in a week (counted from `EPOCH`), each lasting from minutes to a day."""
    return _outages(store.seed, store.outages_per_week, week)


@lru_cache(maxsize=20_000)
def _outages(seed: str, per_week: float, week: int) -> tuple[tuple[datetime, datetime], ...]:
    rng = random.Random(f"{seed}/outages/{week}")
    start = EPOCH + week * WEEK
    found = []
    at = start + timedelta(hours=rng.expovariate(per_week / 168))
    while at < start + WEEK:
        end = at + timedelta(minutes=min(1440.0, rng.lognormvariate(3.8, 1.0)))
        found.append((at, end))
        at = end + timedelta(hours=rng.expovariate(per_week / 168))
    return tuple(found)


def is_up(store: SimulatedStore, instant: datetime) -> bool:
    """Return whether the store answers a poll: it has no outage and is open, or its till was left on overnight."""
    week = (instant - EPOCH) // WEEK
    if any(start <= instant < end for each in (week - 1, week) for start, end in outages(store, each)):
        return False
    if is_open(store, instant):
        return True
    night = random.Random(f"{store.seed}/night/{instant.date()}")
    return night.random() < 0.1


def collector_is_down(seed: int, hour: int) -> bool:
    """Return whether the collector is down in an hour counted from `EPOCH`: for two hours, about every ten days."""
    return any(random.Random(f"{seed}/collector/{hour - back}").random() < 0.004 for back in (0, 1))


def simulate_polls(
    seed: int, stores: Sequence[SimulatedStore], after: datetime, until: datetime
) -> Iterator[SimulatedPoll]:
    """Yield the polls in `(after, until]` hour by hour. Each store is polled about once an hour, at its own minute."""
    hour = (after - EPOCH) // HOUR
    while EPOCH + hour * HOUR <= until:
        if not collector_is_down(seed, hour):
            for store in stores:
                poll = _poll(store, hour)
                if poll is not None and after < poll.polled_at <= until:
                    yield poll
        hour += 1


def _poll(store: SimulatedStore, hour: int) -> SimulatedPoll | None:
    rng = random.Random(f"{store.seed}/poll/{hour}")
    if rng.random() < store.lost_share:
        return None
    at = EPOCH + hour * HOUR + timedelta(seconds=_own_second(store.seed) + rng.uniform(-60, 199))
    return SimulatedPoll(store.store_id, at, is_up(store, at))


@lru_cache(maxsize=20_000)
def _own_second(seed: str) -> float:
    """Return the second of the hour around which a store is polled."""
    return random.Random(f"{seed}/second").uniform(60, 3400)


@dataclass(frozen=True)
class FirstOutage:
    """What a stranger sees in the first minutes: one store is down, has been for a while, and comes back later."""

    store_id: str
    start: datetime
    end: datetime

    def change(self, poll: SimulatedPoll) -> SimulatedPoll:
        """Return the poll as it is with this outage."""
        is_during = poll.store_id == self.store_id and self.start <= poll.polled_at < self.end
        return replace(poll, active=False) if is_during else poll


def first_outage(stores: Sequence[SimulatedStore], began_at: datetime) -> FirstOutage | None:
    """Return the outage during which a fleet is first polled, of a store that is always open; None without one."""
    always_open = next((store for store in stores if not store.hours and store.lost_share < RARELY_LOST), None)
    if always_open is None:
        return None
    return FirstOutage(always_open.store_id, began_at - DOWN_BEFORE, began_at + DOWN_AFTER)
