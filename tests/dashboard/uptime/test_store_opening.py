"""What the page of a store says of its hours and closures."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest

from dashboard.uptime.models.stores import HoursRow, Span, StoredClosure, StoreNow
from dashboard.uptime.page_views.store_opening import business_hours, closure_rows
from dashboard.uptime.page_views.store_state import opening_words
from dashboard.uptime.store_periods import StoreClock
from tests.dashboard.uptime.fleet import utc

BERLIN = ZoneInfo("Europe/Berlin")
NOW = utc("2026-11-28 12:12")
TODAY = date(2026, 11, 28)
CLOCK = StoreClock("Europe/Berlin", BERLIN, NOW, NOW, NOW)
STORE = StoreNow(
    store_id="7",
    state="closed",
    since=NOW,
    group=None,
    timezone="Europe/Berlin",
    timezone_is_default=False,
    always_open=False,
    hours=[],
    last_poll=None,
    incident=None,
    closed_because=None,
)


def test_the_next_opening_is_named_and_one_without_end_is_not() -> None:
    assert opening_words([Span(utc("2026-11-30 08:00"), utc("2026-11-30 20:00"))], BERLIN, NOW) == (
        "Closed now, opens Mon 30 Nov, 09:00."
    )
    endless = [Span(NOW, NOW + timedelta(days=15))]
    assert opening_words(endless, BERLIN, NOW) == "Open now, without a break for the next 15 days."
    assert opening_words(endless, BERLIN, NOW, always_open=True) == "Open around the clock."


def test_the_hours_in_force_are_shown_and_when_they_change() -> None:
    before, after = date(2026, 11, 30), date(2026, 12, 1)
    rows = [
        HoursRow(0, "09:00:00", "12:00:00", None, before),
        HoursRow(0, "13:00:00", "18:00:00", None, before),
        HoursRow(4, "22:00:00", "04:00:00", None, before),
        HoursRow(6, "00:00:00", "24:00:00", None, before),
        HoursRow(0, "08:00:00", "23:59:59", after, None),
    ]
    found = business_hours(msgspec.structs.replace(STORE, hours=rows), TODAY)

    assert [each.shifts for each in found.days] == [
        "09:00–12:00 and 13:00–18:00",
        "closed",
        "closed",
        "closed",
        "22:00–04:00 of the next day",
        "closed",
        "all day",
    ]
    assert found.later == ("Tuesday 1 December 2026",)
    assert business_hours(msgspec.structs.replace(STORE, hours=rows), after).days[0].shifts == "08:00–24:00"
    assert business_hours(msgspec.structs.replace(STORE, always_open=True), TODAY).days == ()


@pytest.mark.parametrize(
    ("shifts", "words"),
    [
        ([("09:00:00", "17:00:00"), ("12:00:00", "20:00:00")], "09:00–20:00"),
        ([("09:00:00", "12:00:00"), ("12:00:00", "14:00:00")], "09:00–14:00"),
        ([("18:00:00", "02:00:00"), ("09:00:00", "18:30:00")], "09:00–02:00 of the next day"),
        ([("22:00:00", "00:00:00")], "22:00–24:00"),
        ([("00:00:00", "00:00:00")], "all day"),
        ([("00:00:00", "12:00:00"), ("12:00:00", "23:59:00")], "all day"),
    ],
)
def test_shifts_of_a_weekday_that_overlap_or_touch_are_one(shifts: list[tuple[str, str]], words: str) -> None:
    rows = [HoursRow(2, opens, closes, None, None) for opens, closes in shifts]
    assert business_hours(msgspec.structs.replace(STORE, hours=rows), TODAY).days[2].shifts == words


def test_closures_to_come_are_before_those_that_are_over() -> None:
    closures = [
        StoredClosure(date(2026, 11, 1), date(2026, 11, 2), "Stocktaking"),
        StoredClosure(date(2026, 12, 25), date(2026, 12, 26), "Christmas"),
        StoredClosure(utc("2026-11-28 12:00"), utc("2026-11-28 13:00"), ""),
    ]
    assert [(row.when, row.reason, row.is_over) for row in closure_rows(closures, CLOCK)] == [
        ("13:00 to 14:00", "", False),
        ("Friday 25 December 2026 to Saturday 26 December 2026", "Christmas", False),
        ("Sunday 1 November 2026 to Monday 2 November 2026", "Stocktaking", True),
    ]
