"""The state of stores at an instant, and what alerts ask about them."""

from datetime import date, timedelta

import asyncpg
from hypothesis import given

from dashboard.uptime.queries.alerts import select_silent_collector, select_stores_down
from dashboard.uptime.queries.states import select_state_counts, select_store_now, select_stores_in_state
from tests.dashboard.uptime.fleet import Store, every_day, load, utc
from tests.dashboard.uptime.reference import cut, known_at, stretches_of, total
from tests.dashboard.uptime.test_law import Scene, relaxed, scenes

NOON = utc("2023-01-25 12:00")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@relaxed
@given(scenes())
async def test_the_states_agree_with_the_reference(dashboard_db: asyncpg.Pool, scene: Scene) -> None:
    await load(dashboard_db, scene.stores)
    now, moment = scene.now, timedelta(microseconds=1)
    rows = await dashboard_db.fetch("SELECT * FROM store_states($1, $2)", list(scene.stores), now)
    found = {row["store_id"]: row["state"] for row in rows}
    for name, store in scene.stores.items():
        known = known_at(store.polls, store.opening, store.timezone, (now, now))
        if not known.polls:
            expected = "never_polled"
        elif not cut(known.open_time, now, now + moment):
            expected = "closed"
        elif total(cut(known.open_time, known.polls[-1][0], now)) >= 3 * HOUR:
            expected = "stale"
        else:
            (active,) = (active for start, end, active in stretches_of(known) if start <= now < end)
            expected = "up" if active else "down"
        assert found[name] == expected
        now_of = await select_store_now(dashboard_db, name, now, None)
        assert now_of is not None
        assert now_of.state == expected
        if expected == "stale":
            assert now_of.since is not None
            assert total(cut(known.open_time, known.polls[-1][0], now_of.since)) == 3 * HOUR
        elif expected == "closed":
            ends = [end for _, end in known.open_time if end <= now]
            assert now_of.since == (ends[-1] if ends else None) or (now_of.since or now) < known.open_time[0][0]
        elif expected in ("up", "down"):
            assert now_of.since is not None
            assert now_of.since <= now
            since = [status for start, end, status in stretches_of(known) if end > now_of.since and start <= now]
            assert set(since) == {expected == "up"}


async def test_the_fleet_is_counted_by_state(dashboard_db: asyncpg.Pool) -> None:
    night = every_day("00:00", "02:00")
    polls = [(NOON - n * HOUR, True) for n in range(30)]
    await load(
        dashboard_db,
        {
            "up": Store(polls, timezone="UTC"),
            "down": Store([*polls[1:], (NOON - MINUTE, False)], timezone="UTC"),
            "closed": Store(polls, night, "UTC"),
            "holiday": Store(polls, (), "UTC", closures=[(NOON.date(), NOON.date())]),
            "stale": Store(polls[3:], timezone="UTC"),
            "nearly stale": Store([(NOON - 3 * HOUR + MINUTE, True)], timezone="UTC"),
            "never": Store([], timezone="UTC"),
            "later": Store([(NOON + HOUR, True)], timezone="UTC"),
        },
    )
    counts = await select_state_counts(dashboard_db, NOON)
    assert (counts.up, counts.down, counts.closed, counts.stale, counts.never_polled) == (2, 1, 2, 1, 2)
    assert await select_stores_in_state(dashboard_db, "closed", NOON) == ["closed", "holiday"]
    holiday = await select_store_now(dashboard_db, "holiday", NOON, None)
    assert holiday is not None
    assert (holiday.since, holiday.closed_because) == (utc("2023-01-25 00:00"), "")


async def test_a_store_that_closed_in_between_is_up_since_it_went_up(dashboard_db: asyncpg.Pool) -> None:
    polls = [(NOON - 5 * DAY, False), *((NOON - n * DAY, True) for n in range(5))]
    await load(dashboard_db, {"1": Store(polls, every_day("09:00", "17:00"), "UTC")})
    found = await select_store_now(dashboard_db, "1", NOON, None)
    assert found is not None
    assert (found.state, found.since) == ("up", utc("2023-01-21 09:00"))


async def test_hours_show_the_days_on_which_they_hold(dashboard_db: asyncpg.Pool) -> None:
    later = (date(2023, 2, 1), every_day("10:00", "24:00"))
    await load(dashboard_db, {"1": Store([(NOON, True)], every_day("09:00", "17:00"), None, [later])})
    found = await select_store_now(dashboard_db, "1", NOON, None)
    assert found is not None
    assert found.timezone_is_default
    shown = [(row.opens, row.closes, row.valid_from, row.valid_to) for row in found.hours]
    assert shown[0] == ("09:00:00", "17:00:00", None, date(2023, 1, 31))
    assert shown[-1] == ("10:00:00", "24:00:00", date(2023, 2, 1), None)


async def subjects(db: asyncpg.Pool, *firing: str, minutes: int = 0) -> list[str]:
    return [each.subject for each in await select_stores_down(db, NOON + minutes * MINUTE, firing, 2)]


async def test_a_store_is_down_after_two_polls_and_up_again_after_two(dashboard_db: asyncpg.Pool) -> None:
    def polled(*statuses: int) -> Store:
        return Store([(NOON - n * HOUR, bool(status)) for n, status in enumerate(reversed(statuses))], timezone="UTC")

    await load(
        dashboard_db,
        {"two": polled(1, 0, 0), "one": polled(1, 1, 0), "back": polled(0, 0, 1), "well": polled(0, 1, 1)},
    )
    assert await subjects(dashboard_db) == ["two"]
    assert await subjects(dashboard_db, "two", "back", "well", "one", "unknown") == ["back", "one", "two"]


async def test_a_store_that_is_closed_or_stale_stays_as_it_was(dashboard_db: asyncpg.Pool) -> None:
    open_now, closed_now = every_day("09:00", "24:00"), every_day("00:00", "11:00")
    down = [(NOON - 90 * MINUTE, False), (NOON - 75 * MINUTE, False)]
    week_old = [(NOON - 7 * DAY, False), (NOON - 7 * DAY + MINUTE, False)]
    in_closed_time = [(NOON - 5 * HOUR, False), (NOON - 4 * HOUR, False), (NOON - HOUR, True)]
    await load(
        dashboard_db,
        {
            "closed": Store(down, closed_now, "UTC"),
            "stale": Store(week_old, (), "UTC"),
            "early": Store(in_closed_time, open_now, "UTC"),
            "maintained": Store(down, (), "UTC", closures=[(NOON - HOUR, NOON + HOUR)]),
        },
    )
    assert await subjects(dashboard_db) == []
    assert await subjects(dashboard_db, "closed", "stale", "maintained", "early") == [
        "closed", "early", "maintained", "stale",
    ]  # fmt: skip


async def test_the_collector_is_silent_after_ninety_minutes_without_any_poll(dashboard_db: asyncpg.Pool) -> None:
    await load(dashboard_db, {"1": Store([], timezone="UTC")})
    assert await select_silent_collector(dashboard_db, NOON, []) == []
    await load(dashboard_db, {"1": Store([(NOON - 90 * MINUTE, True)])})
    (firing,) = await select_silent_collector(dashboard_db, NOON, [])
    assert (firing.subject, firing.detail) == (
        "collector",
        "No store has been polled since 2023-01-25T10:30:00.000000Z.",
    )
    assert await select_silent_collector(dashboard_db, NOON - MINUTE, ["collector"]) == []
