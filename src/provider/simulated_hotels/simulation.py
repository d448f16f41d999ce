"""Simulated hotels at work: as many events as requested, consistent with the events in the feed."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile

from provider.hotel_rooms import BOOKING, CANCELLATION
from provider.simulated_hotels.books import Books
from provider.simulated_hotels.demand import (
    MAX_LEAD_DAYS,
    Hotel,
    cancelled_nights,
    create_hotels,
    hotel_indexes_by_demand,
    seeded_random,
)
from provider.simulated_hotels.history import write_history
from provider.simulated_hotels.models import DateCache, FeedEvent, SimulatedEvent
from provider.simulated_hotels.story import HotelEvent, tell_story

# How many random requests are tried for one event. Most fail once the books are as full as the season allows.
_MAX_ATTEMPTS = 40
# How far above its booking curve a night may be sold. Without this limit a high rate would fill a year in a day.
_MAX_OVER_CURVE = 1.2
_ONE_MICROSECOND = timedelta(microseconds=1)


class Simulation:
    """Seeded hotels. The same seed, the same observed events and the same calls give the same events."""

    def __init__(self, seed: int, hotels: int, rooms: int, *, first_hotel_id: int = 1) -> None:
        """`hotels` hotels of `rooms` rooms each, ids from `first_hotel_id` on; rooms are 1 to `rooms`.

        Raises ValueError for fewer than one hotel or room, or an id below 1.
        """
        if hotels < 1 or rooms < 1 or first_hotel_id < 1:
            raise ValueError("a simulation needs at least one hotel, one room, and ids from 1 on")
        self._seed = seed
        self.hotels: tuple[Hotel, ...] = create_hotels(seed, hotels, rooms, first_hotel_id)
        self._hotel_indexes = hotel_indexes_by_demand(self.hotels)
        self._books = Books(self.hotels)
        self._dates = DateCache()
        self._owed = 0.0
        self._last: datetime | None = None
        self._random = seeded_random(seed)

    def history(self, start: date, end: date, events: Sequence[HotelEvent] = ()) -> Iterator[SimulatedEvent]:
        """All events before `end` (UTC, exclusive) of nights from `start` on, by ascending event_timestamp.

        The first bookings are dated up to MAX_LEAD_DAYS before `start`, so the first nights are as full as the
        last; nights after `end` have the bookings made by then. No two stays share an instant. Independent of
        observed events. Memory depends on the number of hotels, not of years. events: what happens beside the usual
        demand, such as `tell_story`.
        """
        return write_history(self._seed, self.hotels, start, end, events)

    def history_through(self, now: datetime, years: int) -> Iterator[SimulatedEvent]:
        """The history of `years` years up to this instant (of the aware `now`), with the story of `tell_story`."""
        today = now.astimezone(UTC).date()
        story = tell_story(self._seed, self.hotels, today.toordinal())
        events = self.history(today - timedelta(days=365 * years), today + timedelta(days=1), story)
        return takewhile(lambda event: event.event_timestamp <= now, events)

    def reset(self) -> None:
        """Drop all observed and generated events: every room is free."""
        self._books = Books(self.hotels)
        self._owed = 0.0
        self._last = None

    def observe(self, event: FeedEvent | SimulatedEvent) -> None:
        """Apply an event, in the feed's order: a booking adds its night, a cancellation removes it.

        Observing the same events again, from any one of them to the last, changes nothing. Events of unknown
        hotels and rooms are ignored.
        """
        self._books.apply(event.status, event.hotel_id, event.room_id, event.night_of_stay, event.event_timestamp)

    def booked(self) -> set[tuple[int, int, date, datetime]]:
        """The nights on the books: `(hotel_id, room_id, night_of_stay, event_timestamp)`."""
        return set(self._books)

    def next_events(self, now: datetime, count: float) -> list[SimulatedEvent]:
        """About `count` events of whole stays, in ascending order from `now` (fractions of `count` add up).

        No stay is cut, so there may be more, and then there are fewer next time: over many calls the number is the sum
        of the counts. Each booking and cancellation has an instant of its own, a microsecond after the previous one.
        Nights are not before the UTC date of `now`, which must be aware (ValueError). A night is sold only up to the
        share that the season's booking curve has reached by that day; when more events are requested than that allows,
        guests cancel nearly as much as they book.
        """
        if now.utcoffset() is None:
            raise ValueError("now must have an offset")
        now = now.astimezone(UTC)
        today = now.toordinal()
        # Seeded by the instant, so that the hotels do not repeat themselves after a restart.
        self._random = seeded_random(self._seed, "live", now.isoformat())
        self._books.delete_before(today)
        self._owed += count
        events: list[SimulatedEvent] = []
        while self._owed > 0:
            at = now if self._last is None else max(now, self._last + _ONE_MICROSECOND)
            stay_events = self._next_stay(at, today)
            if not stay_events:
                # No room is free and no stay can be cancelled: the missing events are not made up for later.
                self._owed = 0.0
                break
            self._last = at
            self._owed -= len(stay_events)
            events += stay_events
        return events

    def _next_stay(self, at: datetime, today: int) -> list[SimulatedEvent]:
        """A booking or a cancellation, at random by the share of cancellations; if that fails, the other."""
        cancelled = self.hotels[self._random_hotel_index()].profile.cancel_share
        if self._random() < cancelled / (1 + cancelled):
            return self._cancel_any(at, today) or self._book_any(at, today) or self._sell_or_cancel_any(at, today)
        return self._book_any(at, today) or self._cancel_any(at, today) or self._sell_or_cancel_any(at, today)

    def _random_hotel_index(self) -> int:
        return self._hotel_indexes[int(self._random() * len(self._hotel_indexes))]

    def _book_any(self, at: datetime, today: int) -> list[SimulatedEvent]:
        """Book a random request for which a hotel has a room and still sells the nights; empty if none is found."""
        for _ in range(_MAX_ATTEMPTS):
            hotel_index = self._random_hotel_index()
            nights = self.hotels[hotel_index].profile.request(self._random, today)
            if nights is None or not self._sells(hotel_index, nights, today):
                continue
            room = self._books.sell(hotel_index, nights, at)
            if room is not None:
                return self._events(at, BOOKING, hotel_index, room, nights)
        return []

    def _sells(self, hotel_index: int, nights: range, today: int) -> bool:
        """Whether each of the nights is below its limit on the booking curve."""
        hotel = self.hotels[hotel_index]
        return all(
            self._books.vacancies.sold(hotel_index, night).bit_count()
            < max(1.0, _MAX_OVER_CURVE * hotel.expected_sold_rooms(night, night - today))
            for night in nights
        )

    def _cancel_any(self, at: datetime, today: int) -> list[SimulatedEvent]:
        """Cancel a random stay on the books, more likely one that was booked early; empty if none is found."""
        for _ in range(_MAX_ATTEMPTS):
            hotel_index = self._random_hotel_index()
            profile = self.hotels[hotel_index].profile
            night = today + profile.lead(self._random)
            room = self._books.any_sold_room(self._random, hotel_index, night)
            if room is None:
                continue
            stay, booked_at = self._books.stay_of(hotel_index, room, night)
            lead = max(0, min(stay.start - booked_at.toordinal(), MAX_LEAD_DAYS))
            likely = profile.cancel_probability
            if booked_at < at and self._random() * likely[-1] < likely[lead]:
                return self._cancel(at, hotel_index, room, cancelled_nights(self._random, stay))
        return []

    def _sell_or_cancel_any(self, at: datetime, today: int) -> list[SimulatedEvent]:
        """Sell one night in any season, or cancel one stay, so that even a tiny hotel keeps up the rate."""
        hotel_index, skipped = self._random_hotel_index(), int(self._random() * MAX_LEAD_DAYS)
        for step in range(MAX_LEAD_DAYS):
            night = today + (skipped + step) % MAX_LEAD_DAYS
            room = self._books.sell(hotel_index, range(night, night + 1), at)
            if room is not None:
                return self._events(at, BOOKING, hotel_index, room, range(night, night + 1))
        room = self._books.any_sold_room(self._random, hotel_index, today + skipped)
        if room is not None:
            stay, booked_at = self._books.stay_of(hotel_index, room, today + skipped)
            if booked_at < at:
                return self._cancel(at, hotel_index, room, stay)
        return []

    def _cancel(self, at: datetime, hotel_index: int, room: int, nights: range) -> list[SimulatedEvent]:
        self._books.release(hotel_index, room, nights)
        return self._events(at, CANCELLATION, hotel_index, room, nights)

    def _events(self, at: datetime, status: int, hotel_index: int, room: int, nights: range) -> list[SimulatedEvent]:
        hotel_id = self.hotels[hotel_index].hotel_id
        return [SimulatedEvent(hotel_id, at, status, room, self._dates[night]) for night in nights]
