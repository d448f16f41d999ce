"""The laws of the live simulation: no room is sold twice, only booked nights are cancelled, a seed repeats a run."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provider.hotel_rooms import BOOKING, CANCELLATION
from provider.simulated_hotels.demand import MAX_LEAD_DAYS, MAX_STAY_NIGHTS
from provider.simulated_hotels.models import FeedEvent, SimulatedEvent
from provider.simulated_hotels.simulation import Simulation
from tests.support.stay_audit import audit

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

sizes = {"seed": st.integers(0, 2**63), "hotels": st.integers(1, 4), "rooms": st.integers(1, 12)}


Books = Iterable[tuple[int, int | str, date, datetime]]


def work(simulation: Simulation, start: datetime, ticks: int, every: timedelta, count: float) -> list[SimulatedEvent]:
    return [event for tick in range(ticks) for event in simulation.next_events(start + tick * every, count)]


def book(simulation: Simulation, books: Books) -> None:
    """Let the simulation observe the booking of each night."""
    for hotel_id, room_id, night, at in books:
        simulation.observe(FeedEvent(hotel_id, at, BOOKING, room_id, night))


@settings(max_examples=25, deadline=None)
@given(
    **sizes,
    ticks=st.lists(st.tuples(st.timedeltas(timedelta(0), timedelta(days=2)), st.floats(0, 200)), max_size=12),
)
def test_live_hotels_sell_no_night_twice_and_cancel_only_booked_nights(
    seed: int, hotels: int, rooms: int, ticks: list[tuple[timedelta, float]]
) -> None:
    simulation, now = Simulation(seed, hotels, rooms), NOON
    events: list[SimulatedEvent] = []
    for passed, count in ticks:
        now += passed
        events += simulation.next_events(now, count)
    stays = audit(events)
    kept = {
        (stay.hotel_id, stay.room_id, night, stay.booked_at)
        for stay in stays
        for night in set(stay.nights) - set(stay.cancelled_nights)
    }
    ahead = {entry for entry in kept if entry[2] >= now.date()}
    assert {entry for entry in simulation.booked() if entry[2] >= now.date()} == ahead


@settings(max_examples=15, deadline=None)
@given(**sizes, before=st.floats(1, 400), after=st.floats(1, 400))
def test_hotels_that_observed_their_books_continue_as_if_never_stopped(
    seed: int, hotels: int, rooms: int, before: float, after: float
) -> None:
    running = Simulation(seed, hotels, rooms)
    past = running.next_events(NOON, before)
    observed, restored = Simulation(seed, hotels, rooms), Simulation(seed, hotels, rooms)
    for event in past:
        observed.observe(event)
    book(restored, running.booked())
    later = NOON + timedelta(hours=1)
    continued = observed.next_events(later, after)
    audit(past + continued)
    assert restored.next_events(later, after) == continued
    assert restored.booked() == observed.booked()


@settings(max_examples=25, deadline=None)
@given(**sizes, data=st.data())
def test_observing_the_last_events_again_changes_nothing(
    seed: int, hotels: int, rooms: int, data: st.DataObject
) -> None:
    simulation = Simulation(seed, hotels, rooms)
    events = work(simulation, NOON, 5, timedelta(minutes=1), 30)
    books = simulation.booked()
    for event in events[data.draw(st.integers(0, len(events))) :]:
        simulation.observe(event)
    assert simulation.booked() == books


def test_a_cancelled_night_can_be_sold_again() -> None:
    events = work(Simulation(5, hotels=1, rooms=1), NOON, 200, timedelta(minutes=1), 5)
    audit(events)
    sold = Counter((event.room_id, event.night_of_stay) for event in events if event.status == BOOKING)
    assert max(sold.values()) > 1


def test_a_night_booked_by_another_client_is_not_sold_again() -> None:
    simulation = Simulation(5, hotels=1, rooms=1)
    taken = [
        SimulatedEvent(1, NOON + timedelta(0, 0, ahead), BOOKING, 1, NOON.date() + timedelta(ahead))
        for ahead in range(0, 600, 2)
    ]
    for event in taken:
        simulation.observe(event)
    audit(taken + simulation.next_events(NOON + timedelta(minutes=1), 100))


def test_events_of_unknown_hotels_and_rooms_are_ignored() -> None:
    simulation = Simulation(1, hotels=1, rooms=2)
    for hotel_id, room_id in ((2, 1), (1, 3), (1, 0), (1, "8dd1f2c6-4f52-4f2e-9c3f-1c1f4a3f9e55")):
        book(simulation, [(hotel_id, room_id, NOON.date(), NOON)])
        assert simulation.booked() == set()


def test_a_cancellation_takes_the_nights_of_one_stay_after_a_restore() -> None:
    """Of two adjacent stays in one room, nights booked at another instant belong to the other stay."""
    nights = [NOON.date() + timedelta(ahead) for ahead in range(MAX_LEAD_DAYS + MAX_STAY_NIGHTS)]
    books = {(1, 1, night, NOON - timedelta(days=400 - place // 3)) for place, night in enumerate(nights)}
    simulation = Simulation(1, hotels=1, rooms=1)
    book(simulation, books)
    first = [event for event in simulation.next_events(NOON, 1) if event.event_timestamp == NOON]
    assert {event.status for event in first} == {CANCELLATION}
    booked_at = {night: at for _, _, night, at in books}
    assert len({booked_at[event.night_of_stay] for event in first}) == 1
    assert len(first) <= 3


@pytest.mark.parametrize("count", [0.01, 0.4, 1.0, 7.3, 90.0])
def test_the_rate_in_the_long_run_is_the_requested_one(count: float) -> None:
    ticks = 300
    events = work(Simulation(2, hotels=3, rooms=10), NOON, ticks, timedelta(seconds=5), count)
    assert 0 <= len(events) - count * ticks < MAX_STAY_NIGHTS


def test_the_smallest_hotel_keeps_up_the_rate_when_it_is_full() -> None:
    events = work(Simulation(2, hotels=1, rooms=1), NOON, 50, timedelta(minutes=1), 60)
    audit(events)
    assert 0 <= len(events) - 3000 < MAX_STAY_NIGHTS


def test_no_events_are_made_when_none_are_requested() -> None:
    assert work(Simulation(2, hotels=3, rooms=10), NOON, 10, timedelta(minutes=1), 0) == []


def test_a_clock_that_stands_still_or_steps_back_repeats_no_instant() -> None:
    simulation = Simulation(2, hotels=2, rooms=20)
    events = [
        event for at in (NOON, NOON, NOON - timedelta(seconds=2), NOON) for event in simulation.next_events(at, 50)
    ]
    audit(events)
    assert all(before.event_timestamp <= after.event_timestamp for before, after in pairwise(events))


def test_an_instant_of_another_offset_is_the_same_instant() -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=14)))
    assert Simulation(1, 2, 9).next_events(elsewhere, 99) == Simulation(1, 2, 9).next_events(NOON, 99)


def test_an_instant_without_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        Simulation(1, 1, 1).next_events(NOON.replace(tzinfo=None), 1)


@pytest.mark.parametrize(("hotels", "rooms", "first"), [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_a_simulation_without_hotels_or_rooms_is_refused(hotels: int, rooms: int, first: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        Simulation(1, hotels, rooms, first_hotel_id=first)


def test_the_same_calls_give_the_same_live_events_and_another_seed_others() -> None:
    def run(seed: int) -> list[SimulatedEvent]:
        return work(Simulation(seed, 3, 20), NOON, 50, timedelta(minutes=1), 12.5)

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_live_hotels_continue_a_history_that_was_written_before() -> None:
    simulation = Simulation(4, hotels=2, rooms=30)
    past = list(simulation.history(NOON.date() - timedelta(30), NOON.date()))
    for event in past:
        simulation.observe(event)
    audit(past + work(simulation, NOON, 30, timedelta(minutes=1), 20))


def test_a_high_rate_does_not_fill_nights_long_in_advance() -> None:
    simulation = Simulation(4, hotels=4, rooms=50)
    work(simulation, NOON, 60, timedelta(seconds=5), 1500)
    sold = Counter((night - NOON.date()).days for _, _, night, _ in simulation.booked())
    shares = [fmean(sold[day] for day in range(first, first + 28)) / 200 for first in (0, 90, 300)]
    assert 0.5 < shares[0] < 0.97
    assert 0.2 < shares[1] < 0.6
    assert shares[2] < 0.15


def test_no_night_is_cancelled_before_its_booking_when_the_clock_goes_back() -> None:
    running = Simulation(2, hotels=1, rooms=3)
    running.next_events(NOON, 2000)
    booked_at = {(hotel_id, room_id, night): at for hotel_id, room_id, night, at in running.booked()}
    restored = Simulation(2, hotels=1, rooms=3)
    book(restored, running.booked())
    for hotel_id, at, status, room_id, night in restored.next_events(NOON - timedelta(hours=1), 500):
        if status == BOOKING:
            booked_at[hotel_id, room_id, night] = at
        else:
            assert booked_at.pop((hotel_id, room_id, night)) < at


def test_an_older_event_observed_late_does_not_undo_a_newer_booking() -> None:
    simulation = Simulation(1, hotels=1, rooms=1)
    book(simulation, [(1, 1, NOON.date(), NOON)])
    simulation.observe(SimulatedEvent(1, NOON - timedelta(seconds=1), CANCELLATION, 1, NOON.date()))
    simulation.observe(SimulatedEvent(1, NOON - timedelta(seconds=2), BOOKING, 1, NOON.date()))
    assert simulation.booked() == {(1, 1, NOON.date(), NOON)}
