"""Scales from data to units of a drawing, and the ticks of axes."""

import math
from dataclasses import dataclass
from datetime import date, datetime, timedelta

COUNTDOWN_STEPS = (1, 2, 7, 15, 30, 60, 90, 180, 365)
HOUR_STEPS = (1, 2, 3, 6, 12, 24)
SMALLEST_SPAN = 1e-6
MONTH_STEPS = (1, 2, 3, 6, 12)


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps first … last (data) linearly to start … end (units); values outside are drawn at the nearer end."""

    first: float
    last: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The units of a value; the middle if the scale has only one value."""
        if self.first == self.last:
            return (self.start + self.end) / 2
        share = (value - self.first) / (self.last - self.first)
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)


@dataclass(frozen=True, slots=True)
class DayTick:
    """A labelled day of an axis."""

    day: date
    label: str


def nice_step(span: float, most: int) -> float:
    """The smallest of 1, 2 and 5 × 10ⁿ that divides a span into at most `most` parts; 1 for no span."""
    if span < SMALLEST_SPAN:
        return 1.0
    power = 10.0 ** math.floor(math.log10(span / most))
    return next(factor * power for factor in (1, 2, 5, 10, 20) if span <= factor * power * most * (1 + 1e-9))


def count_ticks(highest: float, most: int, maximum: int | None = None) -> tuple[int, ...]:
    """Ticks of an axis of counts, from 0 to a nice number at or above `highest`.

    maximum: where the axis ends instead, such as the rooms of a house; without effect below `highest`.
    """
    end = maximum if maximum and maximum >= highest else None
    span = max(1.0, end or highest)
    step = max(1, round(nice_step(span, most)))
    if end is None:
        return tuple(step * number for number in range(math.ceil(span / step) + 1))
    between = [tick for tick in range(step, end, step) if end - tick >= step / 2]
    return (0, *between, end)


def value_ticks(lowest: float, highest: float, most: int, unit: float = 0) -> tuple[float, ...]:
    """Nice ticks from at or below `lowest` to at or above `highest`. unit: two ticks are at least so far apart."""
    step = max(unit, nice_step(highest - lowest, most))
    first, last = math.floor(lowest / step + 1e-9), math.ceil(highest / step - 1e-9)
    return tuple(step * number for number in range(first, max(last, first + 1) + 1))


def countdown_ticks(first: int, most: int) -> tuple[int, ...]:
    """Ticks of the days before an event, from at most `first` days before down to 0."""
    step = next((step for step in COUNTDOWN_STEPS if first <= step * most), max(1, first))
    return tuple(range(first - first % step, -1, -step))


def day_ticks(first: date, last: date, most: int) -> tuple[DayTick, ...]:
    """Every day, every Monday, or the first of months: the densest of these that has at most `most` ticks."""
    days = (last - first).days
    for step in (1, 2):
        if days // step < most:
            return tuple(_day_tick(first + timedelta(number)) for number in range(0, days + 1, step))
    monday = -first.weekday() % 7
    for step in (7, 14):
        weeks = range(monday, days + 1, step)
        if len(weeks) <= most:
            return tuple(_day_tick(first + timedelta(number)) for number in weeks)
    months = range(first.year * 12 + first.month - (first.day == 1), last.year * 12 + last.month)
    starts = [date(month // 12, month % 12 + 1, 1) for month in months]
    for step in MONTH_STEPS:
        chosen = [start for start in starts if (start.month - 1) % step == 0]
        if len(chosen) <= most:
            return tuple(_month_tick(start) for start in chosen)
    return tuple(_month_tick(start) for start in chosen[:: math.ceil(len(chosen) / most)])


def hour_ticks(first: datetime, last: datetime, most: int) -> tuple[datetime, ...]:
    """Full hours of one or two days, as dense as `most` allows, counted from midnight."""
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
    ticks: tuple[datetime, ...] = ()
    for step in HOUR_STEPS:
        hours = (midnight + timedelta(hours=hour) for hour in range(0, 72, step))
        ticks = tuple(hour for hour in hours if first <= hour <= last)
        if len(ticks) <= most:
            return ticks
    return ticks[:most]


def _day_tick(day: date) -> DayTick:
    return DayTick(day, f"{day.day} {day:%b}")


def _month_tick(start: date) -> DayTick:
    return DayTick(start, f"{start:%Y}" if start.month == 1 else f"{start:%b}")
