"""The storefront on a Citus cluster over HTTP: calendars both ways, what a property sells, and changes of stays."""

import asyncio
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from common.config import Secret
from common.web.resources import Application
from provider.stays.audit import find_differences
from tests.cluster.conftest import ADMIN
from tests.support.applications import run_process
from tests.support.calendar_site import CalendarSite, answers, calendar_of, read_calendars
from tests.support.databases import waits_for_lock
from tests.support.storefront import Guest, start_dates
from tests.support.waiting import eventually

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
SOURCE = "/properties/hut/calendar-sources/site"


@pytest.fixture
def guest(provider_app: Application) -> Guest:
    return Guest(provider_app)


@pytest.fixture
def soon(today: date) -> date:
    return today + 30 * DAY


async def test_a_calendar_source_is_added_read_changed_and_deleted(
    guest: Guest, provider_app: Application, site: CalendarSite, soon: date
) -> None:
    now = datetime.now(UTC)
    await guest.create_property("hut", turnover_days=1)
    site.answer = calendar_of(("a", soon, soon + 2 * DAY), ("b", soon + 4 * DAY, soon + 5 * DAY))
    answer, _ = await guest.call("PUT", SOURCE, json={"url": site.url})
    assert answer.status_code == 201
    assert (await read_calendars(provider_app, now))["changes"] == 2
    assert await guest.calendar("hut", soon, 5) == ["taken", "taken", "free", "free", "taken"]
    answer, problem = await guest.reserve("hut", soon + DAY, 1)
    assert (answer.status_code, problem["code"]) == (409, "not_available")

    answer, changed = await guest.call("PUT", SOURCE, json={"url": f"{site.url}/other"})
    assert (answer.status_code, changed["last_read"], changed["nights_off_sale"]) == (200, None, 3)
    site.answer = answers(500)
    assert (await read_calendars(provider_app, now + HOUR))["failed"] == 1
    assert "500" in (await guest.get(SOURCE))[1]["last_error"]
    site.answer = calendar_of(("b", soon + 3 * DAY, soon + 5 * DAY))
    assert (await read_calendars(provider_app, now + 2 * HOUR))["read"] == 1
    assert (await read_calendars(provider_app, now + 3 * HOUR))["unchanged"] == 1
    assert await guest.calendar("hut", soon, 5) == ["free", "free", "free", "taken", "taken"]

    assert (await guest.call("DELETE", SOURCE))[0].status_code == 204
    assert await guest.calendar("hut", soon, 5) == ["free"] * 5


async def test_a_night_that_two_sites_sold_is_a_conflict(
    guest: Guest, provider_app: Application, site: CalendarSite, soon: date
) -> None:
    await guest.create_property("hut")
    _, held = await guest.reserve("hut", soon, 2)
    site.answer = calendar_of(("a", soon + DAY, soon + 3 * DAY))
    await guest.call("PUT", SOURCE, json={"url": site.url})
    await read_calendars(provider_app, datetime.now(UTC))

    source = (await guest.get(SOURCE))[1]
    assert (source["nights_off_sale"], source["nights_in_conflict"]) == (1, 1)
    (conflict,) = (await guest.get("/conflicts"))[1]
    assert (conflict["kind"], conflict["reservation_id"], conflict["night"]) == (
        "calendar",
        held["reservation_id"],
        f"{soon + DAY}",
    )


async def test_a_calendar_is_read_by_its_link_until_that_is_revoked(guest: Guest, soon: date) -> None:
    await guest.create_property("hut", turnover_days=1)
    await guest.reserve("hut", soon, 2)
    answer, link = await guest.call("POST", "/properties/hut/calendar-links", json={"name": "another site"})
    assert answer.status_code == 201
    path = "/calendars" + link["url"].rpartition("/calendars")[2]
    stranger = guest.client
    first = await stranger.get(path)
    assert (first.status_code, (await first.get_data(as_text=True)).count("BEGIN:VEVENT")) == (200, 3)
    same = await stranger.get(path, headers={"If-Modified-Since": first.headers["Last-Modified"]})
    assert same.status_code == 304
    await guest.reserve("hut", soon + 9 * DAY, 1)
    changed = await stranger.get(path, headers={"If-Modified-Since": first.headers["Last-Modified"]})
    assert (changed.status_code, (await changed.get_data(as_text=True)).count("BEGIN:VEVENT")) == (200, 6)
    assert (await guest.get("/properties/hut/calendar-links"))[1][0]["last_read"] is not None

    revoke = f"/properties/hut/calendar-links/{link['link_id']}"
    assert [(await guest.call("DELETE", revoke))[0].status_code for _ in range(2)] == [204, 404]
    assert (await stranger.get(path)).status_code == 404


async def test_a_stay_of_a_property_off_sale_gives_up_nights_and_takes_none(guest: Guest, soon: date) -> None:
    await guest.create_property("hut", min_nights=2, max_guests=3)
    _, held = await guest.reserve("hut", soon, 4, guests=3)
    path = f"/reservations/{held['reservation_id']}"
    assert (await guest.call("PATCH", "/properties/hut", json={"on_sale": False}))[0].status_code == 200

    for refused in (
        await guest.call("PATCH", path, json={"nights": 5}),
        await guest.reserve("hut", soon + 20 * DAY, 2),
    ):
        answer, problem = refused
        assert (answer.status_code, problem["code"]) == (409, "not_on_sale")
    assert (await guest.call("PATCH", path, json={"nights": 3}))[0].status_code == 200
    await guest.call("PATCH", "/properties/hut", json={"on_sale": True})
    assert await guest.calendar("hut", soon, 4) == ["taken", "taken", "taken", "free"]


async def test_a_reservation_that_waits_while_the_property_goes_off_sale_is_told_so(
    guest: Guest, provider_db: asyncpg.Pool, soon: date
) -> None:
    await guest.create_property("hut")
    async with provider_db.acquire() as other, other.transaction():
        await other.execute("UPDATE property SET on_sale = false WHERE property_id = 'hut'")
        waiting = asyncio.create_task(guest.reserve("hut", soon, 1))
        await eventually(lambda: waits_for_lock(provider_db))

    answer, problem = await waiting
    assert (answer.status_code, problem["code"]) == (409, "not_on_sale")


async def test_a_stay_that_has_begun_is_cut_short_and_its_events_say_so(
    guest: Guest, provider_db: asyncpg.Pool, today: date
) -> None:
    await guest.create_property("suite", hotel_id=3, room_id=17)
    _, held = await guest.reserve("suite", today - 2 * DAY, 5)
    path = f"/reservations/{held['reservation_id']}"

    assert await guest.cancel(held["reservation_id"]) == 204

    found = (await guest.get(path))[1]
    assert (found["status"], found["nights"], found["nights_kept"]) == ("cancelled", 5, 2)
    rows = await provider_db.fetch("SELECT status, night_of_stay FROM booking_event WHERE hotel_id = 3")
    assert Counter(row["status"] for row in rows) == {1: 5, 2: 3}
    assert min(row["night_of_stay"] for row in rows if row["status"] == 2) == today
    assert await guest.calendar("suite", today - 2 * DAY, 5) == ["taken", "taken", "free", "free", "free"]
    assert await find_differences(provider_db) == (1, [])


async def test_a_property_that_was_never_reserved_is_deleted_with_all_that_it_has(
    guest: Guest, provider_app: Application, provider_db: asyncpg.Pool, site: CalendarSite, soon: date
) -> None:
    await guest.create_property("hut", hotel_id=3, room_id=17)
    await guest.create_property("cabin")
    _, held = await guest.reserve("cabin", soon, 2)
    await guest.cancel(held["reservation_id"])
    answer, problem = await guest.call("DELETE", "/properties/cabin")
    assert (answer.status_code, problem["code"]) == (409, "has_stays")
    site.answer = calendar_of(("a", soon + 5 * DAY, soon + 7 * DAY))
    await guest.call("PUT", SOURCE, json={"url": site.url})
    await guest.call("POST", "/properties/hut/calendar-links", json={})
    await guest.call("POST", "/properties/hut/blocks", json={"start_date": f"{soon + 9 * DAY}", "nights": 1})
    await read_calendars(provider_app, datetime.now(UTC))

    assert (await guest.call("DELETE", "/properties/hut"))[0].status_code == 204

    for table in ("property", "property_block", "calendar_link", "calendar_source", "held_nights", "free_stretch"):
        assert await provider_db.fetchval(f"SELECT count(*) FROM {table} WHERE property_id = 'hut'") == 0, table
    assert await provider_db.fetchval("SELECT count(*) FROM linked_room") == 0
    await guest.create_property("hut", hotel_id=3, room_id=17)


async def test_reservations_are_listed_for_their_holder_and_by_day(
    guest: Guest, provider_app: Application, soon: date
) -> None:
    made = []
    for number in range(6):
        await guest.create_property(f"p{number}", timezone="Asia/Tokyo" if number % 2 else None)
        made.append((await guest.reserve(f"p{number}", soon, 2))[1]["reservation_id"])

    answer, page = await guest.get("/reservations?limit=4")
    assert [each["reservation_id"] for each in page] == made[:1:-1]
    assert 'rel="next"' in answer.headers["Link"]
    staff = Guest(provider_app, ADMIN)
    for path in (f"/arrivals?day={soon}", f"/departures?day={soon + 2 * DAY}"):
        answer, listed = await staff.get(path)
        assert [each["property_id"] for each in listed] == [f"p{number}" for number in range(6)], listed


async def test_a_search_knows_guests_time_zones_and_hotels_on_all_nodes(guest: Guest, today: date, soon: date) -> None:
    for number in range(1, 9):
        await guest.create_property(
            f"p{number}",
            max_guests=number,
            min_nights=2,
            timezone="Pacific/Kiritimati" if number % 2 else "Pacific/Pago_Pago",
            **({"hotel_id": 5, "room_id": number} if number > 4 else {}),
        )
    assert await guest.available(soon, 2, guests=6) == ["p6", "p7", "p8"]
    assert await guest.available(soon, 1) == []
    assert await guest.available(soon, 2, hotel_id=5) == ["p5", "p6", "p7", "p8"]
    for number in range(1, 9):
        await guest.reserve(f"p{number}", soon, 3)
    for query, properties in (("", 8), ("&hotel_id=5", 4), ("&guests=7", 2)):
        answer, problem = await guest.get(f"/properties/available?start_date={soon}&nights=3{query}")
        assert answer.status_code == 404
        assert start_dates(problem)[0] == soon + 3 * DAY
        assert problem["alternatives"][0]["free_properties"] == properties


async def test_stays_are_imported_but_for_nights_that_are_taken(
    guest: Guest, provider_app: Application, provider_url: Secret, site: CalendarSite, soon: date, tmp_path: Path
) -> None:
    for property_id, room in (("p1", 1), ("p2", 2), ("p3", 3)):
        await guest.create_property(property_id, hotel_id=3, room_id=room)
    await guest.reserve("p2", soon, 3)
    site.answer = calendar_of(("a", soon + DAY, soon + 2 * DAY))
    await guest.call("PUT", "/properties/p3/calendar-sources/site", json={"url": site.url})
    await read_calendars(provider_app, datetime.now(UTC))
    properties, reservations = tmp_path / "properties.csv", tmp_path / "reservations.csv"
    properties.write_text("property_id,description\np1,A hut\np4,Another\n")
    stays = [("p1", soon, 2), ("p2", soon, 1), ("p3", soon, 2), ("p4", soon, 1)]
    lines = "".join(f"{property_id},{first},{nights}\n" for property_id, first, nights in stays)
    reservations.write_text(f"property_id,start_date,number_of_nights\n{lines}")

    done = await asyncio.to_thread(
        run_process,
        *("provider", "import-stays", f"--properties={properties}", f"--reservations={reservations}"),
        environment={"PROVIDER_DATABASE_URL": provider_url.reveal()},
    )

    assert "properties.csv: 1 stored, 1 already stored, 0 rejected" in done.stdout, done.stderr
    assert "reservations.csv: 2 stored, 0 already stored, 2 rejected" in done.stdout, done.stderr
    assert "line 3: overlaps the stay" in done.stderr
    assert f"line 4: the night of {soon + DAY}" in done.stderr
    assert await guest.calendar("p1", soon, 2) == ["taken", "taken"]
