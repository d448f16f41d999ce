"""Which day is today, and so when a stay starts and which nights are over, by the time zone of each property."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from common.config import ConfigError, read_config
from common.web.bearer import holder_digest
from common.web.errors import Conflict, Invalid, NotFound
from common.web.resources import Application
from provider.config import Config
from provider.resources import Resources, resources_of
from provider.stays import search
from provider.stays.inputs.reservations import AvailabilityQuery, ReservationChange, ReservationInput
from provider.stays.models.clock import Clock
from provider.stays.queries import reservations
from provider.stays.service import reservations as service
from tests.support.storefront import Guest, start_dates

DAY = timedelta(days=1)
EAST, WEST = "Pacific/Kiritimati", "Etc/GMT+12"
"""14 hours ahead of UTC, and 12 behind it: the dates there always differ."""

HOLDER = holder_digest(b"guest")


def today_in(zone: str) -> date:
    return datetime.now(ZoneInfo(zone)).date()


async def test_a_start_that_is_past_in_one_zone_is_not_in_another(guest: Guest) -> None:
    await guest.create_property("east", timezone=EAST)
    await guest.create_property("west", timezone=WEST)
    await guest.create_property("home")
    west, east = today_in(WEST), today_in(EAST)

    assert await guest.available(west, 1) == ["home", "west"] if west == today_in("UTC") else ["west"]
    answer, problem = await guest.reserve("east", west, 1)
    assert answer.status_code == 400
    assert problem["errors"] == [{"field": "start_date", "message": "is in the past"}]
    assert (await guest.reserve("west", west, 1))[0].status_code == 200
    assert await guest.available(west - DAY, 1) == []
    assert await guest.available(east, 1) == ["east", "home", "west"]
    assert (await guest.reserve("east", east, 1))[0].status_code == 200


async def test_the_last_start_is_730_days_ahead_by_the_zone_of_the_property(guest: Guest) -> None:
    await guest.create_property("east", timezone=EAST)
    await guest.create_property("west", timezone=WEST)
    last_east, last_west = today_in(EAST) + 730 * DAY, today_in(WEST) + 730 * DAY

    assert await guest.available(last_west, 2) == ["east", "west"]
    assert await guest.available(last_east, 2) == ["east"]
    assert await guest.available(last_east + DAY, 2) == []
    _, problem = await guest.reserve("west", last_east, 2)
    assert problem["errors"] == [{"field": "start_date", "message": "is more than 730 days ahead"}]
    assert (await guest.reserve("east", last_east, 2))[0].status_code == 200
    assert (await guest.reserve("west", last_west, 2))[0].status_code == 200


async def test_alternatives_are_starts_that_some_property_accepts(guest: Guest) -> None:
    await guest.create_property("west", timezone=WEST)
    await guest.create_property("east", timezone=EAST)
    for name in ("west", "east"):
        assert (await guest.reserve(name, today_in(EAST), 3))[0].status_code == 200

    _, problem = await guest.get(f"/properties/available?start_date={today_in(EAST)}&nights=1")

    counts = {date.fromisoformat(each["start_date"]): each["free_properties"] for each in problem["alternatives"]}
    assert min(start_dates(problem)) == today_in(WEST)
    assert counts[today_in(WEST)] == 1
    assert counts[today_in(EAST) + 3 * DAY] == 2


async def test_a_property_without_a_zone_follows_the_variable(provider_app: Application, guest: Guest) -> None:
    await guest.create_property("home")
    yesterday_at_home = today_in(EAST) - DAY
    provider_app.resources = with_zone(provider_app, EAST)
    assert (await guest.reserve("home", yesterday_at_home, 1))[0].status_code == 400
    assert await guest.available(yesterday_at_home, 1) == []
    provider_app.resources = with_zone(provider_app, WEST)
    assert await guest.available(today_in(WEST), 1) == ["home"]
    assert (await guest.reserve("home", today_in(WEST), 1))[0].status_code == 200


def with_zone(app: Application, zone: str) -> Resources:
    """The resources of the provider with another PROVIDER_TIMEZONE."""
    resources = resources_of(app)
    return replace(resources, config=replace(resources.config, timezone=zone))


async def test_a_property_that_moves_to_another_zone_is_found_by_it(guest: Guest) -> None:
    await guest.create_property("hut", timezone=EAST)
    assert await guest.available(today_in(WEST), 1) == []

    await guest.call("PATCH", "/properties/hut", json={"timezone": WEST})

    assert await guest.available(today_in(WEST), 1) == ["hut"]
    await guest.call("PATCH", "/properties/hut", json={"timezone": EAST})
    assert await guest.available(today_in(WEST), 1) == []


@pytest.mark.parametrize("name", ["CET", "Mars/Olympus", "posix/Europe/Berlin"])
def test_a_variable_that_names_no_region_stops_the_start(environment: dict[str, str], name: str) -> None:
    with pytest.raises(ConfigError, match="PROVIDER_TIMEZONE"):
        read_config(Config, {**environment, "PROVIDER_TIMEZONE": name})


CLOCKS = [
    # at the clock changes of Berlin in 2026, the evening before and the night itself
    ("Europe/Berlin", "2026-03-28T22:59:59", date(2026, 3, 28)),
    ("Europe/Berlin", "2026-03-28T23:00:00", date(2026, 3, 29)),
    ("Europe/Berlin", "2026-03-29T21:59:59", date(2026, 3, 29)),
    ("Europe/Berlin", "2026-03-29T22:00:00", date(2026, 3, 30)),
    ("Europe/Berlin", "2026-10-24T21:59:59", date(2026, 10, 24)),
    ("Europe/Berlin", "2026-10-24T22:00:00", date(2026, 10, 25)),
    ("Europe/Berlin", "2026-10-25T22:59:59", date(2026, 10, 25)),
    ("Europe/Berlin", "2026-10-25T23:00:00", date(2026, 10, 26)),
    # midnight itself is skipped, and comes twice
    ("America/Santiago", "2026-09-06T03:59:59", date(2026, 9, 5)),
    ("America/Santiago", "2026-09-06T04:00:00", date(2026, 9, 6)),
    ("America/Santiago", "2026-04-05T03:00:00", date(2026, 4, 4)),
    ("America/Santiago", "2026-04-05T04:00:00", date(2026, 4, 5)),
    # west of UTC after 00:00 UTC
    ("America/Los_Angeles", "2026-07-01T06:59:59", date(2026, 6, 30)),
    ("America/Los_Angeles", "2026-07-01T07:00:00", date(2026, 7, 1)),
]


@pytest.mark.parametrize(("zone", "at", "today"), CLOCKS)
async def test_search_reserving_and_cancelling_agree_on_today(
    guest: Guest, provider_app: Application, provider_db: asyncpg.Pool, zone: str, at: str, today: date
) -> None:
    await guest.create_property("hut", timezone=zone)
    clock = Clock(datetime.fromisoformat(at).replace(tzinfo=UTC), "UTC", past=False)
    append = resources_of(provider_app).append_events

    async def is_offered(start: date) -> bool:
        wanted = AvailabilityQuery.model_construct(start_date=start, nights=2, limit=10)
        try:
            return bool(await search.find_available(provider_db, wanted, "", clock))
        except NotFound:
            return False

    async def reserve(start: date) -> Any:
        wanted = ReservationInput.model_construct(property_id="hut", start_date=start, nights=2)
        return await service.reserve(provider_db, append, wanted, HOLDER, clock)

    for refused in (today - DAY, today + 731 * DAY):
        assert not await is_offered(refused)
        with pytest.raises(Invalid):
            await reserve(refused)
    for accepted in (today + 730 * DAY, today):
        assert await is_offered(accepted)
        reservation = await reserve(accepted)
    tomorrow = Clock(clock.now + DAY, "UTC", past=False)
    if tomorrow.today(zone) == today + DAY:
        await service.cancel(provider_db, append, reservation.reservation_id, HOLDER, tomorrow)
        cancelled = await reservations.select_reservation(provider_db, reservation.reservation_id, HOLDER)
        assert cancelled is not None
        assert (cancelled.status, cancelled.nights, cancelled.nights_kept) == ("cancelled", 2, 1)


class TestWhatIsSlept:
    @pytest.fixture
    async def begun(self, guest: Guest, provider_db: asyncpg.Pool) -> Callable[..., Any]:
        """Makes a stay of four nights in a room of hotel 3 that began so many days before today in a zone."""

        async def make(zone: str, days: int) -> Any:
            await guest.create_property("suite", timezone=zone)
            _, held = await guest.reserve("suite", today_in(EAST) + 20 * DAY, 4)
            arrival = today_in(zone) - days * DAY
            await provider_db.execute("UPDATE reservation SET arrival = $1, departure = $1::date + 4", arrival)
            await guest.call("PATCH", "/properties/suite", json={"hotel_id": 3, "room_id": 17})  # its events follow
            return held

        return make

    @pytest.mark.parametrize("zone", [EAST, WEST, "America/New_York"])
    async def test_nights_before_today_stay_sold_and_the_rest_is_freed(
        self, guest: Guest, new_guest: Callable[[], Guest], begun: Callable[..., Any], zone: str
    ) -> None:
        held = await begun(zone, 1)
        arrival = today_in(zone) - DAY
        path = f"/reservations/{held['reservation_id']}"

        assert await guest.cancel(held["reservation_id"]) == 204

        _, cancelled = await guest.get(path)
        assert cancelled == {
            **held,
            "start_date": arrival.isoformat(),
            "nights": 4,
            "status": "cancelled",
            "nights_kept": 1,
        }
        assert await guest.calendar("suite", arrival, 5) == ["taken", "free", "free", "free", "free"]
        _, events = await guest.get("/events?rpg_status=2")
        assert [each["night_of_stay"] for each in events] == [(arrival + n * DAY).isoformat() for n in (1, 2, 3)]
        assert await guest.cancel(held["reservation_id"]) == 204
        assert len((await guest.get("/events?rpg_status=2"))[1]) == 3
        answer, problem = await guest.call("PATCH", path, json={"nights": 4})
        assert (answer.status_code, problem["code"]) == (409, "cancelled")
        assert (await new_guest().reserve("suite", today_in(zone), 3))[0].status_code == 200
        assert (await guest.call("DELETE", "/properties/suite"))[0].status_code == 409

    async def test_a_stay_that_was_over_before_anybody_cancelled_it_is_a_conflict(
        self, guest: Guest, begun: Callable[..., Any]
    ) -> None:
        held = await begun(EAST, 4)

        answer, problem = await guest.call("DELETE", f"/reservations/{held['reservation_id']}")

        assert (answer.status_code, problem["code"]) == (409, "already_slept")
        _, found = await guest.get(f"/reservations/{held['reservation_id']}")
        assert (found["status"], found["nights_kept"]) == ("reserved", None)
        assert (await guest.get("/events?rpg_status=2"))[1] == []

    async def test_a_stay_that_begins_today_is_freed_whole(self, guest: Guest, begun: Callable[..., Any]) -> None:
        held = await begun(WEST, 0)

        assert await guest.cancel(held["reservation_id"]) == 204

        assert (await guest.get(f"/reservations/{held['reservation_id']}"))[1]["nights_kept"] == 0
        assert await guest.calendar("suite", today_in(WEST), 4) == ["free"] * 4

    async def test_a_change_follows_the_zone_too(self, guest: Guest, begun: Callable[..., Any]) -> None:
        held = await begun(WEST, 1)
        path = f"/reservations/{held['reservation_id']}"

        assert (await guest.call("PATCH", path, json={"nights": 1}))[0].status_code == 200
        later = (today_in(WEST) + DAY).isoformat()
        assert (await guest.call("PATCH", path, json={"start_date": later}))[1]["code"] == "already_begun"
        assert (await guest.call("PATCH", path, json={"nights": 2}))[0].status_code == 200


class TestPastStaysAllowed:
    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        return {**environment, "PROVIDER_PAST_STAYS": "allow"}

    async def test_slept_nights_stay_sold_there_too(self, guest: Guest) -> None:
        await guest.create_property("hut")
        _, over = await guest.reserve("hut", date(2021, 1, 5), 3)
        _, begun = await guest.reserve("hut", today_in("UTC") - 2 * DAY, 5)

        answer, problem = await guest.call("DELETE", f"/reservations/{over['reservation_id']}")
        assert (answer.status_code, problem["code"]) == (409, "already_slept")
        assert await guest.cancel(begun["reservation_id"]) == 204
        assert (await guest.get(f"/reservations/{begun['reservation_id']}"))[1]["nights_kept"] == 2
        path = f"/reservations/{over['reservation_id']}"
        assert (await guest.call("PATCH", path, json={"nights": 2}))[1]["code"] == "already_slept"
        assert (await guest.call("PATCH", path, json={"start_date": "2021-01-04"}))[0].status_code == 409
        assert (await guest.call("PATCH", path, json={"nights": 5}))[0].status_code == 200


async def test_the_rules_of_a_change_hold_at_the_clock_change(
    guest: Guest, provider_app: Application, provider_db: asyncpg.Pool
) -> None:
    """At 22:30 UTC it is 23:30 in Lisbon, on the last day of summer time; an hour later it is the next day."""
    await guest.create_property("hut", timezone="Europe/Lisbon")
    before = Clock(datetime(2026, 10, 24, 22, 30, tzinfo=UTC), "UTC", past=False)
    after = Clock(datetime(2026, 10, 24, 23, 30, tzinfo=UTC), "UTC", past=False)
    append = resources_of(provider_app).append_events
    wanted = ReservationInput.model_construct(property_id="hut", start_date=date(2026, 10, 24), nights=3)
    held = await service.reserve(provider_db, append, wanted, HOLDER, before)

    moved = ReservationChange(start_date=date(2026, 10, 25))
    with pytest.raises(Conflict, match="has begun"):
        await service.change_nights(provider_db, append, held.reservation_id, moved, HOLDER, after)
    await service.change_nights(provider_db, append, held.reservation_id, moved, HOLDER, before)
