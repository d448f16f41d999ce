"""The story in the history of the simulated hotels, as the pages tell it."""

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from functools import cache

import pytest

from provider.hotel_rooms import BOOKING
from provider.simulated_hotels.models import SimulatedEvent
from provider.simulated_hotels.simulation import Simulation

ROOMS = 60
HOTELS = 5
SAME_WEEKDAY = timedelta(days=364)

INSTANTS = [
    datetime(2026, 11, 29, 7, 30, tzinfo=UTC),
    datetime(2028, 2, 29, 12, 0, tzinfo=UTC),
    datetime(2028, 2, 5, 0, 0, 1, tzinfo=UTC),
    datetime(2027, 2, 28, 23, 59, 59, tzinfo=UTC),
    datetime(2026, 12, 31, 23, 0, tzinfo=UTC),
    datetime(2027, 1, 1, 0, 0, tzinfo=UTC),
    datetime(2027, 7, 14, 15, 0, tzinfo=UTC),
]
"""Of different weekdays and seasons; the nights ahead of some lie around 29 February, or beyond the end of the year."""


@cache
def history(now: datetime, hotels: int = HOTELS, rooms: int = ROOMS, seed: int = 1) -> list[SimulatedEvent]:
    return list(Simulation(seed, hotels, rooms).history_through(now, 1))


def on_the_books(now: datetime, as_of: date) -> Counter[tuple[int, date]]:
    """The rooms sold by hotel and night, by the events dated on or before `as_of`."""
    end = datetime.combine(as_of + timedelta(days=1), time(), UTC)
    sold: Counter[tuple[int, date]] = Counter()
    for event in history(now):
        if event.event_timestamp < end:
            sold[event.hotel_id, event.night_of_stay] += 1 if event.status == BOOKING else -1
    return sold


def longest_run(answers: list[bool]) -> int:
    longest = current = 0
    for answer in answers:
        current = current + 1 if answer else 0
        longest = max(longest, current)
    return longest


@pytest.mark.parametrize("now", INSTANTS, ids=str)
def test_a_hotel_has_a_week_and_more_far_under_the_same_time_last_year(now: datetime) -> None:
    today = now.date()
    current, before = on_the_books(now, today), on_the_books(now, today - SAME_WEEKDAY)
    nights = [today + timedelta(days=ahead) for ahead in range(20, 41)]
    hotel = 3
    far_under = [
        current[hotel, night] <= 0.7 * before[hotel, night - SAME_WEEKDAY] and before[hotel, night - SAME_WEEKDAY] > 0
        for night in nights
    ]
    assert longest_run(far_under) >= 14


@pytest.mark.parametrize("now", INSTANTS, ids=str)
def test_a_hotel_has_a_friday_and_a_saturday_five_weeks_ahead_that_are_nearly_full(now: datetime) -> None:
    today = now.date()
    current = on_the_books(now, today)
    full = [
        night
        for night in (today + timedelta(days=ahead) for ahead in range(28, 46))
        if current[2, night] >= 0.95 * ROOMS
    ]
    assert [night.isoweekday() for night in full] == [5, 6]


@pytest.mark.parametrize("now", INSTANTS, ids=str)
def test_yesterday_more_than_three_cancellations_of_a_hotel_were_of_one_night(now: datetime) -> None:
    yesterday = now.date() - timedelta(days=1)
    cancelled = Counter(
        event.night_of_stay
        for event in history(now)
        if event.hotel_id == 5 and event.status != BOOKING and event.event_timestamp.date() == yesterday
    )
    assert max(cancelled.values()) > 3


@pytest.mark.parametrize("now", INSTANTS, ids=str)
def test_the_history_with_its_story_ends_now_sells_no_night_twice_and_cancels_only_sold_nights(now: datetime) -> None:
    events = history(now)
    assert events == sorted(events, key=lambda event: event.event_timestamp)
    assert events[-1].event_timestamp <= now
    sold: set[tuple[int, int, date]] = set()
    for event in events:
        assert 1 <= event.room_id <= ROOMS
        room_night = (event.hotel_id, event.room_id, event.night_of_stay)
        if event.status == BOOKING:
            assert room_night not in sold
            sold.add(room_night)
        else:
            sold.remove(room_night)


@pytest.mark.parametrize(("hotels", "rooms"), [(1, 1), (1, 60), (2, 3), (3, 5)])
def test_a_story_of_few_hotels_or_rooms_is_consistent_too(hotels: int, rooms: int) -> None:
    sold: set[tuple[int, int, date]] = set()
    for event in history(INSTANTS[0], hotels, rooms):
        room_night = (event.hotel_id, event.room_id, event.night_of_stay)
        if event.status == BOOKING:
            assert room_night not in sold
            sold.add(room_night)
        else:
            sold.remove(room_night)
    assert sold


@pytest.mark.parametrize("seed", [0, 7, 123_456])
def test_the_story_is_told_with_every_seed(seed: int) -> None:
    now = INSTANTS[0]
    today = now.date()
    events = history(now, seed=seed)
    sold: Counter[tuple[int, date]] = Counter()
    for event in events:
        sold[event.hotel_id, event.night_of_stay] += 1 if event.status == BOOKING else -1
    assert sum(sold[2, today + timedelta(days=ahead)] >= 0.95 * ROOMS for ahead in range(36, 46)) >= 2
    assert events == list(Simulation(seed, HOTELS, ROOMS).history_through(now, 1))
