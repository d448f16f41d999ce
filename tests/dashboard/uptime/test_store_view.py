"""What the page of a store makes of figures: sentences that are true, and shares that are never rounded up."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.web.charts.marks import Link
from dashboard.uptime.models.periods import Recoveries, UptimePeriod
from dashboard.uptime.models.stores import (
    Incident,
    LastPoll,
    Span,
    StoreDay,
    StoreNow,
    StoreState,
)
from dashboard.uptime.page_views.badge import badge
from dashboard.uptime.page_views.store_days import strip_view, tile
from dashboard.uptime.page_views.store_hours import week_of
from dashboard.uptime.page_views.store_state import state_words
from dashboard.uptime.page_views.store_words import (
    exact_percent_text,
    lasting,
    moment_text,
    short_percent_text,
    span_text,
    whole_percent_text,
)
from dashboard.uptime.store_periods import Figures, StoreClock, period_of
from tests.dashboard.uptime.fleet import utc, window

DAY = 86_400.0
BERLIN = ZoneInfo("Europe/Berlin")
NOW = utc("2026-11-28 12:12")
TODAY = date(2026, 11, 28)
NO_RECOVERY = Recoveries(0, None)
STORE = StoreNow(
    store_id="7",
    state="up",
    since=utc("2026-11-28 11:30"),
    group=None,
    timezone="Europe/Berlin",
    timezone_is_default=False,
    always_open=False,
    hours=[],
    last_poll=LastPoll(utc("2026-11-28 11:30"), "active"),
    incident=None,
    closed_because=None,
)


def store_day(
    day: date, down: float = 0, *, is_open: float = DAY, observed: float = DAY, incidents: int = 0
) -> StoreDay:
    """A day of which the downtime was observed first."""
    observed = min(observed, is_open)
    return StoreDay(day, is_open, is_open - down, down, observed, observed - min(down, observed), incidents)


def period(*days: StoreDay, recoveries: Recoveries = NO_RECOVERY) -> UptimePeriod:
    return period_of("90d", window(utc("2026-08-31 22:00"), NOW), days, recoveries)


def figures(*days: StoreDay) -> Figures:
    return Figures(days, [period(*days)] * 4)


@pytest.mark.parametrize(
    ("part", "whole", "exact", "short"),
    [
        (DAY, DAY, "100.00%", "100%"),
        (DAY - 1e-6, DAY, "99.99%", "99.99%"),
        (90 * DAY - 60, 90 * DAY, "99.99%", "99.99%"),
        (0.57 * 10_000, 10_000, "57.00%", "57%"),
        (0.979 * DAY, DAY, "97.90%", "97.9%"),
        (0.1 * DAY, DAY, "10.00%", "10%"),
        (0, DAY, "0.00%", "0%"),
    ],
)
def test_a_share_is_rounded_down_and_only_all_is_100_percent(part: float, whole: float, exact: str, short: str) -> None:
    assert (exact_percent_text(part, whole), short_percent_text(part, whole)) == (exact, short)


@given(st.integers(1, 90 * 86_400), st.integers(1, 10**6))
def test_no_downtime_is_too_short_to_be_seen_in_a_share(whole: int, microseconds: int) -> None:
    down = min(microseconds / 10**6, whole)
    assert exact_percent_text(whole - down, whole) != "100.00%"


def test_a_duration_of_days_has_its_hours() -> None:
    seconds = (None, 59, 3600 * 47, 3600 * 48, 3600 * 65 + 3599, 3600 * 240)
    assert list(map(lasting, seconds)) == ["–", "59 s", "47 h", "2 days", "2 days 17 h", "10 days"]


def test_a_coverage_is_rounded_down_and_a_dash_where_it_is_unknown() -> None:
    assert [whole_percent_text(share) for share in (1, 0.9999, 0.29, 0, None)] == ["100%", "99%", "29%", "0%", "–"]


def test_a_time_has_its_day_unless_that_is_today_and_its_year_unless_it_is_this_one() -> None:
    start = utc("2026-11-28 12:00")
    assert moment_text(start, BERLIN, NOW) == "13:00"
    assert moment_text(start - timedelta(days=2), BERLIN, NOW) == "Thu 26 Nov, 13:00"
    assert moment_text(utc("2023-01-25 18:13"), BERLIN, NOW) == "Wed 25 Jan 2023, 19:13"
    assert span_text(start - timedelta(days=2), start - timedelta(hours=47), BERLIN, NOW) == "Thu 26 Nov, 13:00 – 14:00"


def test_the_state_is_a_sentence_with_the_time_of_the_stores_clocks() -> None:
    down = msgspec.structs.replace(STORE, state="down", since=utc("2026-11-28 11:30"))
    words = state_words(down, [Span(utc("2026-11-28 08:00"), utc("2026-11-28 21:00"))], BERLIN, NOW)

    assert words.word + words.rest == "Down for 42 min, since 12:30 by the store's clocks."
    assert words.more == ("Open now, closes 22:00.",)


def test_a_store_that_closed_while_it_was_down_says_how_long_it_was_open_in_that_time() -> None:
    incident = Incident(utc("2026-11-28 04:12"), NOW, None, None, 7800, 7800, 0, True, False)
    down = msgspec.structs.replace(STORE, state="down", since=utc("2026-11-28 04:12"), incident=incident)
    words = state_words(down, [Span(NOW, NOW + timedelta(hours=5))], BERLIN, NOW)

    assert words.word + words.rest == "Down for 8 h, since 05:12 by the store's clocks."
    assert words.more == ("It was open for 2 h 10 min of that time.", "Open now, closes 18:12.")


def test_a_stale_store_and_one_that_was_never_polled_have_no_data() -> None:
    stale = state_words(msgspec.structs.replace(STORE, state="stale"), [], BERLIN, NOW)
    never = state_words(msgspec.structs.replace(STORE, state="never_polled", since=None), [], BERLIN, NOW)

    assert stale.word == never.word == "No data"
    assert stale.rest == ": nobody has polled it since 12:30 by the store's clocks, more than 3 hours of open time ago."
    assert never.rest == ": nobody has polled this store yet."


def test_a_closed_store_says_why_and_that_it_was_down_when_it_closed() -> None:
    incident = Incident(utc("2026-11-27 16:00"), NOW, None, None, 3600, 3600, 0, True, False)
    closed = msgspec.structs.replace(STORE, state="closed", incident=incident, closed_because="Stocktaking")
    words = state_words(closed, [], BERLIN, NOW)

    assert words.word == "Closed"
    assert words.more == (
        "Closed now, and not open in the next 15 days.",
        "The reason: Stocktaking.",
        "It was down when it closed: the incident that began Fri 27 Nov, 17:00 goes on.",
    )


def test_a_period_is_the_sum_of_its_days_without_those_that_nobody_observed() -> None:
    days = [
        store_day(date(2026, 11, 26), down=DAY / 4, incidents=1),
        store_day(date(2026, 11, 27), observed=0),
        store_day(date(2026, 11, 28), is_open=DAY / 2),
    ]
    found = period(*days, recoveries=Recoveries(2, 600))

    assert (found.up_seconds, found.down_seconds, found.unknown_seconds) == (1.25 * DAY, 0.25 * DAY, DAY)
    assert found.uptime_share == pytest.approx(1.25 / 1.5)
    assert (found.coverage, found.incidents) == (1.5 / 2.5, 1)
    assert (tile(found).share, tile(found).notes) == (
        "83.33%",
        (
            "down 6 h",
            "1 incident",
            "10 min to recover on average",
            "60% observed",
        ),
    )


def test_nothing_known_is_no_data_and_never_open_is_closed() -> None:
    unknown = period(store_day(TODAY, observed=0))
    assert (unknown.uptime_share, unknown.up_seconds, unknown.coverage) == (None, None, 0)
    assert tile(unknown).share == "No data"
    never = period()
    assert (never.uptime_share, never.unknown_seconds, never.coverage, never.incidents) == (None, None, None, None)
    assert (tile(never).share, tile(never).notes) == ("No data", ("not polled yet",))
    closed = period(store_day(TODAY, is_open=0))
    assert (closed.uptime_share, closed.down_seconds) == (None, 0)
    assert tile(closed).share == "Closed"


def test_each_day_of_the_strip_has_a_name_that_says_it_all() -> None:
    strip = strip_view(
        figures(
            store_day(date(2026, 8, 31), is_open=0),
            store_day(date(2026, 11, 22), down=DAY / 4, incidents=1),
            store_day(date(2026, 11, 23), down=DAY),
            store_day(date(2026, 11, 24), observed=0),
            store_day(date(2026, 11, 25), observed=DAY / 10),
            store_day(TODAY, is_open=0),
        ),
        TODAY,
        None,
        is_current=True,
    )
    names = [link.label for link in strip.chart.wide.marks]  # type: ignore[union-attr]  # a strip has links alone

    assert len(names) == 90
    assert (names[0], names[1]) == ("Aug 31 2026: closed", "Sep 1 2026: no data")
    assert names[-7:] == [
        "Nov 22 2026: 75% uptime, 1 incident",
        "Nov 23 2026: 0% uptime, an earlier incident goes on",
        "Nov 24 2026: no data",
        "Nov 25 2026: 100% uptime, no incident, 10% of it observed",
        "Nov 26 2026: no data",
        "Nov 27 2026: no data",
        "Nov 28 2026: not open so far",
    ]
    assert (strip.oldest, strip.oldest_on_a_phone, strip.newest) == ("90 days ago", "30 days ago", "today")


def test_the_strip_is_entered_at_the_chosen_day_or_else_today() -> None:
    def current(chosen: date | None) -> list[tuple[int, str]]:
        marks = strip_view(figures(), TODAY, chosen, is_current=True).chart.wide.marks
        return [(at, link.current) for at, link in enumerate(marks) if link.current]  # type: ignore[union-attr]  # links

    assert current(None) == [(89, "date")]
    assert current(TODAY - timedelta(days=3)) == [(86, "true")]
    assert current(TODAY - timedelta(days=300)) == [(89, "date")]


def test_the_week_is_the_last_one_the_asked_one_or_the_one_of_the_chosen_day() -> None:
    assert week_of(None, None, TODAY) == TODAY
    assert week_of(date(2026, 11, 1), TODAY, TODAY) == date(2026, 11, 1)
    assert week_of(None, TODAY - timedelta(days=6), TODAY) == TODAY
    assert week_of(None, TODAY - timedelta(days=7), TODAY) == TODAY - timedelta(days=7)


def test_a_day_says_how_little_of_it_was_observed_below_nine_tenths() -> None:
    nearly, well = (
        store_day(date(2026, 11, 26), observed=DAY * 0.899),
        store_day(date(2026, 11, 27), observed=DAY * 0.9),
    )
    strip = strip_view(figures(nearly, well), TODAY, None, is_current=True).chart.wide.marks
    links = [link for link in strip if isinstance(link, Link)]

    assert [link.label for link in links[-3:-1]] == [
        "Nov 26 2026: 100% uptime, no incident, 89% of it observed",
        "Nov 27 2026: 100% uptime, no incident",
    ]
    assert [[path.style for path in link.paths] for link in links[-3:-1]] == [
        ["area", "bar", "unseen"],
        ["area", "bar"],
    ]


def test_a_period_of_which_little_was_observed_is_not_said_to_be_without_downtime() -> None:
    assert tile(period(store_day(TODAY, observed=DAY * 0.5))).notes[0] == "never seen down"
    assert tile(period(store_day(TODAY))).notes[0] == "never down"


@pytest.mark.parametrize(
    ("state", "word"), [("up", "up"), ("down", "down"), ("stale", "no data"), ("closed", "closed")]
)
def test_a_badge_says_the_state_in_words_and_by_a_shape(state: StoreState, word: str) -> None:
    found = badge(state, period(store_day(TODAY, down=DAY / 4, incidents=1)))

    assert (found.state, found.share) == (word, "75.00% up in 30 days")
    assert found.name == f"Store {word}, 75.00% up in 30 days"


def test_each_look_of_a_badge_has_a_shape_and_a_colour_of_its_own() -> None:
    looks = [badge(state, period()) for state in ("up", "down", "closed")]
    assert len({each.shape for each in looks}) == len({each.colour for each in looks}) == 3


def test_a_badge_without_a_share_says_why() -> None:
    unknown, closed = store_day(TODAY, observed=0), store_day(TODAY, is_open=0)
    assert badge("never_polled", period()).share == "never polled"
    assert badge("stale", period(unknown)).share == "not observed in 30 days"
    assert badge("closed", period(closed)).share == "not open in 30 days"


def test_the_clock_of_a_store_knows_its_own_day() -> None:
    late = datetime.fromisoformat("2026-11-28T23:30:00+00:00")
    clock = StoreClock("Europe/Berlin", BERLIN, late, late, late)
    assert (clock.today, clock.first_day) == (date(2026, 11, 29), date(2026, 9, 1))
    assert clock.window(TODAY, clock.today).start == utc("2026-11-27 23:00")
    assert clock.window(TODAY, clock.today).end == late
