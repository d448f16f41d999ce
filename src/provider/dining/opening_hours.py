"""The hours in which guests may order tables, by the clocks of the restaurant.

Hours that close on the next day belong to the day on which they open. Where clocks skip a time, hours begin or end at
the jump; where clocks show a time twice, hours begin at the first and end at the second.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from common.time_zones import offsets_around
from provider.dining.models import OpeningHours

DAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MINUTES_PER_DAY = 1440
MINUTE = timedelta(minutes=1)


def minute_of(clock_time: str) -> int:
    """Return the minutes since midnight of a time such as 18:00."""
    hours, _, minutes = clock_time.partition(":")
    return int(hours) * 60 + int(minutes)


def clock_time_of(minute: int) -> str:
    """Return a minute since midnight as a time of the day, such as 18:00; minutes of the next day are its times."""
    return f"{minute % MINUTES_PER_DAY // 60:02}:{minute % 60:02}"


def is_open(hours: Sequence[OpeningHours], start: datetime, end: datetime, zone: ZoneInfo) -> bool:
    """Return whether the restaurant is open from `start` to `end` without a break. Without hours it always is."""
    if not hours:
        return True
    reached = start
    for opens, closes in sorted(_intervals(hours, start, end, zone)):
        if opens > reached:
            return False
        reached = max(reached, closes)
        if reached >= end:
            return True
    return False


def describe_hours(hours: Sequence[OpeningHours], day: date) -> str:
    """Return the hours that include times of a day, also those that began on the day before."""
    yesterday = (day.weekday() - 1) % 7
    overnight = [each for each in hours if each.day == yesterday and "00:00" < each.closes <= each.opens]
    found = [*overnight, *(each for each in hours if each.day == day.weekday())]
    if not found:
        return f"{DAY_NAMES[day.weekday()]} is closed"
    return ", ".join(f"{DAY_NAMES[each.day]} {each.opens} to {each.closes}" for each in found)


def _intervals(
    hours: Sequence[OpeningHours], start: datetime, end: datetime, zone: ZoneInfo
) -> list[tuple[datetime, datetime]]:
    """Return, as instants, the hours of every day that can reach into a period; those that end before it are left out.

    Hours last up to a day, so those that began on the day before count.
    """
    day = start.astimezone(zone).date() - timedelta(days=1)
    last = end.astimezone(zone).date()
    intervals = []
    while day <= last:
        for each in hours:
            if each.day == day.weekday():
                opens, closes = minute_of(each.opens), minute_of(each.closes)
                closes += 0 if closes > opens else MINUTES_PER_DAY
                interval = _instant(day, opens, zone, fold=0), _instant(day, closes, zone, fold=1)
                if interval[1] > start:
                    intervals.append(interval)
        day += timedelta(days=1)
    return intervals


def _instant(day: date, minute: int, zone: ZoneInfo, *, fold: int) -> datetime:
    """Return the instant at which clocks show a minute of a day; for a skipped minute, that of the jump."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    local = midnight + minute * MINUTE  # by the clocks, whatever the time in between
    before, after = offsets_around(local)
    if before >= after:
        return local.replace(fold=fold).astimezone(UTC)
    jump = local.replace(fold=1).astimezone(UTC)
    while jump.astimezone(zone).utcoffset() == before:
        jump += MINUTE
    return jump
