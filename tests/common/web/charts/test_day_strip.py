"""The strip of days."""

import re
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from common.web.charts.day_strip import StripDay, day_strip
from tests.common.web.charts.svg import checked, paths, table, words

SHARES = st.none() | st.floats(0, 1)


def day(good: float | None, number: int = 0, closed: bool = False) -> StripDay:
    return StripDay(f"{number} <Aug", f"{number} August & more", f"/days/{number}?a=1&b=2", good, closed, ("x",))


def styles(good: float | None, closed: bool = False, observed: float = 1) -> list[str]:
    page = checked(day_strip([replace(day(good, closed=closed), observed=observed)], ("share",), words(4)))
    return [path.get("class", "") for link in list(page.iter("a"))[:1] for path in link.iter("path")]


@given(st.lists(st.tuples(SHARES, st.booleans(), st.floats(0, 1)), max_size=400))
def test_any_strip_of_days_is_drawn_inside_its_frame(days: list[tuple[float | None, bool, float]]) -> None:
    strip = [
        replace(day(good, number, closed), observed=observed) for number, (good, closed, observed) in enumerate(days)
    ]
    assert len(table(checked(day_strip(strip, ("share",), words(4))))) == len(days) + 1


def test_each_day_is_a_link_with_a_name_and_a_phone_shows_the_last_thirty() -> None:
    page = checked(day_strip([day(1, number) for number in range(90)], ("share",), words(4)))

    wide, narrow = (svg for svg in page.iter("svg") if svg.get("role") == "group")
    assert [len(list(svg.iter("a"))) for svg in (wide, narrow)] == [90, 30]
    first = next(narrow.iter("a"))
    assert (first.get("href"), first.get("aria-label")) == ("/days/60?a=1&b=2", "60 August & more")


def test_a_good_day_is_one_bar_and_a_nearly_good_one_has_a_notch() -> None:
    assert styles(1) == ["area", "bar"]
    assert styles(0.9986) == ["area", "bar", "bad-ground", "bad"]


def test_a_day_is_of_the_class_of_its_share() -> None:
    found = [styles(share)[1] for share in (0.998, 0.9979, 0.95, 0.9499, 0.501, 0.5, 0.2)]
    assert found == ["bar", "bar fair", "bar fair", "bar poor", "bar poor", "bar bad-day", "bar bad-day"]
    assert styles(0) == ["area", "bad-ground", "bad"]


def test_a_day_without_observations_is_hollow_and_a_closed_day_is_a_dot() -> None:
    assert styles(None) == ["unknown"]
    assert styles(None, closed=True) == styles(1, closed=True) == ["area", "closed"]


def test_what_was_not_observed_of_a_day_is_hollow_between_good_and_bad() -> None:
    page = checked(day_strip([replace(day(0.75), observed=0.5)], ("share",), words(4)))

    (good,), (hollow,), (bad,) = (paths(page, style)[:1] for style in ("bar poor", "unseen", "bad-ground"))
    assert [path_height(data) for data in (good, hollow, bad)] == [15, 20, 5]
    assert styles(1, observed=0.02) == ["area", "bar", "unseen"]
    assert styles(0, observed=0.02) == ["area", "unseen", "bad-ground", "bad"]


def test_the_links_are_one_group_and_one_of_them_is_current() -> None:
    days = [day(1, 0), replace(day(1, 1), current="date")]
    page = checked(day_strip(days, ("share",), words(4)))

    groups = [svg for svg in page.iter("svg") if svg.get("role") == "group"]
    assert [svg.get("data-roving") for svg in groups] == ["", ""]
    assert [[link.get("aria-current") for link in svg.iter("a")] for svg in groups] == [[None, "date"]] * 2


def test_a_short_outage_of_a_day_is_at_least_three_units_high() -> None:
    page = checked(day_strip([day(1 - 2 / 1440)], ("share",), words(4)))

    assert [path_height(data) for data in paths(page, "bad-ground")] == [3, 3]


def path_height(data: str) -> float:
    top, bottom = re.fullmatch(r"M\S+ (\S+)H\S+V(\S+)H\S+Z", data).groups()  # type: ignore[union-attr]  # it matches
    return float(bottom) - float(top)
