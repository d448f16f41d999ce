"""How a price changed over time: hatched where there was none, in a dashed outline where it is not known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.web.charts.frame import LINE, NARROW, WIDE, Frame, centred, label_axis, value_axis
from common.web.charts.marks import Chart, Drawing, Key, Mark, Numbers, Path, Row, Text, Words, box_key, line_key
from common.web.charts.path import Box, Point, area, boxes, hatching, line, strokes
from common.web.charts.scale import Scale, day_ticks, hour_ticks, value_ticks

HOURS_UP_TO = timedelta(days=2)
MARK_ROOM = 18


@dataclass(frozen=True, slots=True)
class PriceStep:
    """A price and when it began; None for a time without a price. is_unknown: it is not known whether there was one."""

    since: datetime
    price: float | None
    is_unknown: bool = False


@dataclass(frozen=True, slots=True)
class PriceSteps:
    """The steps in order, the end of the last one, and the average, which is None where there is none.

    text: how a price is written. unit: the smallest difference that it shows. All instants have the time zone that the
    axis shows.
    """

    steps: Sequence[PriceStep]
    until: datetime
    average: float | None
    text: Callable[[float], str]
    unit: float = 0


@dataclass(frozen=True, slots=True)
class _Plot:
    """A frame with its scales, and each step with its ends as x."""

    frame: Frame
    x: Scale
    y: Scale
    spans: Sequence[tuple[PriceStep, float, float]]

    @property
    def known(self) -> list[tuple[float, float, float]]:
        """The prices with their ends, without the times without one."""
        return [(step.price, start, end) for step, start, end in self.spans if step.price is not None]


def price_steps(data: PriceSteps, words: Words) -> Chart:
    """A chart of a price.

    The series: the price, its average, and what a gap and an unknown time mean, which is written into them. The legend
    has those that occur.
    """
    price, _, gap, unknown = words.series

    def cell(step: PriceStep) -> str:
        return unknown if step.is_unknown else gap if step.price is None else data.text(step.price)

    first, last = (_days(data.steps[0].since), _days(data.until)) if data.steps else (0.0, 0.0)
    share = Scale(first, last, 0, 1)
    rows = (
        Row(f"{step.since:%Y-%m-%d %H:%M}", (cell(step),), at=f"{share(_days(step.since)):.4f}") for step in data.steps
    )
    return Chart(
        words.title,
        words.finding,
        _legend(data, words),
        _draw(data, words, WIDE),
        _draw(data, words, NARROW),
        Numbers((words.first_column, price), tuple(rows)),
    )


def _legend(data: PriceSteps, words: Words) -> tuple[Key, ...]:
    price, average, gap, unknown = words.series
    hatched = Key((Path("hatched", hatching(Box(1, 1, 23, 11), 5)),), gap)
    keys = [
        (line_key("now", price), any(step.price is not None for step in data.steps)),
        (line_key("average", average), data.average is not None),
        (hatched, any(step.price is None and not step.is_unknown for step in data.steps)),
        (box_key("unknown", unknown), any(step.is_unknown for step in data.steps)),
    ]
    return tuple(key for key, occurs in keys if occurs)


def _draw(data: PriceSteps, words: Words, size: Frame) -> Drawing:
    prices = [step.price for step in data.steps if step.price is not None]
    if not prices:
        return _draw_without_prices(data, words, size)
    # The axis begins at 0 unless most of it would be empty. Where all prices are equal, nothing else needs the room.
    broken = max(prices) / 2 < min(prices) < max(prices)
    ticks = value_ticks(min(prices) if broken else min(0.0, *prices), max(prices), 4, data.unit)
    frame = size.with_room_for(map(data.text, ticks))
    y = Scale(ticks[0], ticks[-1], frame.bottom - (MARK_ROOM if broken else 0), frame.top + MARK_ROOM)
    x = frame.x(_days(data.steps[0].since), _days(data.until))
    plot = _Plot(frame, x, y, _spans(data, x))
    marks = [
        *value_axis(frame, y, ticks, data.text),
        *_time_axis(data, plot),
        *_gaps(plot, words),
        *_line(plot),
        *_average(data, plot),
        *_extremes(data, plot),
        *(_note(data, plot, f"The axis begins at {data.text(ticks[0])}.") if broken else []),
    ]
    return frame.drawing(marks)


def _draw_without_prices(data: PriceSteps, words: Words, frame: Frame) -> Drawing:
    base = Path("grid", strokes([((frame.left, frame.bottom), (frame.right, frame.bottom))]))
    if not data.steps:
        return frame.drawing([base])
    x = frame.x(_days(data.steps[0].since), _days(data.until))
    plot = _Plot(frame, x, frame.y(1), _spans(data, x))
    return frame.drawing([base, *_time_axis(data, plot), *_gaps(plot, words)])


def _spans(data: PriceSteps, x: Scale) -> list[tuple[PriceStep, float, float]]:
    ends = [step.since for step in data.steps[1:]] + [data.until]
    return [(step, x(_days(step.since)), x(_days(end))) for step, end in zip(data.steps, ends, strict=True)]


def _time_axis(data: PriceSteps, plot: _Plot) -> tuple[Mark, ...]:
    first, last = data.steps[0].since, data.until
    if last - first <= HOURS_UP_TO:
        hours = hour_ticks(first, last, plot.frame.most_ticks)
        return label_axis(plot.frame, ((plot.x(_days(hour)), f"{hour:%H:%M}") for hour in hours))
    ticks = day_ticks(first.date() + timedelta(1), last.date(), plot.frame.most_ticks)
    return label_axis(plot.frame, ((plot.x(tick.day.toordinal()), tick.label) for tick in ticks))


def _gaps(plot: _Plot, words: Words) -> list[Mark]:
    frame = plot.frame
    *_, gap, unknown = words.series
    empty = [(step, Box(start, frame.top, end, frame.bottom)) for step, start, end in plot.spans if step.price is None]
    labels = [_gap_label(frame, box, unknown if step.is_unknown else gap) for step, box in empty]
    return [
        Path("hatched", "".join(hatching(box) for step, box in empty if not step.is_unknown)),
        Path("unknown", boxes(box for step, box in empty if step.is_unknown)),
        *(line for label in labels for line in label),
    ]


def _gap_label(frame: Frame, box: Box, text: str) -> list[Text]:
    """The words of a gap in one line, or one below the other, if they fit into its width."""
    width = box.right - box.left
    lines = [text] if frame.text_width(text) <= width else text.split()
    if max(map(frame.text_width, lines)) > width:
        return []
    first = (frame.top + frame.bottom - LINE * (len(lines) - 1)) / 2
    return [
        centred(frame, "label", ((box.left + box.right) / 2, first + LINE * number), line)
        for number, line in enumerate(lines)
    ]


def _line(plot: _Plot) -> list[Mark]:
    points: list[Point | None] = []
    for step, start, end in plot.spans:
        points += [None] if step.price is None else [(start, plot.y(step.price)), (end, plot.y(step.price))]
    return [Path("fill", area(points, plot.frame.bottom)), Path("now", line(points))]


def _average(data: PriceSteps, plot: _Plot) -> list[Mark]:
    if data.average is None:
        return []
    level = plot.y(data.average)
    return [Path("average", strokes([((plot.frame.left, level), (plot.frame.right, level))]))]


def _extremes(data: PriceSteps, plot: _Plot) -> list[Mark]:
    """▼ below the first lowest price and ▲ above the first highest; one mark if all prices are equal."""
    lowest, highest = min(plot.known, key=lambda span: span[0]), max(plot.known, key=lambda span: span[0])

    def mark(span: tuple[float, float, float], sign: str, down: float) -> Text:
        price, start, end = span
        text = f"{sign} {data.text(price)}"
        middle = max((start + end) / 2, plot.frame.left + plot.frame.text_width(text) / 2)
        return centred(plot.frame, "label", (middle, plot.y(price) + down), text)

    marks: list[Mark] = [mark(highest, "▲", -7)]
    if lowest[0] != highest[0]:
        marks.append(mark(lowest, "▼", 16 if plot.y(lowest[0]) + 16 < plot.frame.bottom else -7))
    return marks


def _note(data: PriceSteps, plot: _Plot, text: str) -> list[Text]:
    """Words at the foot of the plot, where the mark of the lowest price is not, if there is room for both."""
    frame = plot.frame
    lowest, start, end = min(plot.known, key=lambda span: span[0])
    if frame.text_width(f"{text} ▼ {data.text(lowest)}") > frame.right - frame.left:
        return []
    if (start + end) / 2 > (frame.left + frame.right) / 2:
        return [Text("note", str(frame.left + 4), str(frame.bottom - 3), text)]
    return [Text("note end", str(frame.right - 4), str(frame.bottom - 3), text)]


def _days(instant: datetime) -> float:
    """Days as ordinals, with the time of day as a fraction."""
    seconds = timedelta(hours=instant.hour, minutes=instant.minute, seconds=instant.second).total_seconds()
    return instant.toordinal() + seconds / 86400
