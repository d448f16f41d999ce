"""The strip of a week in a cell, and the column of a histogram."""

from hypothesis import given
from hypothesis import strategies as st

from common.web.charts.marks import Path
from common.web.charts.small import COLUMN, upright_bar
from common.web.charts.small_strip import DayPart, small_strip
from tests.common.web.charts.svg import FINDING, TITLE, checked

PARTS = st.builds(DayPart, st.none() | st.floats(0, 1), st.booleans())


def styles(*days: DayPart) -> list[str]:
    return [path.get("class", "") for path in checked(small_strip(days, TITLE, FINDING)).iter("path")]


@given(st.lists(PARTS, max_size=60))
def test_any_week_is_drawn_inside_its_frame(days: list[DayPart]) -> None:
    checked(small_strip(days, TITLE, FINDING))


def test_days_of_one_style_are_one_path() -> None:
    assert styles(*[DayPart(1)] * 7) == ["bar"]
    assert styles(DayPart(1), DayPart(0.9), DayPart(None), DayPart(None, closed=True), DayPart(1)) == [
        "bar", "bad", "bar poor", "unknown", "closed",
    ]  # fmt: skip


def test_two_bad_minutes_are_a_notch_in_a_good_day() -> None:
    assert styles(DayPart(1 - 2 / 1440)) == ["bar", "bad"]


def test_a_day_without_observations_is_hollow_even_if_its_last_status_was_good() -> None:
    assert styles(DayPart(None)) == ["unknown"]


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_any_column_is_drawn_inside_its_frame(value: float, more: float) -> None:
    checked(upright_bar("bar", value, value + more))


def test_a_column_of_one_in_many_can_be_seen_and_one_of_none_is_empty() -> None:
    def heights(value: float) -> list[str]:
        return [mark.style for mark in upright_bar("bar", value, 9000).marks if isinstance(mark, Path)]

    assert heights(1) == ["grid", "bar"]
    assert heights(0) == ["grid"]
    assert COLUMN.height > 2
