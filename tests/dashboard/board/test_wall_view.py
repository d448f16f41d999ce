"""The words and figures of the wall."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args

import pytest

from dashboard.board.page_views import wall
from dashboard.bookings.models.summary import FoundSummary, HotelFigures, day_change, nights_ahead
from dashboard.bookings.summary import total_of
from dashboard.front_desk.models import DeskCounts
from dashboard.uptime.fleet_figures import FleetNow
from dashboard.uptime.models.stores import StoreState

STATES: tuple[StoreState, ...] = get_args(StoreState)
NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


def house(hotel_id: int, taken: int, rooms: int | None, name: str | None = None, **changes: Any) -> HotelFigures:
    ahead, none = nights_ahead(taken, None), day_change(0, 0)
    values: dict[str, Any] = {"yesterday": none, "today": none, **changes}
    return HotelFigures(
        hotel_id, name, rooms, date(2026, 11, 29), 0, ahead, ahead, ahead, ahead, values["yesterday"], values["today"],
        [0] * 30, [None] * 30,
    )  # fmt: skip


def found(houses: list[HotelFigures], shown: int = 8) -> FoundSummary:
    return FoundSummary(houses[:shown], None, total_of(houses))


def test_a_house_has_its_rooms_and_the_share_that_is_taken() -> None:
    row = wall.house_row(house(1, 31, 60, "Harbour House"))

    assert (row.name, row.taken, row.of_rooms, row.share, row.is_over) == ("Harbour House", "31", "of 60", "52%", False)
    assert row.bar is not None


def test_of_a_house_without_known_rooms_no_share_is_shown() -> None:
    row = wall.house_row(house(7, 31, None))

    assert (row.name, row.of_rooms, row.share, row.bar) == ("Hotel 7", "rooms", "", None)


def test_one_room_is_one_room() -> None:
    assert wall.house_row(house(7, 1, None)).of_rooms == "room"


def test_more_guests_than_rooms_are_said() -> None:
    row = wall.house_row(house(1, 63, 60))

    assert (row.share, row.is_over) == ("3 too many", True)


@pytest.mark.parametrize(("houses", "words"), [(8, ""), (20, "and 12 more, in the total above")])
def test_houses_that_are_not_shown_are_counted(houses: int, words: str) -> None:
    shown = wall.tonight(found([house(number, 10, 20) for number in range(houses)]))

    assert (len(shown.rows), shown.others) == (8, words)
    assert (shown.taken, shown.of_rooms) == (str(10 * houses), f"of {20 * houses}")


def test_what_was_picked_up_has_its_sign() -> None:
    houses = [house(1, 0, 9, today=day_change(5, 7)), house(2, 0, 9, today=day_change(1, 0))]

    assert wall.picked_up(total_of(houses)) == ("−1", "6 nights booked, 7\u00a0cancelled")
    assert wall.picked_up(total_of(houses[1:])) == ("+1", "1 night booked, 0\u00a0cancelled")


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (DeskCounts(0, 0, None, 4), ("0", "orders wait", "", False)),
        (DeskCounts(1, 0, NOW - timedelta(minutes=4), 0), ("1", "order waits", "4 min", False)),
        (DeskCounts(3, 1, NOW - timedelta(minutes=75), 0), ("3", "orders wait", "1 h 15 min", True)),
        (DeskCounts(1, 0, NOW + timedelta(seconds=2), 0), ("1", "order waits", "0 s", False)),
    ],
)
def test_the_orders_that_wait_are_counted(counts: DeskCounts, expected: tuple[str, str, str, bool]) -> None:
    shown = wall.waiting(counts, NOW)

    assert (shown.number, shown.noun, shown.oldest, shown.is_late) == expected


def fleet(**states: int) -> FleetNow:
    """So many stores in each state, whose ids begin with it."""
    found: dict[str, StoreState] = {f"{state} {n}": state for state in STATES for n in range(states.get(state, 0))}
    return FleetNow(NOW, 1, found)


@pytest.mark.parametrize(
    ("stores", "poll", "number", "words", "is_bad"),
    [
        ({}, None, "–", "No store was polled yet", False),
        ({"never_polled": 2}, None, "–", "No store was polled yet", False),
        ({"up": 150, "closed": 50}, timedelta(minutes=20), "0", "of 200 stores", False),
        ({"down": 1}, timedelta(minutes=20), "1", "of 1 store", True),
        ({"up": 200}, timedelta(minutes=91), "–", "Not known: the last poll was 1 h 31 min ago", True),
        ({"up": 50, "stale": 140, "never_polled": 10}, timedelta(minutes=20), "0",
         "of 200 stores; nothing is known of 150", False),
        ({"stale": 1}, timedelta(minutes=20), "–", "Nothing is known now of 1 store", True),
    ],
)  # fmt: skip
def test_the_stores_that_are_down_are_counted_where_that_is_known(
    stores: dict[str, int], poll: timedelta | None, number: str, words: str, is_bad: bool
) -> None:
    shown = wall.stores_down(fleet(**stores), None if poll is None else NOW - poll, NOW)

    assert (shown.number, shown.words, shown.is_bad) == (number, words, is_bad)


def test_many_stores_are_cut_off_in_words() -> None:
    shown = wall.stores_down(fleet(down=9, up=11), NOW, NOW)

    assert shown.number == "9"
    assert shown.names == [*(f"down {number}" for number in range(6)), "and 3 more"]
