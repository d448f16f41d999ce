"""Calendars both ways through clients of others: `icalendar`, `ics` and `recurring_ical_events`."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import icalendar
import ics
import pytest
import recurring_ical_events

from provider.stays.calendars.parse import Calendar, parse_calendar
from provider.stays.calendars.render import render
from provider.stays.models.calendars import ShownCalendar, ShownNights

TAG = UUID("6f1e0000-0000-4000-8000-000000000001")
STAY, BLOCK = UUID("0197a2b4-5c6d-7e8f-9a0b-1c2d3e4f5a6b"), UUID("0197a2b4-5c6d-7e8f-9a0b-1c2d3e4f5a6c")
ARRIVAL = date(2026, 7, 1)
DAY = timedelta(days=1)
SPANS = [(ARRIVAL, ARRIVAL + 3 * DAY), (ARRIVAL + 3 * DAY, ARRIVAL + 4 * DAY), (ARRIVAL + 9 * DAY, ARRIVAL + 11 * DAY)]

Spans = list[tuple[date, date]]


def shown(*nights: ShownNights) -> bytes:
    return render(ShownCalendar("Hut by the lake", TAG, list(nights)))


def read_by_icalendar(body: bytes) -> Spans:
    events = icalendar.Calendar.from_ical(body).walk("VEVENT")
    return [(each.decoded("dtstart"), each.decoded("dtend")) for each in events]


def read_by_ics(body: bytes) -> Spans:
    """Its all-day events end with their last day included in `end`, as a moment of the day after."""
    events = sorted(ics.Calendar(body.decode()).events)
    assert all(each.all_day for each in events)
    return [(each.begin.date(), each.begin.date() + each.duration) for each in events]


def read_by_recurring_ical_events(body: bytes) -> Spans:
    events = recurring_ical_events.of(icalendar.Calendar.from_ical(body)).between(date(2026, 1, 1), date(2030, 1, 1))
    return sorted((each.decoded("dtstart"), each.decoded("dtend")) for each in events)


CLIENTS = [read_by_icalendar, read_by_ics, read_by_recurring_ical_events]


@pytest.mark.parametrize("read", CLIENTS)
def test_each_client_reads_the_nights_that_we_show(read: Callable[[bytes], Spans]) -> None:
    kinds = [("stay", STAY), ("turnover", STAY), ("block", BLOCK)]
    nights = [
        ShownNights(kind=kind, origin=origin, first_night=first, end_date=end, uid=None)  # type: ignore[arg-type]  # each is one of the kinds
        for (kind, origin), (first, end) in zip(kinds, SPANS, strict=True)
    ]

    assert read(shown(*nights)) == SPANS


@pytest.mark.parametrize("read", CLIENTS)
def test_each_client_reads_an_empty_calendar(read: Callable[[bytes], Spans]) -> None:
    assert read(shown()) == []


def held(body: bytes) -> Spans:
    found = parse_calendar(Calendar(body, TAG, "Europe/Berlin", date(2026, 1, 1), date(2028, 12, 31)))
    assert found.unreadable == []
    return [(each.first_night, each.end_date) for each in found.held]


def test_we_read_what_ics_writes() -> None:
    whole_days = ics.Event(name="Booked", begin="2026-07-01")
    whole_days.make_all_day()
    whole_days.duration = timedelta(days=3)
    timed = ics.Event(name="Booked", begin="2026-08-01T15:00:00+02:00", end="2026-08-03T10:00:00+02:00")

    body = ics.Calendar(events=[whole_days, timed]).serialize().encode()

    assert held(body) == [(ARRIVAL, ARRIVAL + 3 * DAY), (date(2026, 8, 1), date(2026, 8, 3))]


def test_we_read_what_icalendar_writes_and_its_repetitions() -> None:
    calendar = icalendar.Calendar()
    calendar.add("prodid", "-//another site//EN")
    calendar.add("version", "2.0")
    event = icalendar.Event()
    event.add("uid", "repeated@site.example")
    event.add("dtstamp", datetime(2026, 1, 1, tzinfo=UTC))
    event.add("dtstart", ARRIVAL)
    event.add("dtend", ARRIVAL + 2 * DAY)
    event.add("rrule", {"freq": "weekly", "count": 3})
    calendar.add_component(event)
    body = calendar.to_ical()

    assert held(body) == read_by_recurring_ical_events(body)
    assert len(held(body)) == 3
