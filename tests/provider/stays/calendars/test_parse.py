"""Which nights the events of a calendar have."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from uuid import UUID

import icalendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider.stays.calendars import parse
from provider.stays.calendars.document import NotACalendarError
from provider.stays.calendars.parse import Calendar, ParsedCalendar, TooCostlyError, parse_calendar
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


WRITTEN = ("2026-07-01", "2026-07-03")


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Los_Angeles", "Pacific/Kiritimati"])
@pytest.mark.parametrize(
    "event",
    [
        "DTSTART:20260701T000000Z\nDTEND:20260703T000000Z",
        "DTSTART:20260701T000000\nDTEND:20260703T000000",
        "DTSTART;TZID=Europe/Berlin:20260701T000000\nDTEND;TZID=Europe/Berlin:20260703T000000",
        "DTSTART:20260701T000000Z\nDTEND:20260702T235959Z",
        "DTSTART:20260701T000000\nDTEND:20260702T235900",
        "DTSTART:20260701T000000Z\nDURATION:P2D",
        "DTSTART;VALUE=DATE-TIME:20260701T000000Z\nDTEND;VALUE=DATE-TIME:20260703T000000Z",
        "DTSTART:20260701\nDTEND:20260703",
        "DTSTART;VALUE=DATE:20260701T000000Z\nDTEND;VALUE=DATE:20260703T000000Z",
        "DTSTART;TZID=America/New_York;VALUE=DATE:20260701\nDTEND;TZID=America/New_York;VALUE=DATE:20260703",
    ],
)
def test_an_all_day_event_has_the_nights_that_are_written_however_a_site_writes_it(event: str, zone: str) -> None:
    """Read as an instant, midnight in UTC would free the last night of a house in America."""
    assert nights(f"UID:a\n{event}", zone=zone) == [WRITTEN]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("DTSTART:20260701T230000Z\nDTEND:20260703T000000Z", ("2026-07-01", "2026-07-02")),
        ("DTSTART:20260701T000000Z\nDTEND:20260703T170000Z", ("2026-06-30", "2026-07-03")),
        ("DTSTART;TZID=America/Los_Angeles:20260701T235900\nDTEND:20260703T170000Z", ("2026-07-01", "2026-07-03")),
        ("DTSTART;TZID=America/Los_Angeles:20260701T150000\nDTEND:20260703T065959Z", ("2026-07-01", "2026-07-03")),
    ],
)
def test_a_timed_event_that_only_begins_or_ends_at_midnight_counts_by_the_clock_of_the_house(
    event: str, expected: tuple[str, str]
) -> None:
    assert nights(f"UID:a\n{event}", zone="America/Los_Angeles") == [expected]


def test_midnight_in_utc_is_a_time_of_day_in_a_calendar_that_has_another_time_zone() -> None:
    """Google writes the times of a calendar in Los Angeles in UTC: this stay is from 17:00 to 17:00."""
    event = "UID:a\nDTSTART:20260701T000000Z\nDTEND:20260703T000000Z"

    def read(zone: str) -> list[tuple[str, str]]:
        return nights(event, zone="America/Los_Angeles", before=f"X-WR-TIMEZONE:{zone}\n")

    assert read("America/Los_Angeles") == [("2026-06-30", "2026-07-02")]
    assert read("UTC") == [WRITTEN]


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("W. Europe Standard Time", ("2026-07-01", "2026-07-03")),
        ('"Pacific Standard Time"', ("2026-07-02", "2026-07-04")),
        ("Nowhere/At all", ("2026-07-01", "2026-07-03")),
    ],
)
def test_windows_names_of_time_zones_are_known_and_unknown_ones_are_the_zone_of_the_house(
    zone: str, expected: tuple[str, str]
) -> None:
    event = f"UID:a\nDTSTART;TZID={zone}:20260701T200000\nDTEND;TZID={zone}:20260703T200000"

    assert nights(event, zone="Europe/Berlin") == [expected]


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


@pytest.mark.parametrize("line", ["STATUS:CANCELLED", "TRANSP:TRANSPARENT", "status: Cancelled"])
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

    found = parsed(document(bomb, "UID:good\nDTSTART;VALUE=DATE:20260701"))

    assert found.unreadable == ["bomb"]
    assert [each.uid for each in found.held] == ["good"]


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


AIRBNB = """BEGIN:VCALENDAR
PRODID:-//Airbnb Inc//Hosting Calendar 1.0//EN
CALSCALE:GREGORIAN
VERSION:2.0
BEGIN:VEVENT
DTSTAMP:20260531T010029Z
DTSTART;VALUE=DATE:20260701
DTEND;VALUE=DATE:20260703
SUMMARY:Reserved
UID:1418fb94e984-12@airbnb.com
DESCRIPTION:Reservation URL: https://www.airbnb.com/hosting/reservations/de
 tails/HMABCDEF\\nPhone Number (Last 4 Digits): 1234
END:VEVENT
END:VCALENDAR"""
BOOKING = """BEGIN:VCALENDAR
METHOD:PUBLISH
PRODID:-//admin.booking.com//EN
BEGIN:VEVENT
DTSTART;VALUE=DATE:20260701
DTEND;VALUE=DATE:20260703
UID:4b8f@booking.com
SUMMARY: CLOSED - Not available
END:VEVENT
END:VCALENDAR

"""


@pytest.mark.parametrize("text", [AIRBNB, BOOKING])
@pytest.mark.parametrize(
    ("before", "end_of_line", "after"),
    [
        (b"", b"\n", b""),
        (b"", b"\r\n", b"\r\n<!-- Page cached by a plug-in -->\r\n"),
        (b"", b"\r", b"\r"),
        (b"", b"\r\r\n", b""),
        (b"\r\n\xef\xbb\xbf\n", b"\r\n", b"\0"),
    ],
)
def test_what_sites_write_is_read_whatever_stands_around_it(
    text: str, before: bytes, end_of_line: bytes, after: bytes
) -> None:
    """Without a VERSION, with comments of a cache at the end, and with line ends that were converted twice."""
    found = parsed(before + text.encode().replace(b"\n", end_of_line) + after)

    assert [(str(each.first_night), str(each.end_date)) for each in found.held] == [WRITTEN]
    assert found.unreadable == []


@pytest.mark.parametrize("after", ["", "\n<!-- cached -->"])
def test_a_calendar_whose_names_have_small_letters_is_read(after: str) -> None:
    lines = BOOKING.strip().lower()

    assert [(str(each.first_night), str(each.end_date)) for each in parsed((lines + after).encode()).held] == [WRITTEN]


def test_a_fault_in_an_alarm_or_a_task_does_not_hide_the_events() -> None:
    alarm = "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:soon\nEND:VALARM"
    task = "BEGIN:VTODO\nUID:t\nDUE:some day\nEND:VTODO\n"
    event = f"UID:a\nDTSTART;VALUE=DATE:20260701\nDTEND;VALUE=DATE:20260703\n{alarm}\nSUMMARY:Stay"

    assert nights(event, before=task, after=task.lower()) == [WRITTEN]
    with pytest.raises(NotACalendarError, match="cut off"):
        parsed(document(event).replace(b"END:VALARM", b""))


def test_free_and_busy_times_are_no_calendar_without_events() -> None:
    """Read as a calendar without events, they would free all nights."""
    busy = "BEGIN:VFREEBUSY\nUID:f\nFREEBUSY:20260701T150000Z/20260703T100000Z\nEND:VFREEBUSY\n"

    for data in (document(before=busy), document(before=busy.replace("VFREEBUSY", "vfreebusy"))):
        with pytest.raises(NotACalendarError, match="free and busy"):
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
