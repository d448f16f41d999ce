"""One value between nothing and its maximum, beside what is usual, such as the rooms booked for a night."""

from dataclasses import dataclass, replace

from common.web.charts.frame import NARROW, WIDE, Frame, centred
from common.web.charts.marks import Chart, Drawing, Mark, Numbers, Path, Row, Text, Words
from common.web.charts.number_text import count_text, range_text
from common.web.charts.path import Box, boxes, strokes

TOP, BOTTOM = 26, 44


@dataclass(frozen=True, slots=True)
class Gauge:
    """The value now, the usual range at this time, and last year's value at this time; None where it is unknown."""

    now: float
    low: float | None
    high: float | None
    then: float | None
    maximum: int


def gauge(data: Gauge, words: Words) -> Chart:
    """A gauge. The series: now, usual, then; each names its mark, so there is no legend."""
    texts = (count_text(data.now), range_text(data.low, data.high), count_text(data.then))
    return Chart(
        words.title,
        words.finding,
        (),
        _draw(data, words, WIDE),
        _draw(data, words, NARROW),
        Numbers((words.first_column, *words.series), (Row(words.title, texts),)),
    )


def _draw(data: Gauge, words: Words, size: Frame) -> Drawing:
    now, usual, then = words.series
    frame = Frame(size.width, 86, 24, size.right - 28, TOP, BOTTOM, size.character)
    x = frame.x(0, max(data.maximum, data.now, data.high or 0, data.then or 0, 1))
    middle = (TOP + BOTTOM) / 2
    marks: list[Mark] = [
        Text("axis end", str(frame.left - 7), str(int(middle) + 4), "0"),
        Text("axis", str(frame.right + 7), str(int(middle) + 4), count_text(x.last)),
        Path("track", boxes([Box(frame.left, TOP, frame.right, BOTTOM)])),
    ]
    if data.low is not None and data.high is not None:
        # A range of one value is still to be seen.
        left, right = x(data.low), x(data.high)
        text = f"{usual} {range_text(data.low, data.high)}"
        marks.append(Path("usual", boxes([Box(left - 1, TOP + 0.5, right + 1, BOTTOM - 0.5)])))
        marks.append(centred(frame, "axis", ((left + right) / 2, BOTTOM + 18), text))
    marks.append(Path("bar", boxes([Box(frame.left, TOP + 5, x(data.now), BOTTOM - 5)])))
    if data.then is not None:
        tick = strokes([((x(data.then), TOP - 4), (x(data.then), BOTTOM + 4))])
        marks += [Path("halo", tick), Path("then-tick", tick)]
        marks.append(centred(frame, "behind", (x(data.then), BOTTOM + 36), f"{then} {count_text(data.then)}"))
    mark = strokes([((x(data.now), TOP - 4), (x(data.now), BOTTOM + 4))])
    marks += [Path("halo", mark), Path("now-tick", mark)]
    marks.append(centred(frame, "label", (x(data.now), TOP - 10), f"{now} {count_text(data.now)}"))
    # Without positions to read: its one row is all written beside the marks.
    return replace(frame.drawing(marks), plot=None)
