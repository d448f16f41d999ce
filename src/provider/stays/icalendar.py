"""A property's stays as iCalendar (RFC 5545), the format in which rental sites exchange booked nights."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import icalendar

from provider.stays.models import Stay

PRODUCT = "-//Nightaudit//Stays//EN"


def render(stays: Sequence[Stay]) -> bytes:
    """One all-day event per stay, from the arrival to the departure (exclusive), without the guest.

    A calendar must have a component (RFC 5545, 3.6): without stays it is the definition of UTC.
    """
    calendar = icalendar.Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    for stay in stays:
        event = icalendar.Event()
        event.add("uid", f"{stay.reservation_id}@nightaudit")
        event.add("dtstamp", creation_time(stay.reservation_id))
        event.add("dtstart", stay.arrival)
        event.add("dtend", stay.departure)
        event.add("summary", "Reserved")
        event.add("transp", "OPAQUE")
        calendar.add_component(event)
    if not stays:
        calendar.add_component(utc_definition())
    rendered: bytes = calendar.to_ical()
    return rendered


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


def creation_time(reservation_id: UUID) -> datetime:
    """The time at which a UUIDv7 was created: its first 48 bits are milliseconds since 1970."""
    return datetime.fromtimestamp((reservation_id.int >> 80) // 1000, UTC)
