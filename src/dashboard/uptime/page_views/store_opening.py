"""The business hours of a store that are in force, and its closures."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from common.web.words import listed, long_day
from dashboard.uptime.models.stores import HoursRow, StoredClosure, StoreNow
from dashboard.uptime.page_views.store_words import ALL_DAY, moment_text
from dashboard.uptime.store_periods import StoreClock

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MOST_CLOSURES = 20


@dataclass(frozen=True, slots=True)
class WeekdayHours:
    """A weekday and its shifts, in words."""

    name: str
    shifts: str


@dataclass(frozen=True, slots=True)
class BusinessHours:
    """The hours in force; days: empty for a store that is always open. later: from when others hold."""

    days: tuple[WeekdayHours, ...]
    later: tuple[str, ...]


def business_hours(store: StoreNow, today: date) -> BusinessHours:
    """The hours of a store that hold on a day, and when that changes."""
    in_force = [
        row
        for row in store.hours
        if (row.valid_from is None or row.valid_from <= today) and (row.valid_to is None or today <= row.valid_to)
    ]
    starts = sorted({row.valid_from for row in store.hours if row.valid_from and row.valid_from > today})
    days = tuple(
        WeekdayHours(name, listed(shifts) if (shifts := _shifts(in_force, number)) else "closed")
        for number, name in enumerate(WEEKDAYS)
    )
    return BusinessHours(() if store.always_open else days, tuple(map(long_day, starts)))


def _shifts(rows: Sequence[HoursRow], weekday: int) -> list[str]:
    """The shifts that begin on a weekday, in order; those that overlap or touch are one."""
    found: list[tuple[str, str]] = []
    for opens, closes in sorted(_ends(row) for row in rows if row.weekday == weekday):
        if found and opens <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], closes)
        else:
            found.append((opens, closes))
    return [_shift(opens, closes) for opens, closes in found]


def _ends(row: HoursRow) -> tuple[str, str]:
    """When a shift begins and ends, in hours and minutes of its first day: 26:00 is 02:00 of the next day."""
    opens, closes = row.opens[:5], row.closes[:5]
    if closes >= "23:59":
        return opens, "24:00"
    return opens, closes if closes > opens else f"{int(closes[:2]) + 24}{closes[2:]}"


def _shift(opens: str, closes: str) -> str:
    if (opens, closes) == ("00:00", "24:00"):
        return ALL_DAY
    if closes > "24:00":
        return f"{opens}–{int(closes[:2]) - 24:02}{closes[2:]} of the next day"
    return f"{opens}–{closes}"


@dataclass(frozen=True, slots=True)
class ClosureRow:
    """A closure: when, why, and whether it is over."""

    when: str
    reason: str
    is_over: bool


def closure_rows(closures: Sequence[StoredClosure], clock: StoreClock) -> list[ClosureRow]:
    """The closures, those that are not over first, the next one on top; then the past ones, the last one on top."""

    def key(closure: StoredClosure) -> tuple[datetime, datetime]:
        return _instant(closure.start, clock), _end(closure, clock)

    current = sorted((each for each in closures if _end(each, clock) > clock.now), key=key)
    past = sorted((each for each in closures if _end(each, clock) <= clock.now), key=key, reverse=True)
    return [
        ClosureRow(_when(each, clock), each.reason, is_over)
        for is_over, some in ((False, current), (True, past))
        for each in some
    ]


def _instant(at: date | datetime, clock: StoreClock) -> datetime:
    return at if isinstance(at, datetime) else clock.start_of(at)


def _end(closure: StoredClosure, clock: StoreClock) -> datetime:
    is_instant = isinstance(closure.end, datetime)
    return _instant(closure.end, clock) if is_instant else clock.start_of(closure.end + timedelta(days=1))


def _when(closure: StoredClosure, clock: StoreClock) -> str:
    start, end = closure.start, closure.end
    if isinstance(start, datetime) and isinstance(end, datetime):
        return f"{moment_text(start, clock.zone, clock.now)} to {moment_text(end, clock.zone, clock.now)}"
    return long_day(start) if start == end else f"{long_day(start)} to {long_day(end)}"
