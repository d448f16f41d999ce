"""From instants to hours of a local day by the clock on the wall, through changes of the clock."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from common.time_zones import end_of_day, start_of_day
from common.web.charts.week_hours import HourSpan, Pass
from dashboard.uptime.models.stores import Span

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def without(given: Iterable[Span], taken: Sequence[Span]) -> list[Span]:
    """The parts of spans that are in none of those that are taken, which are in order and do not overlap."""
    found = []
    for span in given:
        start = span.start
        for each in taken:
            if each.end <= start or each.start >= span.end:
                continue
            if start < each.start:
                found.append(Span(start, each.start))
            start = each.end
        if start < span.end:
            found.append(Span(start, span.end))
    return found


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a local day in which the clocks run on. offset: from UTC. turn: the pass of an hour shown twice."""

    start: datetime
    end: datetime
    offset: timedelta
    turn: Pass


@dataclass(frozen=True, slots=True)
class LocalDay:
    """A local day: its pieces, of which there is one unless the clocks change on it."""

    day: date
    start: datetime
    end: datetime
    pieces: tuple[Piece, ...]

    @property
    def hours(self) -> float:
        """Its length: 23 or 25 on most days on which the clocks change."""
        return (self.end - self.start) / HOUR

    def spans(self, given: Iterable[Span]) -> list[HourSpan]:
        """The hours of the parts of instants that are on this day."""
        found = []
        for span in given:
            for piece in self.pieces:
                start, end = max(span.start, piece.start), min(span.end, piece.end)
                if start < end:
                    found.append(HourSpan(self._hour(start, piece), self._hour(end, piece), piece.turn))
        return found

    def hour(self, at: datetime) -> float | None:
        """The hour of an instant; None if it is on another day."""
        return next((self._hour(at, piece) for piece in self.pieces if piece.start <= at < piece.end), None)

    def seconds(self, given: Iterable[Span]) -> float:
        """How long instants are on this day."""
        overlaps = (min(span.end, self.end) - max(span.start, self.start) for span in given)
        return sum((each for each in overlaps if each > timedelta()), timedelta()).total_seconds()

    def _hour(self, at: datetime, piece: Piece) -> float:
        wall = at.astimezone(UTC).replace(tzinfo=None) + piece.offset
        return min(24.0, max(0.0, (wall - datetime.combine(self.day, time.min)) / HOUR))


def day_in_zone(day: date, zone: ZoneInfo) -> LocalDay:
    """A local day in a zone."""
    start, end = start_of_day(day, zone), end_of_day(day, zone)
    before, after = _offset(start, zone), _offset(end - SECOND, zone)
    if before == after:
        return LocalDay(day, start, end, (Piece(start, end, before, "only"),))
    change = _change(start, end, zone)
    twice = max(timedelta(), before - after)
    pieces = (
        Piece(start, change - twice, before, "only"),
        Piece(change - twice, change, before, "first"),
        Piece(change, change + twice, after, "second"),
        Piece(change + twice, end, after, "only"),
    )
    inside = (Piece(max(each.start, start), min(each.end, end), each.offset, each.turn) for each in pieces)
    return LocalDay(day, start, end, tuple(piece for piece in inside if piece.start < piece.end))


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()


def _change(start: datetime, end: datetime, zone: ZoneInfo) -> datetime:
    """The first instant, to the second, of the offset at the end of a day on which the clocks change once."""
    before = _offset(start, zone)
    low, high = 0, round((end - start) / SECOND)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(start + middle * SECOND, zone) == before else (low, middle)
    return start + high * SECOND
