"""Charts with bars: of months, and pairs of ranges."""

from hypothesis import given
from hypothesis import strategies as st

from common.web.charts.month_bars import MonthBar, month_bars
from common.web.charts.pairs import Pair, pairs
from tests.common.web.charts.svg import checked, labels, paths, table, words

COUNTS = st.integers(-3, 10**7)
MONTHS = st.builds(
    MonthBar, st.text("<JanFeb 0", max_size=9), COUNTS, st.none() | COUNTS, st.none() | COUNTS, st.booleans()
)

THREE = [MonthBar("Nov", 8, 9, 20), MonthBar("Dec", 5, 4, 22), MonthBar("Jan", 1, 1, 9)]


@given(st.lists(MONTHS, max_size=25))
def test_any_months_are_drawn_inside_their_frame(months: list[MonthBar]) -> None:
    assert len(table(checked(month_bars(months, words(4))))) == len(months) + 1


def test_each_style_of_months_is_one_path() -> None:
    page = checked(month_bars(THREE, words(4)))

    for style in ("bar", "last-year"):
        assert [data.count("M") for data in paths(page, style)] == [3, 3]
    assert paths(page, "halo") == paths(page, "then-tick")


def test_a_difference_always_has_a_sign() -> None:
    page = checked(month_bars(THREE, words(4)))

    styles = [(label.get("class"), label.text) for label in page.iter("text") if "label" in label.get("class", "")]
    assert styles == [
        ("label behind mid", "−1"),
        ("label ahead mid", "+1"),
        ("label mid", "0"),
        ("label behind", "−1"),
        ("label ahead", "+1"),
        ("label", "0"),
    ]
    assert [row[4] for row in table(page)[1:]] == ["−1", "+1", "0"]


def test_a_month_whose_last_year_is_unknown_has_neither_mark_nor_difference() -> None:
    page = checked(month_bars([MonthBar("Nov", 8, None, None)], words(4)))

    assert paths(page, "then-tick") == paths(page, "last-year") == []
    assert table(page)[1] == ["Nov", "8", "–", "–", "–"]


def test_a_month_that_is_over_loses_its_fill() -> None:
    page = checked(month_bars([MonthBar("Nov", 8, 9, 20, past=True), MonthBar("Dec", 5, 4, 22)], words(4)))
    assert [data.count("M") for data in paths(page, "bar past") + paths(page, "bar")] == [1, 1, 1, 1]


def test_a_month_of_the_table_can_be_a_link() -> None:
    page = checked(month_bars([MonthBar("Nov", 8, 9, 20, address="/months/2026-11?a=1&b=2")], words(4)))
    assert [link.get("href") for link in page.iter("a")] == ["/months/2026-11?a=1&b=2"]


@given(st.lists(st.builds(Pair, st.text("<1–3 ", max_size=9), COUNTS, COUNTS), max_size=20))
def test_any_pairs_are_drawn_inside_their_frame(data: list[Pair]) -> None:
    assert len(table(checked(pairs(data, words(2))))) == len(data) + 1


def test_a_pair_has_both_values_as_bars_labels_and_numbers() -> None:
    page = checked(pairs([Pair("0", 190, 9), Pair("1–3", 2546, 80)], words(2)))

    assert [data.count("M") for data in paths(page, "bar") + paths(page, "lost")] == [2, 2, 2, 2]
    for size in ("wide", "narrow"):
        assert {"190", "9", "2,546", "80"} <= set(labels(page, size))
    assert table(page)[1:] == [["0", "190", "9"], ["1–3", "2,546", "80"]]
