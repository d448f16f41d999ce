"""The calendar files in emails about confirmed tables, read by a foreign client."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.message import EmailMessage
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import pytest

from provider.dining.mail.invitation import invitation
from provider.dining.models import TableOrder
from tests.support.fake_smtp import FakeSmtp
from tests.support.restaurant import EVENING, Restaurant


@pytest.fixture(params=["Europe/Berlin"])
def zone(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def environment(environment: dict[str, str], zone: str) -> dict[str, str]:
    return environment | {
        "PROVIDER_TIMEZONE": zone,
        "PROVIDER_RESTAURANT_NAME": "Zum Löwen",
        "PROVIDER_RESTAURANT_ADDRESS": "Hafenstraße 1, Hamburg",
        "PROVIDER_REPLY_TO": "Host <host@loewen.example>",
    }


def calendar_in(mail: EmailMessage) -> Any:
    """Return the calendar of an email, which is the same as the file attached to it."""
    parts: list[Any] = [part for part in mail.walk() if part.get_content_type() in ("text/calendar", "application/ics")]
    if not parts:
        return None
    as_part, as_file = parts
    assert as_file.get_filename() == "reservation.ics"
    assert as_part.get_payload(decode=True) == as_file.get_payload(decode=True)
    calendar = icalendar.Calendar.from_ical(as_file.get_payload(decode=True))
    assert as_part.get_param("method") == calendar["method"]
    return calendar


def event_in(mail: EmailMessage) -> Any:
    calendar = calendar_in(mail)
    assert calendar is not None
    [event] = calendar.walk("VEVENT")
    return event


def order_at(starts_at: datetime) -> TableOrder:
    """Return a confirmed order of an hour and a half."""
    return TableOrder(
        id=1, status="confirmed", callback_url="", table_id=1, table_type="room", seats=2, price=Decimal(0), name=None,
        email="ann@example.com", phone=None, guests=None, starts_at=starts_at, minutes=90,
        ordered_at=datetime.now(UTC), erased=False, timezone="UTC", currency="EUR", notes=None, decline_reason=None,
    )  # fmt: skip


async def book(restaurant: Restaurant, start: str | None = f"{EVENING:%Y-%m-%d}T22:00") -> int:
    table = await restaurant.add_table(table_type="cabin", seats=4, price=25.5)
    return await restaurant.book(
        table, email="ann@example.com", name="Ann", guests=3, starts_at=start, minutes=90, notes="Window; please, \\o/"
    )


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "UTC"], indirect=True)
async def test_a_confirmation_puts_the_table_into_a_calendar_and_a_cancellation_takes_it_out(
    restaurant: Restaurant, fake_smtp: FakeSmtp, zone: str
) -> None:
    booking = await book(restaurant)
    for step in ("accept", "cancel"):
        await restaurant.admin("POST", f"{step}_booking/?id={booking}")
    await restaurant.send_mails()

    received, confirmed, cancelled = fake_smtp.mails
    assert calendar_in(received) is None
    request, cancel = event_in(confirmed), event_in(cancelled)
    assert [str(calendar_in(mail)["method"]) for mail in (confirmed, cancelled)] == ["REQUEST", "CANCEL"]
    assert request["uid"] == cancel["uid"]
    assert [int(event["sequence"]) for event in (request, cancel)] == [0, 1]
    assert [str(event["status"]) for event in (request, cancel)] == ["CONFIRMED", "CANCELLED"]
    for event in (request, cancel):
        start = datetime.fromisoformat(f"{EVENING:%Y-%m-%d}T22:00").replace(tzinfo=ZoneInfo(zone))
        assert event["dtstart"].dt == start
        assert event["dtend"].dt == start + timedelta(minutes=90)
        if zone != "UTC":
            assert event["dtstart"].params["TZID"] == zone
        assert str(event["summary"]) == "Table at Zum Löwen"
        assert str(event["location"]) == "Hafenstraße 1, Hamburg"
        assert str(event["organizer"]) == "mailto:host@loewen.example"
        assert str(event["attendee"]) == "mailto:ann@example.com"
        assert "Your notes: Window; please, \\o/" in str(event["description"])


async def test_the_file_contains_the_rules_of_the_clocks_for_programs_that_do_not_know_the_zone(
    restaurant: Restaurant, fake_smtp: FakeSmtp
) -> None:
    booking = await book(restaurant)
    await restaurant.admin("POST", f"accept_booking/?id={booking}")
    await restaurant.send_mails()

    calendar = calendar_in(fake_smtp.mails[-1])
    assert calendar is not None
    [zone] = calendar.walk("VTIMEZONE")
    assert zone["tzid"] == "Europe/Berlin"
    rules = zone.to_tz()
    local = datetime(EVENING.year, EVENING.month, EVENING.day, 22)  # noqa: DTZ001 - a local time
    assert rules.utcoffset(local) == ZoneInfo("Europe/Berlin").utcoffset(local)


def offset_by(zone: Any, local: datetime) -> timedelta:
    """Return the offset of a local time by the rules of a VTIMEZONE alone: that of the last change before it."""
    changes = []
    for rule in zone.subcomponents:
        dates = rule.get("rdate", [])
        onsets = [date.dt for line in (dates if isinstance(dates, list) else [dates]) for date in line.dts]
        changes += [(onset, rule["tzoffsetto"].td) for onset in [rule["dtstart"].dt, *onsets] if onset <= local]
    offset: timedelta = max(changes)[1]
    return offset


@pytest.mark.parametrize("year", ["2037", "2038", "2040", "2400", "9997"])
@pytest.mark.parametrize(("day", "clock_hours"), [("01-15", (1, 13)), ("07-01", (2, 12)), ("12-31", (1, 13))])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "Pacific/Auckland"], indirect=True)
def test_the_rules_of_the_clocks_hold_for_bookings_far_ahead(
    restaurant: Restaurant, zone: str, year: str, day: str, clock_hours: tuple[int, int]
) -> None:
    """As a booking that staff set with `force`: most clients read the rules of the file, and do not know the zone."""
    local = datetime.fromisoformat(f"{year}-{day}T19:00")
    file = invitation(order_at(local.replace(tzinfo=ZoneInfo(zone))), "REQUEST", datetime.now(UTC), restaurant.settings)

    calendar: Any = icalendar.Calendar.from_ical(file)
    [rules] = calendar.walk("VTIMEZONE")
    [event] = calendar.walk("VEVENT")
    assert event["dtstart"].to_ical() == f"{local:%Y%m%dT%H%M%S}".encode()
    assert offset_by(rules, local) == timedelta(hours=clock_hours[zone == "Pacific/Auckland"])
    assert len(file) < 10_000


async def test_only_a_confirmed_booking_with_a_time_has_a_calendar_file(
    restaurant: Restaurant, fake_smtp: FakeSmtp
) -> None:
    declined, without_time = await book(restaurant), await book(restaurant, None)
    await restaurant.admin("POST", f"cancel_booking/?id={declined}")
    for step in ("accept", "cancel"):
        await restaurant.admin("POST", f"{step}_booking/?id={without_time}")
    await restaurant.send_mails()

    assert len(fake_smtp.mails) == 5
    assert [calendar_in(mail) for mail in fake_smtp.mails] == [None] * 5


@pytest.mark.parametrize(
    ("start", "offset"),
    [("2027-03-28T00:30:00+00:00", 1), ("2027-03-28T01:00:00+00:00", 2),
     ("2026-10-25T00:30:00+00:00", 2), ("2026-10-25T01:30:00+00:00", 1)],
)  # fmt: skip
def test_times_around_a_clock_change_keep_their_instant(restaurant: Restaurant, start: str, offset: int) -> None:
    starts_at = datetime.fromisoformat(start)
    file = invitation(order_at(starts_at), "REQUEST", datetime.now(UTC), restaurant.settings)

    calendar: Any = icalendar.Calendar.from_ical(file)
    [event] = calendar.walk("VEVENT")
    assert event["dtend"].dt.astimezone(UTC) == starts_at + timedelta(minutes=90)
    assert event["dtstart"].dt.astimezone(UTC) == starts_at
    local = starts_at.astimezone(ZoneInfo("Europe/Berlin"))
    assert local.utcoffset() == timedelta(hours=offset)
    assert event["dtstart"].params.get("TZID") == (None if local.fold else "Europe/Berlin")
