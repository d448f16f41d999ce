"""The sizes of charts, their axes, and labels that stay inside and clear of lines."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from common.web.charts.marks import Drawing, Mark, Path, Text
from common.web.charts.number_text import count_text
from common.web.charts.path import Box, Point, Series, coordinate, strokes
from common.web.charts.scale import DayTick, Scale

LINE = 15
"""The height of a line of text."""
SAMPLE = 40
"""How many points of a line are enough to find a free place for a label."""

BESIDE = 6
"""How far a label beside a point is from the x of the point, so that it is clear of an upright line there."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A size of drawing, the edges of its plot, and the width of a character of a label, at most nearly."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    character: float = 7.4

    def text_width(self, text: str) -> float:
        """The width of a label, at most nearly."""
        return len(text) * self.character

    def with_room_for(self, labels: Iterable[str]) -> "Frame":
        """The frame whose plot begins where the widest label of the value axis ends."""
        widest = max(map(self.text_width, labels), default=0)
        return replace(self, left=max(self.left, round(widest) + 8))

    @property
    def most_ticks(self) -> int:
        """How many labels fit below the plot."""
        return (self.right - self.left) // 78

    def x(self, first: float, last: float) -> Scale:
        """From data to x."""
        return Scale(first, last, self.left, self.right)

    def y(self, last: float, first: float = 0) -> Scale:
        """From data to y, which grows downwards."""
        return Scale(first, last, self.bottom, self.top)

    def drawing(self, marks: Iterable[Mark], plot: tuple[float, float] | None = None) -> Drawing:
        """The drawing of this size; paths and texts that are empty are left out."""
        start, end = plot or (self.left, self.right)
        kept = tuple(mark for mark in marks if not _is_empty(mark))
        return Drawing(self.width, self.height, kept, (coordinate(start), coordinate(end)))


WIDE = Frame(width=760, height=260, left=46, right=748, top=16, bottom=230)
NARROW = Frame(width=360, height=250, left=38, right=350, top=16, bottom=220, character=8.2)


def centred(frame: Frame, style: str, at: Point, text: str) -> Text:
    """A label around an x, moved to the side where it would leave the drawing."""
    half = min(frame.text_width(text) / 2, frame.width / 2)
    x = min(max(at[0], half), frame.width - half)
    return Text(f"{style} mid", coordinate(x), coordinate(at[1]), text)


def value_axis(
    frame: Frame, y: Scale, ticks: Sequence[float], text: Callable[[float], str] = count_text
) -> tuple[Mark, ...]:
    """Level lines across the plot, with their values on the left."""
    lines = strokes(((frame.left, y(tick)), (frame.right, y(tick))) for tick in ticks)
    labels = (Text("axis end", str(frame.left - 7), coordinate(y(tick) + 4), text(tick)) for tick in ticks)
    return (Path("grid", lines), *labels)


def label_axis(frame: Frame, labels: Iterable[tuple[float, str]]) -> tuple[Text, ...]:
    """Labels below the plot at an x each; one that would touch the label before it is left out."""
    kept: list[Text] = []
    free_from = float("-inf")
    for at, text in labels:
        label = centred(frame, "axis", (at, frame.bottom + 18), text)
        half = frame.text_width(text) / 2
        if float(label.x) - half >= free_from:
            kept.append(label)
            free_from = float(label.x) + half + frame.character
    return tuple(kept)


def day_axis(frame: Frame, x: Scale, ticks: Iterable[DayTick]) -> tuple[Text, ...]:
    """Labelled days below the plot; `x` maps ordinals of days."""
    return label_axis(frame, ((x(tick.day.toordinal()), tick.label) for tick in ticks))


def clear_label(frame: Frame, at: Point, text: str, lines: Iterable[Series]) -> Text:
    """A label beside a point, where it covers the fewest points of lines."""
    width = frame.text_width(text)
    places = _places(frame, at, width)
    left, right = min(box.left for box in places) - 3, max(box.right for box in places) + 3
    sample: list[Point] = []
    for line in lines:
        near = [point for point in line if point is not None and left <= point[0] <= right]
        sample += near[:: len(near) // SAMPLE + 1]
    best = min(places, key=lambda box: _badness(box, at, sample))
    return Text("label", coordinate(best.left), coordinate(best.bottom - 3), text)


def _places(frame: Frame, at: Point, width: float) -> list[Box]:
    """Where a label may be: inside the plot, above or below the point, to its left, around it, or to its right."""
    found = []
    for drop in (-12, 12 + LINE, -30, 30 + LINE, -50, 50 + LINE, -75, 75 + LINE):
        for share in (1, 0.5, 0):
            left = max(frame.left + 4.0, min(at[0] - width * share + BESIDE * (1 - 2 * share), frame.right - width))
            bottom = min(max(at[1] + drop, frame.top + LINE), frame.bottom - 4.0)
            found.append(Box(left, bottom - LINE, left + width, bottom))
    return found


def _badness(box: Box, at: Point, points: Sequence[Point]) -> float:
    covered = sum(
        box.left - 3 <= x <= box.right + 3 and box.top - 2 <= y <= box.bottom + 2 for x, y in (*points, at, at, at)
    )
    away = abs((box.left + box.right) / 2 - at[0]) / 4 + abs((box.top + box.bottom) / 2 - at[1])
    return covered * 10 + away / 10


def _is_empty(mark: Mark) -> bool:
    match mark:
        case Path():
            return not mark.data
        case Text():
            return not mark.text
        case _:
            return False
