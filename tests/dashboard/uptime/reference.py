"""A slow, plain implementation of the uptime contract, with which the SQL is compared.

Each step follows one sentence of the contract; zoneinfo alone knows the rules of the clocks.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

Interval = tuple[datetime, datetime]
Hours = tuple[int, time, time | None]
"""Weekday (0 = Monday), opening, closing; a closing of None is 24:00."""
Poll = tuple[datetime, bool]
Version = tuple[date, Sequence[Hours]]
"""Hours from a local day on, until the next version."""
Closure = tuple[date, date] | Interval
"""Local days, the last one included, or instants."""

BEGINNING = datetime(1, 1, 3, tzinfo=UTC)
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(hours=24), timedelta(hours=168)


class Figures(NamedTuple):
    """Uptime and downtime of the last hour, day and week."""

    up: tuple[timedelta, timedelta, timedelta]
    down: tuple[timedelta, timedelta, timedelta]


def first_pass(wall: datetime, zone: ZoneInfo) -> datetime:
    """Resolve an ambiguous time to its first pass; a skipped time uses the offset before. Fold 0 does both."""
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)


def second_pass(wall: datetime, zone: ZoneInfo) -> datetime:
    """Resolve an ambiguous time to its second pass; a skipped time still uses the offset before."""
    early, late = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return max(early, late)


def united(intervals: Iterable[Interval]) -> list[Interval]:
    """Join intervals that touch or overlap; drop empty ones."""
    joined: list[Interval] = []
    for start, end in sorted(interval for interval in intervals if interval[0] < interval[1]):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


class Opening(NamedTuple):
    """What says when a store is open: its hours, their later versions, and its closures."""

    hours: Sequence[Hours]
    versions: Sequence[Version] = ()
    closures: Sequence[Closure] = ()


def shifts_of(hours: Sequence[Hours], zone: ZoneInfo, day: date) -> list[Interval]:
    """The shifts of the rows that begin on a local day; the whole day, without rows."""
    found = []
    midnight = datetime.combine(day + timedelta(days=1), time())
    if not hours:
        return [(first_pass(datetime.combine(day, time()), zone), second_pass(midnight, zone))]
    for weekday, opens, closes in hours:
        if day.weekday() != weekday:
            continue
        if closes is None or closes >= time(23, 59):
            end = midnight
        elif closes <= opens:
            end = datetime.combine(day + timedelta(days=1), closes)
        else:
            end = datetime.combine(day, closes)
        found.append((first_pass(datetime.combine(day, opens), zone), second_pass(end, zone)))
    return found


def open_intervals(opening: Opening, zone: ZoneInfo, since: date, until: date) -> list[Interval]:
    """The open time on the local days from `since` to `until`; without hours and versions, always."""
    found: list[Interval] = []
    if not opening.hours and not opening.versions:
        found = [(BEGINNING, datetime.combine(until + timedelta(days=3), time(), UTC))]
    else:
        day = since
        while day <= until:
            valid = max((each for each in opening.versions if each[0] <= day), default=(day, opening.hours))
            found += shifts_of(valid[1], zone, day)
            day += timedelta(days=1)
    return without(united(found), [closed_interval(closure, zone) for closure in opening.closures])


def closed_interval(closure: Closure, zone: ZoneInfo) -> Interval:
    first, last = closure
    if isinstance(first, datetime) and isinstance(last, datetime):
        return first, last
    return (
        first_pass(datetime.combine(first, time()), zone),
        first_pass(datetime.combine(last + timedelta(days=1), time()), zone),
    )


def without(intervals: Sequence[Interval], removed: Iterable[Interval]) -> list[Interval]:
    """The parts of intervals outside others."""
    rest = list(intervals)
    for begin, stop in removed:
        rest = [
            part
            for start, end in rest
            for part in ((start, min(end, begin)), (max(start, stop), end))
            if part[0] < part[1]
        ]
    return united(rest)


def status_stretches(open_time: Sequence[Interval], polls: Sequence[Poll]) -> list[tuple[datetime, datetime, bool]]:
    """Cut the open time into stretches of one status. polls: at least one, only those that count, in order."""
    stretches = []
    for opening, closing in open_time:
        inside = [(at, active) for at, active in polls if opening <= at < closing]
        if not inside:
            earlier = [active for at, active in polls if at < opening]
            later = [active for at, active in polls if at >= closing]
            stretches.append((opening, closing, earlier[-1] if earlier else later[0]))
            continue
        starts = [opening] + [at for at, _ in inside[1:]]
        ends = [at for at, _ in inside[1:]] + [closing]
        stretches += [(start, end, active) for start, end, (_, active) in zip(starts, ends, inside, strict=True)]
    return stretches


def figures(
    polls: Iterable[Poll],
    opening: Opening,
    timezone: str | None,
    as_of: datetime,
    window: timedelta | None = None,
) -> Figures | None:
    """The figures of a store in a report as of an instant; None if it is not in it. window: replaces all three."""
    by_instant: dict[datetime, bool] = {}
    for at, active in polls:
        if at <= as_of:
            by_instant[at] = by_instant.get(at, True) and active
    if not by_instant:
        return None
    in_order = sorted(by_instant.items())
    zone = ZoneInfo(timezone or "America/Chicago")
    earliest = min(in_order[0][0], as_of - (window or WEEK))
    open_time = [
        (start, min(end, as_of))
        for start, end in open_intervals(
            opening, zone, earliest.date() - timedelta(days=12), as_of.date() + timedelta(days=2)
        )
        if start < as_of
    ]
    counted = [(at, active) for at, active in in_order if any(start <= at < end for start, end in open_time)]
    stretches = status_stretches(open_time, counted or in_order)
    windows = (window,) * 3 if window else (HOUR, DAY, WEEK)
    totals: dict[bool, list[timedelta]] = {True: [], False: []}
    for length in windows:
        for status in (True, False):
            total = timedelta()
            for start, end, active in stretches:
                if active is status:
                    total += max(timedelta(), end - max(start, as_of - length))
            totals[status].append(total)
    return Figures(tuple(totals[True]), tuple(totals[False]))  # type: ignore[arg-type]  # three windows each


COVERED = timedelta(minutes=90)
ALWAYS_OPEN_AFTER = timedelta(days=15)
"""Hours repeat every week: a store that does not close for so long never closes."""


class Known(NamedTuple):
    """A store as it is known at an instant: its polls up to then, in order, and its open time around them."""

    polls: list[Poll]
    open_time: list[Interval]
    at: datetime


def known_at(polls: Iterable[Poll], opening: Opening, timezone: str | None, span: Interval) -> Known:
    """A store at the end of `span`; its open time begins well before its first poll and `span`, and ends after it."""
    start, at = span
    by_instant: dict[datetime, bool] = {}
    for poll_at, active in polls:
        if poll_at <= at:
            by_instant[poll_at] = by_instant.get(poll_at, True) and active
    in_order = sorted(by_instant.items())
    first = min([start, *(poll_at for poll_at, _ in in_order)])
    zone = ZoneInfo(timezone or "America/Chicago")
    around = timedelta(days=20)
    return Known(in_order, open_intervals(opening, zone, (first - around).date(), (at + around).date()), at)


def stretches_of(store: Known) -> list[tuple[datetime, datetime, bool]]:
    """The whole open time of a store in stretches of one status; none without polls."""
    if not store.polls:
        return []
    counted = [poll for poll in store.polls if any(start <= poll[0] < end for start, end in store.open_time)]
    return status_stretches(store.open_time, counted or store.polls)


def cut(intervals: Iterable[Interval], start: datetime, end: datetime) -> list[Interval]:
    """The parts of intervals between two instants."""
    return united((max(first, start), min(last, end)) for first, last in intervals)


def total(intervals: Iterable[Interval]) -> timedelta:
    return sum((end - start for start, end in intervals), timedelta())


def uncovered(intervals: Sequence[Interval], polls: Iterable[Poll]) -> list[Interval]:
    """The parts of intervals that no poll covers."""
    return without(intervals, [(at, at + COVERED) for at, _ in polls])


class Outage(NamedTuple):
    """An incident as a whole: its open time in parts, and whether the store was not up again."""

    parts: list[Interval]
    ongoing: bool


def outages(store: Known) -> list[Outage]:
    """The incidents of a store until the instant at which it is known."""
    found: list[list[Interval]] = []
    was_up = True
    if not store.polls:
        return []
    first = store.polls[0][0]
    openings = [start for start, end in store.open_time if start <= first < end]
    since = openings[0] if openings and first - openings[0] < ALWAYS_OPEN_AFTER else first
    for start, end, active in stretches_of(store):
        part = (max(start, since), min(end, store.at))
        if part[0] >= part[1]:
            continue
        if not active and was_up:
            found.append([])
        if not active:
            found[-1].append(part)
        was_up = active
    return [Outage(united(parts), not was_up and parts is found[-1]) for parts in found]


def gaps_between(
    instants: Iterable[datetime], now: datetime, min_length: timedelta
) -> list[tuple[datetime, datetime, bool]]:
    """The spans of at least `min_length` between polls, and whether they last until now."""
    in_order = sorted({at for at in instants if at <= now})
    ends = [*in_order, now][1:]
    found = zip(in_order, ends, strict=True)
    return [(start, end, start == in_order[-1]) for start, end in found if end - start >= min_length]


def local_days(timezone: str | None, first: date, last: date) -> list[tuple[date, Interval]]:
    """The local days of a time zone."""
    zone = ZoneInfo(timezone or "America/Chicago")
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]

    def midnight(day: date) -> datetime:
        return first_pass(datetime.combine(day, time()), zone)

    return [(day, (midnight(day), midnight(day + timedelta(days=1)))) for day in days]
