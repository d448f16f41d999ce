"""The rows of days by their hours."""

from hypothesis import given
from hypothesis import strategies as st

from common.web.charts.week_hours import HourSpan, Tick, WeekRow, week_hours
from tests.common.web.charts.svg import checked, coordinates, labels, paths, table, words

HOURS = st.floats(0, 24)
SPANS = st.lists(
    st.builds(
        lambda ends, turn: HourSpan(min(ends), max(ends), turn),
        st.tuples(HOURS, HOURS),
        st.sampled_from(["only", "first", "second"]),
    ),
    max_size=6,
)
TICKS = st.lists(st.builds(Tick, HOURS, st.none() | st.booleans()), max_size=40)
ROWS = st.lists(
    st.builds(
        WeekRow,
        name=st.just("Sat <28> Nov"),
        short=st.just("Sat 28"),
        open=SPANS,
        up=SPANS,
        down=SPANS,
        unknown=SPANS,
        polls=TICKS,
        cells=st.just(("x",)),
        address=st.just("?day=1&b=2"),
        now=st.none() | HOURS,
    ),
    max_size=8,
)


def row(**parts: object) -> WeekRow:
    given: dict[str, object] = {"open": (), "up": (), "down": (), "unknown": (), "polls": (), "cells": ("x",)}
    return WeekRow("Sat 28 Nov", "Sat 28", **(given | parts))  # type: ignore[arg-type]  # parts are named by the tests


def box(path: str) -> tuple[float, float, float, float]:
    """The left, top, right and bottom of the only box of a path."""
    left_top, right, bottom, _ = path.removeprefix("M").replace("H", "|").replace("V", "|").split("|", 3)
    left, top = left_top.split()
    return float(left), float(top), float(right), float(bottom)


@given(ROWS)
def test_any_days_are_drawn_inside_their_frame(rows: list[WeekRow]) -> None:
    page = checked(week_hours(rows, ("open",), words(7)))

    assert len(table(page)) == len(rows) + 1
    assert all(list(coordinates(svg)) for svg in page.iter("svg"))


def test_a_time_is_as_wide_as_it_is_long_whatever_the_size() -> None:
    page = checked(week_hours([row(up=[HourSpan(6, 18)], open=[HourSpan(0, 24)])], ("open",), words(7)))

    for up, is_open in zip(paths(page, "bar"), paths(page, "fill"), strict=True):
        left, _, right, _ = box(up)
        first, _, last, _ = box(is_open)
        assert round((right - left) / (last - first), 2) == 0.5


def test_an_hour_that_the_clocks_show_twice_is_drawn_in_two_halves() -> None:
    up, down = HourSpan(2, 3, "first"), HourSpan(2, 3, "second")
    page = checked(week_hours([row(up=[up], down=[down])], ("open",), words(7)))

    above, below = box(paths(page, "bar")[0]), box(paths(page, "bad-ground")[0])
    assert (above[0], above[2], above[3]) == (below[0], below[2], below[1])


def test_polls_closer_than_the_eye_can_tell_are_one_tick() -> None:
    polls = [Tick(minute / 60, good=True) for minute in range(24 * 60)]
    page = checked(week_hours([row(polls=polls)], ("open",), words(7)))

    assert paths(page, "now-tick")[0].count("M") <= 330
    assert paths(page, "then-tick") == []


def test_a_phone_has_shorter_names_and_fewer_hours() -> None:
    page = checked(week_hours([row()], ("open",), words(7)))

    assert labels(page, "wide") == [f"{hour:02}" for hour in range(0, 25, 3)] + ["Sat 28 Nov"]
    assert labels(page, "narrow") == [f"{hour:02}" for hour in range(0, 25, 6)] + ["Sat 28"]
