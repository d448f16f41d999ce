"""A line of one figure a month, such as the rate of cancellations."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from common.web.charts.frame import LINE, NARROW, WIDE, Frame, centred, label_axis, value_axis
from common.web.charts.marks import Chart, Drawing, Numbers, Path, Row, Text, Words, line_key
from common.web.charts.number_text import count_text
from common.web.charts.path import Box, Series, dot, line, place
from common.web.charts.scale import Scale, count_ticks

ABOVE, BELOW = -10, 20
GAP = 1.5


@dataclass(frozen=True, slots=True)
class MonthFigure:
    """A month and its figure; None where there is none."""

    name: str
    value: float | None


def month_line(months: Sequence[MonthFigure], unit: str, words: Words) -> Chart:
    """A chart of months. The series: the figure. unit: follows the figures, such as `%`."""
    (series,) = words.series
    return Chart(
        words.title,
        words.finding,
        (line_key("now", series),),
        _draw(months, unit, WIDE),
        _draw(months, unit, NARROW),
        Numbers(
            (words.first_column, series),
            tuple(Row(month.name, (_figure_text(month.value, unit),)) for month in months),
        ),
    )


def _draw(months: Sequence[MonthFigure], unit: str, size: Frame) -> Drawing:
    highest = max((month.value for month in months if month.value is not None), default=0)
    ticks = count_ticks(highest, 3)
    frame = replace(size, height=170, bottom=140).with_room_for(count_text(tick) + unit for tick in ticks)
    y = Scale(0, ticks[-1], frame.bottom, frame.top + LINE)
    band = (frame.right - frame.left) / max(1, len(months))
    middles = [frame.left + band * (number + 0.5) for number in range(len(months))]
    across = Scale(frame.left, frame.right, frame.left, frame.right)
    points = place(middles, (month.value for month in months), across, y)
    texts = [_figure_text(month.value, unit) for month in months]
    marks = [
        *value_axis(frame, y, ticks, lambda tick: count_text(tick) + unit),
        *label_axis(frame, ((middle, month.name) for middle, month in zip(middles, months, strict=True))),
        Path("now", line(points)),
        Path("dot", "".join(dot(point) for point in points if point is not None)),
        *_labels(frame, points, texts),
    ]
    return frame.drawing(marks, (middles[0], middles[-1]) if middles else None)


def _labels(frame: Frame, points: Series, texts: Sequence[str]) -> list[Text]:
    """The figures above their points, and below those that lie lower than their neighbours; none touches another."""
    labels: list[Text] = []
    taken: list[Box] = []
    for number, point in enumerate(points):
        if point is None:
            continue
        beside = [other for other in (*points[max(0, number - 1) : number], *points[number + 1 : number + 2]) if other]
        valley = bool(beside) and all(other[1] < point[1] for other in beside)
        half = frame.text_width(texts[number]) / 2 + GAP
        for down in (BELOW, ABOVE) if valley else (ABOVE, BELOW):
            at = (point[0], point[1] + down)
            box = Box(at[0] - half, at[1] - LINE, at[0] + half, at[1])
            if at[1] < frame.bottom and not any(_touch(box, other) for other in taken):
                taken.append(box)
                labels.append(centred(frame, "label", at, texts[number]))
                break
    return labels


def _touch(one: Box, other: Box) -> bool:
    return one.left < other.right and other.left < one.right and one.top < other.bottom and other.top < one.bottom


def _figure_text(value: float | None, unit: str) -> str:
    """A figure with its decimal, so that all have one."""
    return count_text(None) if value is None else f"{value:,.1f}{unit}"
