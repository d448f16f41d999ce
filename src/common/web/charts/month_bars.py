"""Bars of this year beside marks of last year, such as the pace of twelve months.

The wide drawing has upright bars, the narrow one level bars, so that its labels have room.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from common.web.charts.frame import WIDE, Frame, centred, label_axis, value_axis
from common.web.charts.marks import Chart, Drawing, Key, Mark, Numbers, Path, Row, Text, Words, box_key
from common.web.charts.number_text import count_text, signed_text
from common.web.charts.path import Box, Point, boxes, coordinate, strokes
from common.web.charts.scale import Scale, count_ticks

ROW = 26
"""The height of a level bar and the space around it."""
OUTLINE, BAR, TICK = 0.72, 0.46, 0.84
"""Shares of the width of a month."""

BoxOf = Callable[[int, float, float], Box]
TickOf = Callable[[int, float], tuple[Point, Point]]


@dataclass(frozen=True, slots=True)
class MonthBar:
    """One month. last_year: how it ended. then: at the same time last year. None where it is unknown.

    past: the month is over; its bar loses its fill. address: where its name in the table leads.
    """

    name: str
    now: float
    then: float | None
    last_year: float | None
    past: bool = False
    address: str | None = None

    @property
    def difference(self) -> float | None:
        """How far the month is ahead of the same time last year."""
        return None if self.then is None else self.now - self.then

    @property
    def longest(self) -> float:
        """The value that reaches furthest."""
        return max(self.now, self.then or 0, self.last_year or 0)


def month_bars(months: Sequence[MonthBar], words: Words) -> Chart:
    """A chart of months. The series: now, same time last year, last year, the difference (in the table)."""
    now, then, last_year, _ = words.series
    tick = Key((Path("then-tick", "M1 6H23"),), then)
    return Chart(
        words.title,
        words.finding,
        (box_key("bar", now), tick, box_key("last-year", last_year)),
        _draw_upright(months),
        _draw_level(months),
        Numbers((words.first_column, *words.series), tuple(_row(month) for month in months)),
    )


def _row(month: MonthBar) -> Row:
    cells = (
        count_text(month.now),
        count_text(month.then),
        count_text(month.last_year),
        signed_text(month.difference),
    )
    return Row(month.name, cells, month.address)


def _draw_upright(months: Sequence[MonthBar]) -> Drawing:
    ticks = count_ticks(max((month.longest for month in months), default=0), 6)
    frame = WIDE.with_room_for(map(count_text, ticks))
    # The label of a month that reaches the top needs room above it.
    y = Scale(0, ticks[-1], frame.bottom, frame.top + 12)
    band = (frame.right - frame.left) / max(1, len(months))
    middles = [frame.left + band * (number + 0.5) for number in range(len(months))]

    def box(number: int, value: float, share: float) -> Box:
        half = band * share / 2
        return Box(middles[number] - half, y(value), middles[number] + half, frame.bottom)

    def tick(number: int, value: float) -> tuple[Point, Point]:
        half = band * TICK / 2
        return (middles[number] - half, y(value)), (middles[number] + half, y(value))

    marks = [
        *value_axis(frame, y, ticks),
        *label_axis(frame, ((middle, month.name) for middle, month in zip(middles, months, strict=True))),
        *_bars_and_ticks(months, box, tick),
        *(
            centred(frame, _label_style(month), (middles[number], y(month.longest) - 7), signed_text(month.difference))
            for number, month in enumerate(months)
            if month.then is not None
        ),
    ]
    return frame.drawing(marks, _middles_of_ends(middles))


def _draw_level(months: Sequence[MonthBar]) -> Drawing:
    bottom = 8 + ROW * max(1, len(months))
    frame = Frame(width=360, height=bottom + 30, left=44, right=306, top=8, bottom=bottom, character=8.2)
    furthest = max((1.0, *(month.longest for month in months)))
    ticks = [tick for tick in count_ticks(furthest, 4) if tick <= furthest]
    x = frame.x(0, furthest)
    middles = [frame.top + ROW * (number + 0.5) for number in range(len(months))]

    def box(number: int, value: float, share: float) -> Box:
        half = ROW * share / 2
        return Box(frame.left, middles[number] - half, x(value), middles[number] + half)

    def tick(number: int, value: float) -> tuple[Point, Point]:
        half = ROW * TICK / 2
        return (x(value), middles[number] - half), (x(value), middles[number] + half)

    marks: list[Mark] = [Path("grid", strokes(((x(at), frame.top), (x(at), frame.bottom)) for at in ticks))]
    marks += label_axis(frame, ((x(at), count_text(at)) for at in ticks))
    marks += _bars_and_ticks(months, box, tick)
    for month, middle in zip(months, middles, strict=True):
        marks.append(Text("axis end", str(frame.left - 7), coordinate(middle + 4), month.name))
        if month.then is not None:
            text = signed_text(month.difference)
            left = min(x(month.longest) + 7, frame.width - frame.text_width(text))
            marks.append(Text(_label_style(month), coordinate(left), coordinate(middle + 4), text))
    return frame.drawing(marks)


def _bars_and_ticks(months: Sequence[MonthBar], box: BoxOf, tick: TickOf) -> list[Mark]:
    """One path for each style."""
    numbered = list(enumerate(months))
    ticks = strokes(tick(number, month.then) for number, month in numbered if month.then is not None)
    return [
        Path("last-year", boxes(box(n, month.last_year, OUTLINE) for n, month in numbered if month.last_year)),
        Path("bar", boxes(box(number, month.now, BAR) for number, month in numbered if not month.past)),
        Path("bar past", boxes(box(number, month.now, BAR) for number, month in numbered if month.past)),
        Path("halo", ticks),
        Path("then-tick", ticks),
    ]


def _label_style(month: MonthBar) -> str:
    difference = month.difference or 0
    return "label ahead" if difference > 0 else "label behind" if difference < 0 else "label"


def _middles_of_ends(middles: Sequence[float]) -> tuple[float, float] | None:
    return (middles[0], middles[-1]) if middles else None
