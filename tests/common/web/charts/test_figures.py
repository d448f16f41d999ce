"""The line of months and the gauge."""

from hypothesis import given
from hypothesis import strategies as st

from common.web.charts.gauge import Gauge, gauge
from common.web.charts.month_line import MonthFigure, month_line
from tests.common.web.charts.svg import checked, labels, paths, table, words

VALUES = st.none() | st.floats(-100, 10**6)
COUNTS = st.none() | st.integers(-5, 10**6)


@given(st.lists(st.builds(MonthFigure, st.text("<JanFeb 0", max_size=9), VALUES), max_size=25))
def test_any_line_of_months_is_drawn_inside_its_frame(months: list[MonthFigure]) -> None:
    assert len(table(checked(month_line(months, "%", words(1))))) == len(months) + 1


def test_each_figure_of_a_month_is_a_dot_with_a_label() -> None:
    page = checked(month_line([MonthFigure("Nov", 18), MonthFigure("Dec", None), MonthFigure("Jan", 7)], "%", words(1)))

    assert [data.count("M") for data in paths(page, "dot")] == [2, 2]
    for size in ("wide", "narrow"):
        assert {"18.0%", "7.0%"} <= set(labels(page, size))
    assert table(page)[1:] == [["Nov", "18.0%"], ["Dec", "–"], ["Jan", "7.0%"]]


@given(st.integers(-5, 10**6), COUNTS, COUNTS, COUNTS, st.integers(0, 10**6))
def test_any_gauge_is_drawn_inside_its_frame(
    now: int, low: int | None, high: int | None, then: int | None, maximum: int
) -> None:
    checked(gauge(Gauge(now, low, high, then, maximum), words(3)))


def test_each_mark_of_a_gauge_has_a_label_with_its_value() -> None:
    page = checked(gauge(Gauge(18, 21, 25, 20, 40), words(3)))

    assert labels(page, "wide") == ["0", "40", "<series> 1 21 to 25", "<series> 2 20", "<series> 0 18"]
    assert table(page)[1][1:] == ["18", "21 to 25", "20"]


def test_a_gauge_has_no_positions_to_read() -> None:
    drawn = gauge(Gauge(18, 21, 25, 20, 40), words(3))
    assert (drawn.wide.plot, drawn.narrow.plot) == (None, None)


def test_a_gauge_leaves_out_what_is_unknown() -> None:
    page = checked(gauge(Gauge(18, None, None, None, 40), words(3)))

    assert labels(page, "narrow") == ["0", "40", "<series> 0 18"]
    assert paths(page, "then-tick") == paths(page, "usual") == []
    assert table(page)[1][1:] == ["18", "–", "–"]
