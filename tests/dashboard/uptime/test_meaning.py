"""The meaning of uptime, case by case, as in the contract; each case must also agree with the reference."""

from datetime import timedelta

import asyncpg
import pytest

from dashboard.uptime.queries.imports import select_newest_poll
from tests.dashboard.uptime.fleet import Store, every_day, expected, load, measured, row, utc
from tests.dashboard.uptime.reference import Figures

NOTHING = timedelta()
NEW_YORK = "America/New_York"
MONDAY = 0


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


async def figures_of(db: asyncpg.Pool, store: Store, as_of: str) -> Figures:
    """The report's figures of one store, which must agree with the reference."""
    await load(db, {"s": store})
    figures = await measured(db, utc(as_of))
    assert figures == expected({"s": store}, utc(as_of))
    return figures["s"]


async def week(db: asyncpg.Pool, store: Store, as_of: str) -> tuple[timedelta, timedelta]:
    """Uptime and downtime of the last week."""
    figures = await figures_of(db, store, as_of)
    return figures.up[2], figures.down[2]


async def test_all_business_hours_are_filled_from_the_polls(dashboard_db: asyncpg.Pool) -> None:
    """Monday 9 to 12 with polls at 10:14 (active) and 11:15 (inactive)."""
    store = Store(
        [(utc("2023-01-23 10:14"), True), (utc("2023-01-23 11:15"), False)], [row(MONDAY, "09:00", "12:00")], "UTC"
    )
    assert await week(dashboard_db, store, "2023-01-23 20:00") == (hours(2.25), hours(0.75))


async def test_a_poll_at_closing_is_outside_and_one_at_opening_inside(dashboard_db: asyncpg.Pool) -> None:
    at_closing = Store(
        [(utc("2023-01-23 10:00"), True), (utc("2023-01-23 12:00"), False)], [row(MONDAY, "09:00", "12:00")], "UTC"
    )
    assert await week(dashboard_db, at_closing, "2023-01-23 20:00") == (hours(3), NOTHING)
    at_opening = Store(
        [(utc("2023-01-23 09:00"), False), (utc("2023-01-23 11:00"), True)], [row(MONDAY, "09:00", "12:00")], "UTC"
    )
    assert await week(dashboard_db, at_opening, "2023-01-23 20:00") == (hours(1), hours(2))


async def test_a_poll_at_as_of_is_outside_and_one_after_it_is_ignored(dashboard_db: asyncpg.Pool) -> None:
    polls = [(utc("2023-01-23 10:00"), True), (utc("2023-01-23 11:00"), False), (utc("2023-01-23 11:30"), False)]
    figures = await figures_of(dashboard_db, Store(polls), "2023-01-23 11:00")
    assert figures == Figures((hours(1), hours(24), hours(168)), (NOTHING, NOTHING, NOTHING))


async def test_a_store_whose_only_poll_is_at_as_of_has_the_status_of_that_poll(dashboard_db: asyncpg.Pool) -> None:
    figures = await figures_of(dashboard_db, Store([(utc("2023-01-23 11:00"), False)]), "2023-01-23 11:00")
    assert figures.down == (hours(1), hours(24), hours(168))


async def test_a_store_first_polled_after_as_of_is_not_in_the_report(dashboard_db: asyncpg.Pool) -> None:
    await load(
        dashboard_db,
        {
            "late": Store([(utc("2023-01-23 11:00:00.000001"), True)]),
            "never": Store([], every_day("09:00", "10:00")),
            "seen": Store([(utc("2023-01-23 11:00"), True)]),
        },
    )
    assert list(await measured(dashboard_db, utc("2023-01-23 11:00"))) == ["seen"]


async def test_without_as_of_the_newest_poll_of_the_fleet_is_taken(dashboard_db: asyncpg.Pool) -> None:
    stores = {
        "a": Store([(utc("2023-01-23 11:00"), True), (utc("2023-01-23 11:45:30.5"), False)]),
        "b": Store([(utc("2023-01-23 11:30"), False)]),
    }
    await load(dashboard_db, stores)
    assert await measured(dashboard_db) == expected(stores, utc("2023-01-23 11:45:30.5"))


@pytest.mark.parametrize("newest", ["10:30", "11:00"])
async def test_the_newest_poll_up_to_an_instant_may_be_of_a_store_that_was_polled_later(
    dashboard_db: asyncpg.Pool, newest: str
) -> None:
    later = utc("2023-01-23 12:00")
    await load(
        dashboard_db,
        {
            "a": Store([(utc("2023-01-23 10:00"), True), (utc(f"2023-01-23 {newest}"), True), (later, True)]),
            "b": Store([(utc("2023-01-23 10:45"), True)]),
        },
    )

    found = await select_newest_poll(dashboard_db, utc("2023-01-23 11:15"))

    assert found == max(utc("2023-01-23 10:45"), utc(f"2023-01-23 {newest}"))


async def test_at_one_instant_inactive_wins(dashboard_db: asyncpg.Pool) -> None:
    at = utc("2023-01-23 10:00")
    for polls in ([(at, True), (at, False)], [(at, False), (at, True)]):
        assert await week(dashboard_db, Store(polls), "2023-01-23 11:00") == (NOTHING, hours(168))


async def test_an_end_at_or_after_23_59_is_midnight(dashboard_db: asyncpg.Pool) -> None:
    for end in ("23:59", "23:59:30", "24:00"):
        store = Store([(utc("2023-01-23 23:59:59"), True)], [row(MONDAY, "22:00", end)], "UTC")
        assert await week(dashboard_db, store, "2023-01-24 06:00") == (hours(2), NOTHING)
    before = Store([(utc("2023-01-23 23:00"), True)], [row(MONDAY, "22:00", "23:58:59")], "UTC")
    assert await week(dashboard_db, before, "2023-01-24 06:00") == (timedelta(hours=1, minutes=58, seconds=59), NOTHING)


async def test_the_rule_of_23_59_precedes_that_of_the_next_day(dashboard_db: asyncpg.Pool) -> None:
    store = Store([(utc("2023-01-23 23:59:45"), True)], [row(MONDAY, "23:59:30", "23:59:10")], "UTC")
    assert await week(dashboard_db, store, "2023-01-24 12:00") == (timedelta(seconds=30), NOTHING)


async def test_an_end_not_after_its_start_is_on_the_next_day(dashboard_db: asyncpg.Pool) -> None:
    overnight = Store([(utc("2023-01-24 01:00"), False)], [row(MONDAY, "20:00", "02:00")], "UTC")
    assert await week(dashboard_db, overnight, "2023-01-24 12:00") == (NOTHING, hours(6))
    whole_day = Store([(utc("2023-01-24 01:00"), False)], [row(MONDAY, "09:00", "09:00")], "UTC")
    assert await week(dashboard_db, whole_day, "2023-01-24 12:00") == (NOTHING, hours(24))
    to_midnight = Store([(utc("2023-01-23 21:00"), False)], [row(MONDAY, "20:00", "00:00")], "UTC")
    assert await week(dashboard_db, to_midnight, "2023-01-24 12:00") == (NOTHING, hours(4))


async def test_an_overnight_shift_in_two_rows_is_one_interval(dashboard_db: asyncpg.Pool) -> None:
    """The status before midnight continues: no new interval begins that the next poll would fill."""
    store = Store(
        [(utc("2023-01-23 23:00"), False), (utc("2023-01-24 01:00"), True)],
        [row(MONDAY, "20:00", "23:59:59"), row(1, "00:00", "02:00")],
        "UTC",
    )
    assert await week(dashboard_db, store, "2023-01-24 12:00") == (hours(1), hours(5))


async def test_several_rows_of_a_day_are_united(dashboard_db: asyncpg.Pool) -> None:
    store = Store(
        [(utc("2023-01-23 10:00"), True), (utc("2023-01-23 14:30"), False)],
        [row(MONDAY, "09:00", "12:00"), row(MONDAY, "11:00", "13:00"), row(MONDAY, "14:00", "15:00")],
        "UTC",
    )
    assert await week(dashboard_db, store, "2023-01-23 20:00") == (hours(4), hours(1))


async def test_a_day_without_rows_is_closed(dashboard_db: asyncpg.Pool) -> None:
    store = Store([(utc("2023-01-24 10:00"), True), (utc("2023-01-23 10:00"), False)], [row(MONDAY, "09:00", "12:00")])
    figures = await figures_of(dashboard_db, store._replace(timezone="UTC"), "2023-01-24 20:00")
    assert figures == Figures((NOTHING, NOTHING, NOTHING), (NOTHING, NOTHING, hours(3)))


async def test_a_store_without_hours_is_always_open(dashboard_db: asyncpg.Pool) -> None:
    store = Store([(utc("2023-01-22 10:00"), True), (utc("2023-01-23 10:30"), False)])
    figures = await figures_of(dashboard_db, store, "2023-01-23 11:00")
    assert figures == Figures((hours(0.5), hours(23.5), hours(167.5)), (hours(0.5), hours(0.5), hours(0.5)))


async def test_a_status_from_before_the_window_continues_into_it(dashboard_db: asyncpg.Pool) -> None:
    """Even from long before: intervals are not cut at the window."""
    for first in ("2023-01-16 10:00", "2022-12-01 10:00", "2020-06-01 10:00"):
        store = Store([(utc(first), False), (utc("2023-01-20 11:00"), True)])
        assert await week(dashboard_db, store, "2023-01-23 11:00") == (hours(72), hours(96))


async def test_rows_that_cover_every_day_are_one_interval_too(dashboard_db: asyncpg.Pool) -> None:
    for first in ("2023-01-16 10:00", "2022-12-01 10:00", "2022-06-01 10:00"):
        store = Store(
            [(utc(first), False), (utc("2023-01-20 11:00"), True)], every_day("00:00", "23:59:59"), "America/New_York"
        )
        assert await week(dashboard_db, store, "2023-01-23 11:00") == (hours(72), hours(96))


async def test_a_store_silent_for_weeks_keeps_its_status_if_it_has_not_closed_since(dashboard_db: asyncpg.Pool) -> None:
    """Its days are in two rows each; the silence is shorter and longer than the two weeks that the search looks at."""
    rows = [*every_day("00:00", "12:00"), *every_day("12:00", "24:00")]
    for first in ("2023-01-13 10:00", "2023-01-01 10:00", "2022-12-30 10:59", "2022-12-30 11:00", "2022-06-01 10:00"):
        store = Store([(utc(first), False), (utc("2023-01-20 11:00"), True)], rows, "America/New_York")
        assert await week(dashboard_db, store, "2023-01-23 11:00") == (hours(72), hours(96))


async def test_a_store_silent_for_weeks_that_has_closed_since_has_the_status_of_its_next_poll(
    dashboard_db: asyncpg.Pool,
) -> None:
    """Open from Monday to Saturday without a break. The window begins on a Thursday, the next poll is on the Friday."""
    rows = [row(weekday, "00:00", "24:00") for weekday in range(6)]
    for first in ("2023-01-14 10:00", "2023-01-07 10:00", "2022-12-30 10:00", "2022-06-01 10:00"):
        store = Store([(utc(first), True), (utc("2023-01-20 11:00"), False)], rows, "UTC")
        assert await week(dashboard_db, store, "2023-01-26 20:00") == (NOTHING, hours(144))
    in_the_same_week = Store([(utc("2023-01-16 00:00"), True), (utc("2023-01-20 11:00"), False)], rows, "UTC")
    assert await week(dashboard_db, in_the_same_week, "2023-01-26 20:00") == (hours(15), hours(129))


async def test_stores_silent_for_different_times_are_each_found(dashboard_db: asyncpg.Pool) -> None:
    """In one report, with polls that count and later ones that do not, of the same week and of others."""
    rows = every_day("09:00", "12:00")
    stores = {}
    for number, silent in enumerate((3, 10, 11, 60, 400)):
        last = utc("2023-01-16 20:00") - timedelta(days=silent)
        closed = [(last + timedelta(hours=n), True) for n in range(4)]
        stores[f"counted {number}"] = Store([(last - timedelta(hours=10), False), *closed], rows, "UTC")
        stores[f"counted long before {number}"] = Store(
            [(last - timedelta(days=30, hours=10), False), *closed], rows, "UTC"
        )
        stores[f"never counted {number}"] = Store(closed, rows, "UTC")
    await load(dashboard_db, stores)
    found = await measured(dashboard_db, utc("2023-01-25 20:00"))
    assert found == expected(stores, utc("2023-01-25 20:00"))
    assert {name: figures.down[2] for name, figures in found.items()} == {
        name: NOTHING if name.startswith("never") else hours(21) for name in found
    }


async def test_the_default_time_zone_is_chicago(dashboard_db: asyncpg.Pool) -> None:
    store = Store([(utc("2023-01-23 16:00"), True)], [row(MONDAY, "09:00", "12:00")])
    figures = await figures_of(dashboard_db, store, "2023-01-23 16:30")
    assert figures.up == (hours(1), hours(1.5), hours(3))  # and 1.5 hours of the Monday before


async def test_a_poll_in_closed_time_does_not_count(dashboard_db: asyncpg.Pool) -> None:
    store = Store(
        [(utc("2023-01-23 08:59:59"), False), (utc("2023-01-23 10:00"), True), (utc("2023-01-23 12:30"), False)],
        [row(MONDAY, "09:00", "12:00")],
        "UTC",
    )
    assert await week(dashboard_db, store, "2023-01-23 20:00") == (hours(3), NOTHING)


async def test_where_no_poll_was_made_in_open_time_all_count(dashboard_db: asyncpg.Pool) -> None:
    """Each interval has the last earlier status; the first, which has none earlier, has the first later one."""
    rows = [row(MONDAY, "09:00", "12:00"), row(1, "09:00", "10:00"), row(2, "09:00", "10:30")]
    polls = [(utc("2023-01-23 15:00"), False), (utc("2023-01-24 15:00"), True), (utc("2023-01-25 15:00"), False)]
    assert await week(dashboard_db, Store(polls, rows, "UTC"), "2023-01-25 20:00") == (hours(1.5), hours(4))


async def test_a_store_without_recent_polls_has_the_status_of_its_old_ones(dashboard_db: asyncpg.Pool) -> None:
    rows = every_day("09:00", "12:00")
    in_open_time = [(utc("2022-03-01 10:00"), False), (utc("2022-03-01 15:00"), True)]
    assert await week(dashboard_db, Store(in_open_time, rows, "UTC"), "2023-01-25 20:00") == (NOTHING, hours(21))
    in_closed_time = [(utc("2022-03-01 13:00"), False), (utc("2022-03-01 15:00"), True)]
    assert await week(dashboard_db, Store(in_closed_time, rows, "UTC"), "2023-01-25 20:00") == (hours(21), NOTHING)


async def test_an_interval_without_polls_has_the_last_earlier_status(dashboard_db: asyncpg.Pool) -> None:
    rows = [row(weekday, "09:00", "12:00") for weekday in range(4)]
    polls = [(utc("2023-01-24 10:00"), False), (utc("2023-01-24 11:00"), True), (utc("2023-01-26 09:30"), False)]
    # Monday has the first later status, Tuesday its own, Wednesday Tuesday's last, Thursday that of its one poll
    assert await week(dashboard_db, Store(polls, rows, "UTC"), "2023-01-26 20:00") == (hours(4), hours(8))


async def test_windows_are_elapsed_time_across_a_change_of_the_clock(dashboard_db: asyncpg.Pool) -> None:
    """The week of 12 March 2023 has 167 hours in New York, the report's week has 168."""
    store = Store([(utc("2023-03-13 10:00"), True)], timezone=NEW_YORK)
    figures = await figures_of(dashboard_db, store, "2023-03-13 12:00")
    assert figures.up == (hours(1), hours(24), hours(168))


async def test_a_night_shift_is_an_hour_longer_or_shorter_when_the_clock_changes(dashboard_db: asyncpg.Pool) -> None:
    spring = Store([(utc("2023-03-12 05:00"), True)], [row(5, "22:00", "06:00")], NEW_YORK)
    assert await week(dashboard_db, spring, "2023-03-13 12:00") == (hours(7), NOTHING)
    autumn = Store([(utc("2023-11-05 05:00"), True)], [row(5, "22:00", "06:00")], NEW_YORK)
    assert await week(dashboard_db, autumn, "2023-11-06 12:00") == (hours(9), NOTHING)


async def test_an_ambiguous_start_is_the_first_pass_and_an_ambiguous_end_the_second(dashboard_db: asyncpg.Pool) -> None:
    """5 November 2023, New York: 01:00 to 02:00 occurs twice, from 05:00 and from 06:00 UTC."""
    start = Store([(utc("2023-11-05 06:30"), True)], [row(6, "01:30", "03:00")], NEW_YORK)
    assert await week(dashboard_db, start, "2023-11-06 12:00") == (hours(2.5), NOTHING)
    end = Store([(utc("2023-11-05 04:30"), True)], [row(6, "00:30", "01:30")], NEW_YORK)
    assert await week(dashboard_db, end, "2023-11-06 12:00") == (hours(2), NOTHING)
    both = Store([(utc("2023-11-05 06:20"), True)], [row(6, "01:15", "01:30")], NEW_YORK)
    assert await week(dashboard_db, both, "2023-11-06 12:00") == (hours(1.25), NOTHING)


async def test_a_time_in_the_skipped_hour_uses_the_offset_before(dashboard_db: asyncpg.Pool) -> None:
    """12 March 2023, New York: 02:00 to 03:00 is skipped; 02:30 by the winter offset is 03:30 by the summer's."""
    start = Store([(utc("2023-03-12 07:45"), True)], [row(6, "02:30", "05:00")], NEW_YORK)
    assert await week(dashboard_db, start, "2023-03-13 12:00") == (hours(1.5), NOTHING)
    end = Store([(utc("2023-03-12 06:45"), True)], [row(6, "01:30", "02:30")], NEW_YORK)
    assert await week(dashboard_db, end, "2023-03-13 12:00") == (hours(1), NOTHING)
    vanished = Store([(utc("2023-03-12 06:45"), True)], [row(6, "02:45", "03:15")], NEW_YORK)
    assert await week(dashboard_db, vanished, "2023-03-13 12:00") == (NOTHING, NOTHING)


async def test_zones_that_change_at_midnight_or_by_half_an_hour(dashboard_db: asyncpg.Pool) -> None:
    cases = [
        ("Asia/Beirut", "2022-03-27 12:00", [row(5, "20:00", "23:59:59"), row(6, "00:00", "03:00")]),
        ("Asia/Beirut", "2022-10-30 12:00", [row(5, "22:30", "23:30"), row(6, "00:00", "03:00")]),
        ("America/Havana", "2023-11-05 12:00", [row(5, "20:00", "24:00"), row(6, "00:00", "01:00")]),
        ("America/Havana", "2023-03-12 12:00", [row(5, "20:00", "00:30"), row(6, "00:30", "01:30")]),
        ("Australia/Lord_Howe", "2023-04-02 12:00", [row(6, "01:45", "01:50"), row(6, "01:30", "02:30")]),
        ("Australia/Lord_Howe", "2023-10-01 12:00", [row(6, "02:10", "03:00")]),
        ("Africa/Casablanca", "2023-03-19 12:00", [row(6, "02:15", "02:45")]),
        ("Pacific/Apia", "2011-12-31 12:00", [row(weekday, "08:00", "20:00") for weekday in range(7)]),
    ]
    for zone, as_of, rows in cases:
        polls = [(utc(as_of) - timedelta(hours=n, minutes=7 * n), n % 3 != 0) for n in range(60)]
        figures = await figures_of(dashboard_db, Store(polls, rows, zone), as_of)
        assert sum(figures.up + figures.down, NOTHING) > NOTHING
