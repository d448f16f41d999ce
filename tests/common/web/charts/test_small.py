"""Drawings for cells of tables."""

from hypothesis import given
from hypothesis import strategies as st

from common.web.charts.small import Sparkline, bar_with_mark, month_strip, sparkline, step_line
from tests.common.web.charts.svg import FINDING, TITLE, checked, paths

VALUES = st.none() | st.floats(-1000, 10**6)
SERIES = st.lists(VALUES, max_size=40)


@given(SERIES, SERIES, st.none() | st.floats(-10, 10), st.none() | st.floats(-10, 10**6))
def test_any_sparkline_is_drawn_inside_its_frame(
    values: list[float | None], before: list[float | None], lowest: float | None, highest: float | None
) -> None:
    checked(sparkline(Sparkline(values, before, lowest, highest), TITLE, FINDING))


def test_a_sparkline_has_an_area_for_now_and_a_line_for_last_year() -> None:
    page = checked(sparkline(Sparkline([1, None, 3], [2, 2, 2], highest=4), TITLE, FINDING))
    assert [data.count("M") for style in ("fill", "now", "then") for data in paths(page, style)] == [2, 2, 1]


@given(SERIES)
def test_any_step_line_is_drawn_inside_its_frame(values: list[float | None]) -> None:
    checked(step_line(values, TITLE, FINDING))


def test_a_step_line_holds_each_value_and_has_gaps() -> None:
    [line] = paths(checked(step_line([1, 3, None, 2], TITLE, FINDING)), "now")

    assert line == "M2 27H31V3H60M89 15H118"


@given(st.lists(VALUES, max_size=14), st.floats(0, 10**6))
def test_any_strip_of_months_is_drawn_inside_its_frame(differences: list[float | None], reach: float) -> None:
    checked(month_strip(differences, reach, TITLE, FINDING))


def test_months_ahead_and_behind_are_a_path_each() -> None:
    page = checked(month_strip([5, -3, 0, None, 8, -1], 8, TITLE, FINDING))
    assert [data.count("M") for style in ("bar", "lost") for data in paths(page, style)] == [2, 2]


@given(st.integers(-5, 10**6), st.none() | st.integers(-5, 10**6), st.integers(0, 10**6))
def test_any_bar_with_a_mark_is_drawn_inside_its_frame(value: int, mark: int | None, maximum: int) -> None:
    page = checked(bar_with_mark(value, mark, maximum))
    styles = [path.get("class") for path in page.iter("path")]
    assert ("then-tick" in styles) == ("halo" in styles) == (mark is not None)
