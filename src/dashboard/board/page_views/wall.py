"""What the wall shows: six blocks of counts that are read from four metres away."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.web.charts.marks import Drawing
from common.web.charts.number_text import UNKNOWN, count_text, signed_text
from common.web.charts.small import bar_with_mark
from common.web.page_frame import duration_words
from common.web.words import counted
from dashboard.board.page_views.words import hotel_name, percent_text
from dashboard.bookings.models.summary import FoundSummary, HotelFigures, TotalFigures
from dashboard.front_desk.models import DeskCounts
from dashboard.uptime.fleet_figures import FleetNow
from dashboard.uptime.queries.stores import POLL_COVERAGE

NAMES_SHOWN = 6
"""Stores that are down and shown by name."""


@dataclass(frozen=True)
class HouseRow:
    """A house tonight. of_rooms: what follows the rooms taken, such as `of 60`, or `rooms` where there is no number.

    share: per cent, or how many rooms too many are taken; empty where the rooms of the house are not known.
    """

    name: str
    taken: str
    of_rooms: str
    share: str
    is_over: bool
    bar: Drawing | None


@dataclass(frozen=True)
class Tonight:
    """The houses shown, and in words how many others there are; empty if there are none."""

    taken: str
    of_rooms: str
    rows: Sequence[HouseRow]
    others: str


@dataclass(frozen=True)
class Waiting:
    """The orders that wait. oldest: how long the oldest one has waited; empty without one."""

    number: str
    noun: str
    oldest: str
    is_late: bool


@dataclass(frozen=True)
class StoresDown:
    """The stores that are down. number: a dash where that is not known, and words say why."""

    number: str
    words: str
    names: Sequence[str]
    is_bad: bool


def tonight(found: FoundSummary) -> Tonight:
    """The houses of the page, and the total of all."""
    rest = found.total.hotels - len(found.items)
    return Tonight(
        count_text(found.total.tonight.on_the_books),
        of_rooms(found.total.rooms, found.total.tonight.on_the_books),
        [house_row(hotel) for hotel in found.items],
        f"and {count_text(rest)} more, in the total above" if rest else "",
    )


def house_row(hotel: HotelFigures) -> HouseRow:
    taken, rooms = hotel.tonight.on_the_books, hotel.rooms
    is_over = bool(rooms) and taken > (rooms or 0)
    return HouseRow(
        hotel_name(hotel.hotel_id, hotel.name),
        count_text(taken),
        of_rooms(rooms, taken),
        f"{count_text(taken - (rooms or 0))} too many" if is_over else percent_text(taken, rooms),
        is_over,
        bar_with_mark(taken, None, rooms) if rooms else None,
    )


def of_rooms(rooms: int | None, taken: int) -> str:
    """What follows the rooms that are taken, such as `of 320`; `rooms` where it is not known how many there are."""
    if rooms is not None:
        return f"of {count_text(rooms)}"
    return "room" if taken == 1 else "rooms"


def picked_up(total: TotalFigures) -> tuple[str, str]:
    """What was picked up today, as a number and in words."""
    today = total.today
    booked, cancelled = counted(today.bookings, "night"), count_text(today.cancellations)
    return signed_text(today.net), f"{booked} booked, {cancelled}\N{NO-BREAK SPACE}cancelled"


def waiting(desk: DeskCounts, now: datetime) -> Waiting:
    """The orders that wait now."""
    oldest = "" if desk.oldest is None else duration_words(max(0.0, (now - desk.oldest) / timedelta(seconds=1)))
    return Waiting(
        count_text(desk.waiting), "order waits" if desk.waiting == 1 else "orders wait", oldest, desk.late > 0
    )


def stores_down(fleet: FleetNow, newest_poll: datetime | None, now: datetime) -> StoresDown:
    """The stores that are down now. newest_poll: of any store; without a recent one, no store's state is known."""
    states = fleet.counts()
    if not fleet.has_polls or newest_poll is None:
        return StoresDown(UNKNOWN, "No store was polled yet", (), is_bad=False)
    age = now - newest_poll
    if age > POLL_COVERAGE:
        silent = f"Not known: the last poll was {duration_words(age / timedelta(seconds=1))} ago"
        return StoresDown(UNKNOWN, silent, (), is_bad=True)
    if states.unknown == states.total:
        return StoresDown(UNKNOWN, f"Nothing is known now of {counted(states.total, 'store')}", (), is_bad=True)
    down = fleet.in_state("down")
    names = down[:NAMES_SHOWN]
    if len(down) > NAMES_SHOWN:
        names.append(f"and {count_text(len(down) - NAMES_SHOWN)} more")
    words = f"of {counted(states.total, 'store')}"
    if states.unknown:
        words += f"; nothing is known of {count_text(states.unknown)}"
    return StoresDown(count_text(len(down)), words, names, is_bad=bool(down))
