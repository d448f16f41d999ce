"""The state of stores at an instant, and what alerts ask about them."""

from datetime import date, timedelta

import asyncpg
from hypothesis import given

from dashboard.uptime.corrections import Change, delete_polls, replace_closures
from dashboard.uptime.fleet_figures import FleetNow
from dashboard.uptime.models.stores import StoredClosure
from dashboard.uptime.queries.alerts import (
    Look,
    select_end_of_silence,
    select_ends_down,
    select_silent_collector,
    select_stores_down,
)
from dashboard.uptime.queries.states import select_states, select_store_now
from tests.dashboard.uptime.fleet import Store, clock, every_day, load, utc
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
    fleet = FleetNow(NOON, 1, await select_states(dashboard_db, NOON))
    counts = fleet.counts()
    assert (counts.up, counts.down, counts.closed, counts.stale, counts.never_polled) == (2, 1, 2, 1, 2)
    assert fleet.in_state("closed") == ["closed", "holiday"]
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
    assert await subjects(dashboard_db, "two", "back", "well", "one", "unknown") == ["back", "two"]


async def test_a_store_is_no_longer_down_once_a_correction_leaves_no_two_polls_that_say_so(
    dashboard_db: asyncpg.Pool,
) -> None:
    polls = [(NOON - 3 * HOUR, True), (NOON - 2 * HOUR, False), (NOON - HOUR, False)]
    stores = {name: Store(polls, timezone="UTC") for name in ("closed then", "deleted", "one deleted", "down")}
    await load(dashboard_db, stores)
    assert await subjects(dashboard_db) == sorted(stores)
    change = Change("closed then", "a test", NOON)
    await replace_closures(dashboard_db, change, [StoredClosure(NOON - 2 * HOUR, NOON - 30 * MINUTE, "")])
    for name, start in (("deleted", NOON - 2 * HOUR), ("one deleted", NOON - HOUR)):
        assert await delete_polls(dashboard_db, Change(name, "a test", NOON), start, NOON)
    assert await subjects(dashboard_db, *stores) == ["down"]


async def test_the_end_of_a_store_that_was_down_is_told_by_its_last_poll_in_open_time(
    dashboard_db: asyncpg.Pool,
) -> None:
    """A closure that takes the polls away which found the store down does not mean that it was found up again."""
    polls = [(NOON - n * HOUR, n > 2) for n in range(5)]
    weeks_ago = [(NOON - n * 7 * DAY, True) for n in (4, 5)]
    await load(
        dashboard_db,
        {
            "back": Store([*polls[1:], (NOON - 30 * MINUTE, True), (NOON, True)], timezone="UTC"),
            "closed then": Store(polls, timezone="UTC", closures=[(NOON - 150 * MINUTE, NOON + HOUR)]),
            "closed for days": Store([*polls, *weeks_ago], timezone="UTC", closures=[(NOON - 2 * DAY, NOON + HOUR)]),
            "one of two": Store([*polls[3:], (NOON, False)], timezone="UTC"),
            "never open": Store(polls, timezone="UTC", closures=[(NOON - 2 * DAY, NOON + HOUR)]),
            "without polls": Store([], timezone="UTC"),
        },
    )
    stores = ["back", "closed then", "closed for days", "one of two", "never open", "without polls", "deleted"]
    assert await subjects(dashboard_db, *stores) == []
    none = "None of its polls is in its open time any more."
    assert await select_ends_down(dashboard_db, NOON, stores, 2) == {
        "back": "Its last poll in open time, at 2023-01-25 12:00 UTC, found it up.",
        "closed then": "Its last poll in open time, at 2023-01-25 09:00 UTC, found it up.",
        "closed for days": "Its last poll in open time, at 2022-12-28 12:00 UTC, found it up.",
        "one of two": "Its last poll in open time, at 2023-01-25 12:00 UTC, found it down; an alert needs 2 in a row.",
        "never open": none,
        "without polls": none,
        "deleted": none,
    }


async def test_as_many_polls_in_a_row_as_are_asked_for_are_looked_back_at(dashboard_db: asyncpg.Pool) -> None:
    """Sixty hourly ones are more than two days; a store that is open for an hour a week has two in a week."""
    down = [(NOON - n * HOUR, False) for n in range(60)]
    weekly = [(2, clock("11:30"), clock("12:30"))]
    await load(
        dashboard_db,
        {
            "sixty": Store([*down, (NOON - 60 * HOUR, True)], timezone="UTC"),
            "fifty-nine": Store([*down[:-1], (NOON - 59 * HOUR, True)], timezone="UTC"),
            "up": Store([*((at + 61 * HOUR - DAY * 10, status) for at, status in down), (NOON, True)], timezone="UTC"),
            "weekly": Store([(NOON - 7 * DAY, False), (NOON - 3 * DAY, True), (NOON, False)], weekly, "UTC"),
        },
    )

    async def down_after(polls: int, *firing: str) -> list[str]:
        return [each.subject for each in await select_stores_down(dashboard_db, NOON, firing, polls)]

    assert await down_after(60) == ["sixty"]
    assert await down_after(60, "sixty", "fifty-nine", "up") == ["sixty", "up"]
    assert "weekly" in await down_after(2)
    assert "weekly" not in await down_after(3)


async def test_a_look_at_the_same_data_leaves_stores_that_are_down_as_they_were(dashboard_db: asyncpg.Pool) -> None:
    soon = NOON + 5 * MINUTE
    polls = [(NOON - 2 * HOUR, False), (NOON - HOUR, False)]
    up_soon = [*polls, (soon, True), (soon + MINUTE, True)]
    await load(dashboard_db, {"1": Store(polls, timezone="UTC"), "2": Store(up_soon, timezone="UTC")})
    found = await select_stores_down(dashboard_db, NOON, [], 2)
    look = Look(NOON, {each.subject: each for each in found})
    later = await select_stores_down(dashboard_db, soon + MINUTE, ["1", "2"], 2, before=look)
    assert (later, [each.subject for each in found]) == (found[:1], ["1", "2"])


async def test_a_store_that_is_closed_or_stale_stays_as_it_was(dashboard_db: asyncpg.Pool) -> None:
    open_now, closed_now = every_day("09:00", "24:00"), every_day("00:00", "11:00")
    down = [(NOON - 90 * MINUTE, False), (NOON - 75 * MINUTE, False)]
    week_old = [(NOON - 7 * DAY, False), (NOON - 7 * DAY + MINUTE, False)]
    in_closed_time = [
        (NOON - 14 * HOUR, False),
        (NOON - 13 * HOUR, False),
        (NOON - 4 * HOUR, True),
        (NOON - HOUR, True),
    ]
    await load(
        dashboard_db,
        {
            "closed": Store(down, closed_now, "UTC"),
            "stale": Store(week_old, (), "UTC"),
            "early": Store(in_closed_time, open_now, "UTC"),
            "never": Store([(NOON - 5 * HOUR, False), (NOON - 4 * HOUR, False)], open_now, "UTC"),
            "maintained": Store(down, (), "UTC", closures=[(NOON - HOUR, NOON + HOUR)]),
        },
    )
    assert await subjects(dashboard_db) == []
    assert await subjects(dashboard_db, "closed", "stale", "maintained", "early") == [
        "closed", "early", "maintained", "stale",
    ]  # fmt: skip
    assert await subjects(dashboard_db, "never") == []


async def test_the_detail_of_a_store_that_is_down_names_only_polls_in_open_time(dashboard_db: asyncpg.Pool) -> None:
    """A store that closed at 10:00 was found up at 11:00, which does not count; neither does what is two days old."""
    morning = every_day("00:00", "10:00")
    two = [(NOON - 5 * HOUR, False), (NOON - 3 * HOUR, False), (NOON - HOUR, True)]
    one = [(NOON - 3 * DAY - 3 * HOUR, False), *two[1:]]
    back = [*one[:1], (NOON - 3 * HOUR, False), (NOON - 150 * MINUTE, True)]
    none = [(at - 3 * DAY, active) for at, active in two]
    await load(
        dashboard_db,
        {
            "two": Store(two, morning, "UTC"),
            "one": Store(one, morning, "UTC"),
            "back": Store([(NOON - 4 * DAY - 3 * HOUR, False), *back], morning, "UTC"),
            "none": Store(none, morning, "UTC"),
            "up": Store([(NOON - 4 * DAY - 3 * HOUR, False), one[0], (NOON - 3 * HOUR, True)], morning, "UTC"),
        },
    )
    found = await select_stores_down(dashboard_db, NOON, ["two", "one", "back", "none", "up"], 2)
    assert {each.subject: each.detail for each in found} == {
        "two": "Its last 2 polls in open time found it down, the first of them at 2023-01-25 07:00 UTC.",
        "one": "Its last poll in open time, at 2023-01-25 09:00 UTC, found it down.",
        "back": "1 of its last 2 polls in open time found it up again.",
        "none": "It was down, and was not polled in open time in the last two days.",
        "up": "Its last poll in open time, at 2023-01-25 09:00 UTC, found it up again.",
    }


async def test_the_collector_is_silent_after_ninety_minutes_without_any_poll(dashboard_db: asyncpg.Pool) -> None:
    await load(dashboard_db, {"1": Store([], timezone="UTC")})
    unpulled = timedelta()
    assert await select_silent_collector(dashboard_db, NOON, [], unpulled) == []
    await load(dashboard_db, {"1": Store([(NOON - 90 * MINUTE, True)])})
    (firing,) = await select_silent_collector(dashboard_db, NOON, [], unpulled)
    assert (firing.subject, firing.detail) == ("collector", "No store has been polled since 2023-01-25 10:30 UTC.")
    assert await select_silent_collector(dashboard_db, NOON - MINUTE, ["collector"], unpulled) == []


async def test_the_collector_is_not_silent_between_two_pulls(dashboard_db: asyncpg.Pool) -> None:
    """A pull at 10:10 that brings polls up to 08:41 says nothing of the time until the next one at 11:10."""
    await load(dashboard_db, {"1": Store([(utc("2023-01-25 08:41"), True)])})

    async def is_silent(at: str, *firing: str, hours: int = 1) -> bool:
        found = await select_silent_collector(dashboard_db, utc(f"2023-01-{at}"), firing, hours * HOUR)
        return bool(found)

    assert [await is_silent(f"25 {at}") for at in ("10:11", "11:10", "11:11")] == [False, False, True]
    assert [await is_silent(f"26 {at}", hours=24) for at in ("10:10", "10:11")] == [False, True]


async def test_an_old_file_does_not_make_the_collector_silent_for_ever(dashboard_db: asyncpg.Pool) -> None:
    await load(dashboard_db, {"1": Store([(NOON, True)])})
    end = NOON + 90 * MINUTE + 48 * HOUR
    for interval, firing, silent in (
        (timedelta(), [], [True, False]),
        (timedelta(), ["collector"], [True, False]),
        (HOUR, [], [True, False]),
        (HOUR, ["collector"], [True, True]),
    ):
        looks = [end + interval - MINUTE, end + interval]
        found = [await select_silent_collector(dashboard_db, at, firing, interval) for at in looks]
        assert [bool(each) for each in found] == silent


async def test_the_end_of_a_silence_is_told_by_the_newest_poll(dashboard_db: asyncpg.Pool) -> None:
    """Nobody polls stores again only because nobody waits for polls any more."""
    await load(dashboard_db, {"1": Store([], timezone="UTC")})
    assert await select_end_of_silence(dashboard_db, NOON, HOUR) == "No polls are stored any more."
    await load(dashboard_db, {"1": Store([(NOON - 10 * MINUTE, True)])})
    assert await select_end_of_silence(dashboard_db, NOON, HOUR) == (
        "The newest poll of all stores is from 2023-01-25 11:50 UTC."
    )
    end = NOON + 90 * MINUTE + 48 * HOUR
    assert await select_silent_collector(dashboard_db, end, ["collector"], timedelta()) == []
    assert await select_end_of_silence(dashboard_db, end, timedelta()) == (
        "No store has been polled since 2023-01-25 11:50 UTC. While no polls are pulled, the alert ends after two days."
    )
