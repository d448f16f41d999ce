"""Hotels at work: as many events as are asked for, in agreement with what the feed already holds."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from provider.simulated_hotels.books import Books
from provider.simulated_hotels.events import BOOKING, CANCELLATION, DateCache, FeedEvent, SimulatedEvent
from provider.simulated_hotels.history import write_history
from provider.simulated_hotels.hotels import (
    MAX_LEAD_DAYS,
    Hotel,
    cancelled_nights,
    create_hotels,
    hotel_indexes_by_demand,
    seeded_random,
)

# How often a guest is looked for before giving up. Demand that finds no room is refused, which is what
# happens to most of it once the books are as full as the season allows.
_MAX_ATTEMPTS = 40
# How far above its booking curve a night may be sold. Without it a high rate would fill a year in a day.
_MAX_OVER_CURVE = 1.2
_ONE_MICROSECOND = timedelta(microseconds=1)


class Simulation:
    """Seeded hotels. The same seed, the same observed events and the same calls give the same events."""

    def __init__(self, seed: int, hotels: int, rooms: int, *, first_hotel_id: int = 1) -> None:
        """`hotels` houses of `rooms` rooms each, ids from `first_hotel_id` on; rooms are 1 to `rooms`.

        Raises ValueError for fewer than one house or room, or an id below 1.
        """
        if hotels < 1 or rooms < 1 or first_hotel_id < 1:
            raise ValueError("a simulation needs at least one hotel, one room, and ids from 1 on")
        self._seed = seed
        self.hotels: tuple[Hotel, ...] = create_hotels(seed, hotels, rooms, first_hotel_id)
        self._places = hotel_indexes_by_demand(self.hotels)
        self._books = Books(self.hotels)
        self._dates = DateCache()
        self._owed = 0.0
        self._last: datetime | None = None
        self._random = seeded_random(seed)

    def history(self, start: date, end: date) -> Iterator[SimulatedEvent]:
        """All events before `end` (UTC, exclusive) of nights from `start` on, by ascending event_timestamp.

        The first bookings are therefore dated up to LONGEST_LEAD days before `start`: the first nights are
        as well sold as the last, and of nights after `end` there is what was on the books by then. No two
        stays share an instant. Independent of what was observed. Memory depends on the houses, not on the
        years.
        """
        return write_history(self._seed, self.hotels, start, end)

    def begin_anew(self) -> None:
        """Forget all that was observed and made: every room is free, and nothing is carried over."""
        self._books = Books(self.hotels)
        self._owed = 0.0
        self._last = None

    def observe(self, event: FeedEvent) -> None:
        """Take over an event, in the feed's order: a booking adds its night, a cancellation removes it.

        Seeing the same events again, from any one of them on to the last, changes nothing. Events of unknown
        hotels and rooms are passed over.
        """
        self._books.enter(event.status, event.hotel_id, event.room_id, event.night_of_stay, event.event_timestamp)

    def booked(self) -> set[tuple[int, int, date, datetime]]:
        """The nights on the books: `(hotel_id, room_id, night_of_stay, event_timestamp)`."""
        return set(self._books)

    def next_events(self, now: datetime, count: float) -> list[SimulatedEvent]:
        """About `count` events (a fraction counts), ascending from `now` on: whole stays.

        No stay is cut, so there may be more, and then there are fewer next time: over many calls the number
        is the sum of the counts. Each booking and cancellation has an instant of its own, a microsecond
        after the one before. Nights are not before the UTC date of `now`, which must be aware (ValueError).
        A night is sold only as far as the season's booking curve has it by that day; where more events are
        asked for than the houses can live from, guests therefore cancel nearly as much as they book.
        """
        if now.utcoffset() is None:
            raise ValueError("now must have an offset")
        now = now.astimezone(UTC)
        today = now.toordinal()
        # Dice of their own for each instant: after a restart the hotels do not repeat themselves.
        self._random = seeded_random(self._seed, "live", now.isoformat())
        self._books.forget_before(today)
        self._owed += count
        events: list[SimulatedEvent] = []
        while self._owed > 0:
            at = now if self._last is None else max(now, self._last + _ONE_MICROSECOND)
            happened = self._next_stay(at, today)
            if not happened:
                # No room is free and nobody can cancel. What cannot be had now is not owed later.
                self._owed = 0.0
                break
            self._last = at
            self._owed -= len(happened)
            events += happened
        return events

    def _next_stay(self, at: datetime, today: int) -> list[SimulatedEvent]:
        """A booking or a cancellation, whichever is likelier, or else the other."""
        cancelled = self.hotels[self._any_place()].character.cancel_share
        if self._random() < cancelled / (1 + cancelled):
            return self._cancel(at, today) or self._book(at, today) or self._make_do(at, today)
        return self._book(at, today) or self._cancel(at, today) or self._make_do(at, today)

    def _any_place(self) -> int:
        return self._places[int(self._random() * len(self._places))]

    def _book(self, at: datetime, today: int) -> list[SimulatedEvent]:
        """A guest who finds a room in a house that still sells those nights; empty if there is none."""
        for _ in range(_MAX_ATTEMPTS):
            place = self._any_place()
            nights = self.hotels[place].character.request(self._random, today)
            if nights is None or not self._sells(place, nights, today):
                continue
            room = self._books.sell(place, nights, at)
            if room is not None:
                return self._events(at, BOOKING, place, room, nights)
        return []

    def _sells(self, place: int, nights: range, today: int) -> bool:
        """Whether none of the nights is sold as far as a night may be that many days ahead."""
        hotel = self.hotels[place]
        return all(
            self._books.vacancies.sold(place, night).bit_count()
            < max(1.0, _MAX_OVER_CURVE * hotel.expected_on_the_books(night, night - today))
            for night in nights
        )

    def _cancel(self, at: datetime, today: int) -> list[SimulatedEvent]:
        """A guest who is on the books and stays away, rather one who booked early; empty if there is none."""
        for _ in range(_MAX_ATTEMPTS):
            place = self._any_place()
            character = self.hotels[place].character
            night = today + character.lead(self._random)
            room = self._books.any_sold_room(self._random, place, night)
            if room is None:
                continue
            stay, booked_at = self._books.stay_of(place, room, night)
            lead = max(0, min(stay.start - booked_at.toordinal(), MAX_LEAD_DAYS))
            likely = character.cancel_probability
            if booked_at < at and self._random() * likely[-1] < likely[lead]:
                return self._give_back(at, place, room, cancelled_nights(self._random, stay))
        return []

    def _make_do(self, at: datetime, today: int) -> list[SimulatedEvent]:
        """One night in any season, or one stay less, so that even a tiny house keeps up the rate."""
        place, skipped = self._any_place(), int(self._random() * MAX_LEAD_DAYS)
        for step in range(MAX_LEAD_DAYS):
            night = today + (skipped + step) % MAX_LEAD_DAYS
            room = self._books.sell(place, range(night, night + 1), at)
            if room is not None:
                return self._events(at, BOOKING, place, room, range(night, night + 1))
        room = self._books.any_sold_room(self._random, place, today + skipped)
        if room is not None:
            stay, booked_at = self._books.stay_of(place, room, today + skipped)
            if booked_at < at:
                return self._give_back(at, place, room, stay)
        return []

    def _give_back(self, at: datetime, place: int, room: int, nights: range) -> list[SimulatedEvent]:
        self._books.release(place, room, nights)
        return self._events(at, CANCELLATION, place, room, nights)

    def _events(self, at: datetime, status: int, place: int, room: int, nights: range) -> list[SimulatedEvent]:
        hotel_id = self.hotels[place].hotel_id
        return [SimulatedEvent(hotel_id, at, status, room, self._dates[night]) for night in nights]
