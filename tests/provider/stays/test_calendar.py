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

    statuses = await guest.calendar("hut", soon - DAY, 6)

    assert statuses == ["free", "taken", "taken", "turnover", "turnover", "free"]


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
        (str(event["UID"]).partition("@")[0], moment_of(event, "DTSTART"), moment_of(event, "DTEND"))
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


async def test_the_icalendar_goes_back_a_year(guest: Guest, provider_db: asyncpg.Pool, today: date) -> None:
    await guest.create_property("hut")
    await provider_db.executemany(
        "INSERT INTO reservation (property_id, arrival, departure) VALUES ('hut', $1, $2)",
        [(today - n * DAY, today - (n - 2) * DAY) for n in (400, 366, 364, 10)],
    )

    answer, _ = await guest.get("/properties/hut/calendar.ics")

    events = icalendar.Calendar.from_ical(await answer.get_data()).walk("VEVENT")
    assert [today - moment_of(event, "DTSTART") for event in events] == [366 * DAY, 364 * DAY, 10 * DAY]
