"""Years of the past, day after day, in the order in which they would have come in."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from operator import itemgetter
from typing import NamedTuple

from provider.simulated_hotels.events import BOOKING, CANCELLATION, DateCache, SimulatedEvent
from provider.simulated_hotels.hotels import (
    MAX_LEAD_DAYS,
    Hotel,
    cancelled_nights,
    hotel_indexes_by_demand,
    seeded_random,
)
from provider.simulated_hotels.vacancies import Vacancies

# Fewer people book at the weekend; Sunday first, as the remainder of an ordinal by 7 has it.
_BOOKED_BY_WEEKDAY = (0.52, 1.10, 1.08, 1.14, 1.08, 1.24, 0.84)
# How many book in each hour of the day, UTC: few at night, a peak before noon and another after work.
_BOOKED_BY_HOUR = (5, 3, 2, 1, 1, 2, 4, 10, 20, 30, 36, 35, 30, 29, 31, 32, 31, 29, 27, 28, 29, 25, 17, 10)
_MICROSECONDS_PER_MINUTE = 60_000_000


class _Stay(NamedTuple):
    place: int
    room: int
    nights: range


class _PastHotels:
    """The houses while their past is made up: vacancies, and the cancellations still to come."""

    def __init__(self, seed: int, hotels: Sequence[Hotel], first_night: date) -> None:
        self._random = seeded_random(seed, "history", first_night)
        self._first_night = first_night.toordinal()
        self._characters = [hotel.character for hotel in hotels]
        self._vacancies = Vacancies(hotels)
        self._cancellations: defaultdict[int, list[tuple[int, int, _Stay]]] = defaultdict(list)
        self._ticks = [
            (hour * 60 + minute) * _MICROSECONDS_PER_MINUTE
            for hour, share in enumerate(_BOOKED_BY_HOUR)
            for minute in range(60)
            for _ in range(share)
        ]
        self._requests_per_day = sum(hotel.requests_per_day for hotel in hotels)
        self._places = hotel_indexes_by_demand(hotels)

    def day(self, today: int) -> Iterator[tuple[int, int, _Stay]]:
        """What happens on a day: `(microsecond of the day, status, stay)`, strictly ascending."""
        agenda = self._cancellations.pop(today, [])
        agenda += [(self._moment(), BOOKING, wish) for wish in self._wishes(today)]
        agenda.sort(key=itemgetter(0))
        last = -1
        for moment, status, stay in agenda:
            place, room, nights = stay
            if status == BOOKING:
                found = self._vacancies.take_room(place, nights)
                if found is None:
                    continue
                room = found
                if self._random() < self._characters[place].cancel_probability[nights.start - today]:
                    self._plan_cancellation(today, place, room, nights)
            else:
                self._vacancies.release(place, room, nights)
            # No two stays at one instant: that is how the nights of a stay are known to belong together.
            last = max(moment, last + 1)
            yield last, status, _Stay(place, room, nights)
        self._vacancies.pop(today, None)

    def _wishes(self, today: int) -> Iterator[_Stay]:
        """The stays, in no room yet, that guests ask for in a day."""
        random, places = self._random, self._places
        requests = int(self._requests_per_day * _BOOKED_BY_WEEKDAY[today % 7] + random())
        for _ in range(requests):
            place = places[int(random() * len(places))]
            nights = self._characters[place].request(random, today)
            if nights is not None and nights.start >= self._first_night:
                yield _Stay(place, 0, nights)

    def _moment(self) -> int:
        tick = self._ticks[int(self._random() * len(self._ticks))]
        return tick + int(self._random() * _MICROSECONDS_PER_MINUTE)

    def _plan_cancellation(self, today: int, place: int, room: int, nights: range) -> None:
        """On a later day, sooner rather than later, of the nights not slept by then."""
        day = today + 1 + int(self._random() ** 2 * (nights.start - today))
        nights = cancelled_nights(self._random, nights)
        nights = range(max(nights.start, day), nights.stop)
        if nights:
            self._cancellations[day].append((self._moment(), CANCELLATION, _Stay(place, room, nights)))


def write_history(seed: int, hotels: Sequence[Hotel], start: date, end: date) -> Iterator[SimulatedEvent]:
    """See `Simulation.history`."""
    past = _PastHotels(seed, hotels, start)
    dates = DateCache()
    # A third faster than the constructor, and this is where the time goes.
    event = partial(tuple.__new__, SimulatedEvent)
    for today in range(start.toordinal() - MAX_LEAD_DAYS, end.toordinal()):
        midnight = datetime.combine(dates[today], time(), UTC)
        for microsecond, status, (place, room, nights) in past.day(today):
            at = midnight + timedelta(0, 0, microsecond)
            hotel_id = hotels[place].hotel_id
            for night in nights:
                yield event((hotel_id, at, status, room, dates[night]))
