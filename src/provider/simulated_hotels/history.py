"""Generates years of past events, day after day, in the order in which they would have arrived."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from operator import itemgetter

from provider.hotel_rooms import BOOKING, CANCELLATION
from provider.simulated_hotels.demand import (
    MAX_LEAD_DAYS,
    Hotel,
    cancelled_nights,
    hotel_indexes_by_demand,
    seeded_random,
)
from provider.simulated_hotels.models import DateCache, SimulatedEvent
from provider.simulated_hotels.story import HotelEvent, Stay
from provider.simulated_hotels.vacancies import Vacancies

# Relative bookings per weekday of the past; live events come at a constant rate. Sunday first, like `ordinal % 7`.
_BOOKED_BY_WEEKDAY = (0.52, 1.10, 1.08, 1.14, 1.08, 1.24, 0.84)
# Relative bookings per hour of the day, UTC: few at night, a peak before noon and another after work.
_BOOKED_BY_HOUR = (5, 3, 2, 1, 1, 2, 4, 10, 20, 30, 36, 35, 30, 29, 31, 32, 31, 29, 27, 28, 29, 25, 17, 10)
_MICROSECONDS_PER_MINUTE = 60_000_000


class _PastHotels:
    """Hotels while their history is generated: the vacancies, and the cancellations planned for later days."""

    def __init__(
        self, seed: int, hotels: Sequence[Hotel], first_night: date, events: Sequence[HotelEvent] = ()
    ) -> None:
        self._random = seeded_random(seed, "history", first_night)
        self._first_night = first_night.toordinal()
        self._profiles = [hotel.profile for hotel in hotels]
        self._vacancies = Vacancies(hotels)
        self._cancellations: defaultdict[int, list[tuple[int, int, Stay]]] = defaultdict(list)
        self._minute_starts = [
            (hour * 60 + minute) * _MICROSECONDS_PER_MINUTE
            for hour, share in enumerate(_BOOKED_BY_HOUR)
            for minute in range(60)
            for _ in range(share)
        ]
        self._requests_per_day = sum(hotel.requests_per_day for hotel in hotels)
        self._hotel_indexes = hotel_indexes_by_demand(hotels)
        self._events = events
        self._events_of: defaultdict[int, list[HotelEvent]] = defaultdict(list)
        for event in events:
            self._events_of[event.hotel_index].append(event)

    def day(self, today: int) -> Iterator[tuple[int, int, Stay]]:
        """The bookings and cancellations of a day: `(microsecond of the day, status, stay)`, strictly ascending."""
        agenda = self._cancellations.pop(today, [])
        agenda += [(self._random_microsecond(), BOOKING, request) for request in self._requests(today)]
        for event in self._events:
            agenda += self._extraordinary(event, today)
        agenda.sort(key=itemgetter(0))
        last = -1
        for microsecond, status, stay in agenda:
            hotel_index, room, nights = stay
            if status == BOOKING:
                taken = self._sell(today, stay)
                if taken is None:
                    continue
                room = taken
            else:
                self._vacancies.release(hotel_index, room, nights)
            # Every stay has an instant of its own, by which its nights are recognised as one stay.
            last = max(microsecond, last + 1)
            yield last, status, Stay(hotel_index, room, nights)
        for event in self._events:
            event.note_end(today, self._vacancies)
        self._vacancies.pop(today, None)

    def _sell(self, today: int, request: Stay) -> int | None:
        """Sell a room to a request and plan whether its guest cancels; None if none is free, or the hotel loses it."""
        hotel_index, _, nights = request
        events = self._events_of[hotel_index] if self._events else ()
        if any(event.refuses(nights, self._vacancies) for event in events):
            return None
        room = self._vacancies.take_room(hotel_index, nights)
        if room is None:
            return None
        if self._random() < self._profiles[hotel_index].cancel_probability[nights.start - today]:
            self._plan_cancellation(today, hotel_index, room, nights)
        else:
            for event in events:
                event.note_lasting(Stay(hotel_index, room, nights))
        return room

    def _requests(self, today: int) -> Iterator[Stay]:
        """The requests of a day: stays without a room (0)."""
        random, hotel_indexes = self._random, self._hotel_indexes
        requests = int(self._requests_per_day * _BOOKED_BY_WEEKDAY[today % 7] + random())
        for _ in range(requests):
            hotel_index = hotel_indexes[int(random() * len(hotel_indexes))]
            nights = self._profiles[hotel_index].request(random, today)
            if nights is not None and nights.start >= self._first_night:
                yield Stay(hotel_index, 0, nights)

    def _extraordinary(self, event: HotelEvent, today: int) -> Iterator[tuple[int, int, Stay]]:
        """The requests and the cancellations of a day that are not of the usual demand."""
        for nights in event.requests(today, self._vacancies):
            yield self._random_microsecond(), BOOKING, Stay(event.hotel_index, 0, nights)
        for stay in event.cancellations(today):
            yield self._random_microsecond(), CANCELLATION, stay

    def _random_microsecond(self) -> int:
        start = self._minute_starts[int(self._random() * len(self._minute_starts))]
        return start + int(self._random() * _MICROSECONDS_PER_MINUTE)

    def _plan_cancellation(self, today: int, hotel_index: int, room: int, nights: range) -> None:
        """Plan the cancellation, for a random later day, of the stay's nights that are not past by then."""
        day = today + 1 + int(self._random() ** 2 * (nights.start - today))
        nights = cancelled_nights(self._random, nights)
        nights = range(max(nights.start, day), nights.stop)
        if any(event.keeps(day, nights) for event in self._events if event.hotel_index == hotel_index):
            return
        if nights:
            self._cancellations[day].append((self._random_microsecond(), CANCELLATION, Stay(hotel_index, room, nights)))


def write_history(
    seed: int, hotels: Sequence[Hotel], start: date, end: date, events: Sequence[HotelEvent] = ()
) -> Iterator[SimulatedEvent]:
    """See `Simulation.history`."""
    past_hotels = _PastHotels(seed, hotels, start, events)
    dates = DateCache()
    # A third faster than the constructor, and most of the time is spent here.
    event = partial(tuple.__new__, SimulatedEvent)
    for today in range(start.toordinal() - MAX_LEAD_DAYS, end.toordinal()):
        midnight = datetime.combine(dates[today], time(), UTC)
        for microsecond, status, (hotel_index, room, nights) in past_hotels.day(today):
            at = midnight + timedelta(0, 0, microsecond)
            hotel_id = hotels[hotel_index].hotel_id
            for night in nights:
                yield event((hotel_id, at, status, room, dates[night]))
