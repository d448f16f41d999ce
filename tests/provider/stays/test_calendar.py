"""The calendar of a property, as JSON and as iCalendar."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import icalendar
import pytest

from tests.support.storefront import Guest

DAY = timedelta(days=1)


def moment_of(event: icalendar.Component, name: str) -> Any:
    """The date or datetime of a property of an iCalendar event."""
    value = event[name]
    assert isinstance(value, icalendar.vDDDTypes)
    return value.dt


async def test_each_night_is_free_taken_or_turnover(guest: Guest, soon: date) -> None:
    await guest.create_property("hut", turnover_days=2)
    await guest.reserve("hut", soon, 2)

    statuses = await guest.calendar("hut", soon - 3 * DAY, 8)

    assert statuses == ["free", "turnover", "turnover", "taken", "taken", "turnover", "turnover", "free"]


async def test_a_night_before_a_stay_that_cannot_be_sold_is_turnover(guest: Guest, soon: date) -> None:
    """The calendar calls free what a reservation of one night takes, and nothing else."""
    await guest.create_property("hut", turnover_days=2)
    for offset, nights in ((0, 2), (6, 1), (20, 3)):
        await guest.reserve("hut", soon + offset * DAY, nights)

    statuses = await guest.calendar("hut", soon - 4 * DAY, 32)

    free = [n for n in range(32) if await guest.available(soon + (n - 4) * DAY, 1)]
    assert [n for n, status in enumerate(statuses) if status == "free"] == free
    assert [n - 4 for n, status in enumerate(statuses) if status == "taken"] == [0, 1, 6, 20, 21, 22]


@pytest.mark.parametrize("turnover", [0, 1, 300])
async def test_the_turnover_of_a_calendar_begins_and_ends_with_its_days(
    guest: Guest, soon: date, turnover: int
) -> None:
    await guest.create_property("hut", turnover_days=turnover)
    arrival = soon + 310 * DAY
    await guest.reserve("hut", arrival, 2)

    before = await guest.calendar("hut", arrival - (turnover + 1) * DAY, turnover + 2)
    after = await guest.calendar("hut", arrival + DAY, turnover + 2)

    assert before == ["free", *["turnover"] * turnover, "taken"]
    assert after == ["taken", *["turnover"] * turnover, "free"]


async def test_a_stay_that_was_sold_within_a_longer_turnover_is_taken(guest: Guest, soon: date) -> None:
    await guest.create_property("hut")
    await guest.reserve("hut", soon, 2)
    await guest.reserve("hut", soon + 3 * DAY, 1)
    await guest.call("PATCH", "/properties/hut", json={"turnover_days": 3})

    statuses = await guest.calendar("hut", soon - DAY, 6)

    assert statuses == ["turnover", "taken", "taken", "turnover", "taken", "turnover"]


async def test_the_calendar_names_its_nights(guest: Guest) -> None:
    await guest.create_property("hut")

    _, calendar = await guest.get("/properties/hut/calendar?from=2024-02-28&to=2024-03-02")

    assert calendar == {
        "property_id": "hut",
        "from": "2024-02-28",
        "to": "2024-03-02",
        "nights": [{"night": day, "status": "free"} for day in ("2024-02-28", "2024-02-29", "2024-03-01")],
    }


async def test_a_stay_that_began_before_the_calendar_is_included(guest: Guest, soon: date) -> None:
    await guest.create_property("hut")
    await guest.reserve("hut", soon, 365)

    assert await guest.calendar("hut", soon + 364 * DAY, 2) == ["taken", "free"]


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("", ["from", "to"]),
        ("from=2021-01-05", ["to"]),
        ("from=2021-01-05&to=2021-01-05", ["to"]),
        ("from=2021-01-05&to=2021-01-04", ["to"]),
        ("from=2021-01-05&to=2022-01-07", ["to"]),
        ("from=2021-13-05&to=x", ["from", "to"]),
        ("from=0001-01-01&to=9999-12-31", ["from", "to"]),
        ("from=2021-01-05&to=2021-01-06&until=1", ["until"]),
        ("first=2021-01-05&until=2021-01-06", ["from", "to", "first", "until"]),
    ],
)
async def test_invalid_bounds_are_named(guest: Guest, query: str, fields: list[str]) -> None:
    await guest.create_property("hut")

    answer, problem = await guest.get(f"/properties/hut/calendar?{query}")

    assert answer.status_code == 400
    assert [fault["field"] for fault in problem["errors"]] == fields


async def test_a_calendar_has_at_most_366_nights(guest: Guest) -> None:
    await guest.create_property("hut")

    assert await guest.calendar("hut", date(2021, 1, 5), 366) == ["free"] * 366


@pytest.mark.parametrize("path", ["calendar?from=2021-01-05&to=2021-01-06", "calendar.ics"])
@pytest.mark.parametrize("property_id", ["nowhere", "no%20way", "a%00b", "available"])
async def test_an_unknown_property_has_no_calendar(guest: Guest, property_id: str, path: str) -> None:
    assert (await guest.get(f"/properties/{property_id}/{path}"))[0].status_code == 404


async def test_the_icalendar_has_one_event_for_each_reservation(guest: Guest, soon: date) -> None:
    await guest.create_property("hut")
    _, first = await guest.reserve("hut", soon, 2)
    _, second = await guest.reserve("hut", soon + 2 * DAY, 7)
    _, gone = await guest.reserve("hut", soon + 20 * DAY, 1)
    await guest.cancel(gone["reservation_id"])

    answer, _ = await guest.get("/properties/hut/calendar.ics")

    assert answer.status_code == 200
    assert answer.content_type == "text/calendar; charset=utf-8"
    calendar = icalendar.Calendar.from_ical(await answer.get_data())
    events = [
        (str(event["UID"])[:36], moment_of(event, "DTSTART"), moment_of(event, "DTEND"))
        for event in calendar.walk("VEVENT")
    ]
    assert events == [
        (first["reservation_id"], soon, soon + 2 * DAY),
        (second["reservation_id"], soon + 2 * DAY, soon + 9 * DAY),
    ]


async def test_the_icalendar_follows_the_standard(guest: Guest, soon: date) -> None:
    await guest.create_property("hut")
    await guest.reserve("hut", soon, 2)

    answer, _ = await guest.get("/properties/hut/calendar.ics")

    text = await answer.get_data(as_text=True)
    assert text.startswith("BEGIN:VCALENDAR\r\n")
    assert "\n" not in text.replace("\r\n", "")
    calendar = icalendar.Calendar.from_ical(text)
    assert calendar["VERSION"] == "2.0"
    assert calendar["PRODID"]
    (event,) = calendar.walk("VEVENT")
    assert abs(moment_of(event, "DTSTAMP") - datetime.now(UTC)) < DAY
    assert event["DTSTART"].params["VALUE"] == "DATE"


async def test_the_icalendar_has_the_longest_stay_until_it_left_a_year_ago(
    guest: Guest, provider_db: asyncpg.Pool, today: date
) -> None:
    await guest.create_property("hut")
    left = today - 364 * DAY
    await provider_db.execute(
        "INSERT INTO reservation (property_id, arrival, departure) VALUES ('hut', $1, $2)", left - 365 * DAY, left
    )

    answer, _ = await guest.get("/properties/hut/calendar.ics")

    (event,) = icalendar.Calendar.from_ical(await answer.get_data()).walk("VEVENT")
    assert moment_of(event, "DTEND") == left


async def test_an_icalendar_without_stays_is_valid(guest: Guest, soon: date) -> None:
    """A calendar has at least one component (RFC 5545, 3.6), but an event would block a night."""
    await guest.create_property("hut")

    answer, _ = await guest.get("/properties/hut/calendar.ics")

    calendar = icalendar.Calendar.from_ical(await answer.get_data())
    (zone,) = calendar.subcomponents
    assert zone.name == "VTIMEZONE"
    assert zone["TZID"] == "UTC"
    (standard,) = zone.subcomponents
    assert standard.name == "STANDARD"
    assert [standard[name].to_ical() for name in ("TZOFFSETFROM", "TZOFFSETTO")] == ["+0000", "+0000"]
    await guest.reserve("hut", soon, 1)
    filled, _ = await guest.get("/properties/hut/calendar.ics")
    names = [each.name for each in icalendar.Calendar.from_ical(await filled.get_data()).subcomponents]
    assert names == ["VEVENT"]


async def test_the_icalendar_goes_back_a_year(guest: Guest, provider_db: asyncpg.Pool, today: date) -> None:
    await guest.create_property("hut")
    await provider_db.executemany(
        "INSERT INTO reservation (property_id, arrival, departure) VALUES ('hut', $1, $2)",
        [(today - n * DAY, today - (n - 2) * DAY) for n in (400, 367, 365, 10)],  # the second left exactly a year ago
    )

    answer, _ = await guest.get("/properties/hut/calendar.ics")

    events = icalendar.Calendar.from_ical(await answer.get_data()).walk("VEVENT")
    assert [today - moment_of(event, "DTSTART") for event in events] == [365 * DAY, 10 * DAY]
