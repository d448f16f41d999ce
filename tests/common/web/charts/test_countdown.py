"""The chart of a countdown, such as a booking curve."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from common.web.charts.countdown import Countdown, CountdownDay, countdown
from tests.common.web.charts.svg import checked, labels, paths, table, words

VALUES = st.none() | st.floats(-100, 10**6) | st.integers(-5, 60)
DAYS = st.lists(st.tuples(VALUES, VALUES, VALUES, VALUES, VALUES), max_size=40)


def days(*now: float | None) -> list[CountdownDay]:
    furthest = len(now) - 1
    return [CountdownDay(furthest - number, value, 10, 12, 14, 20) for number, value in enumerate(now)]


@given(DAYS, st.integers(0, 20), st.none() | st.integers(0, 1000), st.text("<&>ab 0", max_size=60))
def test_any_countdown_is_drawn_inside_its_frame(
    values: list[tuple[float | None, ...]], last: int, maximum: int | None, label: str
) -> None:
    numbered = enumerate(values)
    data = [CountdownDay(last + len(values) - number, *of_day) for number, of_day in numbered]
    page = checked(countdown(Countdown(data, maximum, label), words(4)))
    assert len(table(page)) == len(data) + 1


def test_the_line_of_now_ends_today_at_its_dot_and_label() -> None:
    page = checked(countdown(Countdown(days(5, 8, 8, None, None), 40, "8 now, usual 12"), words(4)))

    line, dot = paths(page, "now")[0], paths(page, "dot")[0]
    assert line.endswith(dot.rpartition("H")[2])
    assert labels(page, "wide").count("8 now, usual 12") == 1
    assert labels(page, "narrow").count("8 now, usual 12") == 1


def test_the_axis_ends_at_the_maximum_even_where_values_are_far_below() -> None:
    page = checked(countdown(Countdown(days(5, 8), 40, ""), words(4)))
    assert [text for text in labels(page, "wide") if text.isdigit()] == ["0", "10", "20", "30", "40", "1", "0"]


def test_a_gap_of_a_series_is_a_gap_of_its_line() -> None:
    gap = [replace(day, last_year=None) if day.days_before == 2 else day for day in days(1, 2, 3, 4, 5)]
    page = checked(countdown(Countdown(gap, 40, ""), words(4)))
    assert [data.count("M") for data in paths(page, "then")] == [2, 2]


def test_the_table_has_the_numbers_of_each_day() -> None:
    page = checked(countdown(Countdown([CountdownDay(1, 8, 10, 12.5, 14, None)], 40, ""), words(4)))
    assert table(page)[1] == ["1", "8", "10 to 14", "12.5", "–"]


def test_a_countdown_without_days_shows_its_axis() -> None:
    page = checked(countdown(Countdown([], 40, "nothing"), words(4)))
    assert "40" in labels(page, "wide")
    assert paths(page, "dot") == []
    assert "nothing" not in labels(page, "wide")
