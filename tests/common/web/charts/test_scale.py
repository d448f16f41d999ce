"""Scales and ticks."""

import itertools
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.web.charts.scale import Scale, count_ticks, countdown_ticks, day_ticks, hour_ticks, nice_step, value_ticks

DAYS = st.dates(date(2000, 1, 1), date(2100, 1, 1))


def test_a_scale_maps_both_ends_and_what_lies_between() -> None:
    scale = Scale(10, 20, 100, 0)
    assert [scale(value) for value in (10, 15, 20)] == [100, 50, 0]


def test_a_value_outside_of_a_scale_is_drawn_at_its_nearer_end() -> None:
    scale = Scale(10, 20, 100, 0)
    assert [scale(-3), scale(99)] == [100, 0]


def test_a_scale_of_one_value_draws_it_in_the_middle() -> None:
    assert Scale(7, 7, 0, 10)(7) == 5


@pytest.mark.parametrize(
    ("span", "most", "step"),
    [(40, 5, 10), (10, 5, 2), (100, 5, 20), (101, 5, 50), (0.3, 3, 0.1), (1, 5, 0.2), (6000, 5, 2000), (0, 5, 1)],
)
def test_a_step_is_one_two_or_five_times_a_power_of_ten(span: float, most: int, step: float) -> None:
    assert nice_step(span, most) == pytest.approx(step)


@pytest.mark.parametrize(
    ("highest", "maximum", "ticks"),
    [
        (18, 40, (0, 10, 20, 30, 40)),
        (18, 37, (0, 10, 20, 30, 37)),
        (18, 42, (0, 10, 20, 30, 42)),
        (42, 40, (0, 10, 20, 30, 40, 50)),
        (0, None, (0, 1)),
        (3, None, (0, 1, 2, 3)),
        (0, 0, (0, 1)),
        (0, 1, (0, 1)),
        (1035, None, (0, 500, 1000, 1500)),
    ],
)
def test_ticks_of_counts_end_at_the_maximum_or_at_a_nice_number(
    highest: int, maximum: int | None, ticks: tuple[int, ...]
) -> None:
    assert count_ticks(highest, 5, maximum) == ticks


@given(st.integers(-10, 10**9), st.integers(1, 9), st.none() | st.integers(0, 10**6))
def test_ticks_of_counts_rise_from_0_to_the_highest_value(highest: int, most: int, maximum: int | None) -> None:
    ticks = count_ticks(highest, most, maximum)
    assert ticks[0] == 0
    assert ticks[-1] >= highest
    assert len(ticks) <= most + 2
    assert all(low < high for low, high in itertools.pairwise(ticks))


@given(st.floats(-(10**6), 10**6), st.floats(0, 10**6), st.integers(1, 9))
def test_ticks_of_values_enclose_them(lowest: float, span: float, most: int) -> None:
    ticks = value_ticks(lowest, lowest + span, most)
    slack = 1e-6 * max(1, abs(lowest), span)
    assert ticks[0] <= lowest + slack
    assert ticks[-1] >= lowest + span - slack
    assert 2 <= len(ticks) <= most + 3


@pytest.mark.parametrize(
    ("first", "most", "ticks"),
    [(365, 8, (360, 300, 240, 180, 120, 60, 0)), (30, 5, (28, 21, 14, 7, 0)), (0, 5, (0,)), (1000, 1, (1000, 0))],
)
def test_ticks_of_a_countdown_end_at_its_day(first: int, most: int, ticks: tuple[int, ...]) -> None:
    assert countdown_ticks(first, most) == ticks


@pytest.mark.parametrize(
    ("first", "last", "labels"),
    [
        (date(2026, 11, 27), date(2026, 11, 27), ["27 Nov"]),
        (date(2026, 11, 27), date(2026, 11, 29), ["27 Nov", "28 Nov", "29 Nov"]),
        (date(2026, 11, 27), date(2026, 12, 15), ["30 Nov", "7 Dec", "14 Dec"]),
        (date(2026, 11, 1), date(2027, 2, 10), ["Nov", "Dec", "2027", "Feb"]),
        (date(2026, 2, 2), date(2027, 12, 31), ["Apr", "Jul", "Oct", "2027", "Apr", "Jul", "Oct"]),
        (date(2020, 5, 1), date(2024, 5, 1), ["2021", "2022", "2023", "2024"]),
    ],
)
def test_an_axis_of_days_shows_days_weeks_or_months(first: date, last: date, labels: list[str]) -> None:
    assert [tick.label for tick in day_ticks(first, last, 7)] == labels


@given(DAYS, st.integers(0, 20_000), st.integers(2, 12))
def test_ticks_of_days_are_few_ordered_and_within_the_axis(first: date, days: int, most: int) -> None:
    last = first + timedelta(days)
    ticks = [tick.day for tick in day_ticks(first, last, most)]
    assert len(ticks) <= most
    assert ticks == sorted(set(ticks))
    assert all(first <= tick <= last for tick in ticks)


def test_ticks_of_hours_are_counted_from_midnight() -> None:
    first = datetime(2026, 8, 20, 22, 30, tzinfo=UTC)
    assert [tick.hour for tick in hour_ticks(first, first + timedelta(hours=24), 5)] == [0, 6, 12, 18]
    assert len(hour_ticks(first, first + timedelta(days=2), 1)) == 1
