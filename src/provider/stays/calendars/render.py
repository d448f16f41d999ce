"""The calendar of a property as iCalendar (RFC 5545), the format in which rental sites exchange nights that are taken.

Equal nights make equal bytes, so that the ETag of the calendar changes with the nights alone. No event names a guest,
or says anything that came from another site.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import icalendar

from provider.stays.calendars.uids import is_nightaudit_uid, own_uid
from provider.stays.models.calendars import ShownCalendar, ShownNights

PRODUCT = "-//Nightaudit//Stays//EN"
RESERVED = "Reserved"
NOT_AVAILABLE = "Not available"
MAX_NAME_LENGTH = 100
UNKNOWN_TIME = datetime(2000, 1, 1, tzinfo=UTC)
"""The DTSTAMP of nights of the feed, which does not say when it learnt of them."""


def render(shown: ShownCalendar) -> bytes:
    """One all-day event per stay and for each range of other nights that cannot be sold; the last day is exclusive.

    A calendar must have a component (RFC 5545, 3.6): without nights it is the definition of UTC.
    """
    calendar = icalendar.Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", calendar_name(shown.description))
    uids: set[str] = set()
    for nights in in_order(shown.nights):
        uid = uid_of(nights, shown.calendar_tag, uids)
        uids.add(uid)
        event = icalendar.Event()
        event.add("uid", uid)
        event.add("dtstamp", UNKNOWN_TIME if nights.origin is None else creation_time(nights.origin))
        event.add("dtstart", nights.first_night)
        event.add("dtend", nights.end_date)
        event.add("summary", RESERVED if nights.kind == "stay" else NOT_AVAILABLE)
        event.add("transp", "OPAQUE")
        calendar.add_component(event)
    if not shown.nights:
        calendar.add_component(utc_definition())
    rendered: bytes = calendar.to_ical()
    return rendered


def digest_of(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()


def calendar_name(description: str) -> str:
    """The first line of a property's description."""
    return description.strip().splitlines()[0][:MAX_NAME_LENGTH] if description.strip() else "Calendar"


def in_order(nights: Sequence[ShownNights]) -> list[ShownNights]:
    return sorted(nights, key=lambda each: (each.first_night, each.end_date, each.kind, each.uid or "", each.origin))


def uid_of(nights: ShownNights, calendar_tag: UUID, used: set[str]) -> str:
    """A UID that no other event of the calendar has, and the same as long as the nights are the same.

    Other nights make another UID, since Google adds and removes the events of a calendar at an address, but shows one
    that it knows as it was before. An event that comes from another property, directly or by way of other sites, keeps
    its UID, so that the property recognises it. The UIDs of other sites are not passed on, for they may name a guest.
    """
    span = f"{nights.first_night:%Y%m%d}-{nights.end_date:%Y%m%d}"
    match nights.kind:
        case "stay" | "block":
            return own_uid(f"{nights.origin}-{span}", calendar_tag)
        case "turnover":
            return own_uid(f"{nights.origin}-turnover-{span}", calendar_tag)
        case "feed":
            return own_uid(f"feed-{span}", calendar_tag)
        case "held":
            uid = nights.uid or ""
            if is_nightaudit_uid(uid):
                name, _, end = uid.partition("@")
                uid = f"{name}-{span}@{end}" if uid in used else uid
                if is_nightaudit_uid(uid):
                    return uid
            return own_uid(f"{nights.origin}-{span}", calendar_tag)


def utc_definition() -> icalendar.Timezone:
    """The time zone UTC, which never changes its offset."""
    standard = icalendar.TimezoneStandard()
    standard.add("dtstart", datetime(1970, 1, 1))  # noqa: DTZ001 - a local time, as the standard demands
    standard.add("tzoffsetfrom", timedelta(0))
    standard.add("tzoffsetto", timedelta(0))
    zone = icalendar.Timezone()
    zone.add("tzid", "UTC")
    zone.add_component(standard)
    return zone


def creation_time(identifier: UUID) -> datetime:
    """The time at which a UUIDv7 was created: its first 48 bits are milliseconds since 1970."""
    return datetime.fromtimestamp((identifier.int >> 80) // 1000, UTC)
