"""Time zones: their names, as people configure them, and the local times by their clocks."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

FIRST_INSTANT = datetime(1, 1, 1, second=1, tzinfo=UTC)
LAST_INSTANT = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""The ends of the calendar; asyncpg sends those of datetime as infinities."""


def parse_time_zone(name: str) -> str:
    """Return the name of a region's time zone, or UTC. Raises ValueError.

    PostgreSQL takes a short name such as CET, which zoneinfo knows too, for a fixed distance from UTC; the files below
    posix and right are copies.
    """
    if name == "UTC":
        return name
    if "/" in name and not name.startswith(("posix/", "right/")):
        try:
            return ZoneInfo(name).key
        except (ZoneInfoNotFoundError, ValueError, OSError):  # a path outside the zones is a ValueError
            pass
    raise ValueError("must be UTC or the time zone of a region, such as Europe/Berlin")


def instant_of(local: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant, in UTC, at which the clocks of a zone show a time.

    Raises ValueError for a time that the clocks skip or show twice, and for one outside the calendar.
    """
    first = local.replace(tzinfo=zone, fold=0)
    before, after = offsets_around(first)
    shown = f"{local:%Y-%m-%dT%H:%M}"
    if before < after:
        raise ValueError(f"{shown} does not exist by the clocks of {zone.key}, which skip it; choose another time")
    if before > after:
        offsets = f"{format_offset(before)} or {format_offset(after)}"
        raise ValueError(f"{shown} happens twice by the clocks of {zone.key}; add the offset: {offsets}")
    try:
        return first.astimezone(UTC)
    except OverflowError:
        raise ValueError("is not a valid instant") from None


def offsets_around(local: datetime) -> tuple[timedelta, timedelta]:
    """The offsets from UTC before and after a change of the clocks at a local time with a zone.

    The second one is smaller for a time that the clocks show twice, larger for one that they skip, else the same.
    """
    before, after = (local.replace(fold=fold).utcoffset() for fold in (0, 1))
    assert before is not None
    assert after is not None
    return before, after


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """Return the instant, in UTC, at which a day begins by the clocks of a zone; if they skip midnight, right after.

    The ends of the calendar are no further away than its first and its last instant in UTC.
    """
    try:
        return datetime.combine(day, time.min, zone).astimezone(UTC)
    except OverflowError:
        return FIRST_INSTANT if day.year == 1 else LAST_INSTANT


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """Return the instant, in UTC, at which the next day begins by the clocks of a zone."""
    return LAST_INSTANT if day == date.max else start_of_day(day + timedelta(days=1), zone)


def format_offset(offset: timedelta) -> str:
    """Return an offset from UTC, such as +02:00."""
    minutes = round(offset.total_seconds() / 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def format_local(instant: datetime, zone: ZoneInfo) -> str:
    """Return an instant for people: the local time with the zone's name and, unless it is UTC, its abbreviation then.

    The abbreviation tells the two hours apart that the clocks show twice: Sunday, 25 October 2026, 02:30 CEST
    (Europe/Berlin).
    """
    local = instant.astimezone(zone)
    day_and_time = f"{local:%A}, {local.day} {local:%B %Y, %H:%M}"
    if zone.key == "UTC":
        return f"{day_and_time} UTC"
    return f"{day_and_time} {zone_abbreviation(local)} ({zone.key})"


def zone_abbreviation(local: datetime) -> str:
    """Return the abbreviation of a local time's zone then, such as CEST; for a zone without one the offset."""
    abbreviation = local.tzname() or ""
    if abbreviation.isalpha():
        return abbreviation
    offset = local.utcoffset()
    assert offset is not None
    return f"UTC{format_offset(offset)}"
