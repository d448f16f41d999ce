"""Properties: uptime + downtime = open time, exactly, for every store; and the SQL agrees with the reference."""

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import asyncpg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.db.locks import STORE_IMPORT_LOCK
from dashboard.uptime.models.fleet import Gap
from dashboard.uptime.models.stores import Incident, StoreDay, Window
from dashboard.uptime.queries.stores import (
    POLL_COVERAGE,
    select_coverage,
    select_days,
    select_gaps,
    select_incidents,
    select_polls_since,
    select_timeline,
)
from tests.dashboard.uptime.fleet import Store, expected, load, measured
from tests.dashboard.uptime.reference import (
    Closure,
    Hours,
    Known,
    Poll,
    Version,
    cut,
    figures,
    gaps_between,
    known_at,
    local_days,
    outages,
    stretches_of,
    total,
    uncovered,
)

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


def some_versions(draw: st.DrawFn, base: datetime) -> list[Version]:
    """Hours that change on local days near `base`; mostly none."""
    days = st.integers(-14, 2).map(lambda n: base.date() + timedelta(days=n))
    later = st.lists(st.tuples(days, hours.filter(bool)), max_size=2, unique_by=lambda version: version[0])
    return sorted(draw(st.one_of(st.just([]), later)))


def some_closures(draw: st.DrawFn, base: datetime) -> list[Closure]:
    """Closures near `base`, of days or of instants, which may overlap and meet the hours; mostly none."""

    def of_days(first: int, more: int) -> tuple[date, date]:
        return base.date() + timedelta(days=first), base.date() + timedelta(days=first + more)

    def of_instants(first: int, more: int) -> tuple[datetime, datetime]:
        start = base.replace(minute=0, second=0, microsecond=0) + timedelta(minutes=30 * first)
        return start, start + timedelta(minutes=30 * more)

    closures = st.one_of(
        st.builds(of_days, st.integers(-40, 1), st.sampled_from([0, 0, 1, 20])),
        st.builds(of_instants, st.integers(-300, 40), st.integers(1, 90)),
    )
    return draw(st.one_of(st.just([]), st.lists(closures, max_size=3)))


@st.composite
def fleets(draw: st.DrawFn) -> tuple[dict[str, Store], datetime]:
    base = draw(st.sampled_from(BASES))

    def a_poll(age: timedelta, active: bool) -> Poll:
        return base - age, active

    polls = st.lists(st.builds(a_poll, ages, st.booleans()), min_size=1, max_size=14)
    stores: list[tuple[list[Poll], list[Hours], str | None]] = draw(
        st.lists(st.tuples(polls, hours, st.sampled_from(ZONES)), min_size=1, max_size=8)
    )
    return {
        str(number): Store(*store, some_versions(draw, base), some_closures(draw, base))
        for number, store in enumerate(stores)
    }, base


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
async def test_the_timeline_agrees_with_a_report_on_what_was_known_at_its_end(
    dashboard_db: asyncpg.Pool, fleet: tuple[dict[str, Store], datetime], minutes: int
) -> None:
    stores, end = fleet
    start, before_end = end - timedelta(minutes=minutes), end - timedelta(microseconds=1)
    await load(dashboard_db, stores)
    for name, store in stores.items():
        timeline = await select_timeline(dashboard_db, name, Window(start, end, before_end, before_end))
        assert timeline is not None
        polls = [(at, active) for at, active in store.polls if at < end]
        figure = figures(polls, store.opening, store.timezone, end, end - start)
        if figure is None:
            assert timeline.uptime_seconds is timeline.downtime_seconds is None
            assert timeline.stretches == []
            continue
        lengths = {"active": timedelta(), "inactive": timedelta()}
        for stretch in timeline.stretches:
            lengths[stretch.status] += stretch.end - stretch.start
        assert (lengths["active"], lengths["inactive"]) == (figure.up[0], figure.down[0])
        assert figure.up[0] + figure.down[0] == sum((each.end - each.start for each in timeline.open), timedelta())


# Polls, opening hours and windows on one grid, so that they meet often, and a microsecond beside it.
steps = st.integers(-6 * 48, 48).map(lambda n: timedelta(minutes=30 * n))
jitter = st.sampled_from([timedelta(), timedelta(), timedelta(), timedelta(microseconds=1), timedelta(microseconds=-1)])
moments = st.builds(lambda step, extra: step + extra, steps, jitter)
grid_hours: st.SearchStrategy[list[Hours]] = st.one_of(
    st.just([]),
    hours,
    st.sampled_from([(9, 12), (22, 6), (0, 12), (1, 3)]).map(
        lambda pair: [(day, time(pair[0]), time(pair[1])) for day in range(7)]
    ),
    st.just([(day, time(0), time(23, 59, 59)) for day in range(7)]),
    st.just([(day, opens, closes) for day in range(7) for opens, closes in ((time(0), time(12)), (time(12), None))]),
)


class Scene(NamedTuple):
    """A fleet, a window of it, and the time of the request."""

    stores: dict[str, Store]
    start: datetime
    end: datetime
    now: datetime

    @property
    def instants(self) -> list[datetime]:
        return [at for store in self.stores.values() for at, _ in store.polls]

    @property
    def window(self) -> Window:
        """As `resolve_window` completes it."""
        newest = max((at for at in self.instants if at <= self.now), default=self.now)
        return Window(self.start, self.end, max(newest, self.end), self.now)

    def known(self, store: Store) -> Known:
        return known_at(store.polls, store.opening, store.timezone, (self.start, self.window.known))


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    base = draw(st.sampled_from(BASES)).replace(minute=0, second=0, microsecond=0)
    polls = st.lists(st.tuples(moments.map(lambda age: base + age), st.booleans()), max_size=16)
    stores = [
        store._replace(versions=some_versions(draw, base), closures=some_closures(draw, base))
        for store in draw(st.lists(st.builds(Store, polls, grid_hours, st.sampled_from(ZONES)), min_size=1, max_size=3))
    ]
    start, end, now = sorted(draw(st.lists(moments, min_size=3, max_size=3, unique=True)))
    if draw(st.booleans()):
        end = now  # the window of a request without `to`
    return Scene({str(n): store for n, store in enumerate(stores)}, base + start, base + end, base + now)


@relaxed
@given(scenes())
async def test_timeline_and_coverage_agree_with_the_reference(dashboard_db: asyncpg.Pool, scene: Scene) -> None:
    await load(dashboard_db, scene.stores)
    for name, store in scene.stores.items():
        known = scene.known(store)
        is_open = cut(known.open_time, scene.start, scene.end)
        timeline = await select_timeline(dashboard_db, name, scene.window)
        assert timeline is not None
        assert [(span.start, span.end) for span in timeline.open] == is_open
        for status, active in (("active", True), ("inactive", False)):
            expected = [(start, end) for start, end, found in stretches_of(known) if found is active]
            found = [(each.start, each.end) for each in timeline.stretches if each.status == status]
            assert found == cut(expected, scene.start, scene.end)
        seconds = (timeline.uptime_seconds, timeline.downtime_seconds)
        assert (None in seconds) == (not known.polls)
        before = [at for at, _ in known.polls if at < scene.start][-1:]
        shown = [*before, *(at for at, _ in known.polls if scene.start <= at <= scene.end)]
        assert [poll.polled_at for poll in timeline.polls] == shown
        assert all(
            poll.open == any(first <= poll.polled_at < last for first, last in known.open_time)
            for poll in timeline.polls
        )
        coverage = await select_coverage(dashboard_db, name, scene.window)
        assert [(span.start, span.end) for span in coverage.no_data] == uncovered(is_open, known.polls)
        assert coverage.open_seconds == total(is_open).total_seconds()
        assert coverage.covered_seconds == (total(is_open) - total(uncovered(is_open, known.polls))).total_seconds()


@relaxed
@given(scenes())
async def test_incidents_and_gaps_agree_with_the_reference(dashboard_db: asyncpg.Pool, scene: Scene) -> None:
    await load(dashboard_db, scene.stores)
    start, end, window = scene.start, scene.end, scene.window
    for minutes in (5, 30, 90):
        gaps = gaps_between(scene.instants, scene.now, timedelta(minutes=minutes))
        assert await select_gaps(dashboard_db, window, timedelta(minutes=minutes), None, 100) == [
            Gap(
                start=first,
                end=last,
                cut_start=start if first < start else None,
                cut_end=end if last > end else None,
                duration_seconds=(last - first).total_seconds(),
                ongoing=ongoing,
            )
            for first, last, ongoing in gaps
            if first < end and last > start
        ]
    for name, store in scene.stores.items():
        known = scene.known(store)
        expected = []
        for parts, ongoing in outages(known):
            first, last = parts[0][0], parts[-1][1]
            if first >= end or (last <= start and not ongoing):
                continue
            expected.append(
                Incident(
                    start=first,
                    end=last,
                    cut_start=start if first < start else None,
                    cut_end=end if last > end else None,
                    duration_seconds=total(parts).total_seconds(),
                    downtime_seconds=total(cut(parts, start, end)).total_seconds(),
                    unobserved_seconds=total(uncovered(parts, known.polls)).total_seconds(),
                    ongoing=ongoing,
                    collector_gap=any(gap[0] < last and gap[1] > first for gap in gaps),
                )
            )
        assert await select_incidents(dashboard_db, name, window, None, 100) == expected


@relaxed
@given(scenes(), moments, moments)
async def test_an_incident_and_a_gap_are_the_same_in_every_window(
    dashboard_db: asyncpg.Pool, scene: Scene, one: timedelta, other: timedelta
) -> None:
    """Those of a part of the window are those of the whole that overlap it, with the same start, end and figures."""
    await load(dashboard_db, scene.stores)
    whole = scene.window
    start = max(scene.start, min(scene.end + one, scene.end + other))
    end = min(scene.end, max(scene.end + one, scene.end + other))
    if start >= end:
        return
    part = whole._replace(start=start, end=end)

    def uncut(found: Incident | Gap) -> tuple[object, ...]:
        figures = (found.start, found.end, found.duration_seconds, found.ongoing)
        return (*figures, found.collector_gap, found.unobserved_seconds) if isinstance(found, Incident) else figures

    for name in scene.stores:
        in_whole = await select_incidents(dashboard_db, name, whole, None, 100)
        in_part = await select_incidents(dashboard_db, name, part, None, 100)
        overlapping = [each for each in in_whole if each.start < end and (each.end > start or each.ongoing)]
        assert list(map(uncut, in_part)) == list(map(uncut, overlapping))
    gaps = await select_gaps(dashboard_db, whole, timedelta(minutes=90), None, 100)
    found = await select_gaps(dashboard_db, part, timedelta(minutes=90), None, 100)
    assert list(map(uncut, found)) == [uncut(gap) for gap in gaps if gap.start < end and gap.end > start]


@relaxed
@given(scenes(), st.integers(0, 3))
async def test_the_days_add_up_to_the_open_time_before_and_after_old_polls_are_deleted(
    dashboard_db: asyncpg.Pool, scene: Scene, keep_days: int
) -> None:
    """Uptime + downtime = open time for each local day, and deletion changes neither days nor the windows after it."""
    await load(dashboard_db, scene.stores)
    before = {name: await select_days(dashboard_db, name, 400, None, scene.now) for name in scene.stores}
    for name, store in scene.stores.items():
        known = known_at(store.polls, store.opening, store.timezone, (scene.now, scene.now))
        if not known.polls:
            assert before[name] == []
            continue
        zone = ZoneInfo(store.timezone or "America/Chicago")
        expected = []
        up = [(start, end) for start, end, active in stretches_of(known) if active]
        began = [outage.parts[0][0] for outage in outages(known)]
        first, last = known.polls[0][0].astimezone(zone).date(), scene.now.astimezone(zone).date()
        for day, (start, midnight) in local_days(store.timezone, first, last):
            end = min(midnight, scene.now)
            if start < end:
                is_open, is_up = cut(known.open_time, start, end), cut(up, start, end)
                expected.append(
                    StoreDay(
                        day=day,
                        open_seconds=total(is_open).total_seconds(),
                        up_seconds=total(is_up).total_seconds(),
                        down_seconds=(total(is_open) - total(is_up)).total_seconds(),
                        observed_seconds=(total(is_open) - total(uncovered(is_open, known.polls))).total_seconds(),
                        observed_up_seconds=(total(is_up) - total(uncovered(is_up, known.polls))).total_seconds(),
                        incidents=sum(start <= at < end for at in began),
                    )
                )
        assert before[name] == expected
    # Days that are over are kept, and are the same whether they are read or computed.
    while await dashboard_db.fetchval(
        "SELECT make_recent_days(1, $1, $2, $3, $4)",
        POLL_COVERAGE,
        STORE_IMPORT_LOCK,
        scene.now - timedelta(hours=6),
        scene.now,
    ):
        pass
    for name in scene.stores:
        assert await select_days(dashboard_db, name, 400, None, scene.now) == before[name]
    keep = timedelta(days=keep_days, hours=1)
    await dashboard_db.fetchval(
        "SELECT roll_up_polls($1, 1000000, $2, $3, $4)", keep, POLL_COVERAGE, STORE_IMPORT_LOCK, scene.now
    )
    for name, store in scene.stores.items():
        assert await select_days(dashboard_db, name, 400, None, scene.now) == before[name]
        kept_since = await select_polls_since(dashboard_db, name)
        start = max(scene.start, kept_since) if kept_since else scene.start
        if start < scene.end:
            timeline = await select_timeline(dashboard_db, name, scene.window._replace(start=start))
            assert timeline is not None
            known = scene.known(store)
            up = [(first, last) for first, last, active in stretches_of(known) if active]
            found = [(each.start, each.end) for each in timeline.stretches if each.status == "active"]
            assert found == cut(up, start, scene.end)
