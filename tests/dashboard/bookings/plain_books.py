"""The books of hotels, recounted from their raw events by plain Python."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from itertools import accumulate
from typing import NamedTuple

from dashboard.bookings.inputs import PaceMatch
from dashboard.bookings.models.nights import NightFigures
from dashboard.bookings.models.summary import DayChange, HotelFigures, NightsAhead


class PlainEvent(NamedTuple):
    """An event by its date at the hotel. change: 1 = booking, -1 = cancellation."""

    hotel_id: int
    event_date: date
    night: date
    change: int


def a_year_before(day: date, match: PaceMatch) -> date | None:
    """The counterpart of a night."""
    if match == "weekday":
        return day - timedelta(days=364)
    try:
        return day.replace(year=day.year - 1)
    except ValueError:
        return None


class PlainBooks:
    """Answers how many rooms a hotel had on the books for a night on a date."""

    def __init__(self, events: Iterable[PlainEvent]) -> None:
        changes: defaultdict[tuple[int, date], list[tuple[date, int]]] = defaultdict(list)
        self.first_dates: dict[int, date] = {}
        self.first_nights: dict[int, date] = {}
        self.by_date: defaultdict[tuple[int, date], list[int]] = defaultdict(list)
        for event in events:
            changes[event.hotel_id, event.night].append((event.event_date, event.change))
            self.by_date[event.hotel_id, event.event_date].append(event.change)
            first = self.first_dates.get(event.hotel_id, event.event_date)
            self.first_dates[event.hotel_id] = min(first, event.event_date)
            self.first_nights[event.hotel_id] = min(self.first_nights.get(event.hotel_id, event.night), event.night)
        self._nights: dict[tuple[int, date], tuple[list[date], list[int]]] = {}
        for key, found in changes.items():
            found.sort()
            self._nights[key] = [day for day, _ in found], [0, *accumulate(change for _, change in found)]

    def rooms(self, hotel_id: int, night: date, as_of: date) -> int:
        days, sums = self._nights.get((hotel_id, night), ([], [0]))
        return sums[bisect_right(days, as_of)]

    def pickup(self, hotel_id: int, night: date, as_of: date, days: int) -> int:
        before = as_of - timedelta(days=days)
        return self.rooms(hotel_id, night, as_of) - self.rooms(hotel_id, night, before)

    def night(self, hotel_id: int, night: date, as_of: date, match: PaceMatch) -> NightFigures:
        first = self.first_dates[hotel_id]
        counterpart = a_year_before(night, match)
        if counterpart is not None and counterpart < self.first_nights[hotel_id]:
            counterpart = None
        then = a_year_before(as_of, match) or date(as_of.year - 1, 2, 28)
        same_time = usual = slept = None
        if counterpart is not None and first <= then:
            same_time = self.rooms(hotel_id, counterpart, then)
        if counterpart is not None and first <= then - timedelta(days=6):
            usual = self.pickup(hotel_id, counterpart, then, 7)
        if counterpart is not None and first <= counterpart < as_of:
            slept = self.rooms(hotel_id, counterpart, as_of)
        rooms = self.rooms(hotel_id, night, as_of)
        yesterday = as_of - timedelta(days=1)
        return NightFigures(
            night,
            rooms,
            self.pickup(hotel_id, night, as_of, 1),
            self.pickup(hotel_id, night, yesterday, 1),
            self.pickup(hotel_id, night, as_of, 3),
            self.pickup(hotel_id, night, as_of, 7),
            self.pickup(hotel_id, night, as_of, 14),
            self.pickup(hotel_id, night, as_of, 30),
            same_time,
            None if same_time is None else rooms - same_time,
            usual,
            slept,
        )

    def nights(self, hotel_id: int, first: date, last: date, as_of: date, match: PaceMatch) -> list[NightFigures]:
        days = (last - first).days + 1
        return [self.night(hotel_id, first + timedelta(days=number), as_of, match) for number in range(days)]

    def hotel(self, hotel_id: int, as_of: date, match: PaceMatch) -> HotelFigures:
        """The figures of a hotel without a profile."""
        nights = self.nights(hotel_id, as_of, as_of + timedelta(days=89), as_of, match)
        yesterday = as_of - timedelta(days=1)
        then = a_year_before(as_of, match) or date(as_of.year - 1, 2, 28)
        summed = ahead if self.first_nights[hotel_id] <= then else without_last_year
        return HotelFigures(
            hotel_id,
            None,
            None,
            as_of,
            self.rooms(hotel_id, yesterday, as_of),
            ahead(nights[:1]),
            summed(nights[:7]),
            summed(nights[:30]),
            summed(nights),
            self._change(hotel_id, yesterday),
            self._change(hotel_id, as_of),
            [night.on_the_books for night in nights[:30]],
            [night.same_time_last_year for night in nights[:30]],
        )

    def _change(self, hotel_id: int, day: date) -> DayChange:
        changes = self.by_date.get((hotel_id, day), [])
        return DayChange(changes.count(1), changes.count(-1), sum(changes))


def without_last_year(nights: list[NightFigures]) -> NightsAhead:
    """The sum of nights of which some are not known a year before."""
    return NightsAhead(sum(night.on_the_books for night in nights), None, None)


def ahead(nights: list[NightFigures]) -> NightsAhead:
    """The sum of nights. Those without a counterpart compare with 0 among others that have one."""
    rooms = sum(night.on_the_books for night in nights)
    known = [night.same_time_last_year for night in nights if night.same_time_last_year is not None]
    before = sum(known) if known else None
    return NightsAhead(rooms, before, None if before is None else rooms - before)
