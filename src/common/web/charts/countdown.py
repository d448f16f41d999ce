"""How something fills up until its day, such as the booking curve of a night."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from common.web.charts.frame import NARROW, WIDE, Frame, centred, clear_label, label_axis, value_axis
from common.web.charts.marks import Chart, Drawing, Numbers, Path, Row, Words, box_key, line_key
from common.web.charts.number_text import count_text, range_text
from common.web.charts.path import Point, band, dot, line, place, steps
from common.web.charts.scale import count_ticks, countdown_ticks

CAPTIONED_WIDE, CAPTIONED_NARROW = (replace(frame, height=frame.height + 12) for frame in (WIDE, NARROW))


@dataclass(frozen=True, slots=True)
class CountdownDay:
    """The values at so many days before; None where there is none, such as `now` in the future."""

    days_before: int
    now: float | None
    low: float | None
    median: float | None
    high: float | None
    last_year: float | None


@dataclass(frozen=True, slots=True)
class Countdown:
    """The days in the order in which they pass, and the label of the newest value.

    maximum: where the axis ends; None if it is unknown.
    """

    days: Sequence[CountdownDay]
    maximum: int | None
    label: str


def countdown(data: Countdown, words: Words) -> Chart:
    """A chart of a countdown. The series: now, the usual band, its median, last year."""
    now, usual, median, last_year = words.series
    rows = tuple(
        Row(
            count_text(day.days_before),
            (count_text(day.now), range_text(day.low, day.high), count_text(day.median), count_text(day.last_year)),
        )
        for day in data.days
    )
    return Chart(
        words.title,
        words.finding,
        (line_key("now", now), box_key("band", usual), line_key("median", median), line_key("then", last_year)),
        _draw(data, words.first_column, CAPTIONED_WIDE),
        _draw(data, words.first_column, CAPTIONED_NARROW),
        Numbers((words.first_column, *words.series), rows),
    )


def _draw(data: Countdown, caption: str, size: Frame) -> Drawing:
    before = [day.days_before for day in data.days]
    furthest = max(before, default=0)
    values = [value for day in data.days for value in (day.now, day.high, day.median, day.last_year)]
    highest = max((value for value in values if value is not None), default=0)
    ticks = count_ticks(highest, 5, data.maximum)
    frame = size.with_room_for(map(count_text, ticks))
    x = frame.x(-furthest, 0)
    y = frame.y(max(ticks[-1], highest))

    def points(values: Iterable[float | None]) -> list[Point | None]:
        return place([-days for days in before], values, x, y)

    now = points(day.now for day in data.days)
    lows, highs = points(day.low for day in data.days), points(day.high for day in data.days)
    median = points(day.median for day in data.days)
    last_year = points(day.last_year for day in data.days)
    newest = next((point for point in reversed(now) if point is not None), None)
    marks = [
        *value_axis(frame, y, ticks),
        *label_axis(frame, ((x(-tick), str(tick)) for tick in countdown_ticks(furthest, frame.most_ticks))),
        centred(frame, "axis", ((frame.left + frame.right) / 2, frame.bottom + 36), caption),
        Path("band", band(lows, highs)),
        Path("median", line(median)),
        Path("then", steps(last_year)),
        Path("now", steps(now)),
    ]
    if newest is not None:
        others = [now, lows, highs, median, last_year]
        marks += [Path("dot", dot(newest)), clear_label(frame, newest, data.label, others)]
    return frame.drawing(marks, (x(-furthest), x(-min(before, default=0))))
