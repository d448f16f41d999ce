"""Single stores in a window, and gaps of the collector."""

from datetime import timedelta

import asyncpg
import pytest

from common.web.errors import Invalid
from dashboard.uptime import service
from dashboard.uptime.models import Gap, Incident, Poll, Span, Stretch
from dashboard.uptime.queries.stores import (
    select_coverage,
    select_gaps,
    select_incidents,
    select_timeline,
    select_timezone,
)
from tests.dashboard.uptime.fleet import Store, every_day, load, utc

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
    timeline = await select_timeline(dashboard_db, "s", utc("2023-01-23 10:30"), END)
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
    timeline = await select_timeline(dashboard_db, "s", utc("2023-01-23 09:00"), utc("2023-01-23 09:30"))
    assert timeline is not None
    assert timeline.polls == [Poll(utc("2023-01-23 08:00"), "active", open=False)]
    assert timeline.stretches == [Stretch(utc("2023-01-23 09:00"), utc("2023-01-23 09:30"), "active")]


async def test_an_unknown_store_has_neither_timeline_nor_time_zone(dashboard_db: asyncpg.Pool) -> None:
    assert await select_timeline(dashboard_db, "s", START, END) is None
    assert await select_timezone(dashboard_db, "s") is None


async def test_a_store_without_polls_has_an_empty_timeline(dashboard_db: asyncpg.Pool) -> None:
    await load(dashboard_db, {"s": Store([], every_day("09:00", "12:00"))})
    timeline = await select_timeline(dashboard_db, "s", START, END)
    assert timeline is not None
    assert (timeline.timezone, timeline.open, timeline.stretches, timeline.polls) == ("America/Chicago", [], [], [])
    assert await select_incidents(dashboard_db, "s", START, END) == []


async def test_an_incident_spans_closed_time_and_counts_open_time(dashboard_db: asyncpg.Pool) -> None:
    await load(dashboard_db, {"s": MORNINGS, "other": Store([(utc("2023-01-23 11:00"), True)])})
    incidents = await service.find_incidents(dashboard_db, "s", START, utc("2023-01-24 12:00"))
    assert incidents == [
        Incident(
            start=utc("2023-01-23 11:00"),
            end=utc("2023-01-24 10:30"),
            duration_seconds=2.5 * 3600,
            unobserved_seconds=0.5 * 3600,  # 09:00 to 09:30: the last poll was on the day before
            ongoing=False,
            collector_gap=True,  # no store was polled in the night
        ),
        Incident(
            start=utc("2023-01-24 11:30"),
            end=utc("2023-01-24 12:00"),
            duration_seconds=0.5 * 3600,
            unobserved_seconds=0,
            ongoing=True,
            collector_gap=False,
        ),
    ]


async def test_coverage_is_the_share_of_open_time_soon_after_a_poll(dashboard_db: asyncpg.Pool) -> None:
    store = Store(
        [(utc("2023-01-23 08:00"), True), (utc("2023-01-23 10:15"), True)], every_day("09:00", "13:00"), "UTC"
    )
    await load(dashboard_db, {"s": store})
    coverage = await select_coverage(dashboard_db, "s", utc("2023-01-23 00:00"), utc("2023-01-24 00:00"))
    assert coverage.no_data == [span("23 09:30", "23 10:15"), span("23 11:45", "23 13:00")]
    assert (coverage.open_seconds, coverage.covered_seconds, coverage.share) == (4 * 3600, 2 * 3600, 0.5)
    closed = await select_coverage(dashboard_db, "s", utc("2023-01-23 00:00"), utc("2023-01-23 01:00"))
    assert (closed.open_seconds, closed.share) == (0, None)


async def test_a_span_without_polls_of_the_fleet_is_a_gap(dashboard_db: asyncpg.Pool) -> None:
    start = utc("2023-01-23 00:00")
    polls = [start + timedelta(minutes=10 * n) for n in range(60) if not 20 <= n < 35]
    await load(
        dashboard_db,
        {"a": Store([(at, True) for at in polls[::2]]), "b": Store([(at, False) for at in polls[1::2]])},
    )
    found = await select_gaps(dashboard_db, start, utc("2023-01-23 12:00"), timedelta(minutes=90))
    assert found == [
        Gap(utc("2023-01-23 03:10"), utc("2023-01-23 05:50"), 160 * 60),
        Gap(utc("2023-01-23 09:50"), utc("2023-01-23 12:00"), 130 * 60),
    ]
    whole = await select_gaps(dashboard_db, utc("2023-02-01 00:00"), utc("2023-02-02 00:00"), timedelta(minutes=90))
    assert whole == [Gap(utc("2023-02-01 00:00"), utc("2023-02-02 00:00"), 86_400)]


def test_a_window_is_not_empty_and_at_most_a_year() -> None:
    service.require_valid_window(START, END)
    for start, end in ((END, START), (START, START), (START, START + timedelta(days=367))):
        with pytest.raises(Invalid):
            service.require_valid_window(start, end)
