"""Properties: uptime + downtime = open time, exactly, for every store; and the SQL agrees with the reference."""

from datetime import UTC, datetime, time, timedelta

import asyncpg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.uptime.queries.stores import select_coverage, select_incidents, select_timeline
from tests.dashboard.uptime.fleet import Store, expected, load, measured
from tests.dashboard.uptime.reference import Hours, Poll, figures

ZONES = [
    None,
    "UTC",
    "America/New_York",
    "America/Phoenix",
    "Asia/Beirut",
    "America/Havana",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Apia",
]
BASES = [
    datetime(2023, 1, 25, 18, 13, 22, 479220, tzinfo=UTC),
    datetime(2023, 3, 12, 9, tzinfo=UTC),  # the clock goes forward in America
    datetime(2023, 3, 26, 0, 30, tzinfo=UTC),  # in Beirut, at midnight
    datetime(2023, 11, 5, 12, tzinfo=UTC),  # back in America
    datetime(2023, 4, 2, 1, tzinfo=UTC),  # back by half an hour in Lord Howe
    datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=UTC),
]

edge_times = st.sampled_from(
    [
        time(0),
        time(0, 30),
        time(1),
        time(1, 30),
        time(2),
        time(2, 30),
        time(3),
        time(23),
        time(23, 59),
        time(23, 59, 59),
    ]
)
times = st.one_of(edge_times, st.times().map(lambda t: t.replace(microsecond=0)))
hours: st.SearchStrategy[list[Hours]] = st.one_of(
    st.just([]),
    st.lists(st.tuples(st.integers(0, 6), times, st.one_of(st.none(), times)), min_size=1, max_size=9),
    times.flatmap(
        lambda opens: st.one_of(st.none(), times).map(lambda closes: [(day, opens, closes) for day in range(7)])
    ),
)
ages = st.one_of(
    st.integers(0, 8 * 24).map(lambda n: timedelta(hours=n)),
    st.integers(0, 30 * 24 * 60).map(lambda n: timedelta(minutes=n)),
    st.integers(0, 8 * 86_400_000_000).map(lambda n: timedelta(microseconds=n)),
    st.integers(-5, 400).map(lambda n: timedelta(days=n)),
)


@st.composite
def fleets(draw: st.DrawFn) -> tuple[dict[str, Store], datetime]:
    base = draw(st.sampled_from(BASES))

    def a_poll(age: timedelta, active: bool) -> Poll:
        return base - age, active

    polls = st.lists(st.builds(a_poll, ages, st.booleans()), min_size=1, max_size=14)
    stores: list[tuple[list[Poll], list[Hours], str | None]] = draw(
        st.lists(st.tuples(polls, hours, st.sampled_from(ZONES)), min_size=1, max_size=8)
    )
    return {str(number): Store(*store) for number, store in enumerate(stores)}, base


relaxed = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@relaxed
@given(fleets())
async def test_the_report_agrees_with_the_reference(
    dashboard_db: asyncpg.Pool, fleet: tuple[dict[str, Store], datetime]
) -> None:
    stores, as_of = fleet
    await load(dashboard_db, stores)
    assert await measured(dashboard_db, as_of) == expected(stores, as_of)


@relaxed
@given(fleets(), st.integers(1, 40 * 24 * 60))
async def test_uptime_and_downtime_are_the_open_time_in_any_window(
    dashboard_db: asyncpg.Pool, fleet: tuple[dict[str, Store], datetime], minutes: int
) -> None:
    """And the timeline, the incidents and the coverage of the window agree with the figures."""
    stores, end = fleet
    await load(dashboard_db, stores)
    for name, store in stores.items():
        start = end - timedelta(minutes=minutes)
        timeline = await select_timeline(dashboard_db, name, start, end)
        assert timeline is not None
        figure = figures(store.polls, store.hours, store.timezone, end, end - start)
        open_time = sum((span.end - span.start for span in timeline.open), timedelta())
        if figure is None:
            assert not timeline.stretches
            continue
        assert figure.up[0] + figure.down[0] == open_time
        lengths = {"active": timedelta(), "inactive": timedelta()}
        for stretch in timeline.stretches:
            lengths[stretch.status] += stretch.end - stretch.start
        assert (lengths["active"], lengths["inactive"]) == (figure.up[0], figure.down[0])
        incidents = await select_incidents(dashboard_db, name, start, end)
        down = timedelta(seconds=sum(incident.duration_seconds for incident in incidents))
        assert abs(down - figure.down[0]) < timedelta(milliseconds=1)
        coverage = await select_coverage(dashboard_db, name, start, end)
        no_data = sum((span.end - span.start for span in coverage.no_data), timedelta())
        assert abs(timedelta(seconds=coverage.covered_seconds) + no_data - open_time) < timedelta(milliseconds=1)
