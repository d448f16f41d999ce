"""Hours of a local day by the clock on the local."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.web.charts.week_hours import HourSpan
from dashboard.uptime.models.stores import Span
from dashboard.uptime.page_views.local_hours import day_in_zone, without

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ["Europe/Berlin", "America/Chicago", "Asia/Kolkata", "Australia/Lord_Howe", "America/Asuncion", "Asia/Beirut"]
LONG, SHORT = date(2025, 10, 26), date(2025, 3, 30)
"""The days on which the clocks of Berlin change, at 1:00 UTC."""


def span(start: str, end: str) -> Span:
    """A span of instants in UTC."""
    return Span(datetime.fromisoformat(start).replace(tzinfo=UTC), datetime.fromisoformat(end).replace(tzinfo=UTC))


def test_the_hour_that_the_clocks_show_twice_is_two_passes() -> None:
    day = day_in_zone(LONG, BERLIN)

    assert day.hours == 25
    assert day.spans([span("2025-10-25 23:00", "2025-10-26 01:30")]) == [
        HourSpan(1, 2),
        HourSpan(2, 3, "first"),
        HourSpan(2, 2.5, "second"),
    ]
    assert day.spans([span("2025-10-26 22:00", "2025-10-27 05:00")]) == [HourSpan(23, 24)]


def test_the_hour_that_the_clocks_skip_is_in_no_span() -> None:
    day = day_in_zone(SHORT, BERLIN)

    assert day.hours == 23
    assert day.spans([span("2025-03-30 00:00", "2025-03-30 02:00")]) == [HourSpan(1, 2), HourSpan(3, 4)]


def test_a_span_over_midnight_is_on_both_days() -> None:
    night = [span("2025-06-10 20:00", "2025-06-11 02:00")]

    assert day_in_zone(date(2025, 6, 10), BERLIN).spans(night) == [HourSpan(22, 24)]
    assert day_in_zone(date(2025, 6, 11), BERLIN).spans(night) == [HourSpan(0, 4)]
    assert day_in_zone(date(2025, 6, 12), BERLIN).spans(night) == []


def test_an_instant_has_an_hour_on_its_own_day_alone() -> None:
    at = datetime(2025, 6, 10, 21, 30, tzinfo=UTC)

    assert day_in_zone(date(2025, 6, 10), BERLIN).hour(at) == 23.5
    assert day_in_zone(date(2025, 6, 11), BERLIN).hour(at) is None


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("America/Asuncion", date(2024, 3, 23), 25),
        ("America/Asuncion", date(2024, 10, 6), 23),
        ("Australia/Lord_Howe", date(2025, 4, 6), 24.5),
        ("Asia/Beirut", date(2025, 3, 30), 23),
        ("Europe/Berlin", date(2025, 6, 10), 24),
    ],
)
def test_changes_at_midnight_and_of_half_an_hour_are_of_the_right_day(zone: str, day: date, hours: float) -> None:
    assert day_in_zone(day, ZoneInfo(zone)).hours == hours


def test_parts_are_taken_out_of_spans() -> None:
    given_span = span("2025-06-10 08:00", "2025-06-10 18:00")
    taken = [span("2025-06-10 07:00", "2025-06-10 09:00"), span("2025-06-10 12:00", "2025-06-10 13:00")]

    assert without([given_span], taken) == [
        span("2025-06-10 09:00", "2025-06-10 12:00"),
        span("2025-06-10 13:00", "2025-06-10 18:00"),
    ]
    assert without([given_span], [given_span]) == []
    assert without([given_span], []) == [given_span]
    assert without([given_span], [span("2025-06-10 17:00", "2025-06-11 00:00")]) == [
        span("2025-06-10 08:00", "2025-06-10 17:00")
    ]


@given(
    st.sampled_from(ZONES),
    st.dates(date(2024, 1, 1), date(2026, 12, 31)),
    st.lists(st.integers(0, 26 * 60), min_size=2, max_size=2, unique=True).map(sorted),
)
def test_hours_are_as_long_as_the_time_and_lie_within_the_day(zone: str, day: date, minutes: list[int]) -> None:
    local = day_in_zone(day, ZoneInfo(zone))
    start, end = (local.start + timedelta(minutes=each) for each in minutes)
    found = local.spans([Span(start, end)])

    assert sum(each.end - each.start for each in found) * 3600 == pytest.approx(local.seconds([Span(start, end)]))
    assert all(0 <= each.start < each.end <= 24 for each in found)
