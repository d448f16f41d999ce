"""Profiles of demand: seasons, how far ahead guests book, how long they stay, how often they cancel.

Two profiles, after two real hotels: a resort, sold by the week and months ahead, empty in winter; and a
city hotel, sold for two or three nights around the weekend, quieter in August, with more cancellations.
Nights and days are ordinals (`date.toordinal`) here: adding a lead time to a day is then plain arithmetic.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from random import Random

from provider.simulated_hotels.models import MAX_CACHED_NIGHTS

MAX_LEAD_DAYS = 500
MAX_STAY_NIGHTS = 14
_QUANTILES = 4096
_PARTIAL_CANCELLATION_SHARE = 0.12
_ENTRIES_PER_HOTEL = 32
_DAYS_PER_MONTH = 365.25 / 12


def seeded_random(*seeds: object) -> Callable[[], float]:
    """A generator of random numbers in [0, 1), seeded by the arguments."""
    return Random(" ".join(map(str, seeds))).random


class NightDemand(dict[int, float]):
    """Demand for a night, 0 to 1, from its month (interpolated between the middles of months) and its weekday."""

    def __init__(self, months: tuple[float, ...], weekdays: tuple[float, ...]) -> None:
        super().__init__()
        self._months = months
        self._weekdays = weekdays
        self._peak = max(months) * max(weekdays)

    def __missing__(self, night: int) -> float:
        if len(self) >= MAX_CACHED_NIGHTS:
            self.clear()
        day = date.fromordinal(night)
        position = (day.timetuple().tm_yday - 0.5) / _DAYS_PER_MONTH - 0.5
        before, share = math.floor(position), position % 1
        season = self._months[before % 12] * (1 - share) + self._months[(before + 1) % 12] * share
        self[night] = demand = season * self._weekdays[day.weekday()] / self._peak
        return demand


@dataclass(frozen=True)
class HotelProfile:
    """The demand of a kind of hotel.

    `months` are target occupancies (January first), `weekdays` factors on the night of arrival (Monday
    first), `lengths` weights of 1 to 14 nights, `departures` factors on the weekday of departure. The share
    `walk_ins` books on the day itself, the others by a Weibull distribution of `lead_shape` and `lead_scale`
    (days). The probability of a cancellation is `cancel_base` on the day, rises by `cancel_rise` (half of
    it at `cancel_half` days) and then by `cancel_slope` a day. `pressure` is demand over the demand of the
    target occupancy, since some guests find no room.
    """

    name: str
    months: tuple[float, ...]
    weekdays: tuple[float, ...]
    lengths: tuple[float, ...]
    departures: tuple[float, ...]
    walk_ins: float
    lead_shape: float
    lead_scale: float
    cancel_base: float
    cancel_rise: float
    cancel_half: float
    cancel_slope: float
    pressure: float

    @cached_property
    def demand(self) -> NightDemand:
        """The demand for each night as a night of arrival, relative to the best night of the year."""
        return NightDemand(self.months, self.weekdays)

    @cached_property
    def leads(self) -> list[int]:
        """Lead times in days at even quantiles, ascending: all are equally likely."""
        leads = []
        within = -math.expm1(-((MAX_LEAD_DAYS / self.lead_scale) ** self.lead_shape))
        for step in range(_QUANTILES):
            ahead = max(0.0, ((step + 0.5) / _QUANTILES - self.walk_ins) / (1 - self.walk_ins))
            leads.append(int(self.lead_scale * (-math.log1p(-ahead * within)) ** (1 / self.lead_shape)))
        return leads

    @cached_property
    def share_booked_by(self) -> list[float]:
        """The share of a night's bookings that is made by a number of days ahead (the index)."""
        counts = [0] * (MAX_LEAD_DAYS + 1)
        for lead in self.leads:
            counts[lead] += 1
        share, curve = 0, []
        for count in reversed(counts):
            share += count
            curve.append(share / _QUANTILES)
        return curve[::-1]

    @cached_property
    def stay_lengths(self) -> tuple[list[int], ...]:
        """Nights of a stay at even quantiles, for each `ordinal % 7` of the arrival (0 is a Sunday)."""
        return tuple(self._lengths_from((remainder + 6) % 7) for remainder in range(7))

    def _lengths_from(self, arrival_weekday: int) -> list[int]:
        weights = [
            weight * self.departures[(arrival_weekday + nights) % 7]
            for nights, weight in enumerate(self.lengths, start=1)
        ]
        lengths: list[int] = []
        reached = 0.0
        for nights, weight in enumerate(weights, start=1):
            reached += weight / sum(weights)
            lengths.extend([nights] * (round(reached * _QUANTILES) - len(lengths)))
        return lengths

    @cached_property
    def cancel_probability(self) -> list[float]:
        """The probability that a stay is cancelled, by its lead time in days (the index)."""
        return [
            self.cancel_base + self.cancel_rise * lead / (lead + self.cancel_half) + self.cancel_slope * lead
            for lead in range(MAX_LEAD_DAYS + 1)
        ]

    @cached_property
    def cancel_share(self) -> float:
        """The share of stays that are cancelled."""
        return sum(self.cancel_probability[lead] for lead in self.leads) / _QUANTILES

    @cached_property
    def peak(self) -> float:
        """The target occupancy of the best night of the year; above 1 where demand exceeds the rooms."""
        return max(self.months) * max(self.weekdays) / (sum(self.weekdays) / 7)

    @cached_property
    def requests_per_room(self) -> float:
        """Requests per day and room that reach the occupancies of `months`, before `request` drops some by `demand`."""
        nights = sum(map(sum, self.stay_lengths)) / (7 * _QUANTILES)
        return self.peak * self.pressure / (nights * (1 - self.cancel_share))

    def lead(self, random: Callable[[], float]) -> int:
        """A random lead time in days."""
        return self.leads[int(random() * _QUANTILES)]

    def request(self, random: Callable[[], float], today: int) -> range | None:
        """The nights of a random request made today; None where the demand for its arrival drops it."""
        arrival = today + self.lead(random)
        if random() >= self.demand[arrival]:
            return None
        return range(arrival, arrival + self.stay_lengths[arrival % 7][int(random() * _QUANTILES)])


RESORT = HotelProfile(
    name="resort",
    months=(0.55, 0.60, 0.68, 0.75, 0.80, 0.87, 0.92, 0.93, 0.86, 0.75, 0.60, 0.57),
    weekdays=(0.85, 0.72, 0.74, 0.88, 1.00, 0.98, 0.72),
    lengths=(20, 16, 14, 12, 7, 4.5, 15, 2, 1.6, 2.2, 0.9, 0.6, 0.4, 2),
    departures=(1.0, 0.9, 0.9, 0.9, 0.9, 1.2, 1.8),
    walk_ins=0.045,
    lead_shape=0.75,
    lead_scale=105,
    cancel_base=0.04,
    cancel_rise=0.33,
    cancel_half=25,
    cancel_slope=0.0002,
    pressure=1.03,
)
CITY = HotelProfile(
    name="city",
    months=(0.57, 0.68, 0.78, 0.86, 0.88, 0.87, 0.82, 0.74, 0.86, 0.85, 0.68, 0.60),
    weekdays=(0.85, 0.72, 0.80, 0.95, 1.00, 0.85, 0.64),
    lengths=(17, 27, 27, 16, 6.3, 2.6, 2.6, 0.5, 0.3, 0.3, 0.1, 0.1, 0.1, 0.1),
    departures=(1.1, 0.9, 0.9, 0.9, 1.1, 0.9, 1.5),
    walk_ins=0.022,
    lead_shape=0.88,
    lead_scale=122,
    cancel_base=0.07,
    cancel_rise=0.33,
    cancel_half=15,
    cancel_slope=0.0009,
    pressure=1.03,
)


@dataclass(frozen=True)
class Hotel:
    """A hotel with rooms 1 to `rooms`; `popularity` is its demand relative to its profile's (1)."""

    hotel_id: int
    rooms: int
    profile: HotelProfile
    popularity: float = 1.0

    @cached_property
    def requests_per_day(self) -> float:
        """Mean number of requests per day, before `HotelProfile.request` drops some."""
        return self.rooms * self.popularity * self.profile.requests_per_room

    def expected_sold_rooms(self, night: int, lead: int) -> float:
        """The number of rooms that are usually sold for the night, `lead` days before it."""
        profile = self.profile
        occupancy = profile.peak * profile.demand[night] * self.popularity
        return self.rooms * occupancy * profile.share_booked_by[min(lead, MAX_LEAD_DAYS)]


def create_hotels(seed: int, count: int, rooms: int, first_hotel_id: int) -> tuple[Hotel, ...]:
    """`count` hotels of `rooms` rooms, resorts (odd ids) and city hotels, each with its own popularity."""
    return tuple(
        Hotel(
            hotel_id,
            rooms,
            RESORT if hotel_id % 2 else CITY,
            0.92 + 0.16 * seeded_random(seed, "hotel", hotel_id)(),
        )
        for hotel_id in range(first_hotel_id, first_hotel_id + count)
    )


def hotel_indexes_by_demand(hotels: Sequence[Hotel]) -> list[int]:
    """Indexes of `hotels`, each repeated in proportion to its requests: a random entry follows the demand."""
    mean = sum(hotel.requests_per_day for hotel in hotels) / len(hotels)
    return [
        index
        for index, hotel in enumerate(hotels)
        for _ in range(max(1, round(_ENTRIES_PER_HOTEL * hotel.requests_per_day / mean)))
    ]


def cancelled_nights(random: Callable[[], float], stay: range) -> range:
    """The nights of a stay that its guest cancels: mostly all, sometimes only the last ones."""
    if len(stay) == 1 or random() >= _PARTIAL_CANCELLATION_SHARE:
        return stay
    return stay[1 + int(random() * (len(stay) - 1)) :]
