"""The day by table: half-hours as columns, and the orders of each table as bars in as many lanes as they need."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from common.time_zones import end_of_day, start_of_day, zone_abbreviation
from common.web.charts.marks import Drawing, Path
from common.web.charts.path import Box, boxes, coordinate
from common.web.words import counted
from dashboard.front_desk.house import House
from dashboard.front_desk.models import DayOrder, DeskTable
from dashboard.front_desk.page_views.words import clock, isolated, short_name, span

STEP = timedelta(minutes=30)
COLUMN = 48
"""The width of a half-hour in pixels: the shortest bar can still be touched."""
HEIGHT = 48
LEAST_COLUMNS = 8
AFTER_MIDNIGHT = timedelta(hours=6)
"""How far beyond its day a timetable goes; what lasts longer is cut off there."""
BEFORE_FIRST = timedelta(hours=2)
"""The timetable of today begins now if its first order starts within so much time."""
MAX_TABLES = 60


@dataclass(frozen=True)
class Bar:
    """An order in its lane.

    style: a class. columns: the half-hours that it touches. guest, party: the label, such as `Ann` and `, 4`. indent:
    how far from the left of its first column it begins, in pixels. name: for a screen reader.
    """

    order_id: int
    style: str
    columns: int
    guest: str
    party: str
    indent: int
    name: str
    drawing: Drawing


@dataclass(frozen=True)
class Gap:
    """Half-hours of a lane in which no order is. columns: how many."""

    columns: int


Cell = Bar | Gap


@dataclass(frozen=True)
class TableRow:
    """A table, and its orders in lanes within which none touches the half-hour of another."""

    table: DeskTable
    lanes: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Timetable:
    """The day by table.

    columns: the half-hours by the clocks of the restaurant, with the zone's abbreviation where the clocks change.
    now_x: where the present is, in pixels; None outside. hidden: how many tables without an order are left out.
    """

    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]
    now_x: str | None
    hidden: int

    @property
    def width(self) -> int:
        return len(self.columns) * COLUMN


def timetable(day: date, orders: Sequence[DayOrder], tables: Sequence[DeskTable], house: House) -> Timetable | None:
    """The timetable of a day; None without an order.

    tables: those known, which are shown without an order too, as far as there is room.
    """
    window = _window(day, orders, house)
    if window is None:
        return None
    first, columns = window
    last = first + columns * STEP
    shown = [order for order in orders if order.starts_at < last and order.ends_at > first]
    ordered: dict[int, list[DayOrder]] = {}
    for order in shown:
        ordered.setdefault(order.table_id, []).append(order)
    known = {each.table_id: each for each in tables}
    for table_id, (order, *_) in ordered.items():
        known.setdefault(table_id, DeskTable(table_id, order.table_type, order.seats))
    idle = sorted(table_id for table_id in known if table_id not in ordered)
    room = max(0, MAX_TABLES - len(ordered))
    rows = tuple(
        TableRow(known[table_id], _lanes(ordered.get(table_id, ()), first, columns, house))
        for table_id in sorted([*ordered, *idle[:room]])
    )
    now = house.now
    now_x = coordinate((now - first) / STEP * COLUMN) if first <= now < last else None
    return Timetable(_labels(first, columns, house), rows, now_x, len(idle[room:]))


def _window(day: date, orders: Sequence[DayOrder], house: House) -> tuple[datetime, int] | None:
    """The first half-hour and the number of half-hours: from the first start to the last end, in whole hours."""
    begin, end = start_of_day(day, house.zone), end_of_day(day, house.zone)
    listed = listed_orders(orders, day, house)
    if not listed:
        return None
    first = max(begin, min(order.starts_at for order in listed))
    last = min(max(order.ends_at for order in listed), end + AFTER_MIDNIGHT)
    if begin <= house.now < first <= house.now + BEFORE_FIRST:
        first = house.now
    local = first.astimezone(house.zone)
    first -= timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    columns = max(LEAST_COLUMNS, -((first - last) // STEP))
    return first, columns + columns % 2


def listed_orders(orders: Sequence[DayOrder], day: date, house: House) -> list[DayOrder]:
    """The orders of a day; of today also those of the days before whose time has not passed."""
    return [order for order in orders if order.day == day or (day == house.today and order.ends_at > house.now)]


def _labels(first: datetime, columns: int, house: House) -> tuple[str, ...]:
    labels, before = [], first.astimezone(house.zone).utcoffset()
    for number in range(columns):
        local = (first + number * STEP).astimezone(house.zone)
        change = "" if local.utcoffset() == before else f" {zone_abbreviation(local)}"
        labels.append(f"{local:%H:%M}{change}")
        before = local.utcoffset()
    return tuple(labels)


def _lanes(orders: Sequence[DayOrder], first: datetime, columns: int, house: House) -> tuple[tuple[Cell, ...], ...]:
    """The orders by start, each in the first lane that has nothing yet in the half-hours that it touches."""
    lanes: list[list[Cell]] = []
    used: list[int] = []
    for order in sorted(orders, key=lambda each: (each.starts_at, each.id)):
        left, right = (order.starts_at - first) / STEP, (order.ends_at - first) / STEP
        start = max(0, int(left))
        end = min(columns, max(start + 1, -int(-right // 1)))
        lane = next((number for number, last in enumerate(used) if last <= start), len(used))
        if lane == len(used):
            lanes.append([])
            used.append(0)
        lanes[lane] += _gap(start - used[lane])
        lanes[lane].append(_bar(order, left - start, right - start, end - start, house))
        used[lane] = end
    if not lanes:
        return ((Gap(columns),),)
    return tuple((*lane, *_gap(columns - last)) for lane, last in zip(lanes, used, strict=True))


def _gap(columns: int) -> list[Cell]:
    return [Gap(columns)] if columns else []


def _bar(order: DayOrder, left: float, right: float, columns: int, house: House) -> Bar:
    """left, right: the ends of the order in half-hours from its first column; what is outside is cut off."""
    width = columns * COLUMN
    box = Box(max(1.0, left * COLUMN), 2, min(width - 1.0, right * COLUMN), HEIGHT - 2)
    style = f"rim {order.status}" if order.overlaps else "bar" if order.status == "confirmed" else "past"
    guest, party = short_name(order.name or "Guest"), "" if order.guests is None else f", {order.guests}"
    state = {"": "confirmed", "waits": "waits for an answer"}.get(unsettled(order, house), "was not answered")
    conflict, indent = "", max(0, round(left * COLUMN))
    if order.overlap is not None:
        other = order.overlap
        conflict = (
            f", overlaps with order {other.order_id}, confirmed {span(other.starts_at, other.ends_at, house.zone)}"
        )
    name = f"{guest}{party}, {span(order.starts_at, order.ends_at, house.zone)}, {state}{conflict}"
    return Bar(
        order.id,
        "conflict" if order.overlaps else order.status,
        columns,
        guest,
        party,
        indent,
        name,
        Drawing(width, HEIGHT, (Path(style, boxes([box])),)),
    )


def unsettled(order: DayOrder, house: House) -> str:
    """`waits` for an order that waits, `not answered` for one that waited until its time had passed, else nothing."""
    if order.status == "confirmed":
        return ""
    return "waits" if order.ends_at > house.now else "not answered"


def day_sentence(orders: Sequence[DayOrder], day: date, house: House) -> str:
    """How many orders of a day are confirmed and wait, for how many guests, and who comes next."""
    listed = listed_orders(orders, day, house)
    if not listed:
        return "No table is confirmed or asked for."
    of_day = [order for order in listed if order.day == day]
    confirmed = [order for order in of_day if order.status == "confirmed"]
    parts = [f"{counted(len(confirmed), 'order') if confirmed else 'No order'} confirmed{_guests(confirmed)}"]
    waiting = [order for order in of_day if unsettled(order, house) == "waits"]
    if waiting:
        parts.append(f"{len(waiting)} {'waits' if len(waiting) == 1 else 'wait'}")
    unanswered = len(of_day) - len(confirmed) - len(waiting)
    if unanswered:
        parts.append(f"{unanswered} {'was' if unanswered == 1 else 'were'} not answered")
    conflicts = sum(order.overlaps for order in (*confirmed, *waiting))
    if conflicts:
        parts.append(f"{conflicts} {'overlaps' if conflicts == 1 else 'overlap'}")
    earlier = len(listed) - len(of_day)
    if earlier:
        parts.append(f"{counted(earlier, 'earlier order')} still {'lasts' if earlier == 1 else 'last'}")
    coming = [order for order in confirmed if order.starts_at >= house.now]
    if day == house.today and coming:
        following = coming[0]
        guest = isolated(short_name(following.name or "a guest"))
        size = "" if following.guests is None else f", {following.guests}"
        at = clock(following.starts_at, house.zone)
        parts.append(f"next {guest}{size}, at {at}, table {following.table_id}")
    return f"{'; '.join(parts)}."


def _guests(confirmed: Sequence[DayOrder]) -> str:
    """For how many guests the orders are; those without a number are not counted as nobody."""
    known = [order.guests for order in confirmed if order.guests is not None]
    unknown = len(confirmed) - len(known)
    parts = [f" for {counted(sum(known), 'guest')}"] if known else []
    if unknown:
        parts.append(f" {unknown} of them without a number of guests" if known else " without a number of guests")
    return ",".join(parts)
