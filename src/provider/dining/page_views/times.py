"""Times for which a table can be ordered: the one that a form suggests, and those near one without a free table."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from common.time_zones import instant_of
from provider.dining.inputs import DEFAULT_MINUTES
from provider.dining.models import OpeningHours
from provider.dining.order_rules import time_faults
from provider.dining.settings import DiningSettings

USUAL_TIMES = tuple(time(hour) for hour in (19, 20, 18, 21, 12, 13))
"""When most guests come, the most usual time first."""
SUGGESTED_DAYS = 14
TIME_TO_COME = timedelta(hours=1)
"""How far ahead a suggested time is at least."""
OTHER_TIMES = tuple(timedelta(minutes=minutes) for minutes in (-30, 30, -60, 60, -90, 90, -120, 120))
"""How far from a time without a free table another one is looked for, the nearest first."""


def other_starts(
    settings: DiningSettings, hours: Sequence[OpeningHours], start: datetime, now: datetime
) -> list[datetime]:
    """Times near one that has no free table for which a table can be ordered, the nearest first.

    start: in UTC, as they are.
    """
    near = [start + distance for distance in OTHER_TIMES]
    return [each for each in near if is_orderable(settings, hours, each, now)]


def is_orderable(settings: DiningSettings, hours: Sequence[OpeningHours], start: datetime, now: datetime) -> bool:
    """Whether a table can be ordered for a time in the future, if one is free."""
    return start > now and not time_faults(settings, hours, start, DEFAULT_MINUTES, now)


def suggested_start(settings: DiningSettings, hours: Sequence[OpeningHours], now: datetime) -> datetime | None:
    """The next time at which guests may come, by the clocks of the restaurant; None if there is none soon.

    A usual time, on a day without one the time at which the restaurant opens.
    """
    zone = settings.zone
    first = now.astimezone(zone).date()
    for ahead in range(SUGGESTED_DAYS):
        day = first + timedelta(days=ahead)
        opening = (time.fromisoformat(each.opens) for each in hours if each.day == day.weekday())
        for clock_time in (*USUAL_TIMES, *opening):
            local = datetime.combine(day, clock_time)
            try:
                start = instant_of(local, zone)
            except ValueError:  # the clocks skip it
                continue
            if start >= now + TIME_TO_COME and is_orderable(settings, hours, start, now):
                return start.astimezone(zone)
    return None


def last_day(now: datetime, ahead: timedelta, zone: ZoneInfo) -> date:
    """The last day that is not further ahead, by the clocks of a zone."""
    return (now + ahead).astimezone(zone).date()
