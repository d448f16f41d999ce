"""Which nights the events of a calendar have (RFC 5545).

- An all-day event has the nights from its first day to its last; a timed one those from the date of its start to the
  date of its end in the time zone of the property: from 15:00 on the 1st to 11:00 on the 3rd are the nights of the 1st
  and the 2nd. Times without a zone are in that zone. Every event has at least one night: a night too many off sale
  costs less than one that is sold twice.
- An event from midnight to midnight is an all-day one, as many sites write it: it has the nights from its first date to
  its last as written, in whichever time zone. An end at 23:59 is the midnight after it. Midnight in UTC counts too,
  since many sites write whole days that way. A stay that really lasts from 20:00 to 20:00 in New York then gets other
  nights than it has there. Holding the nights of both readings would take a night too many off sale for each event.
- Events that are cancelled (STATUS:CANCELLED) or take no time (TRANSP:TRANSPARENT) have none.
- The property's own events that come back from another site are ignored: its reservations would be in conflict with
  themselves, and a night that was given up would never become free.
- An event that cannot be read, or whose recurrences cost too much, does not hide the others.
"""

import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import icalendar
import msgspec
import recurring_ical_events

from provider.stays.calendars.document import UNREADABLE, NotACalendarError, read_series
from provider.stays.calendars.uids import is_own_uid
from provider.stays.models.calendars import HeldNights

MAX_ROW_NIGHTS = 365
SERIES_SECONDS = 1.0
"""Processor time for one event and its recurrences."""
MAX_COSTLY_SERIES = 5

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
UTC_NAMES = ("UTC", "ETC/UTC", "GMT")
RECURRENCE = ("RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID")


class TooCostlyError(Exception):
    """The recurrences of an event take too long to compute."""


class Calendar(msgspec.Struct, frozen=True, array_like=True):
    """A document to read. The nights from `since` to before `until` count; time_zone: of the property."""

    document: bytes
    calendar_tag: UUID
    time_zone: str
    since: date
    until: date


class ParsedCalendar(msgspec.Struct, frozen=True, array_like=True):
    """The nights, each with one event that has it; the number of events; and the UIDs of those that cannot be read."""

    held: list[HeldNights]
    events: int
    unreadable: list[str]


Span = tuple[date, date, str]
"""First night, day after the last, UID."""


def parse_calendar(calendar: Calendar, limit_cost: "Callable[[], Any] | None" = None) -> ParsedCalendar:
    """Read a document. Raises NotACalendarError.

    limit_cost: a context in which an event is read, which raises TooCostlyError; by default `processor_time_limit`.
    """
    limit = limit_cost or processor_time_limit
    events, series = read_series(calendar.document)
    zone = ZoneInfo(calendar.time_zone)
    spans: list[Span] = []
    unreadable: list[str] = []
    costly = 0
    for uid, group in series:
        if is_own_uid(uid, calendar.calendar_tag):
            continue
        try:
            with limit():
                spans += [
                    (max(first, calendar.since), min(end, calendar.until), uid)
                    for first, end in spans_of(group, zone, calendar.since, calendar.until)
                ]
        except TooCostlyError:
            costly += 1
            if costly > MAX_COSTLY_SERIES:
                raise NotACalendarError("has too many events whose recurrences cost too much") from None
            unreadable.append(uid)
        except UNREADABLE:
            unreadable.append(uid)
    return ParsedCalendar(runs_of(nights_by_event(spans)), events, unreadable)


@contextmanager
def processor_time_limit() -> Iterator[None]:
    """Raises TooCostlyError in the block after SERIES_SECONDS of processor time. For the main thread alone."""

    def give_up(_number: int, _frame: object) -> None:
        raise TooCostlyError

    before = signal.signal(signal.SIGPROF, give_up)
    signal.setitimer(signal.ITIMER_PROF, SERIES_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def spans_of(group: list[icalendar.Event], zone: ZoneInfo, since: date, until: date) -> Iterable[tuple[date, date]]:
    """The nights of the events of one UID that overlap the range. Raises one of UNREADABLE."""
    found = []
    for event in instances_of(group, since, until):
        if is_free_time(event):
            continue
        first, end = span_of(event, zone)
        if first < until and end > since:
            found.append((first, end))
    return found


def instances_of(group: list[icalendar.Event], since: date, until: date) -> Iterator[icalendar.Event]:
    """The events themselves, and instead of those that recur their occurrences around the range.

    Sites that use a UID for several events mean all of them.
    """
    if not any(name in event for event in group for name in RECURRENCE):
        yield from group
        return
    originals = [[event] for event in group if "RECURRENCE-ID" not in event]
    changes = [event for event in group if "RECURRENCE-ID" in event]
    for original in originals or [[]]:
        calendar = icalendar.Calendar()
        for event in original + changes:
            calendar.add_component(event)
        if "X-WR-TIMEZONE" in group[0]:
            calendar["X-WR-TIMEZONE"] = group[0]["X-WR-TIMEZONE"]
        yield from recurring_ical_events.of(calendar).between(since - 2 * DAY, until + 2 * DAY)


def is_free_time(event: Mapping[str, Any]) -> bool:
    status, transparency = (str(event.get(name, "")).strip().upper() for name in ("STATUS", "TRANSP"))
    return status == "CANCELLED" or transparency == "TRANSPARENT"


def span_of(event: Mapping[str, Any], zone: ZoneInfo) -> tuple[date, date]:
    """The first night of an event that does not recur, and the day after its last. Raises one of UNREADABLE."""
    start: date | datetime = event["DTSTART"].dt
    end: date | datetime = start
    if "DTEND" in event:
        end = event["DTEND"].dt
    elif "DURATION" in event:
        end = start + event["DURATION"].dt
    after = end + MINUTE  # on the next date if the end is at 23:59
    if is_midnight(start, event) and (is_midnight(end, event) or is_midnight(after, event)):
        first, last = written_date(start), written_date(after)
    else:
        first, last = local_date(start, zone), local_date(after, zone)
    return first, max(last, first + DAY)


def is_midnight(moment: date | datetime, event: Mapping[str, Any]) -> bool:
    """Whether a time is midnight where it was written.

    In a calendar that names a time zone (X-WR-TIMEZONE), times in UTC were converted by the site, so midnight in UTC
    does not count.
    """
    if not isinstance(moment, datetime) or moment.hour or moment.minute:
        return False
    is_utc = moment.tzinfo is not None and moment.utcoffset() == timedelta(0)
    return not is_utc or str(event.get("X-WR-TIMEZONE", "UTC")).strip().upper() in UTC_NAMES


def written_date(moment: date | datetime) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


def local_date(moment: date | datetime, zone: ZoneInfo) -> date:
    """The date of a moment where the property is."""
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        return written_date(moment)
    return written_date(moment.astimezone(zone))


def nights_by_event(spans: Iterable[Span]) -> dict[date, str]:
    """Each night with the UID of the event that has it; of several events the one that begins first."""
    nights: dict[date, str] = {}
    for first, end, uid in sorted(spans):
        night = first
        while night < end:
            nights.setdefault(night, uid)
            night += DAY
    return nights


def runs_of(nights: Mapping[date, str]) -> list[HeldNights]:
    """The nights as rows of up to MAX_ROW_NIGHTS nights of one event each."""
    runs: list[HeldNights] = []
    for night in sorted(nights):
        last = runs[-1] if runs else None
        if (
            last is not None
            and (last.end_date, last.uid) == (night, nights[night])
            and (night - last.first_night).days < MAX_ROW_NIGHTS
        ):
            runs[-1] = HeldNights(last.first_night, night + DAY, last.uid)
        else:
            runs.append(HeldNights(night, night + DAY, nights[night]))
    return runs
