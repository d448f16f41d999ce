"""How a total grew from day to day, beside last year's, such as the room nights of a month."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from common.web.charts.frame import LINE, NARROW, WIDE, Frame, clear_label, day_axis, value_axis
from common.web.charts.marks import Chart, Drawing, Numbers, Path, Row, Words, line_key
from common.web.charts.number_text import count_text
from common.web.charts.path import Series, dot, place, steps, strokes
from common.web.charts.scale import count_ticks, day_ticks


@dataclass(frozen=True, slots=True)
class BuildUpDay:
    """The totals at the end of a day; `this_year` is None after today, both are None where they are unknown."""

    day: date
    this_year: float | None
    last_year: float | None


@dataclass(frozen=True, slots=True)
class BuildUp:
    """The days in order, the day that is today, and the label of today's total.

    maximum: where the axis ends; None for a nice number above the highest total.
    """

    days: Sequence[BuildUpDay]
    today: date
    maximum: int | None
    label: str


def build_up(data: BuildUp, words: Words) -> Chart:
    """A chart of a build-up. The series: this year, last year."""
    this_year, last_year = words.series
    return Chart(
        words.title,
        words.finding,
        (line_key("now", this_year), line_key("then", last_year)),
        _draw(data, WIDE),
        _draw(data, NARROW),
        Numbers(
            (words.first_column, this_year, last_year),
            tuple(
                Row(f"{day.day:%Y-%m-%d}", (count_text(day.this_year), count_text(day.last_year))) for day in data.days
            ),
        ),
    )


def _draw(data: BuildUp, size: Frame) -> Drawing:
    if not data.days:
        return size.drawing(value_axis(size, size.y(1), (0,)))
    first, last = data.days[0].day, data.days[-1].day
    totals = [total for day in data.days for total in (day.this_year, day.last_year) if total is not None]
    highest = max(totals, default=0)
    ticks = count_ticks(highest, 5, data.maximum)
    frame = size.with_room_for(map(count_text, ticks))
    x, y = frame.x(first.toordinal(), last.toordinal()), frame.y(max(ticks[-1], highest))
    at = [day.day.toordinal() for day in data.days]
    this_year = place(at, (day.this_year for day in data.days), x, y)
    last_year = place(at, (day.last_year for day in data.days), x, y)
    newest = next((point for point in reversed(this_year) if point is not None), None)
    marks = [
        *value_axis(frame, y, ticks),
        *day_axis(frame, x, day_ticks(first, last, frame.most_ticks)),
    ]
    lines: list[Series] = [this_year, last_year]
    if first <= data.today <= last:
        today = x(data.today.toordinal())
        marks.append(Path("today", strokes([((today, frame.top), (today, frame.bottom))])))
        lines.append([(today, at_y) for at_y in range(frame.top, frame.bottom, LINE)])
    marks += [Path("then", steps(last_year)), Path("now", steps(this_year))]
    if newest is not None:
        marks += [Path("dot", dot(newest)), clear_label(frame, newest, data.label, lines)]
    return frame.drawing(marks)
