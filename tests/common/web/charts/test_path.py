"""Path data."""

import math

import pytest

from common.web.charts.path import Box, area, band, boxes, coordinate, dot, hatching, line, place, steps, strokes
from common.web.charts.scale import Scale


@pytest.mark.parametrize(("value", "text"), [(1.0, "1"), (1.25, "1.2"), (-0.01, "0"), (0, "0"), (10.96, "11")])
def test_a_coordinate_has_at_most_one_decimal(value: float, text: str) -> None:
    assert coordinate(value) == text


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_coordinate_that_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="must be finite"):
        coordinate(value)


def test_a_value_that_is_missing_or_not_finite_is_a_gap() -> None:
    scale = Scale(0, 10, 0, 100)
    assert place(range(4), [1, None, math.nan, math.inf], scale, scale) == [(0, 10), None, None, None]


def test_a_line_goes_straight_from_point_to_point() -> None:
    assert line([(0, 9), (5, 3), (10, 3), (10, 1)]) == "M0 9L5 3H10V1"


def test_a_value_of_a_step_line_holds_until_the_next_one() -> None:
    assert steps([(0, 9), (5, 3), (10, 3), (15, 3), (20, 1)]) == "M0 9H5V3H20V1"


def test_the_last_value_of_a_step_line_holds_until_the_end() -> None:
    assert steps([(0, 9), (5, 3)], end=8) == "M0 9H5V3H8"
    assert steps([(0, 9), None], end=8) == "M0 9H0"


def test_a_line_begins_anew_after_each_gap() -> None:
    points = [None, (0, 9), (5, 3), None, None, (10, 3), None, (15, 1), (20, 1), None]
    assert steps(points) == "M0 9H5V3M10 3H10M15 1H20"
    assert line(points) == "M0 9L5 3M10 3H10M15 1H20"


def test_a_single_point_is_a_stroke_of_no_length() -> None:
    assert line([(4, 2)]) == steps([(4, 2)]) == dot((4, 2)) == "M4 2H4"


def test_an_empty_series_draws_nothing() -> None:
    assert [line([]), steps([], end=3), area([None], 9), band([], []), boxes([]), strokes([])] == [""] * 6


def test_an_area_is_closed_along_its_base() -> None:
    assert area([(0, 3), (5, 1), None, (9, 2)], 10) == "M0 3L5 1V10H0ZM9 2V10Z"


def test_a_band_goes_along_one_series_and_back_along_the_other() -> None:
    assert band([(0, 9), (5, 8)], [(0, 3), (5, 4)]) == "M0 3L5 4V8L0 9Z"


def test_a_gap_of_either_series_is_a_gap_of_the_band() -> None:
    lows, highs = [(0.0, 9.0), None, (5.0, 8.0)], [(0.0, 3.0), (3.0, 3.0), (5.0, 4.0)]
    assert band(lows, highs) == "M0 3V9ZM5 4V8Z"


def test_a_rectangle_without_an_extent_leaves_no_trace() -> None:
    assert boxes([Box(0, 1, 2, 3), Box(4, 3, 6, 3)]) == "M0 1H2V3H0Z"


def test_hatching_stays_inside_its_rectangle() -> None:
    assert hatching(Box(0, 0, 6, 12), 6) == "M6 12L0 6M6 6L0 0"
    assert hatching(Box(0, 0, 2, 2), 6) == ""
