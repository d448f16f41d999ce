"""The simulated fleet, its polls, and the progress of the polling."""

from dataclasses import dataclass, field
from datetime import datetime, time


@dataclass(frozen=True)
class HoursRow:
    """A row of business hours in local time. weekday: 0 = Monday."""

    weekday: int
    opens: time
    closes: time


@dataclass(frozen=True)
class SimulatedStore:
    """A store of the fleet.

    hours: empty for a store that is always open. outages_per_week: on average. lost_share: of its polls.
    """

    store_id: str
    timezone: str | None
    hours: tuple[HoursRow, ...]
    outages_per_week: float
    lost_share: float
    seed: str = field(repr=False)


@dataclass(frozen=True)
class SimulatedPoll:
    """The result of one poll of one store."""

    store_id: str
    polled_at: datetime
    active: bool


@dataclass(frozen=True)
class PollProgress:
    """A fleet, when it was first polled, and until when it has been polled. stores: the size of the fleet.

    The first poll made its history too.
    """

    seed: int
    stores: int
    began_at: datetime
    polled_until: datetime
