"""Path data of SVG: one string for a whole series. Points are in units; None is a gap.

Coordinates have at most one decimal. A point between two gaps is a stroke of no length: with round caps it is a dot.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from common.web.charts.scale import Scale

Point = tuple[float, float]
Series = Sequence[Point | None]

LEAST_EXTENT = 0.05


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in units."""

    left: float
    top: float
    right: float
    bottom: float


def coordinate(value: float) -> str:
    """A finite number with at most one decimal."""
    if not math.isfinite(value):
        raise ValueError(f"A coordinate must be finite, not {value}.")
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def place(xs: Iterable[float], values: Iterable[float | None], x: Scale, y: Scale) -> list[Point | None]:
    """The points of a series; a value that is missing or not finite is a gap."""
    return [
        None if value is None or not math.isfinite(value) else (x(at), y(value))
        for at, value in zip(xs, values, strict=True)
    ]


def line(points: Series) -> str:
    """Straight from point to point."""
    return "".join(_straight(stretch) for stretch in _stretches(points))


def steps(points: Series, end: float | None = None) -> str:
    """Each value holds until the next one; the last one holds until the x of `end`."""
    stretches = _stretches(points)
    last = points[-1] if points else None
    if end is not None and last is not None:
        stretches[-1].append((end, last[1]))
    return "".join(_stepped(stretch) for stretch in stretches)


def area(points: Series, base: float) -> str:
    """The closed areas between a line and the y of `base`."""
    return "".join(
        f"{_straight([*stretch, (stretch[-1][0], base), (stretch[0][0], base)])}Z" for stretch in _stretches(points)
    )


def band(lower: Series, upper: Series) -> str:
    """The closed areas between two series of the same x; a gap of either is a gap."""
    both = [low is not None and high is not None for low, high in zip(lower, upper, strict=True)]
    lows = _stretches([point if known else None for point, known in zip(lower, both, strict=True)])
    highs = _stretches([point if known else None for point, known in zip(upper, both, strict=True)])
    return "".join(f"{_straight([*high, *low[::-1]])}Z" for low, high in zip(lows, highs, strict=True))


def boxes(rectangles: Iterable[Box]) -> str:
    """Filled rectangles; those without an extent leave no trace."""
    return "".join(
        f"M{_pair(box.left, box.top)}H{coordinate(box.right)}V{coordinate(box.bottom)}H{coordinate(box.left)}Z"
        for box in rectangles
        if min(box.right - box.left, box.bottom - box.top) >= LEAST_EXTENT
    )


def strokes(ends: Iterable[tuple[Point, Point]]) -> str:
    """Separate straight strokes."""
    return "".join(_straight([start, end]) for start, end in ends)


def dot(point: Point) -> str:
    """A stroke of no length."""
    return _straight([point])


def hatching(box: Box, gap: float = 6) -> str:
    """Diagonal strokes that fill a rectangle."""
    width, height = box.right - box.left, box.bottom - box.top
    count = math.ceil((width + height) / gap) if min(width, height) >= LEAST_EXTENT else 0
    ends = []
    for number in range(1, count):
        along = number * gap
        start = (box.left + min(along, width), box.bottom - max(0.0, along - width))
        end = (box.left + max(0.0, along - height), box.bottom - min(along, height))
        ends.append((start, end))
    return strokes(ends)


def _stretches(points: Series) -> list[list[Point]]:
    """The series cut at its gaps."""
    found: list[list[Point]] = []
    in_gap = True
    for point in points:
        if point is not None and in_gap:
            found.append([])
        if point is not None:
            found[-1].append(point)
        in_gap = point is None
    return found


def _pair(x: float, y: float) -> str:
    return f"{coordinate(x)} {coordinate(y)}"


def _straight(points: Sequence[Point]) -> str:
    """A stretch of a line, without points that repeat the one before; a level or upright part has one coordinate."""
    (x, y), *others = [(coordinate(x), coordinate(y)) for x, y in points]
    commands = [f"M{x} {y}"]
    for next_x, next_y in others:
        if next_x != x and next_y != y:
            commands.append(f"L{next_x} {next_y}")
        elif next_y != y:
            commands.append(f"V{next_y}")
        elif next_x != x:
            commands.append(f"H{next_x}")
        x, y = next_x, next_y
    return "".join(commands) if len(commands) > 1 else f"{commands[0]}H{x}"


def _stepped(points: Sequence[Point]) -> str:
    corners = [points[0]]
    for (_, y), (next_x, next_y) in itertools.pairwise(points):
        if next_y != y:
            corners += [(next_x, y), (next_x, next_y)]
    corners.append(points[-1])
    return _straight(corners)
