"""Which nights the events of a calendar have."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from uuid import UUID

import icalendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider.stays.calendars import parse
from provider.stays.calendars.parse import Calendar, NotACalendarError, ParsedCalendar, TooCostlyError, parse_calendar
from provider.stays.calendars.uids import own_uid

TAG = UUID("6f1e0000-0000-4000-8000-000000000001")
SINCE, UNTIL = date(2026, 1, 1), date(2028, 12, 31)
DAY = timedelta(days=1)

BERLIN = """BEGIN:VTIMEZONE
TZID:House time
BEGIN:STANDARD
DTSTART:19701025T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700329T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
END:VTIMEZONE
"""


def document(*events: str, before: str = "", after: str = "") -> bytes:
    made = "".join(f"BEGIN:VEVENT\n{event.strip()}\nEND:VEVENT\n" for event in events)
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{before}{made}{after}END:VCALENDAR\n"
    return text.replace("\n", "\r\n").encode()


def parsed(data: bytes, zone: str = "UTC", since: date = SINCE, until: date = UNTIL) -> ParsedCalendar:
    return parse_calendar(Calendar(data, TAG, zone, since, until))


def spans(*events: str, zone: str = "UTC", before: str = "", after: str = "") -> list[tuple[str, str, str]]:
    found = parsed(document(*events, before=before, after=after), zone)
    assert found.unreadable == []
    return [(str(each.first_night), str(each.end_date), each.uid) for each in found.held]


def nights(*events: str, zone: str = "UTC", before: str = "", after: str = "") -> list[tuple[str, str]]:
    return [span[:2] for span in spans(*events, zone=zone, before=before, after=after)]


def test_an_all_day_event_has_the_nights_before_its_exclusive_end() -> None:
    event = "UID:a\nDTSTART;VALUE=DATE:20260701\nDTEND;VALUE=DATE:20260704"

    assert spans(event) == [("2026-07-01", "2026-07-04", "a")]


@pytest.mark.parametrize(
    "end",
    ["", "DTEND;VALUE=DATE:20260701", "DTEND;VALUE=DATE:20260630", "DURATION:P1D", "DURATION:PT0S"],
)
def test_every_event_has_a_night_at_least(end: str) -> None:
    assert nights(f"UID:a\nDTSTART;VALUE=DATE:20260701\n{end}") == [("2026-07-01", "2026-07-02")]


@pytest.mark.parametrize(
    ("event", "zone", "expected"),
    [
        ("DTSTART:20260701T130000Z\nDTEND:20260703T090000Z", "UTC", ("2026-07-01", "2026-07-03")),
        ("DTSTART:20260701T230000Z\nDTEND:20260703T010000Z", "America/Los_Angeles", ("2026-07-01", "2026-07-02")),
        ("DTSTART:20260701T120000Z\nDTEND:20260703T120000Z", "Pacific/Auckland", ("2026-07-02", "2026-07-04")),
        ("DTSTART:20260701T000000\nDTEND:20260703T000000", "America/Los_Angeles", ("2026-07-01", "2026-07-03")),
        ("DTSTART:20260701T100000\nDTEND:20260701T120000", "UTC", ("2026-07-01", "2026-07-02")),
        ("DTSTART:20260701T150000", "UTC", ("2026-07-01", "2026-07-02")),
        ("DTSTART:20260701T150000\nDURATION:P2DT20H", "UTC", ("2026-07-01", "2026-07-04")),
        (
            "DTSTART;TZID=Europe/Berlin:20260701T000000\nDTEND;TZID=Europe/Berlin:20260703T000000",
            "Europe/Berlin",
            ("2026-07-01", "2026-07-03"),
        ),
        (
            "DTSTART;TZID=W. Europe Standard Time:20260701T000000\nDTEND;TZID=W. Europe Standard Time:20260703T000000",
            "Europe/Berlin",
            ("2026-07-01", "2026-07-03"),
        ),
        ("DTSTART;TZID=Nowhere/Land:20260701T150000\nDURATION:P1D", "Asia/Tokyo", ("2026-07-01", "2026-07-02")),
    ],
)
def test_a_timed_event_has_the_nights_between_its_dates_where_the_property_is(
    event: str, zone: str, expected: tuple[str, str]
) -> None:
    assert nights(f"UID:a\n{event}", zone=zone) == [expected]


@pytest.mark.parametrize("place", ["before", "after"])
def test_a_calendar_may_define_its_time_zone_before_or_after_its_events(place: str) -> None:
    event = "UID:a\nDTSTART;TZID=House time:20260701T003000\nDTEND;TZID=House time:20260703T003000"

    assert nights(event, zone="UTC", **{place: BERLIN}) == [("2026-06-30", "2026-07-02")]


def test_a_time_zone_that_one_calendar_defines_is_unknown_to_the_next() -> None:
    event = "UID:a\nDTSTART;TZID=House time:20260701T003000\nDTEND;TZID=House time:20260703T003000"
    assert nights(event, before=BERLIN) == [("2026-06-30", "2026-07-02")]

    assert nights(event) == [("2026-07-01", "2026-07-03")]


def test_a_recurrence_keeps_its_local_times_across_both_clock_changes() -> None:
    event = (
        "UID:a\nDTSTART;TZID=Europe/Berlin:20260322T233000\nDTEND;TZID=Europe/Berlin:20260323T100000\n"
        "RRULE:FREQ=WEEKLY;UNTIL=20261108T230000Z"
    )

    found = nights(event, zone="Europe/Berlin")

    sundays = [date(2026, 3, 22) + n * 7 * DAY for n in range(34)]
    assert found == [(str(day), str(day + DAY)) for day in sundays if day <= date(2026, 11, 8)]


def test_exceptions_additions_and_changes_of_a_recurrence_count() -> None:
    event = (
        "UID:a\nDTSTART;VALUE=DATE:20260701\nDTEND;VALUE=DATE:20260702\nRRULE:FREQ=DAILY;INTERVAL=2;COUNT=5\n"
        "EXDATE;VALUE=DATE:20260703\nRDATE;VALUE=DATE:20260801"
    )
    moved = "UID:a\nRECURRENCE-ID;VALUE=DATE:20260705\nDTSTART;VALUE=DATE:20260720\nDTEND;VALUE=DATE:20260722"
    cancelled = "UID:a\nRECURRENCE-ID;VALUE=DATE:20260707\nDTSTART;VALUE=DATE:20260707\nSTATUS:CANCELLED"

    found = nights(event, moved, cancelled)

    assert found == [
        ("2026-07-01", "2026-07-02"),
        ("2026-07-09", "2026-07-10"),
        ("2026-07-20", "2026-07-22"),
        ("2026-08-01", "2026-08-02"),
    ]


def test_a_recurrence_without_end_has_the_nights_of_the_range_alone() -> None:
    found = parsed(document("UID:a\nDTSTART;VALUE=DATE:19990101\nRRULE:FREQ=DAILY"))

    assert (found.held[0].first_night, found.held[-1].end_date) == (SINCE, UNTIL)
    assert {(each.end_date - each.first_night).days for each in found.held[:-1]} == {365}


def test_google_s_time_zone_of_a_whole_calendar_moves_its_recurrences() -> None:
    """Google sends times in UTC, and the zone in which they recur outside of the standard."""
    event = "UID:a\nDTSTART:20260701T223000Z\nDTEND:20260702T080000Z\nRRULE:FREQ=WEEKLY;COUNT=20;BYDAY=TH"

    found = nights(event, zone="Europe/Berlin", before="X-WR-TIMEZONE:Europe/Berlin\n")

    assert found[0] == ("2026-07-02", "2026-07-03")
    assert {date.fromisoformat(first).isoweekday() for first, _ in found} == {4}


@pytest.mark.parametrize("line", ["STATUS:CANCELLED", "TRANSP:TRANSPARENT", "status:cancelled"])
def test_what_is_cancelled_or_takes_no_time_has_no_nights(line: str) -> None:
    event = "UID:a\nDTSTART;VALUE=DATE:20260701\nDTEND;VALUE=DATE:20260704\n"

    assert nights(event + line) == []
    assert nights(event + line + "\nRRULE:FREQ=WEEKLY;COUNT=3") == []
    assert len(nights(event + "STATUS:TENTATIVE\nTRANSP:OPAQUE")) == 1


def test_the_property_s_own_events_are_ignored_and_those_of_others_are_not() -> None:
    other = UUID("6f1e0000-0000-4000-8000-000000000002")
    ours, theirs = own_uid("x", TAG), own_uid("x", other)

    found = spans(*(f"UID:{uid}\nDTSTART;VALUE=DATE:20260701" for uid in (ours, theirs)))

    assert found == [("2026-07-01", "2026-07-02", theirs)]


def test_two_events_with_one_uid_both_count() -> None:
    assert nights("UID:a\nDTSTART;VALUE=DATE:20260701", "UID:a\nDTSTART;VALUE=DATE:20260705") == [
        ("2026-07-01", "2026-07-02"),
        ("2026-07-05", "2026-07-06"),
    ]


def test_events_without_a_uid_count() -> None:
    assert len(nights("DTSTART;VALUE=DATE:20260701", "DTSTART;VALUE=DATE:20260705")) == 2


def test_a_night_of_several_events_belongs_to_the_one_that_begins_first() -> None:
    first, second = (
        "UID:a\nDTSTART;VALUE=DATE:20260701\nDURATION:P3D",
        "UID:b\nDTSTART;VALUE=DATE:20260702\nDURATION:P4D",
    )

    assert spans(second, first) == [("2026-07-01", "2026-07-04", "a"), ("2026-07-04", "2026-07-06", "b")]


@pytest.mark.parametrize(
    "broken",
    [
        "DTSTART:yesterday",
        "SUMMARY:no start",
        "DTSTART;VALUE=DATE:20260701\nRRULE:FREQ=SOMETIMES",
        "DTSTART;VALUE=DATE:20260701\nDTEND:soon",
        "DTSTART;VALUE=DATE:20260701\nDURATION:long",
        "DTSTART:20260701T150000Z\nRRULE:FREQ=DAILY;UNTIL=never",
        "DTSTART:99991231T235959Z\nDURATION:P400D",
        "DTSTART;VALUE=DATE:20260701\nDTSTART;VALUE=DATE:20260801",
    ],
)
def test_an_event_that_cannot_be_read_is_named_and_does_not_hide_the_others(broken: str) -> None:
    found = parsed(document(f"UID:broken\n{broken}", "UID:good\nDTSTART;VALUE=DATE:20260701"))

    assert found.unreadable == ["broken"]
    assert [each.uid for each in found.held] == ["good"]


@pytest.mark.parametrize("frequency", ["SECONDLY", "MINUTELY;BYSECOND=" + ",".join(map(str, range(60)))])
def test_recurrences_that_cost_too_much_are_given_up(frequency: str) -> None:
    bomb = f"UID:bomb\nDTSTART:19700101T000000Z\nRRULE:FREQ={frequency}"
    began = time.process_time()

    found = parsed(document(bomb, "UID:good\nDTSTART;VALUE=DATE:20260701"))

    assert found.unreadable == ["bomb"]
    assert [each.uid for each in found.held] == ["good"]
    assert time.process_time() - began < 60


def test_a_calendar_of_such_events_alone_is_refused() -> None:
    @contextmanager
    def give_up() -> Iterator[None]:
        yield
        raise TooCostlyError

    events = [f"UID:{n}\nDTSTART;VALUE=DATE:20260701" for n in range(parse.MAX_COSTLY_SERIES + 1)]
    with pytest.raises(NotACalendarError, match="cost"):
        parse_calendar(Calendar(document(*events), TAG, "UTC", SINCE, UNTIL), give_up)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<!DOCTYPE html><html><body>Sign in</body></html>",
        b"BEGIN:VCALENDAR",
        document("UID:a\nDTSTART;VALUE=DATE:20260701")[:-20],
        document("UID:a\nDTSTART;VALUE=DATE:20260701").replace(b"END:VCALENDAR", b""),
        b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nEND:VCALENDAR",
        b"/etc/hostname",
        b"\0" * 100,
        b"BEGIN:VCALENDAR\r\nno colon\r\nEND:VCALENDAR",
    ],
)
def test_what_is_not_a_whole_calendar_is_refused(data: bytes) -> None:
    with pytest.raises(NotACalendarError):
        parsed(data)


def test_an_empty_calendar_has_no_nights() -> None:
    assert parsed(document()) == ParsedCalendar([], 0, [])


def test_a_byte_order_mark_and_plain_line_ends_are_read() -> None:
    data = b"\xef\xbb\xbf" + document("UID:a\nDTSTART;VALUE=DATE:20260701").replace(b"\r\n", b"\n")

    assert len(parsed(data).held) == 1


@given(st.lists(st.tuples(st.integers(-40, 400), st.integers(1, 500), st.sampled_from(["a", "b", "c"])), max_size=12))
def test_the_rows_have_each_night_of_the_range_that_some_event_has_once(events: list[tuple[int, int, str]]) -> None:
    calendar = icalendar.Calendar()
    for first, length, uid in events:
        event = icalendar.Event()
        event.add("uid", uid)
        event.add("dtstart", SINCE + first * DAY)
        event.add("dtend", SINCE + (first + length) * DAY)
        calendar.add_component(event)
    until = SINCE + 365 * DAY

    held = parsed(calendar.to_ical(), until=until).held

    rows = [each.first_night + n * DAY for each in held for n in range((each.end_date - each.first_night).days)]
    expected = {SINCE + n * DAY for first, length, _ in events for n in range(first, first + length)}
    assert len(rows) == len(set(rows))
    assert set(rows) == {night for night in expected if SINCE <= night < until}
    assert all(1 <= (each.end_date - each.first_night).days <= 365 for each in held)
