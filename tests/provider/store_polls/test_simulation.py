"""The simulated fleet: reproducible and plausible."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from provider.store_polls.simulation import collector_is_down, is_open, outages, simulate_fleet, simulate_polls

SEED = 7
STORES = simulate_fleet(SEED, 30)
START = datetime(2026, 3, 5, 10, 17, tzinfo=UTC)


def test_a_larger_fleet_starts_with_the_smaller_one() -> None:
    assert simulate_fleet(SEED, 60)[:30] == STORES
    assert len({store.store_id for store in simulate_fleet(SEED, 500)}) == 500
    assert simulate_fleet(SEED + 1, 30) != STORES


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 12 * 3600), max_size=5))
def test_a_period_has_the_same_polls_in_any_number_of_steps(cuts: list[int]) -> None:
    end = START + timedelta(hours=12)
    at_once = list(simulate_polls(SEED, STORES, START, end))
    bounds = [START, *sorted(START + timedelta(seconds=cut) for cut in cuts), end]
    in_steps = [poll for after, until in pairwise(bounds) for poll in simulate_polls(SEED, STORES, after, until)]
    assert sorted(in_steps, key=str) == sorted(at_once, key=str)
    assert all(START < poll.polled_at <= end for poll in at_once)


def test_each_store_is_polled_about_once_an_hour() -> None:
    hours = 24 * 7
    polls = list(simulate_polls(SEED, STORES, START, START + timedelta(hours=hours)))
    assert len({(poll.store_id, poll.polled_at) for poll in polls}) == len(polls)
    most = max(sum(poll.store_id == store.store_id for poll in polls) for store in STORES)
    assert hours * 0.9 < most <= hours + 1
    assert 0.8 * hours * len(STORES) < len(polls) < hours * len(STORES)


def test_stores_are_mostly_up_while_open_and_mostly_down_while_closed() -> None:
    by_id = {store.store_id: store for store in STORES}
    seen: dict[bool, list[bool]] = {True: [], False: []}
    for poll in simulate_polls(SEED, STORES, START, START + timedelta(days=7)):
        seen[is_open(by_id[poll.store_id], poll.polled_at)].append(poll.active)
    share = {hours: sum(found) / len(found) for hours, found in seen.items()}
    assert 0.9 < share[True] < 1
    assert share[False] < 0.3


def test_the_fleet_has_every_kind_of_store() -> None:
    stores = simulate_fleet(SEED, 300)
    assert any(store.timezone is None for store in stores)
    assert len({store.timezone for store in stores}) > 5
    assert any(not store.hours for store in stores)
    assert any(len({row.weekday for row in store.hours}) < 7 for store in stores if store.hours)
    assert any(row.closes < row.opens or row.opens.hour == 0 for store in stores for row in store.hours)
    assert sum(len(outages(store, 1300)) for store in stores) > 300
    assert 0 < sum(collector_is_down(SEED, hour) for hour in range(24 * 60)) < 60
