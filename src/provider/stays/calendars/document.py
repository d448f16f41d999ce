"""The events in the document of another site, which may stray from the standard (RFC 5545) in many ways."""

from collections import defaultdict
from typing import Any

import icalendar
from icalendar.timezone import tzp

MAX_UID_LENGTH = 255
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
WITHOUT_NIGHTS = (b"VALARM", b"VTODO", b"VJOURNAL")

UNREADABLE: tuple[type[Exception], ...] = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)
"""What the libraries raise for an event that does not follow the standard."""


class NotACalendarError(Exception):
    """The document is not a calendar that can be read as a whole."""


def read_series(document: bytes) -> tuple[int, list[tuple[str, list[icalendar.Event]]]]:
    """The number of events, and the events of each UID. Raises NotACalendarError."""
    text = without_other_components(normalised(document))
    in_capitals = text.upper()
    if not in_capitals.startswith(b"BEGIN:VCALENDAR"):
        raise NotACalendarError("is not an iCalendar file")
    tzp.use_default()  # forgets the time zones that documents before this one have defined
    try:
        calendars = icalendar.Calendar.from_ical(text, multiple=True)
        if b"BEGIN:VTIMEZONE" in in_capitals[in_capitals.find(b"BEGIN:VEVENT") :]:
            calendars = icalendar.Calendar.from_ical(text, multiple=True)  # now all time zones are known
    except UNREADABLE as error:
        raise NotACalendarError(f"is not a valid iCalendar file: {str(error)[:200]}") from None
    if not calendars or not in_capitals.endswith(b"END:VCALENDAR"):
        raise NotACalendarError("is cut off")
    if b"BEGIN:VFREEBUSY" in in_capitals and b"BEGIN:VEVENT" not in in_capitals:
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
    *_, after = text.upper().rpartition(b"\nEND:VCALENDAR")  # names of components may have small letters
    return text if b"BEGIN:" in after else text[: len(text) - len(after)]


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
