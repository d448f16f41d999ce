"""Confirmed tables as iCalendar (RFC 5545), attached to emails by iTIP (RFC 5546)."""

from datetime import MAXYEAR, UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import icalendar

from provider.dining.mail.content import order_details, order_digest
from provider.dining.mail.mailbox import parse_mailbox
from provider.dining.models import TableOrder
from provider.dining.settings import DiningSettings

PRODUCT = "-//Nightaudit//Dining//EN"

Method = Literal["REQUEST", "CANCEL"]
SEQUENCES: dict[Method, int] = {"REQUEST": 0, "CANCEL": 1}
"""A cancellation is the revision after the confirmation."""


def calendar_time(instant: datetime, zone: ZoneInfo) -> datetime:
    """Return an instant by the clocks of a zone; in UTC if the local time would mean an earlier instant.

    That is so when clocks show the time a second time (RFC 5545, 3.3.5).
    """
    local = instant.astimezone(zone)
    return instant.astimezone(UTC) if zone.key == "UTC" or local.fold else local


def zone_period(end: datetime) -> tuple[date, date]:
    """Return the first and the last date for which the file of a booking with this end has the rules of the clocks.

    They are written out change by change, so the years before a booking that is very far ahead are left out.
    """
    usual = icalendar.Timezone.DEFAULT_FIRST_DATE, icalendar.Timezone.DEFAULT_LAST_DATE
    if end.date() < usual[1] - timedelta(days=2):
        return usual
    return date(end.year - 2, 1, 1), date(min(end.year + 2, MAXYEAR), 1, 1)


def invitation(order: TableOrder, method: Method, occurred_at: datetime, settings: DiningSettings) -> bytes:
    """Return the calendar file of a booking with a start: REQUEST puts it into a calendar, CANCEL takes it out again.

    The UID is the same in both. Times are those of the restaurant's clocks, whose rules the file contains.
    """
    assert order.starts_at is not None
    assert order.email is not None
    event = icalendar.Event()
    event.add("uid", f"booking-{order.id}-{order_digest(order, 'calendar')}@nightaudit")
    event.add("sequence", SEQUENCES[method])
    event.add("dtstamp", occurred_at.astimezone(UTC).replace(microsecond=0))
    start = order.starts_at.replace(microsecond=0)
    for name, instant in (("dtstart", start), ("dtend", start + timedelta(minutes=order.minutes))):
        event.add(name, calendar_time(instant, settings.zone))
    event.add("summary", f"Table at {settings.restaurant_name}")
    if settings.restaurant_address is not None:
        event.add("location", settings.restaurant_address)
    event.add("description", "\n".join(f"{label}: {value}" for label, value in order_details(order, settings)))
    event.add("status", "CONFIRMED" if method == "REQUEST" else "CANCELLED")
    organizer = icalendar.vCalAddress(f"mailto:{parse_mailbox(settings.reply_to or settings.mail_from).addr_spec}")
    organizer.params["CN"] = icalendar.vText(settings.restaurant_name)
    event.add("organizer", organizer)
    attendee = icalendar.vCalAddress(f"mailto:{order.email}")
    attendee.params["PARTSTAT"] = icalendar.vText("ACCEPTED" if method == "REQUEST" else "NEEDS-ACTION")
    attendee.params["RSVP"] = icalendar.vText("FALSE")
    event.add("attendee", attendee)

    calendar = icalendar.Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", method)
    calendar.add_component(event)
    calendar.add_missing_timezones(*zone_period(order.starts_at + timedelta(minutes=order.minutes)))
    rendered: bytes = calendar.to_ical()
    return rendered
