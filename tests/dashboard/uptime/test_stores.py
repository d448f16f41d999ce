"""Single stores in a window, and gaps of the collector."""

from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from common.web.errors import Invalid
from dashboard.uptime import service
from dashboard.uptime.models.fleet import Gap
from dashboard.uptime.models.stores import Incident, Poll, Span, Stretch, Window
from dashboard.uptime.queries.imports import select_newest_poll
from dashboard.uptime.queries.stores import (
    select_coverage,
    select_days,
    select_gaps,
    select_incidents,
    select_timeline,
    select_timezone,
)
from tests.dashboard.uptime.fleet import Store, every_day, load, measured, utc, window

MORNINGS = Store(
    [
        (utc("2023-01-23 08:00"), True),
        (utc("2023-01-23 10:00"), True),
        (utc("2023-01-23 11:00"), False),
        (utc("2023-01-24 09:30"), False),
        (utc("2023-01-24 10:30"), True),
        (utc("2023-01-24 11:30"), False),
        (utc("2023-01-25 09:00"), True),
    ],
    every_day("09:00", "12:00"),
    "UTC",
)
START, END = utc("2023-01-23 06:00"), utc("2023-01-25 10:00")


def span(start: str, end: str) -> Span:
    return Span(utc(f"2023-01-{start}"), utc(f"2023-01-{end}"))


async def test_a_timeline_has_open_time_stretches_and_polls(dashboard_db: asyncpg.Pool) -> None:
    await load(dashboard_db, {"s": MORNINGS})
    timeline = await select_timeline(dashboard_db, "s", window(utc("2023-01-23 10:30"), END))
    assert timeline is not None
    assert timeline.open == [span("23 10:30", "23 12:00"), span("24 09:00", "24 12:00"), span("25 09:00", "25 10:00")]
    assert [(s.start, s.end, s.status) for s in timeline.stretches] == [
        (utc("2023-01-23 10:30"), utc("2023-01-23 11:00"), "active"),
        (utc("2023-01-23 11:00"), utc("2023-01-23 12:00"), "inactive"),
        (utc("2023-01-24 09:00"), utc("2023-01-24 10:30"), "inactive"),
        (utc("2023-01-24 10:30"), utc("2023-01-24 11:30"), "active"),
        (utc("2023-01-24 11:30"), utc("2023-01-24 12:00"), "inactive"),
        (utc("2023-01-25 09:00"), utc("2023-01-25 10:00"), "active"),
    ]
    assert (timeline.uptime_seconds, timeline.downtime_seconds) == (2.5 * 3600, 3 * 3600)
    assert timeline.polls[0] == Poll(utc("2023-01-23 10:00"), "active", open=True)
    assert len(timeline.polls) == 6


async def test_a_poll_outside_open_time_is_marked(dashboard_db: asyncpg.Pool) -> None:
    await load(dashboard_db, {"s": MORNINGS})
    timeline = await select_timeline(dashboard_db, "s", window(utc("2023-01-23 09:00"), utc("2023-01-23 09:30")))
    assert timeline is not None
    assert timeline.polls == [Poll(utc("2023-01-23 08:00"), "active", open=False)]
    assert timeline.stretches == [Stretch(utc("2023-01-23 09:00"), utc("2023-01-23 09:30"), "active")]


async def test_an_unknown_store_has_neither_timeline_nor_time_zone(dashboard_db: asyncpg.Pool) -> None:
    assert await select_timeline(dashboard_db, "s", window(START, END)) is None
    assert await select_timezone(dashboard_db, "s") is None


async def incidents_of(db: asyncpg.Pool, found: Window) -> list[Incident]:
    return await select_incidents(db, "s", found, None, 100)


async def test_a_store_without_polls_is_open_and_neither_up_nor_down(dashboard_db: asyncpg.Pool) -> None:
    """The timeline says the same of its open time as the coverage."""
    await load(dashboard_db, {"s": Store([], every_day("09:00", "12:00"), "UTC")})
    timeline = await select_timeline(dashboard_db, "s", window(START, END))
    assert timeline is not None
    assert timeline.open == [span("23 09:00", "23 12:00"), span("24 09:00", "24 12:00"), span("25 09:00", "25 10:00")]
    assert (timeline.uptime_seconds, timeline.downtime_seconds) == (None, None)
    assert (timeline.stretches, timeline.polls) == ([], [])
    coverage = await select_coverage(dashboard_db, "s", window(START, END))
    assert coverage.no_data == timeline.open
    assert (coverage.open_seconds, coverage.share) == (7 * 3600, 0)
    assert await incidents_of(dashboard_db, window(START, END)) == []
    assert await select_days(dashboard_db, "s", 10, None, END) == []


async def test_a_status_before_the_first_poll_of_a_day_is_that_of_the_poll_though_it_is_after_the_window(
    dashboard_db: asyncpg.Pool,
) -> None:
    store = Store(
        [(utc("2023-01-22 10:00"), True), (utc("2023-01-23 10:14"), False)], every_day("09:00", "12:00"), "UTC"
    )
    await load(dashboard_db, {"s": store})
    hour = (utc("2023-01-23 09:00"), utc("2023-01-23 10:00"))
    timeline = await select_timeline(dashboard_db, "s", window(*hour, now=utc("2023-01-23 11:00")))
    assert timeline is not None
    assert timeline.stretches == [Stretch(*hour, "inactive")]
    before_the_poll = await select_timeline(dashboard_db, "s", window(*hour, now=utc("2023-01-23 10:13")))
    assert before_the_poll is not None
    assert before_the_poll.stretches == [Stretch(*hour, "active")]


async def test_an_incident_spans_closed_time_and_counts_open_time(dashboard_db: asyncpg.Pool) -> None:
    await load(dashboard_db, {"s": MORNINGS, "other": Store([(utc("2023-01-23 11:00"), True)])})
    found = await incidents_of(dashboard_db, window(START, utc("2023-01-24 12:00")))
    assert found == [
        Incident(
            start=utc("2023-01-23 11:00"),
            end=utc("2023-01-24 10:30"),
            cut_start=None,
            cut_end=None,
            duration_seconds=2.5 * 3600,
            downtime_seconds=2.5 * 3600,
            unobserved_seconds=0.5 * 3600,  # 09:00 to 09:30: the last poll was on the day before
            ongoing=False,
            collector_gap=True,  # no store was polled in the night
        ),
        Incident(
            start=utc("2023-01-24 11:30"),
            end=utc("2023-01-24 12:00"),
            cut_start=None,
            cut_end=None,
            duration_seconds=0.5 * 3600,
            downtime_seconds=0.5 * 3600,
            unobserved_seconds=0,
            ongoing=True,
            collector_gap=False,
        ),
    ]


async def test_an_incident_has_its_true_start_and_end_where_the_window_cuts_it(dashboard_db: asyncpg.Pool) -> None:
    await load(dashboard_db, {"s": MORNINGS})
    start, end = utc("2023-01-24 09:30"), utc("2023-01-24 10:00")
    (found,) = await incidents_of(dashboard_db, window(start, end, now=END))
    assert (found.start, found.end) == (utc("2023-01-23 11:00"), utc("2023-01-24 10:30"))
    assert (found.cut_start, found.cut_end) == (start, end)
    assert (found.duration_seconds, found.downtime_seconds) == (2.5 * 3600, 0.5 * 3600)
    assert (found.ongoing, found.unobserved_seconds, found.collector_gap) == (False, 0.5 * 3600, True)
    (whole,) = await incidents_of(dashboard_db, window(found.start, found.end, now=END))
    assert (whole.cut_start, whole.cut_end) == (None, None), "it begins and ends where the window does"


async def test_an_incident_that_only_touches_the_window_is_not_in_it(dashboard_db: asyncpg.Pool) -> None:
    await load(dashboard_db, {"s": MORNINGS})
    down, up = utc("2023-01-24 11:30"), utc("2023-01-24 10:30")
    assert await incidents_of(dashboard_db, window(up, down, now=END)) == []
    second = timedelta(microseconds=1)
    assert len(await incidents_of(dashboard_db, window(up - second, down, now=END))) == 1
    assert len(await incidents_of(dashboard_db, window(up, down + second, now=END))) == 1


async def test_an_outage_into_closing_time_stays_one_incident_and_is_ongoing_until_the_store_was_up(
    dashboard_db: asyncpg.Pool,
) -> None:
    polls = [(utc("2023-01-23 10:00"), True), (utc("2023-01-23 11:30"), False), (utc("2023-01-24 09:30"), False)]
    await load(dashboard_db, {"s": Store(polls, every_day("09:00", "12:00"), "UTC")})
    evening = window(utc("2023-01-23 09:00"), utc("2023-01-23 18:00"))
    (found,) = await incidents_of(dashboard_db, evening)
    assert (found.start, found.end, found.ongoing) == (utc("2023-01-23 11:30"), utc("2023-01-23 12:00"), True)
    assert (found.cut_end, found.duration_seconds) == (None, 0.5 * 3600)
    (found,) = await incidents_of(dashboard_db, window(evening.start, utc("2023-01-24 10:00")))
    assert (found.start, found.end, found.ongoing) == (utc("2023-01-23 11:30"), utc("2023-01-24 10:00"), True)
    (found,) = await incidents_of(dashboard_db, evening._replace(known=utc("2023-01-24 10:00")))
    assert (found.end, found.cut_end, found.ongoing) == (utc("2023-01-24 10:00"), evening.end, True)


async def test_an_outage_that_ended_at_closing_time_is_over_once_the_store_was_up(dashboard_db: asyncpg.Pool) -> None:
    """Though the window ends while the store is closed, or at the very closing."""
    polls = [(utc("2023-01-23 10:00"), True), (utc("2023-01-23 11:30"), False), (utc("2023-01-24 09:30"), True)]
    await load(dashboard_db, {"s": Store(polls, every_day("09:00", "12:00"), "UTC")})
    for end in (utc("2023-01-23 12:00"), utc("2023-01-23 18:00"), utc("2023-01-24 09:00")):
        (found,) = await incidents_of(dashboard_db, window(utc("2023-01-23 09:00"), end, now=END))
        assert (found.end, found.ongoing, found.cut_end) == (utc("2023-01-23 12:00"), False, None)


async def test_a_store_down_since_its_first_poll_is_down_since_the_opening_before_it(
    dashboard_db: asyncpg.Pool,
) -> None:
    first = utc("2023-01-23 10:00")
    cases = [
        (every_day("09:00", "12:00"), utc("2023-01-23 09:00")),
        (every_day("11:00", "12:00"), utc("2023-01-23 11:00")),
        ([], first),
        (every_day("00:00", "23:59:59"), first),
        ([*every_day("00:00", "12:00"), *every_day("12:00", "24:00")], first),
    ]
    for hours, start in cases:
        await load(dashboard_db, {"s": Store([(first, False)], hours, "UTC")})
        (found,) = await incidents_of(dashboard_db, window(utc("2023-01-10 00:00"), utc("2023-01-23 11:30")))
        assert (found.start, found.cut_start, found.ongoing) == (start, None, True)


async def test_incidents_are_found_however_long_ago_they_began(dashboard_db: asyncpg.Pool) -> None:
    polls = [(utc("2022-01-01 10:00"), True), (utc("2022-01-01 11:00"), False), (utc("2023-02-01 10:00"), True)]
    for hours, end in (([], utc("2023-02-01 10:00")), (every_day("09:30", "12:00"), utc("2023-01-31 12:00"))):
        await load(dashboard_db, {"s": Store(polls, hours, "UTC")})
        (found,) = await incidents_of(dashboard_db, window(START, END, now=utc("2023-03-01 00:00")))
        assert (found.start, found.end, found.ongoing) == (utc("2022-01-01 11:00"), end, False)
        assert (found.cut_start, found.cut_end) == (START, END)


async def test_incidents_have_pages(dashboard_db: asyncpg.Pool) -> None:
    polls = [(START + timedelta(hours=hour), hour % 2 == 0) for hour in range(10)]
    await load(dashboard_db, {"s": Store(polls)})
    everything = await incidents_of(dashboard_db, window(START, END))
    assert len(everything) == 5
    first = await select_incidents(dashboard_db, "s", window(START, END), None, 2)
    rest = await select_incidents(dashboard_db, "s", window(START, END), first[-1].start, 10)
    assert first + rest == everything


async def test_coverage_is_the_share_of_open_time_soon_after_a_poll(dashboard_db: asyncpg.Pool) -> None:
    store = Store(
        [(utc("2023-01-23 08:00"), True), (utc("2023-01-23 10:15"), True)], every_day("09:00", "13:00"), "UTC"
    )
    await load(dashboard_db, {"s": store})
    coverage = await select_coverage(dashboard_db, "s", window(utc("2023-01-23 00:00"), utc("2023-01-24 00:00")))
    assert coverage.no_data == [span("23 09:30", "23 10:15"), span("23 11:45", "23 13:00")]
    assert (coverage.open_seconds, coverage.covered_seconds, coverage.share) == (4 * 3600, 2 * 3600, 0.5)
    closed = await select_coverage(dashboard_db, "s", window(utc("2023-01-23 00:00"), utc("2023-01-23 01:00")))
    assert (closed.open_seconds, closed.share) == (0, None)


async def test_the_poll_before_the_window_covers_its_first_minutes(dashboard_db: asyncpg.Pool) -> None:
    store = Store([(utc("2023-01-23 08:50"), True)], every_day("09:00", "12:00"), "UTC")
    await load(dashboard_db, {"s": store})
    coverage = await select_coverage(dashboard_db, "s", window(utc("2023-01-23 09:00"), utc("2023-01-23 12:00")))
    assert coverage.no_data == [span("23 10:20", "23 12:00")]
    just_covered = await select_coverage(dashboard_db, "s", window(utc("2023-01-23 09:00"), utc("2023-01-23 10:20")))
    assert (just_covered.no_data, just_covered.share) == ([], 1)
    await load(dashboard_db, {"s": store._replace(polls=[(utc("2023-01-23 07:30"), True)])})
    after_90_minutes = await select_coverage(
        dashboard_db, "s", window(utc("2023-01-23 09:00"), utc("2023-01-23 10:00"))
    )
    assert after_90_minutes.share == 0


async def test_a_window_after_the_last_poll_is_not_covered(dashboard_db: asyncpg.Pool) -> None:
    """A collector that is dead now shows: as a gap that goes on, and as time without data."""
    await load(dashboard_db, {"s": Store([(utc("2023-01-23 10:00"), True)])})
    found = window(utc("2023-01-23 09:00"), utc("2023-01-23 14:00"))
    coverage = await select_coverage(dashboard_db, "s", found)
    assert coverage.no_data == [span("23 09:00", "23 10:00"), span("23 11:30", "23 14:00")]
    (gap,) = await select_gaps(dashboard_db, found, timedelta(minutes=90), None, 10)
    assert gap == Gap(utc("2023-01-23 10:00"), found.end, None, None, 4 * 3600, ongoing=True)


async def gaps_of(db: asyncpg.Pool, start: str, end: str, now: str, minutes: int = 90) -> list[tuple[Any, ...]]:
    """The start, end, cuts and state of the gaps in a window, in hours and minutes of 23 January."""
    found = await select_gaps(db, window(utc(start), utc(end), utc(now)), timedelta(minutes=minutes), None, 10)

    def short(at: datetime | None) -> str | None:
        return at.strftime("%d %H:%M") if at else None

    return [(*map(short, (gap.start, gap.end, gap.cut_start, gap.cut_end)), gap.ongoing) for gap in found]


async def test_a_span_without_polls_of_the_fleet_is_a_gap(dashboard_db: asyncpg.Pool) -> None:
    start = utc("2023-01-23 00:00")
    polls = [start + timedelta(minutes=10 * n) for n in range(60) if not 20 <= n < 35]
    await load(
        dashboard_db,
        {"a": Store([(at, True) for at in polls[::2]]), "b": Store([(at, False) for at in polls[1::2]])},
    )
    day = ("2023-01-23 00:00", "2023-01-23 12:00")
    assert await gaps_of(dashboard_db, *day, now="2023-01-23 12:00") == [
        ("23 03:10", "23 05:50", None, None, False),
        ("23 09:50", "23 12:00", None, None, True),
    ]
    assert await gaps_of(dashboard_db, "2023-02-01 00:00", "2023-02-02 00:00", now="2023-02-03 00:00") == [
        ("23 09:50", "03 00:00", "01 00:00", "02 00:00", True)
    ]


async def test_a_gap_is_the_same_whatever_the_window_shows_of_it(dashboard_db: asyncpg.Pool) -> None:
    """Even a minute of it is a part of a gap of hours, and a window without a poll is not a gap by itself."""
    polls = [(utc("2023-01-23 08:00"), True), (utc("2023-01-23 11:00"), True), (utc("2023-01-23 12:20"), True)]
    await load(dashboard_db, {"s": Store(polls)})
    now = "2023-01-23 12:30"
    gap = ("23 08:00", "23 11:00")
    for start, end, cuts in [
        ("10:59", "12:00", ("23 10:59", None)),
        ("07:00", "08:01", (None, "23 08:01")),
        ("09:00", "09:01", ("23 09:00", "23 09:01")),
        ("08:00", "11:00", (None, None)),
    ]:
        assert await gaps_of(dashboard_db, f"2023-01-23 {start}", f"2023-01-23 {end}", now) == [(*gap, *cuts, False)]
    for start, end in (("11:00", "12:30"), ("07:00", "08:00"), ("11:01", "12:19")):
        assert await gaps_of(dashboard_db, f"2023-01-23 {start}", f"2023-01-23 {end}", now) == []


async def test_ninety_minutes_without_a_poll_are_a_gap_and_a_microsecond_less_is_not(
    dashboard_db: asyncpg.Pool,
) -> None:
    first = utc("2023-01-23 08:00")
    for length, gaps in ((timedelta(minutes=90), 1), (timedelta(minutes=90) - timedelta(microseconds=1), 0)):
        await load(dashboard_db, {"s": Store([(first, True), (first + length, True)])})
        day = ("2023-01-23 00:00", "2023-01-23 10:00")
        assert len(await gaps_of(dashboard_db, *day, now="2023-01-23 10:00")) == gaps


async def test_a_gap_that_only_touches_the_window_is_not_in_it(
    dashboard_db: asyncpg.Pool,
) -> None:
    polls = [(utc(f"2023-01-23 {hour:02}:00"), True) for hour in (6, 8, 10, 12)]
    await load(dashboard_db, {"s": Store(polls)})
    for begin, end in (("06:00", "08:00"), ("08:00", "10:00"), ("10:00", "12:00")):
        found = await gaps_of(dashboard_db, f"2023-01-23 {begin}", f"2023-01-23 {end}", now="2023-01-23 12:00")
        assert found == [(f"23 {begin}", f"23 {end}", None, None, False)]


async def test_there_is_no_gap_before_the_first_poll_of_the_fleet(dashboard_db: asyncpg.Pool) -> None:
    assert await gaps_of(dashboard_db, "2023-01-20 00:00", "2023-01-23 12:00", now="2023-01-23 12:00") == []
    await load(dashboard_db, {"s": Store([(utc("2023-01-23 11:00"), True)])})
    assert await gaps_of(dashboard_db, "2023-01-20 00:00", "2023-01-23 12:00", now="2023-01-23 12:00") == []


async def test_a_gap_that_ends_where_the_incident_begins_is_not_a_part_of_it(dashboard_db: asyncpg.Pool) -> None:
    """It lasted exactly 90 minutes; the next one, after the store was up again, does not touch the incident either."""
    down, up = utc("2023-01-23 11:30"), utc("2023-01-23 12:00")
    polls = [(utc("2023-01-23 10:00"), True), (down, False), (up, True), (utc("2023-01-23 13:30"), True)]
    found = window(utc("2023-01-23 09:00"), utc("2023-01-23 13:30"))
    await load(dashboard_db, {"s": Store(polls)})
    (incident,) = await incidents_of(dashboard_db, found)
    assert not incident.collector_gap
    await load(dashboard_db, {"s": Store([*polls[:2], (down + timedelta(minutes=90), True)])})
    (incident,) = await incidents_of(dashboard_db, found)
    assert incident.collector_gap, "a gap of exactly 90 minutes from its first moment on"


async def test_a_gap_between_two_incidents_is_a_part_of_neither(dashboard_db: asyncpg.Pool) -> None:
    """The store was up when the gap began, and down when it ended."""
    polls = [
        (utc("2023-01-23 09:30"), True),
        (utc("2023-01-23 10:00"), False),
        (utc("2023-01-23 10:30"), True),
        (utc("2023-01-23 12:30"), False),
        (utc("2023-01-23 13:00"), True),
    ]
    await load(dashboard_db, {"s": Store(polls)})
    found = await incidents_of(dashboard_db, window(utc("2023-01-23 09:00"), utc("2023-01-23 13:30")))
    assert [incident.collector_gap for incident in found] == [False, False]


async def test_stored_polls_of_the_future_are_ignored_until_their_time_comes(dashboard_db: asyncpg.Pool) -> None:
    polls = [(utc("2023-01-23 08:00"), True), (utc("2023-01-23 09:00"), True)]
    future = [(utc("2023-01-23 09:05"), False), (utc("2099-01-01 00:00"), False)]
    now = utc("2023-01-23 09:03")
    seen = []
    for stored in (polls, polls + future):
        await load(dashboard_db, {"s": Store(stored), "t": Store([(utc("2098-01-01 00:00"), False)])})
        assert await select_newest_poll(dashboard_db, now) == utc("2023-01-23 09:00")
        found = await service.resolve_window(dashboard_db, None, None, now)
        assert found == Window(now - timedelta(hours=168), now, now, now)
        timeline = await select_timeline(dashboard_db, "s", found)
        views = (
            timeline,
            await incidents_of(dashboard_db, found),
            await select_coverage(dashboard_db, "s", found),
            await select_gaps(dashboard_db, found, timedelta(minutes=5), None, 10),
            await select_days(dashboard_db, "s", 5, None, now),
            await select_timeline(dashboard_db, "t", found),
            await measured(dashboard_db, now=now),
        )
        seen.append(views)
    assert seen[0] == seen[1]
    assert list(views[-1]) == ["s"]
    assert await select_newest_poll(dashboard_db, utc("2023-01-23 09:05")) == utc("2023-01-23 09:05")
    later = utc("2023-01-23 09:06")
    assert await select_newest_poll(dashboard_db, later) == utc("2023-01-23 09:05")
    (incident,) = await incidents_of(dashboard_db, window(later - timedelta(hours=1), later))
    assert incident.start == utc("2023-01-23 09:05")


async def test_a_window_ends_now_or_at_the_newest_poll_if_that_is_long_ago(dashboard_db: asyncpg.Pool) -> None:
    newest = utc("2023-01-23 09:00")
    await load(dashboard_db, {"s": Store([(newest, True)])})
    week = timedelta(hours=168)
    for age, end in ((week, newest), (week - timedelta(microseconds=1), newest + week - timedelta(microseconds=1))):
        found = await service.resolve_window(dashboard_db, None, None, newest + age)
        assert (found.start, found.end, found.known) == (end - week, end, max(end, newest))
    now = newest + timedelta(hours=5)
    found = await service.resolve_window(dashboard_db, newest - week, now - timedelta(hours=1), now)
    assert (found.end, found.known) == (now - timedelta(hours=1), now - timedelta(hours=1))
    found = await service.resolve_window(dashboard_db, newest, newest + timedelta(days=9), now)
    assert found.end == now, "nobody knows the future"
    found = await service.resolve_window(dashboard_db, newest - week, newest - timedelta(hours=1), now)
    assert found.known == newest


def test_a_window_is_not_empty_and_at_most_400_days() -> None:
    service.require_valid_window(START, END)
    service.require_valid_window(START, START + timedelta(days=400))
    for start, end in ((END, START), (START, START), (START, START + timedelta(days=400, microseconds=1))):
        with pytest.raises(Invalid):
            service.require_valid_window(start, end)


async def test_a_day_on_which_the_clock_changes_has_23_or_25_hours(dashboard_db: asyncpg.Pool) -> None:
    for zone, day, hours in (
        ("America/New_York", "2023-03-12", 23),
        ("America/New_York", "2023-11-05", 25),
        ("Asia/Beirut", "2022-10-29", 25),  # at midnight, so that the evening is longer
        ("Asia/Beirut", "2022-03-27", 23),
        ("America/Havana", "2023-11-05", 25),
        ("Australia/Lord_Howe", "2023-04-02", 24.5),
    ):
        noon = utc(f"{day} 12:00")
        polls = [(noon - timedelta(days=2), True), (noon - timedelta(minutes=1), False), (noon, True)]
        await load(dashboard_db, {"s": Store(polls, (), zone)})
        to = noon.date()
        (found,) = await select_days(dashboard_db, "s", 1, to, noon + timedelta(days=2))
        assert (found.day, found.open_seconds) == (to, hours * 3600), zone
        assert (found.up_seconds, found.down_seconds) == (hours * 3600 - 60, 60)


async def test_the_current_day_ends_now_and_later_days_are_not_shown(dashboard_db: asyncpg.Pool) -> None:
    await load(dashboard_db, {"s": Store([(utc("2023-01-23 10:00"), True)], (), "UTC")})
    for to in (None, utc("2023-01-29 00:00").date()):
        found = await select_days(dashboard_db, "s", 90, to, utc("2023-01-24 06:00"))
        assert [(day.day.day, day.open_seconds, day.observed_seconds) for day in found] == [
            (23, 86_400, 5400),
            (24, 6 * 3600, 0),
        ]
