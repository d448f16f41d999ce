"""Compares the time zones of the database with those of Python: each has its own copy of the tz database."""

from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from common.db.pool import Executor
from common.time_zones import format_offset

COMPARED_DAYS = 731
"""The coming two years."""


class ZoneDifference(NamedTuple):
    """A zone whose clocks Python and the database tell apart, and the first of the compared days on which they do.

    python: None for a zone that Python does not know.
    """

    name: str
    day: datetime
    python: timedelta | None
    database: timedelta

    def __str__(self) -> str:
        python = "unknown" if self.python is None else format_offset(self.python)
        return (
            f"{self.name}: from {self.day:%Y-%m-%d} on {python} in Python, {format_offset(self.database)} in PostgreSQL"
        )


async def select_differing_zones(db: Executor, now: datetime) -> list[ZoneDifference]:
    """The zones of regions whose offsets differ on any of the coming COMPARED_DAYS, by name."""
    first = datetime.combine(now.astimezone(UTC), time(12), UTC)
    rows = await db.fetch(
        """
        SELECT name,
               array(
                   SELECT extract(epoch FROM (at AT TIME ZONE name) - (at AT TIME ZONE 'UTC'))::integer
                     FROM generate_series(
                              $1::timestamptz, $1::timestamptz + $2 * INTERVAL '24 hours', INTERVAL '24 hours'
                          ) AS at
                    ORDER BY at
               ) AS offsets
          FROM pg_timezone_names
         WHERE name LIKE '%/%' AND name !~ '^(posix|right)/'
         ORDER BY name
        """,
        first,
        float(COMPARED_DAYS - 1),
    )
    days = [first + timedelta(days=number) for number in range(COMPARED_DAYS)]
    differences = (_difference(row["name"], days, row["offsets"]) for row in rows)
    return [each for each in differences if each is not None]


def _difference(name: str, days: list[datetime], offsets: list[int]) -> ZoneDifference | None:
    """The first difference of a zone. offsets: those of the database, in seconds, on the days."""
    try:
        zone = ZoneInfo(name)
    except ZoneInfoNotFoundError:
        return ZoneDifference(name, days[0], None, timedelta(seconds=offsets[0]))
    for day, seconds in zip(days, offsets, strict=True):
        offset = day.astimezone(zone).utcoffset()
        if offset != timedelta(seconds=seconds):
            return ZoneDifference(name, day, offset, timedelta(seconds=seconds))
    return None
