"""Profiles of hotels over HTTP and by `name-hotels`, and what they change in lists and figures."""

import csv
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from aioresponses import aioresponses

from common.config import Secret
from common.csv_import import ImportOptions
from common.jobs.scheduler import run_now
from common.web.resources import Application
from dashboard import schedule
from dashboard.bookings.decoding import BookingEvent
from dashboard.bookings.profile_import import import_profiles
from dashboard.bookings.queries.counters import select_differences
from dashboard.bookings.queries.ledger import LedgerFeed, insert_events
from dashboard.bookings.routes import figures as figure_routes
from dashboard.resources import resources_of
from tests.dashboard.bookings.conftest import FEED_URL
from tests.dashboard.bookings.test_time_zones import booking_event, check_counters
from tests.support.feeds import MAIN_LEDGER, event

PROFILE = {"name": "Hotel Harbour", "rooms": 40, "timezone": "Europe/Berlin", "hidden": False}


@pytest.fixture
async def counted(dashboard_db: asyncpg.Pool) -> None:
    """Hotels 7001 and 7002, each with an event an hour before midnight (UTC)."""
    at = datetime(2024, 1, 1, 23, tzinfo=UTC)
    async with dashboard_db.acquire() as connection, connection.transaction():
        await insert_events(connection, MAIN_LEDGER, [booking_event(number, 7000 + number, at) for number in (1, 2)])


async def put(app: Application, hotel_id: int, profile: dict[str, Any]) -> tuple[int, Any]:
    response = await app.test_client().put(f"/hotels/{hotel_id}/profile", json=profile)
    return response.status_code, await response.get_json()


async def get(app: Application, path: str) -> tuple[int, Any]:
    response = await app.test_client().get(path)
    return response.status_code, await response.get_json()


async def test_a_profile_is_replaced_as_a_whole(dashboard_app: Application, counted: None) -> None:
    empty = {"hotel_id": 7001, "name": None, "rooms": None, "timezone": None, "hidden": False}
    assert await get(dashboard_app, "/hotels/7001/profile") == (200, empty)

    assert await put(dashboard_app, 7001, PROFILE) == (200, {"hotel_id": 7001, **PROFILE})
    assert await get(dashboard_app, "/hotels/7001/profile") == (200, {"hotel_id": 7001, **PROFILE})

    assert await put(dashboard_app, 7001, {"rooms": 3}) == (200, empty | {"rooms": 3})
    assert await get(dashboard_app, "/hotels/7001/profile") == (200, empty | {"rooms": 3})


async def test_a_hotel_that_is_not_in_the_feeds_yet_may_have_a_profile(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    assert (await get(dashboard_app, "/hotels/7001/profile"))[0] == 404
    assert (await put(dashboard_app, 7001, PROFILE))[0] == 200
    assert (await get(dashboard_app, "/hotels/7001/profile"))[0] == 200
    assert (await get(dashboard_app, "/hotels"))[1]["hotels"] == []

    first = booking_event(1, 7001, datetime(2024, 1, 1, 23, tzinfo=UTC))
    async with dashboard_db.acquire() as connection, connection.transaction():
        await insert_events(connection, MAIN_LEDGER, [first])
    (hotel,) = (await get(dashboard_app, "/hotels"))[1]["hotels"]
    assert (hotel["name"], hotel["rooms"], hotel["timezone"]) == ("Hotel Harbour", 40, "Europe/Berlin")
    await check_counters(dashboard_db, [first], {7001: "Europe/Berlin"})


async def test_a_changed_time_zone_moves_the_events_of_that_hotel_to_their_dates_there(
    dashboard_app: Application, counted: None
) -> None:
    async def bookings(hotel_id: int, as_of: str) -> int:
        path = f"/dashboard?hotel_id={hotel_id}&period=year&year=2024&as_of={as_of}"
        return int((await get(dashboard_app, path))[1]["totals"]["bookings"])

    await put(dashboard_app, 7001, PROFILE)
    assert [await bookings(7001, "2024-01-01"), await bookings(7001, "2024-01-02")] == [0, 1]
    assert [await bookings(7002, "2024-01-01"), await bookings(7002, "2024-01-02")] == [1, 1]

    await put(dashboard_app, 7001, {})
    assert await bookings(7001, "2024-01-01") == 1


@pytest.mark.parametrize(
    ("profile", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "\u202e"}, "name"),
        ({"rooms": 0}, "rooms"),
        ({"rooms": 100_001}, "rooms"),
        ({"rooms": "3"}, "rooms"),
        ({"timezone": "Europe/Atlantis"}, "timezone"),
        ({"timezone": "CET"}, "timezone"),
        ({"timezone": "posix/Europe/Berlin"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
        ({"timezone": "Europe/"}, "timezone"),
        ({"timezone": "Europe/\0"}, "timezone"),
        ({"timezone": 1}, "timezone"),
        ({"hidden": 1}, "hidden"),
        ({"stars": 5}, "stars"),
    ],
)
async def test_an_invalid_profile_is_refused(dashboard_app: Application, profile: dict[str, Any], field: str) -> None:
    status, body = await put(dashboard_app, 7001, profile)

    assert (status, [fault["field"] for fault in body["errors"]]) == (400, [field])
    assert (await get(dashboard_app, "/hotels/7001/profile"))[0] == 404


@pytest.mark.parametrize("hotel_id", [0, 2**63])
async def test_an_id_that_no_hotel_can_have_is_unknown(dashboard_app: Application, hotel_id: int) -> None:
    assert (await get(dashboard_app, f"/hotels/{hotel_id}/profile"))[0] == 404
    assert (await put(dashboard_app, hotel_id, PROFILE))[0] == 404


async def test_a_time_zone_that_only_this_machine_knows_is_refused(
    dashboard_app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.bookings.inputs.parse_time_zone", lambda name: name)
    status, body = await put(dashboard_app, 7001, {"timezone": "Europe/Atlantis"})

    assert (status, body["errors"][0]["message"]) == (400, "is not known to PostgreSQL")


async def test_hidden_hotels_are_left_out_of_lists_and_sums(dashboard_app: Application, counted: None) -> None:
    await put(dashboard_app, 7001, {"hidden": True})

    shown, with_hidden = await get(dashboard_app, "/hotels"), await get(dashboard_app, "/hotels?hidden=true")
    assert [hotel["hotel_id"] for hotel in shown[1]["hotels"]] == [7002]
    assert [(hotel["hotel_id"], hotel["hidden"]) for hotel in with_hidden[1]["hotels"]] == [(7001, True), (7002, False)]
    page = await (await dashboard_app.test_client().get("/")).get_data(as_text=True)
    assert "7002" in page
    assert "7001" not in page
    assert (await get(dashboard_app, "/hotels/7001/pace?year=2024"))[0] == 200, "its own figures stay"


async def test_hotels_are_found_by_a_part_of_their_name(dashboard_app: Application, counted: None) -> None:
    await put(dashboard_app, 7001, {"name": "Hôtel Überblick 7"})
    await put(dashboard_app, 7002, {"name": "100 % Harbour"})

    async def found(search: str) -> list[int]:
        response = await dashboard_app.test_client().get("/hotels", query_string={"search": search})
        return [hotel["hotel_id"] for hotel in (await response.get_json())["hotels"]]

    assert await found("über") == [7001]
    assert await found("HÔTEL") == [7001]
    assert await found("%") == [7002]
    assert await found("7") == [7001, 7002]
    assert await found("7002") == [7002]
    assert await found("nowhere") == []


async def test_today_is_the_date_at_the_hotel(
    dashboard_app: Application, counted: None, dashboard_db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime(2024, 3, 1, 11, tzinfo=UTC)  # the 2nd in Apia, which is 13 hours ahead
    monkeypatch.setattr(figure_routes, "now", lambda: now)
    async with dashboard_db.acquire() as connection, connection.transaction():
        later = booking_event(3, 7001, now + timedelta(days=1))  # dated the 3rd in Apia
        await insert_events(connection, MAIN_LEDGER, [later, booking_event(4, 7001, now)])
    await put(dashboard_app, 7001, {"timezone": "Pacific/Apia"})
    assert now.astimezone(ZoneInfo("Pacific/Apia")).day == 2

    figures = "/dashboard?hotel_id={}&period=year&year=2024"
    assert (await get(dashboard_app, figures.format(7001)))[1]["totals"]["bookings"] == 2
    assert (await get(dashboard_app, figures.format(7001) + "&as_of=2024-03-02"))[1]["totals"]["bookings"] == 2
    for path in (figures.format(7001) + "&", "/hotels/7001/pickup?", "/hotels/7001/pace?year=2024&"):
        status, body = await get(dashboard_app, f"{path}as_of=2024-03-03")
        assert (status, [fault["field"] for fault in body["errors"]]) == (400, ["as_of"])
    assert (await get(dashboard_app, figures.format(7002) + "&as_of=2024-03-02"))[0] == 400
    assert (await get(dashboard_app, "/hotels/7001/pickup"))[1]["as_of"] == "2024-03-02"
    assert (await get(dashboard_app, "/hotels/7002/pickup"))[1]["as_of"] == "2024-03-01"


async def test_profiles_are_imported_and_hotels_recounted(
    dashboard_app: Application,
    counted: None,
    dashboard_url: Secret,
    dashboard_db: asyncpg.Pool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "hotels.csv"
    file.write_text("Hotel ID;name;rooms;timezone;hidden\n7001;Harbour;40;Asia/Kolkata;no\n7009;;;;yes\n")

    assert await import_profiles(dashboard_url, file, "UTC", ImportOptions(dry_run=True)) == 0
    assert "2 would be stored, 0 already stored, 0 rejected" in capsys.readouterr().out
    assert await dashboard_db.fetchval("SELECT count(*) FROM hotel_profile") == 0

    assert await import_profiles(dashboard_url, file, "UTC") == 0
    assert await import_profiles(dashboard_url, file, "UTC") == 0
    assert "0 stored, 2 already stored, 0 rejected" in capsys.readouterr().out
    assert (await get(dashboard_app, "/hotels/7001/profile"))[1]["timezone"] == "Asia/Kolkata"
    at = datetime(2024, 1, 1, 23, tzinfo=UTC)
    events = [booking_event(number, 7000 + number, at) for number in (1, 2)]
    await check_counters(dashboard_db, events, {7001: "Asia/Kolkata", 7002: "UTC"})


async def test_a_column_that_a_file_does_not_have_leaves_profiles_as_they_are(
    dashboard_app: Application, counted: None, dashboard_url: Secret, tmp_path: Path
) -> None:
    await put(dashboard_app, 7001, PROFILE)
    file = tmp_path / "hotels.csv"
    file.write_text("name,hotel_id\n,7001\nAnnexe,7002\n")

    assert await import_profiles(dashboard_url, file, "UTC") == 0

    assert (await get(dashboard_app, "/hotels/7001/profile"))[1] == {"hotel_id": 7001, **PROFILE, "name": None}
    assert (await get(dashboard_app, "/hotels/7002/profile"))[1]["name"] == "Annexe"


async def test_wrong_lines_are_named_and_the_others_stored(
    dashboard_db: asyncpg.Pool, dashboard_url: Secret, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, rejected = tmp_path / "hotels.csv", tmp_path / "rejected.csv"
    file.write_text(
        "hotel_id,rooms,timezone,hidden\n"
        "1,10,UTC,\n"
        "0,10,UTC,\n"
        "2,many,Mars/Olympus,perhaps\n"
        "1,11,UTC,\n"
        "9223372036854775807,,,TRUE\n"
    )

    assert await import_profiles(dashboard_url, file, "UTC", ImportOptions(rejected=rejected)) == 1

    printed = capsys.readouterr()
    assert "2 stored, 0 already stored, 3 rejected" in printed.out
    assert "line 3: hotel_id must be a whole number" in printed.err
    assert "line 4: rooms must be" in printed.err
    assert "timezone must be UTC or the time zone of a region" in printed.err
    assert "hidden must be true or false" in printed.err
    assert "line 5: hotel_id is in line 2 too" in printed.err
    with rejected.open(newline="") as lines:
        assert [row["line"] for row in csv.DictReader(lines)] == ["3", "4", "5"]
    assert await dashboard_db.fetchval("SELECT rooms FROM hotel_profile WHERE hotel_id = 1") == 10


@pytest.mark.parametrize(
    ("content", "fault"),
    [("name\nHarbour\n", "the header must name the columns hotel_id"), ("hotel_id\n", "the file contains no rows")],
)
async def test_a_file_without_hotels_is_refused(
    dashboard_url: Secret, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, fault: str
) -> None:
    file = tmp_path / "hotels.csv"
    file.write_text(content)

    assert await import_profiles(dashboard_url, file, "UTC") == 1
    assert fault in capsys.readouterr().err
    assert await import_profiles(dashboard_url, tmp_path / "absent.csv", "UTC") == 1


async def test_an_invalid_default_time_zone_would_not_lose_events(dashboard_db: asyncpg.Pool) -> None:
    """A zone that PostgreSQL does not know stores nothing, so the events are read again when it is corrected."""
    at = datetime(2024, 1, 1, tzinfo=UTC)
    with pytest.raises(asyncpg.InvalidParameterValueError):
        async with dashboard_db.acquire() as connection, connection.transaction():
            await insert_events(connection, LedgerFeed(1, "Mars/Olympus"), [booking_event(1, 7001, at)])

    assert dict(await select_differences(dashboard_db))["events"] == 0


class TestWithADefaultTimeZone:
    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        return {**environment, "DASHBOARD_HOTEL_TIMEZONE": "Asia/Kolkata", "DASHBOARD_PROVIDER_URL": FEED_URL}

    async def test_hotels_without_a_zone_of_their_own_are_counted_in_it(
        self, dashboard_app: Application, dashboard_db: asyncpg.Pool
    ) -> None:
        jobs = {job.name: job for job in schedule.booking_jobs(resources_of(dashboard_app))}
        at = "2024-01-01T23:00:00.000000Z"
        sent = [event(1, at, hotel_id=7001), event(2, at, hotel_id=7002)]
        with aioresponses() as upstream:
            for body in ("[]", json.dumps(sent)):
                path = re.compile(rf"{FEED_URL}/events.*")
                upstream.get(path, body=body, headers={"X-Feed": "complete"}, content_type="application/json")
            await put(dashboard_app, 7002, {"timezone": "America/New_York"})
            await run_now(dashboard_db, jobs["ingest_booking_events"])

        events = [booking_event(number, 7000 + number, datetime.fromisoformat(at)) for number in (1, 2)]
        zones = {7001: "Asia/Kolkata", 7002: "America/New_York"}
        await check_dates(dashboard_db, events, zones)

        await put(dashboard_app, 7002, {})
        await check_dates(dashboard_db, events, dict.fromkeys(zones, "Asia/Kolkata"))
        await dashboard_db.execute("UPDATE hotel_summary SET timezone = 'UTC'")  # as before the variable was set
        assert (await run_now(dashboard_db, jobs["recount_hotels"]))["recounted"] == 2
        await check_dates(dashboard_db, events, dict.fromkeys(zones, "Asia/Kolkata"))


async def check_dates(db: asyncpg.Pool, events: list[BookingEvent], zones: dict[int, str]) -> None:
    """Each event counts on its date in the zone of its hotel."""
    rows = await db.fetch("SELECT hotel_id, timezone, last_event_date FROM hotel_summary ORDER BY hotel_id")
    assert [tuple(row) for row in rows] == [
        (each.hotel_id, zones[each.hotel_id], each.event_timestamp.astimezone(ZoneInfo(zones[each.hotel_id])).date())
        for each in events
    ]
    assert {name for name, count in dict(await select_differences(db)).items() if count} == {"events"}
