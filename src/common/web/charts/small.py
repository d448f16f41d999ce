"""Drawings for cells of tables and lines of text; the numbers stand beside them."""

from collections.abc import Sequence
from dataclasses import dataclass

from common.web.charts.frame import Frame
from common.web.charts.marks import Drawing, Path, SmallChart
from common.web.charts.path import Box, Point, area, boxes, line, place, strokes
from common.web.charts.scale import Scale

SPARKLINE = Frame(width=120, height=30, left=2, right=118, top=3, bottom=27)
STRIP = Frame(width=118, height=30, left=1, right=117, top=1, bottom=29)
BAR = Frame(width=144, height=16, left=1, right=143, top=3, bottom=13)


@dataclass(frozen=True, slots=True)
class Sparkline:
    """Values at equal distances, drawn as an area, and last year's, drawn as a line. None is a gap.

    lowest, highest: the ends of the axis; None for 0 and the highest value.
    """

    values: Sequence[float | None]
    before: Sequence[float | None] = ()
    lowest: float | None = None
    highest: float | None = None


def sparkline(data: Sparkline, title: str, finding: str) -> SmallChart:
    """A line without axes."""
    frame = SPARKLINE
    known = [value for value in (*data.values, *data.before) if value is not None]
    highest = max(known, default=0) if data.highest is None else data.highest
    y = Scale(data.lowest or 0, max(highest, (data.lowest or 0) + 1e-9), frame.bottom, frame.top)
    x = frame.x(0, max(len(data.values), len(data.before)) - 1)
    values = place(range(len(data.values)), data.values, x, y)
    before = place(range(len(data.before)), data.before, x, y)
    paths = (Path("fill", area(values, frame.bottom)), Path("now", line(values)), Path("then", line(before)))
    return SmallChart(title, finding, frame.drawing(paths))


def step_line(values: Sequence[float | None], title: str, finding: str) -> SmallChart:
    """Values at equal distances, each of which holds until the next one, between the lowest and the highest of them.

    None is a gap. Coordinates are whole numbers, since a page has many of these drawings.
    """
    frame = SPARKLINE
    known = [value for value in values if value is not None]
    y = Scale(min(known, default=0), max(known, default=0), frame.bottom, frame.top)
    x = frame.x(0, max(1, len(values)))
    spans: list[Point | None] = []
    for number, value in enumerate(values):
        if value is None:
            spans.append(None)
        else:
            spans += [(round(x(number)), round(y(value))), (round(x(number + 1)), round(y(value)))]
    return SmallChart(title, finding, frame.drawing([Path("now", line(spans))]))


def month_strip(differences: Sequence[float | None], reach: float, title: str, finding: str) -> SmallChart:
    """A column for each month: blue and upwards where it is ahead, orange and downwards where it is behind.

    differences: None where last year is unknown. reach: the difference whose column has the full height.
    """
    frame = STRIP
    middle = (frame.top + frame.bottom) / 2
    y = Scale(-abs(reach), abs(reach), frame.bottom, frame.top)
    step = (frame.right - frame.left) / max(1, len(differences))
    columns = [(frame.left + step * number + 1, difference) for number, difference in enumerate(differences)]
    ahead = [(left, max(0.8, middle - y(value))) for left, value in columns if value is not None and value > 0]
    behind = [(left, max(0.8, y(value) - middle)) for left, value in columns if value is not None and value < 0]
    known = [left for left, value in columns if value is not None]
    paths = (
        Path("grid", strokes(((left, middle), (left + step - 2, middle)) for left in known)),
        Path("bar", boxes(Box(left, middle - height, left + step - 2, middle) for left, height in ahead)),
        Path("lost", boxes(Box(left, middle, left + step - 2, middle + height) for left, height in behind)),
    )
    return SmallChart(title, finding, frame.drawing(paths))


def bar_with_mark(value: float, mark: float | None, maximum: float) -> Drawing:
    """A level bar in an outline up to the maximum, and an upright mark of last year, beside both as numbers."""
    frame = BAR
    x = frame.x(0, max(maximum, value, mark or 0, 1))
    tick = strokes([((x(mark), 1), (x(mark), frame.height - 1))]) if mark is not None else ""
    bar = boxes([Box(frame.left, frame.top, x(value), frame.bottom)])
    track = boxes([Box(frame.left, frame.top, x(max(maximum, 1)), frame.bottom)])
    return frame.drawing((Path("track", track), Path("bar", bar), Path("halo", tick), Path("then-tick", tick)))


COLUMN = Frame(width=120, height=44, left=30, right=90, top=2, bottom=43)


def upright_bar(style: str, value: float, highest: float) -> Drawing:
    """A column of a histogram on its base line; the highest has the full height, and any value can be seen."""
    frame = COLUMN
    height = max(2.0, (frame.bottom - frame.top) * value / highest) if value > 0 and highest > 0 else 0.0
    column = boxes([Box(frame.left, frame.bottom - height, frame.right, frame.bottom)])
    base = strokes([((0, frame.bottom), (frame.width, frame.bottom))])
    return frame.drawing((Path("grid", base), Path(style, column)))
