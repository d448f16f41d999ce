"""The chart of a price."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.web.charts.marks import Chart
from common.web.charts.price_steps import PriceStep, PriceSteps, price_steps
from tests.common.web.charts.svg import checked, labels, paths, table, words

START = datetime(2026, 8, 20, 9, 30, tzinfo=UTC)
PRICES = st.none() | st.floats(0, 10**6)
UNKNOWN = "unknown"


def chart(prices: Sequence[float | str | None], hours: float = 24, average: float | None = None) -> Chart:
    """A chart of prices that hold for so many hours each; None is a gap, UNKNOWN an unknown time."""
    steps = [
        PriceStep(
            START + timedelta(hours=hours * number),
            None if isinstance(price, str) else price,
            is_unknown=price == UNKNOWN,
        )
        for number, price in enumerate(prices)
    ]
    until = START + timedelta(hours=hours * len(prices))
    return price_steps(PriceSteps(steps, until, average, lambda price: f"{price:.2f}"), words(4))


@given(st.lists(PRICES | st.just(UNKNOWN), max_size=30), st.floats(0, 500), PRICES)
def test_any_price_is_drawn_inside_its_frame(
    prices: list[float | str | None], hours: float, average: float | None
) -> None:
    assert len(table(checked(chart(prices, hours, average)))) == len(prices) + 1


def test_a_time_without_a_price_is_a_hatched_gap_of_the_line() -> None:
    page = checked(chart([12.4, None, None, 12.1]))

    assert [data.count("M") for data in paths(page, "now")] == [2, 2]
    assert all(paths(page, "hatched"))
    assert "<series> 2" in labels(page, "wide")
    assert table(page)[2] == ["2026-08-21 09:30", "<series> 2"]


def test_an_unknown_time_is_told_apart_from_a_time_without_a_price() -> None:
    page = checked(chart([12.4, UNKNOWN, None, 12.1]))

    assert [data.count("M") for data in paths(page, "now")] == [2, 2]
    assert [data.count("M") for data in paths(page, "unknown")] == [1, 1]
    assert {"<series> 2", "<series> 3"} <= set(labels(page, "wide"))
    assert [row[1] for row in table(page)[1:]] == ["12.40", "<series> 3", "<series> 2", "12.10"]


def test_a_chart_without_any_price_says_why() -> None:
    page = checked(chart([None, UNKNOWN]))

    assert {"<series> 2", "<series> 3"} <= set(labels(page, "wide"))
    assert paths(page, "now") == []


def test_the_words_of_a_narrow_gap_are_below_one_another() -> None:
    page = checked(chart([12, None, *[12] * 9]))

    assert {"<series>", "2"} <= set(labels(page, "wide"))
    assert "<series> 2" not in labels(page, "wide")


def test_the_legend_has_what_occurs() -> None:
    def legend(of: Chart) -> list[str]:
        return [key.name for key in of.legend]

    assert legend(chart([12, 13])) == ["<series> 0"]
    assert legend(chart([12, None], average=12)) == ["<series> 0", "<series> 1", "<series> 2"]
    assert legend(chart([UNKNOWN, 12])) == ["<series> 0", "<series> 3"]


def test_each_row_says_where_its_step_begins() -> None:
    page = checked(chart([12, 13, 14, 15]))

    assert [row.get("data-at") for row in page.iter("tr")] == [None, "0.0000", "0.2500", "0.5000", "0.7500"]


def test_the_lowest_and_the_highest_price_are_marked() -> None:
    page = checked(chart([12.4, 11.9, 14.2, 13]))
    assert {"▼ 11.90", "▲ 14.20"} <= set(labels(page, "wide")) & set(labels(page, "narrow"))


def test_equal_prices_have_one_mark() -> None:
    texts = labels(checked(chart([12.4, 12.4])), "wide")
    assert [text for text in texts if text[0] in "▲▼"] == ["▲ 12.40"]


def test_the_axis_begins_at_0_unless_most_of_it_would_be_empty() -> None:
    assert "0.00" in labels(checked(chart([4, 9])), "wide")

    broken = labels(checked(chart([12, 14])), "wide")
    assert "0.00" not in broken
    assert "The axis begins at 12.00." in broken


@pytest.mark.parametrize(("prices", "style"), [([12, 14, 14, 14], "note end"), ([14, 14, 14, 12], "note")])
def test_the_words_of_the_axis_are_not_where_the_lowest_price_is_marked(prices: list[float], style: str) -> None:
    page = checked(chart(prices))

    found = [text.get("class") for text in page.iter("text") if (text.text or "").startswith("The axis begins")]
    assert found == [style, style]


def test_the_words_of_the_axis_are_left_out_where_they_do_not_fit() -> None:
    page = checked(chart([10**12 + 2, 10**12 + 1]))

    assert any("axis" in text for text in labels(page, "wide"))
    assert not any("axis" in text for text in labels(page, "narrow"))


def test_a_price_that_was_seen_for_a_moment_is_a_dot() -> None:
    steps = [PriceStep(START, 12), PriceStep(START, None, is_unknown=True)]
    page = checked(price_steps(PriceSteps(steps, START + timedelta(hours=1), None, str), words(4)))

    for data in paths(page, "now"):
        x, _, same_x = data.removeprefix("M").replace("H", " ").split()
        assert x == same_x


def test_the_axis_of_equal_prices_begins_at_0() -> None:
    found = labels(checked(chart([12, None, 12])), "wide")

    assert "0.00" in found
    assert not any(text.startswith("The axis begins") for text in found)


def test_no_two_ticks_of_the_axis_are_written_alike() -> None:
    steps = [PriceStep(START, 1300), PriceStep(START + timedelta(hours=1), 1301)]
    until = START + timedelta(hours=2)
    page = checked(price_steps(PriceSteps(steps, until, None, lambda price: f"{price:.0f}", unit=1), words(4)))

    [svg, _] = [svg for svg in page.iter("svg") if svg.get("role")]
    ticks = [text.text for text in svg.iter("text") if text.get("class") == "axis end"]
    assert ticks == ["1300", "1301"]


def test_a_price_of_hours_has_an_axis_of_hours() -> None:
    assert {"12:00", "18:00"} <= set(labels(checked(chart([4, 9, 5], hours=6)), "narrow"))
