"""Two bars beside each other for each range of something, such as nights booked and cancelled by days ahead."""

from collections.abc import Sequence
from dataclasses import dataclass

from common.web.charts.frame import WIDE, Frame, centred, label_axis, value_axis
from common.web.charts.marks import Chart, Drawing, Mark, Numbers, Path, Row, Text, Words, box_key
from common.web.charts.number_text import count_text
from common.web.charts.path import Box, boxes, coordinate, strokes
from common.web.charts.scale import Scale, count_ticks

ROW = 36
"""The height of a pair of level bars and the space around it."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The values of a range; `gained` is drawn blue, `lost` orange and without a sign: both are counts."""

    name: str
    gained: int
    lost: int


def pairs(data: Sequence[Pair], words: Words) -> Chart:
    """A chart of pairs. The series: gained, lost."""
    gained, lost = words.series
    return Chart(
        words.title,
        words.finding,
        (box_key("bar", gained), box_key("lost", lost)),
        _draw_upright(data),
        _draw_level(data),
        Numbers(
            (words.first_column, gained, lost),
            tuple(Row(pair.name, (count_text(pair.gained), count_text(pair.lost))) for pair in data),
        ),
    )


def _draw_upright(data: Sequence[Pair]) -> Drawing:
    ticks = count_ticks(max((max(pair.gained, pair.lost) for pair in data), default=0), 6)
    frame = WIDE.with_room_for(map(count_text, ticks))
    y = Scale(0, ticks[-1], frame.bottom, frame.top + 12)
    band = (frame.right - frame.left) / max(1, len(data))
    middles = [frame.left + band * (number + 0.5) for number in range(len(data))]
    away = min(19.0, band / 4)
    half = away * 0.84

    def bars(values: Sequence[int], side: float) -> str:
        return boxes(
            Box(middle + side - half, y(value), middle + side + half, frame.bottom)
            for middle, value in zip(middles, values, strict=True)
        )

    def labels(values: Sequence[int], side: float) -> list[Text]:
        return [
            centred(frame, "label", (middle + side, y(value) - 6), count_text(value))
            for middle, value in zip(middles, values, strict=True)
            if frame.text_width(count_text(value)) <= band / 2
        ]

    gained, lost = [pair.gained for pair in data], [pair.lost for pair in data]
    marks = [
        *value_axis(frame, y, ticks),
        *label_axis(frame, ((middle, pair.name) for middle, pair in zip(middles, data, strict=True))),
        Path("bar", bars(gained, -away)),
        Path("lost", bars(lost, away)),
        *labels(gained, -away),
        *labels(lost, away),
    ]
    return frame.drawing(marks, (middles[0], middles[-1]) if middles else None)


def _draw_level(data: Sequence[Pair]) -> Drawing:
    bottom = 4 + ROW * max(1, len(data))
    frame = Frame(width=360, height=bottom + 4, left=56, right=308, top=4, bottom=bottom, character=8.2)
    x = frame.x(0, max((1, *(max(pair.gained, pair.lost) for pair in data))))
    tops = [frame.top + ROW * number for number in range(len(data))]

    def bars(values: Sequence[int], down: float) -> str:
        return boxes(
            Box(frame.left, top + down, x(value), top + down + 12) for top, value in zip(tops, values, strict=True)
        )

    marks: list[Mark] = [
        Path("grid", strokes([((frame.left, frame.top), (frame.left, frame.bottom))])),
        Path("bar", bars([pair.gained for pair in data], 5)),
        Path("lost", bars([pair.lost for pair in data], 19)),
    ]
    for top, pair in zip(tops, data, strict=True):
        marks.append(Text("axis end", str(frame.left - 7), coordinate(top + 22), pair.name))
        for value, down in ((pair.gained, 15.5), (pair.lost, 29.5)):
            text = count_text(value)
            left = min(x(value) + 5, frame.width - frame.text_width(text))
            marks.append(Text("label", coordinate(left), coordinate(top + down), text))
    return frame.drawing(marks)
