"""The day by table: where bars stand, what overlaps, and days that are not like others."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.time_zones import end_of_day, start_of_day
from dashboard.front_desk.house import House, house_at
from dashboard.front_desk.models import DayOrder, DeskTable, Overlap
from dashboard.front_desk.page_views.timetable import (
    COLUMN,
    MAX_TABLES,
    Bar,
    Gap,
    Timetable,
    day_sentence,
    listed_orders,
    timetable,
    unsettled,
)

BERLIN = ZoneInfo("Europe/Berlin")
DAY = date(2026, 11, 29)
TABLES = [DeskTable(number, "regular", 4) for number in (1, 2)]


def order(number: int, start: str, minutes: int = 120, table: int = 1, day: date = DAY, **more: Any) -> DayOrder:
    """An order that begins at a time by the clocks of Berlin."""
    starts_at = datetime.fromisoformat(f"{day}T{start}").replace(tzinfo=BERLIN).astimezone(UTC)
    facts: dict[str, Any] = {
        "status": "confirmed", "table_type": "regular", "seats": 4, "name": "Ann", "email": None, "phone": None,
        "guests": 4, "timezone": "Europe/Berlin", "notes": None, "delivered": True, "overlaps": False, "overlap": None,
    }  # fmt: skip
    ends_at = starts_at + timedelta(minutes=minutes)
    facts |= {"id": number, "table_id": table, "starts_at": starts_at, "ends_at": ends_at, "minutes": minutes}
    return DayOrder(**facts | {"day": day} | more)


def berlin(now: str = "2026-11-29T12:00") -> House:
    return house_at("Europe/Berlin", datetime.fromisoformat(now).replace(tzinfo=BERLIN).astimezone(UTC))


def made(*orders: DayOrder, house: House | None = None, day: date = DAY) -> Timetable:
    found = timetable(day, orders, TABLES, house or berlin())
    assert found is not None
    return found


def lanes(table: Timetable, row: int = 0) -> list[list[tuple[int, int, int]]]:
    """Of each lane the orders with the half-hours from the first one that they touch."""
    found = []
    for lane in table.rows[row].lanes:
        at, bars = 0, []
        for cell in lane:
            if isinstance(cell, Bar):
                bars.append((cell.order_id, at, at + cell.columns))
            at += cell.columns
        assert at == len(table.columns)
        found.append(bars)
    return found


def bars(table: Timetable) -> list[Bar]:
    return [cell for row in table.rows for lane in row.lanes for cell in lane if isinstance(cell, Bar)]


def test_bars_stand_in_the_half_hours_that_they_touch() -> None:
    table = made(order(1, "18:00", 90), order(2, "19:45", 30, table=2))

    assert table.columns == ("18:00", "18:30", "19:00", "19:30", "20:00", "20:30", "21:00", "21:30")
    assert [row.table.table_id for row in table.rows] == [1, 2]
    assert lanes(table) == [[(1, 0, 3)]]
    assert lanes(table, 1) == [[(2, 3, 5)]]
    [first, second] = bars(table)
    assert first.drawing.marks[0].data == "M1 2H143V46H1Z"  # type: ignore[union-attr]  # a bar has paths alone
    assert second.indent == COLUMN // 2


def test_a_bar_has_room_for_forty_characters_of_a_name() -> None:
    table = made(order(1, "18:00", name="A" * 40), order(2, "18:00", table=2, name=f"{'A' * 38} {'A' * 50}"))

    assert [bar.guest for bar in bars(table)] == ["A" * 40, f"{'A' * 38}…"]


def test_a_known_table_without_an_order_has_an_empty_row() -> None:
    table = made(order(1, "18:00"))

    assert table.rows[1].lanes == ((Gap(len(table.columns)),),)


def test_orders_that_overlap_stand_in_lanes_of_their_own_and_are_hatched() -> None:
    held = order(1, "19:00")
    rival = order(
        2, "20:00", status="waiting", overlaps=True, overlap=Overlap(1, held.starts_at, held.ends_at), name=None
    )
    table = made(held, rival, order(3, "21:00"))

    assert [[bar[0] for bar in lane] for lane in lanes(table)] == [[1, 3], [2]]
    styles = {bar.order_id: bar.style for bar in bars(table)}
    assert styles == {1: "confirmed", 2: "conflict", 3: "confirmed"}
    [hatched] = [bar for bar in bars(table) if bar.order_id == 2]
    assert [mark.style for mark in hatched.drawing.marks] == ["rim waiting"]  # type: ignore[union-attr]  # a bar has paths alone
    assert hatched.name == ("Guest, 4, 20:00–22:00, waits for an answer, overlaps with order 1, confirmed 19:00–21:00")


def test_an_order_that_lasts_past_midnight_belongs_to_the_day_of_its_start() -> None:
    late = order(1, "23:00", 150)
    table = made(late)

    assert table.columns == ("23:00", "23:30", "00:00", "00:30", "01:00", "01:30", "02:00", "02:30")
    assert lanes(table) == [[(1, 0, 5)]]
    following = DAY + timedelta(days=1)
    assert timetable(following, [late], TABLES, berlin()) is None
    morning = made(late, order(2, "18:00", day=following), day=following)
    assert [bar.order_id for bar in bars(morning)] == [2]


def test_just_after_midnight_the_orders_of_the_evening_still_stand_there() -> None:
    late = order(1, "23:00", 150)
    following = DAY + timedelta(days=1)

    table = made(late, house=berlin("2026-11-30T00:20"), day=following)
    assert table.columns[0] == "00:00"
    assert lanes(table) == [[(1, 0, 3)]]
    assert table.now_x == coordinate_of(20)
    assert timetable(following, [late], TABLES, berlin("2026-11-30T01:31")) is None


def coordinate_of(minutes: int) -> str:
    return f"{minutes / 30 * COLUMN:.1f}".removesuffix(".0")


def test_an_order_of_days_is_cut_off_in_the_morning_after() -> None:
    table = made(order(1, "18:00", 100_000))

    assert (table.columns[0], table.columns[-1]) == ("18:00", "05:30")
    assert lanes(table) == [[(1, 0, 24)]]


def test_a_day_of_25_hours_shows_the_doubled_hour_twice() -> None:
    day = date(2026, 10, 25)
    start = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)  # 02:00 CEST
    first = order(1, "01:00", 60, day=day)
    doubled = order(2, "02:00", 60, day=day, starts_at=start, ends_at=start + timedelta(hours=1))
    again = order(3, "02:00", 60, day=day, starts_at=start + timedelta(hours=1), ends_at=start + timedelta(hours=2))
    table = made(first, doubled, again, day=day, house=berlin("2026-10-25T12:00"))

    assert table.columns[:8] == ("01:00", "01:30", "02:00", "02:30", "02:00 CET", "02:30", "03:00", "03:30")
    assert lanes(table) == [[(1, 0, 2), (2, 2, 4), (3, 4, 6)]]
    whole = made(order(4, "00:00", 25 * 60, day=day), day=day, house=berlin("2026-10-25T12:00"))
    assert len(whole.columns) == 50
    assert whole.columns[-1] == "23:30"


def test_a_day_without_an_order_has_no_timetable() -> None:
    assert timetable(DAY, [], TABLES, berlin()) is None
    assert day_sentence([], DAY, berlin()) == "No table is confirmed or asked for."


def test_a_zone_that_this_machine_does_not_know_is_read_as_utc() -> None:
    house = house_at("Atlantis/Poseidonis", datetime(2026, 11, 29, 23, 30, tzinfo=UTC))

    assert (house.zone.key, house.today) == ("UTC", DAY)
    table = timetable(DAY, [order(1, "18:00", timezone="Atlantis/Poseidonis")], TABLES, house)
    assert table is not None
    assert table.columns[0] == "17:00"


def test_a_table_with_thirty_orders_has_as_many_lanes_as_it_needs() -> None:
    apart = [order(number, f"{6 + number // 2:02}:{30 * (number % 2):02}", 30) for number in range(1, 31)]
    assert len(lanes(made(*apart))) == 1
    together = [order(number, "19:00") for number in range(1, 31)]
    assert [len(lane) for lane in lanes(made(*together))] == [1] * 30


def test_more_tables_than_fit_are_counted_and_those_with_an_order_are_shown() -> None:
    tables = [DeskTable(number, "regular", 2) for number in range(1, MAX_TABLES + 11)]
    busy = order(1, "19:00", table=MAX_TABLES + 10)
    unknown = order(2, "19:00", table=999)
    table = timetable(DAY, [busy, unknown], tables, berlin())

    assert table is not None
    assert len(table.rows) == MAX_TABLES
    assert [row.table.table_id for row in table.rows[-2:]] == [MAX_TABLES + 10, 999]
    assert table.hidden == 11


@pytest.mark.parametrize(
    ("now", "first", "now_x"),
    [
        ("2026-11-29T18:45", "18:00", coordinate_of(45)),
        ("2026-11-29T16:10", "16:00", coordinate_of(10)),
        ("2026-11-29T12:00", "18:00", None),
        ("2026-11-29T23:00", "18:00", None),
        ("2026-11-28T18:45", "18:00", None),
    ],
)
def test_the_present_is_a_line_where_it_is_in_sight(now: str, first: str, now_x: str | None) -> None:
    table = made(order(1, "18:00", 240), house=berlin(now))

    assert (table.columns[0], table.now_x) == (first, now_x)


def test_the_sentence_of_a_day_counts_what_is_known() -> None:
    orders = [
        order(1, "18:00"),
        order(2, "19:00", table=2, guests=None),
        order(3, "20:00", table=2, status="waiting", overlaps=True),
        order(4, "23:00", day=DAY - timedelta(days=1)),
    ]

    assert day_sentence(orders, DAY, berlin()) == (
        "2 orders confirmed for 4 guests, 1 of them without a number of guests; 1 waits; 1 overlaps; "
        "next \u2068Ann\u2069, 4, at 18:00, table 1."
    )
    assert "next" not in day_sentence(orders, DAY, berlin("2026-11-29T20:00"))
    assert "next" not in day_sentence(orders, DAY, berlin("2026-11-28T20:00"))


def test_the_sentence_counts_no_guest_where_none_is_known() -> None:
    unknown = [order(1, "18:00", guests=None), order(2, "19:00", guests=None, table=2)]

    assert day_sentence(unknown, DAY, berlin("2026-11-30T12:00")) == "2 orders confirmed without a number of guests."
    assert day_sentence([order(1, "18:00", status="waiting")], DAY, berlin()) == "No order confirmed; 1 waits."


def test_an_order_that_waited_until_its_time_had_passed_does_not_wait() -> None:
    orders = [order(number, "18:00", status="waiting", overlaps=number == 1, table=number) for number in (1, 2)]

    assert day_sentence(orders, DAY, berlin("2026-11-29T19:59")) == "No order confirmed; 2 wait; 1 overlaps."
    assert day_sentence(orders, DAY, berlin("2026-11-29T20:00")) == "No order confirmed; 2 were not answered."
    assert [unsettled(each, berlin("2026-11-29T20:00")) for each in (*orders, order(3, "18:00"))] == [
        "not answered", "not answered", "",
    ]  # fmt: skip
    [bar, _] = bars(made(*orders, house=berlin("2026-11-29T20:00")))
    assert bar.name == "Ann, 4, 18:00–20:00, was not answered"


def test_after_midnight_the_list_and_the_sentence_have_the_orders_that_still_last() -> None:
    late, following = order(1, "23:00", 150), DAY + timedelta(days=1)

    assert listed_orders([late], following, berlin("2026-11-30T01:29")) == [late]
    assert (
        day_sentence([late], following, berlin("2026-11-30T01:29"))
        == "No order confirmed; 1 earlier order still lasts."
    )
    assert listed_orders([late], following, berlin("2026-11-30T01:30")) == []
    assert listed_orders([late], following, berlin()) == [], "of a day to come only its own"
    assert listed_orders([late], DAY, berlin("2026-11-30T12:00")) == [late]


@given(
    starts=st.lists(st.tuples(st.integers(-600, 1560), st.integers(1, 2000), st.integers(1, 4)), max_size=30),
    now=st.integers(-2000, 3000),
    day=st.sampled_from([DAY, date(2026, 10, 25), date(2026, 3, 29)]),
)
def test_every_order_stands_once_inside_the_timetable(starts: list[tuple[int, int, int]], now: int, day: date) -> None:
    begin, end = start_of_day(day, BERLIN), end_of_day(day, BERLIN)
    orders = []
    for number, (minute, minutes, table_id) in enumerate(starts, 1):
        start = begin + timedelta(minutes=minute)
        own = start.astimezone(BERLIN).date()
        if own <= day and start + timedelta(minutes=minutes) > begin:
            at = {"starts_at": start, "ends_at": start + timedelta(minutes=minutes)}
            orders.append(order(number, "12:00", minutes, table_id, own, **at))
    house = house_at("Europe/Berlin", begin + timedelta(minutes=now))
    table = timetable(day, orders, TABLES, house)
    of_day = {each.id for each in orders if begin <= each.starts_at < end}
    if table is None:
        assert not of_day
        return
    found = [bar.order_id for bar in bars(table)]
    assert len(found) == len(set(found))
    assert set(found) >= of_day
    for number in range(len(table.rows)):
        lanes(table, number)
    for bar in bars(table):
        assert 0 <= bar.indent < COLUMN
        assert bar.drawing.width == bar.columns * COLUMN
    assert table.now_x is None or 0 <= float(table.now_x) <= table.width
