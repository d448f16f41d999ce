"""The simulated history: its laws, and figures that are realistic for a hotel."""

import tracemalloc
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from itertools import islice, pairwise
from statistics import fmean, median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provider.simulated_hotels import history, models
from provider.simulated_hotels.demand import MAX_LEAD_DAYS, MAX_STAY_NIGHTS, create_hotels
from provider.simulated_hotels.models import DateCache, SimulatedEvent
from provider.simulated_hotels.simulation import Simulation
from provider.simulated_hotels.vacancies import Vacancies
from tests.support.stay_audit import Stay, audit

PERIOD = (date(2024, 1, 1), date(2026, 1, 1))

Stays = dict[int, list[Stay]]
"""By hotel."""


def occupancy(stays: Iterable[Stay], rooms: int) -> dict[date, float]:
    kept = Counter(night for stay in stays for night in set(stay.nights) - set(stay.cancelled_nights))
    days = (PERIOD[1] - PERIOD[0]).days
    return {night: kept[night] / rooms for night in (PERIOD[0] + timedelta(day) for day in range(days))}


def mean_by(figures: dict[date, float], key: str) -> dict[int, float]:
    groups = defaultdict(list)
    for night, figure in figures.items():
        groups[int(night.strftime(key))].append(figure)
    return {group: fmean(values) for group, values in groups.items()}


def test_a_hotel_has_as_many_rooms_as_it_was_given() -> None:
    vacancies = Vacancies(create_hotels(1, 2, 5, 1))

    assert [vacancies.take_room(1, range(3, 5)) for _ in range(6)] == [1, 2, 3, 4, 5, None]
    assert vacancies.take_room(0, range(4, 5)) == 1


def test_dates_are_remembered_up_to_a_number_of_nights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "MAX_CACHED_NIGHTS", 3)
    dates = DateCache()
    sizes = []
    for ordinal in range(730_000, 730_008):
        assert dates[ordinal] == date.fromordinal(ordinal)
        sizes.append(len(dates))
    assert sizes == [1, 2, 3, 1, 2, 3, 1, 2]


def test_bookings_have_their_own_times_of_day() -> None:
    """Two at the same microsecond are set apart by one microsecond, which is rare."""
    instants = sorted({event.event_timestamp for event in Simulation(3, 2, 50).history(*PERIOD)})
    shifted = sum(after - before == timedelta(microseconds=1) for before, after in pairwise(instants))
    assert shifted < len(instants) / 1_000


@pytest.fixture(scope="module")
def two_years() -> Stays:
    """The completed stays of a resort (1) and a city hotel (2) of 100 rooms."""
    history = audit(Simulation(11, hotels=2, rooms=100).history(*PERIOD))
    stays = [stay for stay in history if stay.nights[-1] < PERIOD[1]]
    return {hotel_id: [stay for stay in stays if stay.hotel_id == hotel_id] for hotel_id in (1, 2)}


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**63),
    hotels=st.integers(1, 4),
    rooms=st.integers(1, 12),
    start=st.dates(date(1990, 1, 1), date(2100, 1, 1)),
    days=st.integers(0, 60),
)
def test_history_sells_no_night_twice_and_cancels_only_booked_nights(
    seed: int, hotels: int, rooms: int, start: date, days: int
) -> None:
    events = list(Simulation(seed, hotels, rooms).history(start, start + timedelta(days)))
    audit(events)
    assert all(before.event_timestamp <= after.event_timestamp for before, after in pairwise(events))
    assert all(start <= event.night_of_stay for event in events)
    assert all(event.event_timestamp.date() < start + timedelta(days) for event in events)
    assert {event.hotel_id for event in events} <= set(range(1, hotels + 1))
    assert {event.room_id for event in events} <= set(range(1, rooms + 1))


def test_no_two_stays_share_an_instant_even_on_a_crowded_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_MICROSECONDS_PER_MINUTE", 1)
    stays = audit(Simulation(1, hotels=2, rooms=50).history(date(2025, 1, 1), date(2025, 2, 1)))
    assert len({stay.booked_at for stay in stays}) == len(stays) > 1000


def test_the_same_seed_gives_the_same_history_and_another_seed_another() -> None:
    def beginning(seed: int) -> list[SimulatedEvent]:
        return list(islice(Simulation(seed, 3, 20).history(*PERIOD), 5000))

    assert beginning(1) == beginning(1)
    assert beginning(1) != beginning(2)


@pytest.mark.parametrize("hotel_id", [1, 2])
def test_occupancy_follows_season_and_weekday(two_years: Stays, hotel_id: int) -> None:
    nightly = occupancy(two_years[hotel_id], rooms=100)
    months, weekdays = mean_by(nightly, "%m"), mean_by(nightly, "%w")
    assert 0.65 < fmean(nightly.values()) < 0.85
    assert 0.50 < min(months.values()) < 0.65
    assert 0.78 < max(months.values()) < 0.95
    assert min(months, key=months.__getitem__) in {12, 1, 2}
    assert max(weekdays, key=weekdays.__getitem__) in {5, 6}
    assert max(weekdays.values()) > 1.15 * min(weekdays.values())


def test_the_resort_has_its_season_when_the_city_is_quieter(two_years: Stays) -> None:
    resort, city = (mean_by(occupancy(two_years[hotel_id], rooms=100), "%m") for hotel_id in (1, 2))
    assert resort[8] > resort[5]
    assert city[5] > city[8]


@pytest.mark.parametrize("hotel_id", [1, 2])
def test_lead_times_are_weeks_with_a_long_tail_and_some_walk_ins(two_years: Stays, hotel_id: int) -> None:
    leads = sorted(stay.lead for stay in two_years[hotel_id])
    assert 0.02 < leads.count(0) / len(leads) < 0.10
    assert 30 < median(leads) < 90
    assert fmean(leads) > 1.3 * median(leads)
    assert leads[int(0.99 * len(leads))] > 300
    assert leads[-1] <= MAX_LEAD_DAYS


def test_the_resort_is_booked_later_and_for_longer_stays_than_the_city(two_years: Stays) -> None:
    resort, city = ([len(stay.nights) for stay in two_years[hotel_id]] for hotel_id in (1, 2))
    assert median(stay.lead for stay in two_years[1]) < median(stay.lead for stay in two_years[2])
    assert fmean(resort) > fmean(city) + 0.8


@pytest.mark.parametrize("hotel_id", [1, 2])
def test_stays_are_short_and_tend_to_end_on_a_sunday(two_years: Stays, hotel_id: int) -> None:
    stays = two_years[hotel_id]
    lengths = Counter(len(stay.nights) for stay in stays)
    assert set(lengths) == set(range(1, MAX_STAY_NIGHTS + 1))
    assert sum(lengths[nights] for nights in range(1, 5)) > 0.6 * len(stays)
    fridays = Counter(len(stay.nights) for stay in stays if stay.nights[0].weekday() == 4)
    assert fridays[2] / fridays.total() > 1.2 * lengths[2] / lengths.total()


@pytest.mark.parametrize("hotel_id", [1, 2])
def test_guests_who_book_early_cancel_more_and_mostly_the_whole_stay(two_years: Stays, hotel_id: int) -> None:
    def cancelled(first: int, last: int) -> float:
        return fmean(bool(stay.cancelled_nights) for stay in two_years[hotel_id] if first <= stay.lead <= last)

    shares = [cancelled(0, 3), cancelled(15, 30), cancelled(61, 120), cancelled(181, MAX_LEAD_DAYS)]
    assert shares == sorted(shares)
    assert 0.02 < shares[0] < 0.15
    assert 0.3 < shares[-1] < 0.7
    whole = [stay.cancelled_nights == stay.nights for stay in two_years[hotel_id] if stay.cancelled_nights]
    assert 0.8 < fmean(whole) < 0.95


def test_guests_book_by_day_rather_than_by_night(two_years: Stays) -> None:
    hours = Counter(stay.booked_at.hour for stay in two_years[2])
    assert sum(hours[hour] for hour in range(1, 6)) < 0.1 * hours.total()
    assert set(hours) == set(range(24))


def test_history_is_as_full_in_its_first_month_as_a_year_later(two_years: Stays) -> None:
    nightly = occupancy(two_years[1], rooms=100)
    first, later = (fmean(f for n, f in nightly.items() if n.year == year and n.month == 1) for year in (2024, 2025))
    assert first == pytest.approx(later, rel=0.2)


def test_memory_does_not_grow_with_the_years() -> None:
    events = Simulation(1, hotels=1, rooms=10).history(date(2020, 1, 1), date(2040, 1, 1))
    tracemalloc.start()
    try:
        peaks = []
        for _ in range(4):
            assert sum(1 for _ in islice(events, 20_000)) == 20_000
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.reset_peak()
    finally:
        tracemalloc.stop()
    assert peaks[-1] < 1.2 * peaks[1]
