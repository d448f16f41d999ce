"""A strip of a few days in a cell of a table, such as the week of a store: how much of each day was good."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from common.web.charts.day_strip import style_of_day
from common.web.charts.frame import Frame
from common.web.charts.marks import Path, SmallChart
from common.web.charts.path import Box, boxes, dot, hatching

STRIP = Frame(width=120, height=24, left=1, right=119, top=1, bottom=23)
LEAST_NOTCH = 3
HATCHING = 4


@dataclass(frozen=True, slots=True)
class DayPart:
    """A day. good: the good share of it, 0 to 1; None where nothing was observed. closed: it does not count."""

    good: float | None
    closed: bool = False


def small_strip(days: Sequence[DayPart], title: str, finding: str) -> SmallChart:
    """A bar for each day, oldest left: good from the top, bad from the bottom; hollow if not observed, a dot if closed.

    One path for each style, whatever the number of days.
    """
    frame = STRIP
    step = (frame.right - frame.left) / max(1, len(days))
    space = min(1.5, step / 8)
    drawn: defaultdict[str, str] = defaultdict(str)
    for number, day in enumerate(days):
        left = frame.left + step * number
        box = Box(left + space, frame.top, left + step - space, frame.bottom)
        for style, data in _paths(day, box):
            drawn[style] += data
    return SmallChart(title, finding, frame.drawing(Path(style, data) for style, data in drawn.items()))


def _paths(day: DayPart, box: Box) -> list[tuple[str, str]]:
    if day.closed:
        return [("closed", dot(((box.left + box.right) / 2, (box.top + box.bottom) / 2)))]
    if day.good is None:
        return [("unknown", boxes([box]))]
    bad = 1 - min(1.0, max(0.0, day.good))
    split = box.bottom - (max(LEAST_NOTCH, bad * (box.bottom - box.top)) if bad > 0 else 0)
    upper, lower = Box(box.left, box.top, box.right, split), Box(box.left, split, box.right, box.bottom)
    return [(style_of_day(day.good), boxes([upper])), ("bad", hatching(lower, HATCHING))]
