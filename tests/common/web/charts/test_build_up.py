"""The chart of a build-up, such as that of a month's room nights."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from common.web.charts.build_up import BuildUp, BuildUpDay, build_up
from tests.common.web.charts.svg import checked, labels, paths, table, words

FIRST = date(2026, 6, 4)
TOTALS = st.none() | st.integers(-50, 10**7)


def days(*totals: tuple[float | None, float | None]) -> list[BuildUpDay]:
    return [BuildUpDay(FIRST + timedelta(number), this, last) for number, (this, last) in enumerate(totals)]


@given(
    st.lists(st.tuples(TOTALS, TOTALS), max_size=60),
    st.integers(-5, 70),
    st.none() | st.integers(0, 2000),
    st.text("<&>ab 0", max_size=60),
)
def test_any_build_up_is_drawn_inside_its_frame(
    totals: list[tuple[int | None, int | None]], today: int, maximum: int | None, label: str
) -> None:
    data = BuildUp(days(*totals), FIRST + timedelta(today), maximum, label)
    assert len(table(checked(build_up(data, words(2))))) == len(totals) + 1


def test_this_year_ends_today_and_last_year_goes_on() -> None:
    data = BuildUp(days((5, 4), (7, 5), (None, 9), (None, 12)), FIRST + timedelta(1), None, "7; last year then 5")
    page = checked(build_up(data, words(2)))

    [today, _] = paths(page, "today")
    [now, _] = paths(page, "now")
    [then, _] = paths(page, "then")
    x = today.partition(" ")[0].removeprefix("M")
    assert f"H{x}V" in now
    assert not then.endswith(f"H{x}")
    assert "7; last year then 5" in labels(page, "wide")


def test_a_day_outside_of_the_chart_has_no_line_of_today() -> None:
    data = BuildUp(days((5, 4), (7, 5)), FIRST + timedelta(2), None, "")
    assert paths(checked(build_up(data, words(2))), "today") == []


def test_the_table_has_the_totals_of_each_day() -> None:
    data = BuildUp(days((1544, 4), (None, 5)), FIRST, None, "")
    assert table(checked(build_up(data, words(2))))[1:] == [["2026-06-04", "1,544", "4"], ["2026-06-05", "–", "5"]]
