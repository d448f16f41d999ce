"""Which nights the events of a calendar have (RFC 5545).

- An all-day event has the nights from its first day to its last; a timed one those from the date of its start to the
  date of its end in the time zone of the property: from 15:00 on the 1st to 11:00 on the 3rd are the nights of the 1st
  and the 2nd. Times without a zone are in that zone. Every event has at least one night: a night too many off sale
  costs less than one that is sold twice.
- An event from midnight to midnight is an all-day one, as many sites write it: it has the nights from its first date to
  its last as written, in whichever time zone. An end at 23:59 is the midnight after it.
- Events that are cancelled (STATUS:CANCELLED) or take no time (TRANSP:TRANSPARENT) have none.
- The property's own events that come back from another site are ignored: its reservations would be in conflict with
  themselves, and a night that was given up would never become free.
- An event that cannot be read, or whose recurrences cost too much, does not hide the others.
"""

import signal
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import icalendar
import msgspec
import recurring_ical_events
from icalendar.timezone import tzp

from provider.stays.calendars.uids import is_own_uid

MAX_UID_LENGTH = 255
MAX_ROW_NIGHTS = 365
MAX_UNREADABLE = 20
SERIES_SECONDS = 1.0
"""Processor time for one event and its recurrences."""
MAX_COSTLY_SERIES = 5

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
WITHOUT_NIGHTS = (b"VALARM", b"VTODO", b"VJOURNAL")
UTC_NAMES = ("UTC", "ETC/UTC", "GMT")
RECURRENCE = ("RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID")

UNREADABLE: tuple[type[Exception], ...] = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)
"""What the libraries raise for an event that does not follow the standard."""


class TooCostlyError(Exception):
    """The recurrences of an event take too long to compute."""


class NotACalendarError(Exception):
    """The document is not a calendar that can be read as a whole."""


class Calendar(msgspec.Struct, frozen=True, array_like=True):
    """A document to read. The nights from `since` to before `until` count; time_zone: of the property."""

    document: bytes
    calendar_tag: UUID
    time_zone: str
    since: date
    until: date


class HeldNights(msgspec.Struct, frozen=True, array_like=True):
    """Nights that an event has, from the first to the day after the last; uid: the event's."""

    first_night: date
    end_date: date
    uid: str


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


def read_series(document: bytes) -> tuple[int, list[tuple[str, list[icalendar.Event]]]]:
    """The number of events, and the events of each UID. Raises NotACalendarError."""
    text = without_other_components(normalised(document))
    if not text[:15].upper() == b"BEGIN:VCALENDAR":
        raise NotACalendarError("is not an iCalendar file")
    tzp.use_default()  # forgets the time zones that documents before this one have defined
    try:
        calendars = icalendar.Calendar.from_ical(text, multiple=True)
        if b"BEGIN:VTIMEZONE" in text[text.find(b"BEGIN:VEVENT") :]:
            calendars = icalendar.Calendar.from_ical(text, multiple=True)  # now all time zones are known
    except UNREADABLE as error:
        raise NotACalendarError(f"is not a valid iCalendar file: {str(error)[:200]}") from None
    if not calendars or not text[-13:].upper() == b"END:VCALENDAR":
        raise NotACalendarError("is cut off")
    if b"BEGIN:VFREEBUSY" in text and b"BEGIN:VEVENT" not in text:
        raise NotACalendarError("has free and busy times instead of events")
    groups: dict[str, list[icalendar.Event]] = defaultdict(list)
    number = 0
    for calendar in calendars:
        for event in calendar.walk("VEVENT"):
            number += 1
            groups[clean_uid(event.get("UID")) or f"(without UID, {number})"].append(with_zone_of(calendar, event))
    return number, list(groups.items())


def normalised(document: bytes) -> bytes:
    """The document without what sites put before and after it, and with line ends that the standard knows.

    Caches and templates of web sites add empty lines, byte order marks, comments at the end and carriage returns.
    """
    text = document.strip().removeprefix(BYTE_ORDER_MARK).strip()
    if b"\n" not in text:
        text = text.replace(b"\r", b"\n")
    text = text.replace(b"\r\r\n", b"\r\n")
    before, end, after = text.rpartition(b"\nEND:VCALENDAR")
    return text if b"BEGIN:" in after else before + end


def without_other_components(text: bytes) -> bytes:
    """The document without alarms and tasks: they have no nights, and a fault in one would hide all events."""
    kept = []
    inside = b""
    for line in text.split(b"\n"):
        word = line.rstrip().upper()
        if not inside and word.startswith(b"BEGIN:") and word[6:] in WITHOUT_NIGHTS:
            inside = word[6:]
        if not inside:
            kept.append(line)
        elif word == b"END:" + inside:
            inside = b""
    return b"\n".join(kept)


def with_zone_of(calendar: icalendar.Component, event: Any) -> icalendar.Event:
    """The event, with the time zone that the whole calendar names outside of the standard, as Google does."""
    if "X-WR-TIMEZONE" in calendar:
        event["X-WR-TIMEZONE"] = calendar["X-WR-TIMEZONE"]
    return event


def clean_uid(value: Any) -> str:
    """The UID without characters that cannot be stored or seen, as far as it fits; empty without one."""
    text = value[0] if isinstance(value, list) and value else value
    return "".join(each for each in str(text or "") if each.isprintable())[:MAX_UID_LENGTH].strip()


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
    """Whether a time is midnight where it was written. Of a calendar with a time zone of its own, UTC is not that."""
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
