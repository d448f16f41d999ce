"""What a property sells: whether it is on sale, how many nights and guests a stay has, and the rooms of a hotel."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provider.stays.audit import find_differences
from tests.support.databases import waits_for_lock
from tests.support.storefront import Guest
from tests.support.waiting import eventually

DAY = timedelta(days=1)


async def change(guest: Guest, property_id: str, **fields: object) -> int:
    return (await guest.call("PATCH", f"/properties/{property_id}", json=fields))[0].status_code


async def change_reservation(guest: Guest, reservation: Any, **fields: object) -> int:
    path = f"/reservations/{reservation['reservation_id']}"
    return (await guest.call("PATCH", path, json=fields))[0].status_code


class TestOnSale:
    async def test_a_property_that_is_not_on_sale_is_neither_found_nor_reserved(self, guest: Guest, soon: date) -> None:
        await guest.create_property("hut")
        _, held = await guest.reserve("hut", soon, 2)
        assert await change(guest, "hut", on_sale=False) == 200

        assert await guest.available(soon + 5 * DAY, 1) == []
        answer, problem = await guest.reserve("hut", soon + 5 * DAY, 1)
        assert (answer.status_code, problem["code"]) == (409, "not_on_sale")
        assert await guest.calendar("hut", soon, 4) == ["taken"] * 4
        assert (await guest.get(f"/reservations/{held['reservation_id']}"))[1] == held

        assert await change(guest, "hut", on_sale=True) == 200
        assert await guest.calendar("hut", soon, 4) == ["taken", "taken", "free", "free"]
        assert await guest.available(soon, 1) == []
        assert await guest.available(soon + 5 * DAY, 1) == ["hut"]

    async def test_another_rule_of_the_table_does_not_pass_for_off_sale(
        self, guest: Guest, soon: date, provider_db: asyncpg.Pool
    ) -> None:
        await guest.create_property("hut")
        await provider_db.execute("ALTER TABLE reservation ADD CONSTRAINT short CHECK (departure - arrival < 3)")
        _, held = await guest.reserve("hut", soon, 2)

        answer, _ = await guest.reserve("hut", soon + 5 * DAY, 3)
        assert answer.status_code == 500
        assert await change_reservation(guest, held, nights=3) == 500

    async def test_a_property_can_begin_off_sale(self, guest: Guest, soon: date) -> None:
        await guest.create_property("hut", on_sale=False)
        answer, problem = await guest.get(f"/properties/available?start_date={soon}&nights=1")
        assert (answer.status_code, problem["alternatives"]) == (404, [])

        await change(guest, "hut", on_sale=True)

        assert await guest.available(soon, 1) == ["hut"]

    async def test_a_stay_gives_up_nights_off_sale_and_takes_none(self, guest: Guest, soon: date) -> None:
        await guest.create_property("hut")
        _, held = await guest.reserve("hut", soon, 4)
        await change(guest, "hut", on_sale=False)
        path = f"/reservations/{held['reservation_id']}"

        for taking in ({"nights": 5}, {"start_date": (soon - DAY).isoformat()}):
            answer, problem = await guest.call("PATCH", path, json=taking)
            assert (answer.status_code, problem["code"]) == (409, "not_on_sale")
        assert (await guest.call("PATCH", path, json={"nights": 3}))[0].status_code == 200
        assert await guest.cancel(held["reservation_id"]) == 204
        await change(guest, "hut", on_sale=True)
        assert await guest.calendar("hut", soon, 4) == ["free"] * 4

    async def test_what_is_freed_or_booked_while_off_sale_counts_when_it_is_sold_again(
        self, guest: Guest, soon: date
    ) -> None:
        await guest.create_property("suite", hotel_id=3, room_id=17, turnover_days=1)
        _, held = await guest.reserve("suite", soon, 2)
        await change(guest, "suite", on_sale=False)
        await guest.cancel(held["reservation_id"])
        body = {"start_date": (soon + 3 * DAY).isoformat(), "nights": 1}
        assert (await guest.call("POST", "/properties/suite/blocks", json=body))[0].status_code == 201
        event = {
            "hotel_id": 3,
            "event_timestamp": datetime.now(UTC).isoformat(),
            "status": 1,
            "room_id": 17,
            "night_of_stay": soon.isoformat(),
        }
        assert (await guest.call("POST", "/events", json=event))[0].status_code == 201
        assert await change(guest, "suite", turnover_days=2) == 200

        await change(guest, "suite", on_sale=True)

        assert await guest.calendar("suite", soon, 5) == ["taken", "free", "free", "taken", "free"]

    async def test_a_reservation_that_waits_while_the_property_goes_off_sale_is_refused(
        self, guest: Guest, provider_db: asyncpg.Pool, soon: date
    ) -> None:
        await guest.create_property("hut")
        async with provider_db.acquire() as other, other.transaction():
            await other.execute("UPDATE property SET on_sale = false WHERE property_id = 'hut'")
            waiting = asyncio.create_task(guest.reserve("hut", soon, 1))
            await eventually(lambda: waits_for_lock(provider_db))

        answer, problem = await waiting
        assert (answer.status_code, problem["code"]) == (409, "not_on_sale")

    async def test_existing_stays_are_imported_into_a_property_that_is_not_on_sale(
        self, guest: Guest, provider_db: asyncpg.Pool, soon: date
    ) -> None:
        await guest.create_property("hut", on_sale=False)

        await provider_db.execute("SELECT * FROM import_reservations('{1}', '{hut}', ARRAY[$1::date], ARRAY[2])", soon)

        assert await provider_db.fetchval("SELECT count(*) FROM reservation") == 1
        await change(guest, "hut", on_sale=True)
        assert await guest.calendar("hut", soon, 3) == ["taken", "taken", "free"]


class TestNightsAndGuests:
    async def test_a_stay_outside_them_is_400_and_not_found(self, guest: Guest, soon: date) -> None:
        await guest.create_property("hut", min_nights=3, max_guests=4)

        for nights, guests, faults in (
            (2, None, {"nights": "must be at least 3 at this property"}),
            (3, 5, {"guests": "must be at most 4 at this property"}),
            (
                1,
                1000,
                {"nights": "must be at least 3 at this property", "guests": "must be at most 4 at this property"},
            ),
        ):
            answer, problem = await guest.reserve("hut", soon, nights, guests=guests)
            assert answer.status_code == 400
            assert {each["field"]: each["message"] for each in problem["errors"]} == faults
            filters = {} if guests is None else {"guests": guests}
            assert await guest.available(soon, nights, **filters) == []
        assert await guest.available(soon, 3) == await guest.available(soon, 3, guests=4) == ["hut"]
        answer, reservation = await guest.reserve("hut", soon, 3, guests=4)
        assert (answer.status_code, reservation["guests"]) == (200, 4)

    async def test_they_may_change_and_stays_that_were_sold_stay(self, guest: Guest, soon: date) -> None:
        await guest.create_property("hut")
        _, held = await guest.reserve("hut", soon, 2, guests=9)
        assert await change(guest, "hut", min_nights=5, max_guests=2) == 200
        path = f"/reservations/{held['reservation_id']}"

        answer, problem = await guest.call("PATCH", path, json={"nights": 1})
        assert (answer.status_code, problem["errors"][0]["field"]) == (400, "nights")
        assert (await guest.call("PATCH", path, json={"nights": 2}))[1] == held
        assert await guest.available(soon + 20 * DAY, 4) == []
        assert await guest.available(soon + 20 * DAY, 5, guests=3) == []
        assert await guest.available(soon + 20 * DAY, 5, guests=2) == ["hut"]
        assert await change(guest, "hut", max_guests=None) == 200
        assert await guest.available(soon + 20 * DAY, 5, guests=1000) == ["hut"]

    async def test_a_change_that_takes_a_night_obeys_those_of_now(self, guest: Guest, soon: date) -> None:
        await guest.create_property("hut")
        _, held = await guest.reserve("hut", soon, 3, guests=2)
        path = f"/reservations/{held['reservation_id']}"
        assert await change(guest, "hut", min_nights=4, max_guests=1) == 200

        for taking, faults in (
            ({"start_date": (soon + 30 * DAY).isoformat()}, ["nights", "guests"]),
            ({"start_date": (soon + DAY).isoformat()}, ["nights", "guests"]),
            ({"nights": 5}, ["guests"]),
            ({"start_date": (soon - DAY).isoformat(), "nights": 4}, ["guests"]),
        ):
            answer, problem = await guest.call("PATCH", path, json=taking)
            assert answer.status_code == 400
            assert [each["field"] for each in problem["errors"]] == faults

        assert (await guest.get(path))[1] == held
        assert await change(guest, "hut", min_nights=3, max_guests=2) == 200
        moved = {"start_date": (soon + 30 * DAY).isoformat()}
        assert (await guest.call("PATCH", path, json=moved))[0].status_code == 200

    async def test_a_stay_above_the_most_guests_of_now_gives_nights_up(self, guest: Guest, soon: date) -> None:
        await guest.create_property("hut")
        _, held = await guest.reserve("hut", soon, 5, guests=2)
        assert await change(guest, "hut", min_nights=4, max_guests=1) == 200

        for nights, status in ((4, 200), (3, 400)):
            path = f"/reservations/{held['reservation_id']}"
            assert (await guest.call("PATCH", path, json={"nights": nights}))[0].status_code == status

    async def test_alternatives_follow_them_and_count_the_properties(self, guest: Guest, soon: date) -> None:
        for number in range(4):
            await guest.create_property(f"p{number}", min_nights=1 + number, max_guests=10 - number)
        for number in range(4):
            await guest.reserve(f"p{number}", soon, 4)

        for nights, guests in ((1, 1), (2, 9), (3, 8), (3, 9), (4, 7), (4, 11)):
            answer, problem = await guest.get(
                f"/properties/available?start_date={soon}&nights={nights}&guests={guests}"
            )
            assert answer.status_code == 404
            for each in problem["alternatives"]:
                day = date.fromisoformat(each["start_date"])
                assert each["free_properties"] == len(await guest.available(day, nights, guests=guests)) > 0
            assert {date.fromisoformat(each["start_date"]) for each in problem["alternatives"]} == {
                soon + n * DAY for n in range(-14, 15) if await guest.available(soon + n * DAY, nights, guests=guests)
            }


class TestHotel:
    async def test_a_search_by_hotel_finds_its_rooms_alone(self, guest: Guest, soon: date) -> None:
        for room in range(1, 8):
            await guest.create_property(f"a{room}", hotel_id=3, room_id=room)
        await guest.create_property("b1", hotel_id=4, room_id=1)
        await guest.create_property("c")
        await guest.reserve("a2", soon, 2)
        await change(guest, "a5", on_sale=False)
        await change(guest, "a6", min_nights=4)

        assert await guest.available(soon, 2, hotel_id=3) == ["a1", "a3", "a4", "a7"]
        assert await guest.available(soon, 4, hotel_id=3) == ["a1", "a3", "a4", "a6", "a7"]
        assert await guest.available(soon, 2, hotel_id=4) == ["b1"]
        assert await guest.available(soon, 2, hotel_id=5) == []
        path = f"/properties/available?start_date={soon}&nights=2&hotel_id=3&limit=3"
        answer, page = await guest.get(path)
        assert [each["property_id"] for each in page] == ["a1", "a3", "a4"]
        following = answer.headers["Link"].partition(">")[0].removeprefix("<")
        assert [each["property_id"] for each in (await guest.get(following))[1]] == ["a7"]

    async def test_its_alternatives_count_its_rooms(self, guest: Guest, soon: date) -> None:
        await guest.create_property("a1", hotel_id=3, room_id=1)
        await guest.create_property("a2", hotel_id=3, room_id=2)
        await guest.create_property("elsewhere")
        await guest.reserve("a1", soon - 3 * DAY, 6)
        await guest.reserve("a2", soon, 1)

        _, problem = await guest.get(f"/properties/available?start_date={soon}&nights=1&hotel_id=3")

        found = {date.fromisoformat(each["start_date"]): each["free_properties"] for each in problem["alternatives"]}
        assert [found[soon + n * DAY] for n in (-4, -3, -1, 1, 2, 3)] == [2, 1, 1, 1, 1, 2]
        assert len(found) == 28


HOTEL_IDS = count(100)
HOUSES = st.lists(
    st.fixed_dictionaries(
        {
            "turnover_days": st.integers(0, 1),
            "on_sale": st.sampled_from([True, True, False]),
            "min_nights": st.integers(1, 3),
            "max_guests": st.none() | st.integers(1, 4),
            "timezone": st.sampled_from([None, "Pacific/Kiritimati", "Etc/GMT+12", "America/Los_Angeles"]),
        }
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    houses=HOUSES,
    hotel=st.booleans(),
    start=st.sampled_from([-3, -2, -1, 0, 1, 2, 30, 728, 729, 730, 731, 732]),
    nights=st.integers(1, 4),
    guests=st.none() | st.integers(1, 5),
    taken=st.integers(0, 3),
)
async def test_a_search_offers_exactly_what_a_reservation_would_accept(
    guest: Guest,
    provider_db: asyncpg.Pool,
    houses: list[dict[str, Any]],
    hotel: bool,
    start: int,
    nights: int,
    guests: int | None,
    taken: int,
) -> None:
    await provider_db.execute("DELETE FROM reservation; DELETE FROM property")  # those of the example before
    hotel_id = next(HOTEL_IDS)
    names = [
        await guest.create_property(None, **house, **({"hotel_id": hotel_id, "room_id": number} if hotel else {}))
        for number, house in enumerate(houses, 1)
    ]
    day = datetime.now(UTC).date() + start * DAY
    for name in names[:taken]:
        await provider_db.execute(
            "INSERT INTO reservation (property_id, arrival, departure, hotel_id, room_id)"
            " SELECT property_id, $2, $2::date + 1, hotel_id, room_id FROM property WHERE property_id = $1",
            name, day,
        )  # fmt: skip
    filters = {"hotel_id": hotel_id} if hotel else {}
    if guests is not None:
        filters["guests"] = guests

    found = set(await guest.available(day, nights, **filters))

    accepted = set()
    for name in names:
        answer, reservation = await guest.reserve(name, day, nights, guests=guests)
        assert answer.status_code in (200, 400, 409), reservation
        if answer.status_code == 200:
            accepted.add(name)
            await provider_db.execute(
                "UPDATE reservation SET cancelled_at = now() WHERE reservation_id = $1", reservation["reservation_id"]
            )
    assert found == accepted


class TestDeletion:
    async def test_a_property_without_reservations_is_deleted(
        self, guest: Guest, provider_db: asyncpg.Pool, soon: date
    ) -> None:
        await guest.create_property("suite", hotel_id=3, room_id=17)
        await guest.call("POST", "/properties/suite/blocks", json={"start_date": "2030-01-01", "nights": 2})

        answer, _ = await guest.call("DELETE", "/properties/suite")

        assert answer.status_code == 204
        assert (await guest.get("/properties/suite"))[0].status_code == 404
        assert (await guest.call("DELETE", "/properties/suite"))[0].status_code == 404
        assert await guest.available(soon, 1) == []
        assert await find_differences(provider_db) == (0, [])
        await guest.create_property("another", hotel_id=3, room_id=17)
        await guest.create_property("suite")
        assert await guest.calendar("suite", date(2030, 1, 1), 2) == ["free", "free"]

    async def test_reservations_are_never_deleted_and_neither_is_their_property(self, guest: Guest, soon: date) -> None:
        """A cancelled one reads as cancelled, and can be cancelled again."""
        await guest.create_property("hut")
        _, held = await guest.reserve("hut", soon, 2)
        for _ in range(2):
            answer, problem = await guest.call("DELETE", "/properties/hut")
            assert (answer.status_code, problem["code"]) == (409, "has_stays")
            assert 'PATCH /properties/hut with {"on_sale": false}' in problem["detail"]
            assert await guest.cancel(held["reservation_id"]) == 204

        assert (await guest.get(f"/reservations/{held['reservation_id']}"))[1]["status"] == "cancelled"

    async def test_a_property_with_a_past_stay_is_kept(
        self, guest: Guest, provider_db: asyncpg.Pool, soon: date
    ) -> None:
        await guest.create_property("hut")
        await provider_db.execute(
            "INSERT INTO reservation (property_id, arrival, departure) VALUES ('hut', $1, $2)",
            soon - 60 * DAY, soon - 50 * DAY,
        )  # fmt: skip

        assert (await guest.call("DELETE", "/properties/hut"))[0].status_code == 409

    @pytest.mark.parametrize("link", [{}, {"hotel_id": 3, "room_id": 17}])
    async def test_of_a_deletion_and_reservations_at_once_one_wins(
        self,
        guest: Guest,
        new_guest: Callable[[], Guest],
        provider_db: asyncpg.Pool,
        soon: date,
        link: dict[str, int],
    ) -> None:
        for number in range(6):
            name = await guest.create_property(f"p{number}", **link)
            # Each time another night: the feed keeps those of a room that were reserved.
            calls = [new_guest().reserve(name, soon + number * DAY, 1) for _ in range(5)]
            calls.insert(number, guest.call("DELETE", f"/properties/{name}"))
            statuses = Counter(answer.status_code for answer, _ in await asyncio.gather(*calls))
            assert statuses in (
                {204: 1, 400: 5},  # deleted first
                {200: 1, 409: 5},  # reserved first
            ), statuses
            exists = await provider_db.fetchval("SELECT count(*) FROM property WHERE property_id = $1", name)
            assert exists == statuses[200]
            await provider_db.execute("DELETE FROM reservation WHERE property_id = $1", name)
            if exists:
                assert (await guest.call("DELETE", f"/properties/{name}"))[0].status_code == 204
