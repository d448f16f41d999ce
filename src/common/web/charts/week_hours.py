"""Days as rows of 24 hours, such as the week of a store: when it was open, up and down, and when it was polled.

The hours are those of a clock on the wall. An hour that the clocks show twice is drawn in two halves, the first pass
above the second; one that they skip stays empty.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from common.web.charts.frame import Frame, label_axis
from common.web.charts.marks import Chart, Drawing, Key, Mark, Numbers, Path, Row, Text, Words, box_key
from common.web.charts.path import Box, boxes, coordinate, hatching, strokes
from common.web.charts.scale import Scale

HOURS = 24
ROW = 26
"""The height of a row and the space to the next."""
BAR = 15
"""The height of its bar; the polls are ticks below it."""
TICK = 5
TICK_SPACE = 2.0
"""Ticks of one kind that are nearer to each other than this are one."""
WIDE = Frame(width=760, height=0, left=92, right=750, top=4, bottom=0)
NARROW = Frame(width=360, height=0, left=62, right=352, top=4, bottom=0, character=8.2)
WIDE_HOURS, NARROW_HOURS = 3, 6
"""How many hours the labels of the axis are apart."""

TICKS = {True: "now-tick", False: "then-tick", None: "track"}
"""The style of a tick, by whether the poll was answered."""

Pass = Literal["only", "first", "second"]


@dataclass(frozen=True, slots=True)
class HourSpan:
    """A time of a day, in hours by the clock, 0 to 24. turn: which pass of an hour that the clocks show twice."""

    start: float
    end: float
    turn: Pass = "only"


@dataclass(frozen=True, slots=True)
class Tick:
    """A poll, by its hour; good: whether it was answered, None where it does not count."""

    hour: float
    good: bool | None


@dataclass(frozen=True, slots=True)
class WeekRow:
    """One day. unknown: the open time that nobody observed, of which up and down are not drawn.

    name, short: its label where there is room, and on a phone. now: the hour that it is on this day. cells: its row in
    the table after its name; address: where the name leads.
    """

    name: str
    short: str
    open: Sequence[HourSpan]
    up: Sequence[HourSpan]
    down: Sequence[HourSpan]
    unknown: Sequence[HourSpan]
    polls: Sequence[Tick]
    cells: tuple[str, ...]
    address: str | None = None
    now: float | None = None


def week_hours(rows: Sequence[WeekRow], columns: tuple[str, ...], words: Words) -> Chart:
    """A chart of days. The series: open, up, down, not observed; polls that were answered, were not, do not count.

    columns: heads of the table after the first.
    """
    is_open, up, down, unknown, *polls = words.series
    hatched = Key((Path("bad", hatching(Box(1, 1, 23, 11), 5)),), down)
    ticks = (Key((Path(style, "M12 3V9"),), name) for style, name in zip(TICKS.values(), polls, strict=True))
    return Chart(
        words.title,
        words.finding,
        (box_key("fill", is_open), box_key("bar", up), hatched, box_key("unknown", unknown), *ticks),
        _draw(rows, WIDE, WIDE_HOURS, [row.name for row in rows]),
        _draw(rows, NARROW, NARROW_HOURS, [row.short for row in rows]),
        Numbers((words.first_column, *columns), tuple(Row(row.name, row.cells, row.address) for row in rows)),
    )


def _draw(rows: Sequence[WeekRow], size: Frame, step: int, names: Sequence[str]) -> Drawing:
    bottom = size.top + ROW * max(1, len(rows))
    frame = replace(size, height=bottom + 24, bottom=bottom)
    x = frame.x(0, HOURS)
    hours = range(0, HOURS + 1, step)
    marks: list[Mark] = [
        Path("grid", strokes(((x(hour), frame.top), (x(hour), frame.bottom)) for hour in hours)),
        *label_axis(frame, ((x(hour), f"{hour:02}") for hour in hours)),
    ]
    for number, (row, name) in enumerate(zip(rows, names, strict=True)):
        marks += _row(row, name, frame, x, frame.top + ROW * number + 2)
    return replace(frame.drawing(marks), plot=None)


def _row(row: WeekRow, name: str, frame: Frame, x: Scale, top: float) -> Iterable[Mark]:
    base = top + BAR
    yield Text("axis end", str(frame.left - 7), coordinate(top + 12), name)
    yield Path("fill", boxes(_box(span, x, top, base + TICK) for span in row.open))
    yield Path("bar", boxes(_half(span, x, top) for span in row.up))
    down = [_half(span, x, top) for span in row.down]
    yield Path("bad-ground", boxes(down))
    yield Path("bad", "".join(hatching(box, 5) for box in down))
    yield Path("unknown", boxes(_half(span, x, top) for span in row.unknown))
    for good, style in TICKS.items():
        yield Path(style, _ticks((tick.hour for tick in row.polls if tick.good is good), x, base))
    if row.now is not None:
        yield Path("today", strokes([((x(row.now), top - 1), (x(row.now), base + TICK + 1))]))


def _box(span: HourSpan, x: Scale, top: float, bottom: float) -> Box:
    return Box(x(span.start), top, x(span.end), bottom)


def _half(span: HourSpan, x: Scale, top: float) -> Box:
    """The bar of a time; a half of it where the clocks show the hour twice."""
    middle = top + BAR / 2
    return _box(span, x, middle if span.turn == "second" else top, middle if span.turn == "first" else top + BAR)


def _ticks(hours: Iterable[float], x: Scale, top: float) -> str:
    kept: list[float] = []
    for at in sorted(map(x, hours)):
        if not kept or at - kept[-1] >= TICK_SPACE:
            kept.append(at)
    return strokes(((at, top), (at, top + TICK)) for at in kept)
