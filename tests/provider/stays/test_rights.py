"""Who may do what: a guest, the holder of a property, a stranger and the administrator."""

import csv
import io
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from common.web.resources import Application
from tests.support.storefront import Guest

DAY = timedelta(days=1)
ADMIN = "the administrator's token"


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return {**environment, "PROVIDER_STAYS_ADMIN_TOKEN": ADMIN, "PROVIDER_TIMEZONE": "Pacific/Kiritimati"}


@pytest.fixture
def admin(provider_app: Application) -> Guest:
    return Guest(provider_app, ADMIN)


WRITES = [
    ("PATCH", "", {"description": "Mine now"}),
    ("PATCH", "", {}),
    ("PATCH", "", {"on_sale": False}),
    ("DELETE", "", None),
    ("POST", "/blocks", {"start_date": "2030-01-01", "nights": 2}),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
async def test_only_the_token_that_created_a_property_and_the_administrator_write_to_it(
    guest: Guest, new_guest: Callable[[], Guest], admin: Guest, method: str, path: str, body: Any
) -> None:
    await guest.create_property("hut")
    _, before = await guest.get("/properties/hut")
    options = {} if body is None else {"json": body}

    answer, problem = await new_guest().call(method, f"/properties/hut{path}", **options)

    assert (answer.status_code, problem["code"]) == (403, "not_holder")
    assert (await guest.get("/properties/hut"))[1] == before
    assert (await guest.call(method, f"/properties/hut{path}", **options))[0].status_code in (200, 201, 204)
    if method == "DELETE":
        await guest.create_property("hut")
    assert (await admin.call(method, f"/properties/hut{path}", **options))[0].status_code in (200, 201, 204)


async def test_an_imported_property_belongs_to_the_administrator_alone(
    guest: Guest, admin: Guest, provider_db: asyncpg.Pool
) -> None:
    await provider_db.execute("SELECT import_properties('{hut}', '{A hut}')")

    assert (await guest.call("PATCH", "/properties/hut", json={"turnover_days": 1}))[0].status_code == 403
    assert (await admin.call("PATCH", "/properties/hut", json={"turnover_days": 1}))[0].status_code == 200
    assert (await admin.call("DELETE", "/properties/hut"))[0].status_code == 204


async def test_the_administrator_reads_changes_and_cancels_every_reservation(
    guest: Guest, new_guest: Callable[[], Guest], admin: Guest, provider_db: asyncpg.Pool, soon: date
) -> None:
    await guest.create_property("suite", hotel_id=3, room_id=17)
    _, online = await new_guest().reserve("suite", soon, 2)
    await provider_db.execute(
        "SELECT * FROM import_reservations('{1}', '{suite}', ARRAY[$1::date], '{3}')", soon + 9 * DAY
    )
    imported = await provider_db.fetchval("SELECT reservation_id::text FROM reservation WHERE holder IS NULL")

    for reservation_id in (online["reservation_id"], imported):
        path = f"/reservations/{reservation_id}"
        assert (await guest.get(path))[0].status_code == 404
        assert (await guest.call("DELETE", path))[0].status_code == 404
        assert (await admin.get(path))[1]["status"] == "reserved"
        assert (await admin.call("PATCH", path, json={"nights": 1}))[0].status_code == 200
        assert await admin.cancel(reservation_id) == 204
        assert (await admin.get(path))[1]["status"] == "cancelled"
    assert await guest.calendar("suite", soon, 12) == ["free"] * 12
    _, listed = await admin.get("/reservations")
    assert {each["reservation_id"] for each in listed} == {online["reservation_id"], imported}


async def test_what_the_administrator_makes_is_the_administrators(guest: Guest, admin: Guest, soon: date) -> None:
    await admin.create_property("hut")
    _, held = await admin.reserve("hut", soon, 2, key="k")

    assert (await admin.reserve("hut", soon, 2, key="k"))[1] == held
    assert (await guest.call("PATCH", "/properties/hut", json={}))[0].status_code == 403
    assert (await guest.get(f"/reservations/{held['reservation_id']}"))[0].status_code == 404
    assert await admin.cancel(held["reservation_id"]) == 204


async def test_wrong_tokens_are_slowed_down_at_every_path(provider_app: Application) -> None:
    stranger = Guest(provider_app, "guessed")
    statuses = [(await stranger.get("/reservations"))[0].status_code for _ in range(8)]

    assert statuses[0] == 401
    assert statuses[-1] == 429


class TestOwnReservations:
    async def test_a_guest_sees_all_of_its_own_the_latest_first(
        self, guest: Guest, new_guest: Callable[[], Guest], soon: date
    ) -> None:
        await guest.create_property("hut")
        made = [(await guest.reserve("hut", soon + n * DAY, 1, guests=n + 1))[1] for n in range(5)]
        await new_guest().reserve("hut", soon + 9 * DAY, 1)
        await guest.cancel(made[1]["reservation_id"])
        made[1] |= {"status": "cancelled", "nights_kept": 0}
        path = "/reservations?limit=2"
        seen: list[Any] = []
        while path:
            answer, page = await guest.get(path)
            assert len(page) <= 2
            seen += page
            path = answer.headers.get("Link", "").partition(">")[0].removeprefix("<")

        assert seen == made[::-1]
        assert (await new_guest().get("/reservations"))[1] == []

    async def test_they_are_a_table(self, guest: Guest, soon: date) -> None:
        await guest.create_property("hut")
        _, held = await guest.reserve("hut", soon, 2)

        answer = await guest.client.get("/reservations?format=csv", headers=guest.headers)

        (row,) = csv.DictReader(io.StringIO((await answer.get_data(as_text=False)).decode("utf-8-sig")))
        assert (row["reservation_id"], row["nights"], row["status"]) == (held["reservation_id"], "2", "reserved")
        assert (await guest.client.get("/reservations?format=xlsx", headers=guest.headers)).status_code == 200

    @pytest.mark.parametrize("query", ["limit=0", "cursor=x", "status=cancelled", "format=pdf"])
    async def test_invalid_parameters_are_named(self, guest: Guest, query: str) -> None:
        answer, problem = await guest.get(f"/reservations?{query}")

        assert answer.status_code == 400
        assert problem["errors"][0]["field"] == query.partition("=")[0]


class TestDays:
    async def test_the_administrator_lists_who_arrives_and_who_leaves(
        self, guest: Guest, admin: Guest, soon: date
    ) -> None:
        await guest.create_property("suite", description="The suite", hotel_id=3, room_id=17)
        await guest.create_property("hut", description="A hut")
        _, first = await guest.reserve("suite", soon, 2, guests=2)
        _, second = await guest.reserve("suite", soon + 2 * DAY, 1)
        _, third = await guest.reserve("hut", soon, 2)
        _, cancelled = await guest.reserve("hut", soon + 2 * DAY, 2)
        await guest.cancel(cancelled["reservation_id"])

        _, arrivals = await admin.get(f"/arrivals?day={soon}")
        _, departures = await admin.get(f"/departures?day={soon + 2 * DAY}")

        assert arrivals == departures
        assert [each["reservation_id"] for each in arrivals] == [third["reservation_id"], first["reservation_id"]]
        assert arrivals[1] == {
            "property_id": "suite",
            "description": "The suite",
            "hotel_id": 3,
            "room_id": 17,
            "reservation_id": first["reservation_id"],
            "arrival": soon.isoformat(),
            "departure": (soon + 2 * DAY).isoformat(),
            "nights": 2,
            "guests": 2,
            "status": "reserved",
            "reserved_at": first["created_at"],
        }
        _, later = await admin.get(f"/arrivals?day={soon + 2 * DAY}")
        assert [each["reservation_id"] for each in later] == [second["reservation_id"]]
        answer = await admin.client.get(f"/departures?day={soon + 2 * DAY}&format=csv", headers=admin.headers)
        rows = list(csv.DictReader(io.StringIO((await answer.get_data(as_text=False)).decode("utf-8-sig"))))
        assert [(row["property_id"], row["guests"]) for row in rows] == [("hut", ""), ("suite", "2")]
        answer = await admin.client.get(f"/arrivals?day={soon}&format=xlsx", headers=admin.headers)
        assert answer.content_type.startswith("application/vnd.openxmlformats")

    async def test_they_have_pages(self, guest: Guest, admin: Guest, soon: date) -> None:
        for number in range(5):
            await guest.create_property(f"p{number}")
            await guest.reserve(f"p{number}", soon, 1)
        path = f"/arrivals?day={soon}&limit=2"
        seen: list[str] = []
        while path:
            answer, page = await admin.get(path)
            seen += [each["property_id"] for each in page]
            path = answer.headers.get("Link", "").partition(">")[0].removeprefix("<")

        assert seen == [f"p{number}" for number in range(5)]

    async def test_the_day_is_today_in_the_time_zone_of_the_variable(self, guest: Guest, admin: Guest) -> None:
        today = datetime.now(ZoneInfo("Pacific/Kiritimati")).date()
        await guest.create_property("hut")
        await guest.reserve("hut", today, 1)

        assert [each["property_id"] for each in (await admin.get("/arrivals"))[1]] == ["hut"]
        assert (await admin.get("/departures"))[1] == []

    async def test_a_stay_that_was_cut_short_leaves_on_the_day_of_its_cancellation(
        self, guest: Guest, admin: Guest, provider_db: asyncpg.Pool
    ) -> None:
        today = datetime.now(ZoneInfo("Pacific/Kiritimati")).date()
        await guest.create_property("hut")
        _, held = await guest.reserve("hut", today, 5)
        await provider_db.execute("UPDATE reservation SET arrival = arrival - 2")
        await guest.cancel(held["reservation_id"])

        ((left,), (arrived,)) = [
            (await admin.get(path))[1] for path in (f"/departures?day={today}", f"/arrivals?day={today - 2 * DAY}")
        ]

        assert left == arrived
        assert (left["status"], left["nights"], left["departure"]) == ("cancelled", 2, today.isoformat())

    @pytest.mark.parametrize("path", ["/arrivals", "/departures"])
    async def test_nobody_else_sees_them(self, guest: Guest, provider_app: Application, path: str) -> None:
        answer, problem = await guest.get(path)
        assert (answer.status_code, problem["code"]) == (403, "not_administrator")
        assert (await Guest(provider_app, "nonsense").get(path))[0].status_code == 401
        assert (await provider_app.test_client().get(path)).status_code == 401

    @pytest.mark.parametrize(
        ("query", "field"), [("day=tomorrow", "day"), ("day=2200-01-01", "day"), ("cursor=x", "cursor"), ("on=1", "on")]
    )
    async def test_invalid_parameters_are_named(self, admin: Guest, query: str, field: str) -> None:
        answer, problem = await admin.get(f"/arrivals?{query}")

        assert answer.status_code == 400
        assert problem["errors"][0]["field"] == field
