"""A hotel's room is sold once, by the storefront or by the hotel; where both sold it, the conflict is reported."""

import asyncio
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from quart.typing import TestClientProtocol as Client

from common.config import Secret
from common.db.locks import ROOM_LINKS_LOCK, WATCHED_ROOMS_LOCK
from common.web.resources import Application
from provider.booking_events.cli import import_event_file
from provider.stays.queries.properties import lock_properties, lock_room_links, note_room_link, select_conflicts
from tests.support.citus import cluster_of_environment
from tests.support.databases import waits_for_lock
from tests.support.feeds import event
from tests.support.storefront import Guest, start_dates
from tests.support.waiting import eventually

DAY = timedelta(days=1)
ROOM = str(uuid.UUID(int=0xABCDEF))
BOOKING, CANCELLATION = 1, 2
ADMIN = "an-administrators-token-of-32-chars"

Hotel = Callable[..., Awaitable[int]]
"""Sends an event of a night to the feed, as the hotel would; returns the event's id."""


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return {**environment, "PROVIDER_STAYS_ADMIN_TOKEN": ADMIN}


@pytest.fixture
def hotel(provider_app: Application) -> Hotel:
    sent = datetime.now(UTC) - timedelta(hours=1)

    async def send(status: int, night: date, *, hotel_id: int = 3, room_id: int | str = 17, at: Any = None) -> int:
        nonlocal sent
        sent += timedelta(milliseconds=1)
        body = {
            "hotel_id": hotel_id,
            "event_timestamp": (at or sent).isoformat(),
            "status": status,
            "room_id": room_id,
            "night_of_stay": night.isoformat(),
        }
        answer = await provider_app.test_client().post("/events", json=body)
        assert answer.status_code == 201
        return (await answer.get_json())["id"]

    return send


async def nights_in_feed(guest: Guest, status: int = BOOKING, **room: Any) -> list[str]:
    """The nights of the room in the feed, in its order."""
    room = {"hotel_id": 3, "room_id": 17, **room}
    _, found = await guest.get(f"/events?rpg_status={status}&hotel_id={room['hotel_id']}&room_id={room['room_id']}")
    return [each["night_of_stay"] for each in found]


async def conflicts(guest: Guest) -> list[Any]:
    answer, found = await guest.get("/conflicts?limit=1000")
    assert answer.status_code == 200
    return found


WAYS = ["post", "batch", "file", "file with known ids", *([] if cluster_of_environment() else ["sql"])]
"""Ways of an event into the feed. On a cluster, an event that plain SQL inserts is not seen."""


class TestOneProperty:
    """At most one property is a room."""

    @pytest.mark.parametrize(("room", "same"), [(17, 17), (ROOM, ROOM), (ROOM, ROOM.upper())])
    async def test_a_room_cannot_belong_to_two_properties(self, guest: Guest, room: int | str, same: int | str) -> None:
        await guest.create_property("suite", hotel_id=3, room_id=room)
        await guest.create_property("other")
        link = {"hotel_id": 3, "room_id": same}

        made, problem = await guest.call("POST", "/properties", json={"description": "Same room", **link})
        moved, _ = await guest.call("PATCH", "/properties/other", json=link)

        assert (made.status_code, moved.status_code) == (409, 409)
        assert problem["code"] == "room_linked"
        assert len((await guest.get("/properties"))[1]) == 2

    @pytest.mark.parametrize("link", [{"hotel_id": 4, "room_id": 17}, {"hotel_id": 3, "room_id": 18}])
    async def test_another_room_may(self, guest: Guest, link: dict[str, int]) -> None:
        await guest.create_property("suite", hotel_id=3, room_id=17)

        assert await guest.create_property("other", **link) == "other"

    async def test_a_room_whose_link_was_removed_is_free_for_another(self, guest: Guest) -> None:
        await guest.create_property("suite", hotel_id=3, room_id=17)
        await guest.create_property("other")
        await guest.call("PATCH", "/properties/suite", json={"hotel_id": None, "room_id": None})

        answer, _ = await guest.call("PATCH", "/properties/other", json={"hotel_id": 3, "room_id": 17})
        again, _ = await guest.call("PATCH", "/properties/other", json={"hotel_id": 3, "room_id": 17})

        assert (answer.status_code, again.status_code) == (200, 200)
        assert (await guest.call("PATCH", "/properties/suite", json={"hotel_id": 3, "room_id": 17}))[
            0
        ].status_code == 409

    async def test_sql_cannot_link_a_room_twice(self, provider_db: asyncpg.Pool) -> None:
        create = "SELECT create_property($1, 'x', 0::smallint, 3, $2, NULL)"
        await provider_db.execute(create, "suite", ROOM)

        with pytest.raises(asyncpg.UniqueViolationError):
            await provider_db.execute(create, "other", ROOM.upper())

    if not cluster_of_environment():  # where no trigger links rooms

        async def test_plain_sql_cannot_link_a_room_twice(self, provider_db: asyncpg.Pool) -> None:
            insert = "INSERT INTO property (property_id, description, hotel_id, room_id) VALUES ($1, 'x', 3, $2)"
            await provider_db.execute(insert, "suite", ROOM)

            with pytest.raises(asyncpg.UniqueViolationError):
                await provider_db.execute(insert, "other", ROOM.upper())
            await provider_db.execute("INSERT INTO property (property_id, description) VALUES ('other', 'x')")
            with pytest.raises(asyncpg.UniqueViolationError):
                await provider_db.execute("UPDATE property SET hotel_id = 3, room_id = $1", ROOM)
            await provider_db.execute("DELETE FROM property WHERE property_id = 'suite'")
            await provider_db.execute("UPDATE property SET hotel_id = 3, room_id = $1", ROOM)

    async def test_two_properties_that_swap_their_rooms_at_once_do_not_deadlock(self, guest: Guest) -> None:
        for name, room in (("a", 1), ("b", 2)):
            await guest.create_property(name, hotel_id=3, room_id=room)

        for _ in range(10):
            links = [("a", 2), ("b", 1), ("a", 1), ("b", 2)]
            answers = await asyncio.gather(
                *(guest.call("PATCH", f"/properties/{name}", json={"hotel_id": 3, "room_id": n}) for name, n in links)
            )
            assert {answer.status_code for answer, _ in answers} <= {200, 409}

    async def test_a_change_of_a_link_waits_for_another_that_is_in_progress(
        self, guest: Guest, provider_db: asyncpg.Pool
    ) -> None:
        """Else two that swap their rooms lock each other out."""
        await guest.create_property("suite", hotel_id=3, room_id=17)
        async with provider_db.acquire() as other, other.transaction():
            await other.execute("SELECT pg_advisory_xact_lock($1)", ROOM_LINKS_LOCK)
            link = {"hotel_id": 3, "room_id": 18}
            linking = asyncio.create_task(guest.call("PATCH", "/properties/suite", json=link))
            await eventually(lambda: linking.done() or waits_for_lock(provider_db))
            assert not linking.done()

        answer, _ = await linking
        assert answer.status_code == 200

    async def test_requests_that_change_no_link_do_not_wait_for_those_who_store_events(
        self, guest: Guest, new_guest: Callable[..., Guest], provider_db: asyncpg.Pool
    ) -> None:
        """And so nobody waits for them."""
        stranger = new_guest()
        await guest.create_property("suite", hotel_id=3, room_id=17)
        await guest.create_property("hut")
        link = {"hotel_id": 3, "room_id": 18}

        async with provider_db.acquire() as other, other.transaction():
            await other.execute("SELECT pg_advisory_xact_lock_shared($1)", WATCHED_ROOMS_LOCK)
            answers = [
                await stranger.call("PATCH", "/properties/suite", json=link),
                await stranger.call("DELETE", "/properties/suite"),
                await stranger.call("PATCH", "/properties/none", json=link),
                await stranger.call("DELETE", "/properties/none"),
                await guest.call("DELETE", "/properties/hut"),
            ]

        assert [answer.status_code for answer, _ in answers] == [403, 403, 404, 404, 204]

    async def test_a_property_that_is_linked_while_it_is_deleted_leaves_no_link(
        self, guest: Guest, provider_db: asyncpg.Pool
    ) -> None:
        await guest.create_property("suite")
        await guest.create_property("other")
        async with provider_db.acquire() as linker, linker.transaction():
            await lock_room_links(linker)
            await lock_properties(linker, "suite")
            deleting = asyncio.create_task(guest.call("DELETE", "/properties/suite"))
            await eventually(lambda: waits_for_lock(provider_db))
            await linker.execute("UPDATE property SET hotel_id = 3, room_id = '17' WHERE property_id = 'suite'")
            await note_room_link(linker, "suite")

        assert (await deleting)[0].status_code == 204
        answer, _ = await guest.call("PATCH", "/properties/other", json={"hotel_id": 3, "room_id": 17})
        assert answer.status_code == 200


class TestBookedInTheFeed:
    """Nights that the hotel has sold."""

    async def test_a_night_that_the_hotel_has_sold_is_not_sold_again(
        self, guest: Guest, hotel: Hotel, soon: date
    ) -> None:
        await guest.create_property("suite", hotel_id=3, room_id=17)
        await hotel(BOOKING, soon + DAY)

        answer, problem = await guest.reserve("suite", soon, 2)

        assert answer.status_code == 409
        assert problem["code"] == "not_available"
        assert await guest.available(soon, 2) == []
        assert await guest.available(soon, 1) == ["suite"]
        assert await guest.available(soon + 2 * DAY, 1) == ["suite"]
        assert await guest.calendar("suite", soon, 3) == ["free", "taken", "free"]
        assert (await guest.reserve("suite", soon, 1))[0].status_code == 200
        assert (await guest.reserve("suite", soon + 2 * DAY, 1))[0].status_code == 200

    @pytest.mark.parametrize("key", [None, "k"])
    async def test_a_night_that_the_hotel_has_cancelled_is_sold(
        self, guest: Guest, hotel: Hotel, soon: date, key: str | None
    ) -> None:
        await guest.create_property("suite", hotel_id=3, room_id=17)
        await hotel(BOOKING, soon)
        assert (await guest.reserve("suite", soon, 1, key=key))[0].status_code == 409
        await hotel(CANCELLATION, soon)

        assert (await guest.reserve("suite", soon, 1, key=key))[0].status_code == 200

    async def test_the_latest_event_by_its_own_time_counts(self, guest: Guest, hotel: Hotel, soon: date) -> None:
        """An event that arrives late does not undo a later one; of one instant the higher id is the later event."""
        await guest.create_property("suite", hotel_id=3, room_id=17)
        now = datetime.now(UTC)
        await hotel(BOOKING, soon, at=now)
        await hotel(CANCELLATION, soon, at=now - timedelta(days=1))
        await hotel(CANCELLATION, soon + DAY, at=now)
        await hotel(BOOKING, soon + DAY, at=now)

        assert await guest.calendar("suite", soon, 2) == ["taken", "taken"]

    async def test_other_rooms_do_not_count(self, guest: Guest, hotel: Hotel, soon: date) -> None:
        await guest.create_property("suite", hotel_id=3, room_id=ROOM)
        await guest.create_property("hut")
        await hotel(BOOKING, soon, hotel_id=4, room_id=ROOM)
        await hotel(BOOKING, soon, room_id=17)

        assert await guest.available(soon, 1) == ["hut", "suite"]
        await hotel(BOOKING, soon, room_id=ROOM.upper())
        assert await guest.available(soon, 1) == ["hut"]
        assert (await guest.reserve("suite", soon, 1))[0].status_code == 409

    async def test_alternatives_leave_out_the_nights_that_the_hotel_has_sold(
        self, guest: Guest, hotel: Hotel, soon: date
    ) -> None:
        await guest.create_property("suite", hotel_id=3, room_id=17)
        for day in (0, 2):
            await hotel(BOOKING, soon + day * DAY)

        _, problem = await guest.get(f"/properties/available?start_date={soon}&nights=2")

        days = start_dates(problem)
        assert days == sorted(days, key=lambda day: (abs(day - soon), soon - day))
        assert set(days) == {soon + n * DAY for n in range(-14, 15)} - {soon + n * DAY for n in (-1, 0, 1, 2)}

    async def test_a_cancelled_reservation_leaves_what_the_hotel_has_sold(
        self, guest: Guest, hotel: Hotel, soon: date
    ) -> None:
        await guest.create_property("suite", hotel_id=3, room_id=17)
        _, reservation = await guest.reserve("suite", soon, 1)
        await hotel(BOOKING, soon)

        await guest.cancel(reservation["reservation_id"])

        assert await guest.available(soon, 1) == []
        assert (await guest.reserve("suite", soon, 1))[0].status_code == 409

    async def test_a_stay_of_a_former_property_of_the_room_keeps_its_nights(self, guest: Guest, soon: date) -> None:
        await guest.create_property("old", hotel_id=3, room_id=17)
        _, reservation = await guest.reserve("old", soon, 2)
        await guest.call("PATCH", "/properties/old", json={"hotel_id": None, "room_id": None})
        await guest.create_property("new", hotel_id=3, room_id=17)

        assert (await guest.reserve("new", soon + DAY, 1))[0].status_code == 409
        assert "new" not in await guest.available(soon + DAY, 1)
        await guest.cancel(reservation["reservation_id"])
        assert (await guest.reserve("new", soon + DAY, 1))[0].status_code == 200

    async def test_of_a_former_and_the_present_property_of_a_room_one_takes_a_night(
        self, guest: Guest, provider_db: asyncpg.Pool, soon: date
    ) -> None:
        await guest.create_property("old", hotel_id=3, room_id=17)
        _, stay = await guest.reserve("old", soon, 1)
        await guest.call("PATCH", "/properties/old", json={"hotel_id": None, "room_id": None})
        await guest.create_property("new", hotel_id=3, room_id=17)
        async with provider_db.acquire() as other, other.transaction():
            await other.execute("SELECT lock_property(property_id) FROM property WHERE property_id = 'new'")
            reserving = asyncio.create_task(guest.reserve("new", soon + DAY, 1))
            await eventually(lambda: all_wait(provider_db, 1))
            body = {"start_date": str(soon + DAY)}
            moving = asyncio.create_task(guest.call("PATCH", f"/reservations/{stay['reservation_id']}", json=body))
            await eventually(lambda: all_wait(provider_db, 2))

        answers = await asyncio.gather(reserving, moving)

        assert [answer.status_code for answer, _ in answers] == [200, 409]
        assert await nights_in_feed(guest) == [soon.isoformat(), (soon + DAY).isoformat()]

    async def test_two_requests_that_link_one_room_do_not_deadlock(
        self, guest: Guest, provider_db: asyncpg.Pool
    ) -> None:
        await guest.create_property("hut")
        room = {"hotel_id": 3, "room_id": 17}
        async with provider_db.acquire() as other, other.transaction():
            await other.execute("SELECT pg_advisory_xact_lock($1)", WATCHED_ROOMS_LOCK)
            changing = asyncio.create_task(guest.call("PATCH", "/properties/hut", json=room))
            await eventually(lambda: all_wait(provider_db, 1))
            creating = asyncio.create_task(guest.call("POST", "/properties", json={"description": "A room", **room}))
            await eventually(lambda: all_wait(provider_db, 2))

        answers = await asyncio.gather(changing, creating)

        assert [answer.status_code for answer, _ in answers] == [200, 409]

    async def test_a_reservation_that_waits_while_the_link_changes_has_no_events_of_the_former_room(
        self, guest: Guest, provider_db: asyncpg.Pool, soon: date
    ) -> None:
        """It is of the new room if its property was a room before, and refused if it was none."""
        await guest.create_property("suite", hotel_id=3, room_id=17)
        await guest.create_property("hut")
        async with provider_db.acquire() as other, other.transaction():
            await other.execute("SELECT pg_advisory_xact_lock($1)", WATCHED_ROOMS_LOCK)
            await other.execute("SELECT lock_property(property_id) FROM property WHERE property_id = 'hut'")
            waiting = [asyncio.create_task(guest.reserve(name, soon, 1)) for name in ("suite", "hut")]
            await eventually(lambda: all_wait(provider_db, len(waiting)))
            for name, room in (("suite", "18"), ("hut", "19")):
                await other.execute("UPDATE property SET hotel_id = 3, room_id = $2 WHERE property_id = $1", name, room)
                await note_room_link(other, name)

        answers = await asyncio.gather(*waiting)

        assert [answer.status_code for answer, _ in answers] == [200, 409]
        assert await nights_in_feed(guest) == []
        assert await nights_in_feed(guest, room_id=18) == [soon.isoformat()]
        assert await provider_db.fetchval("SELECT count(*) FROM reservation") == 1
        assert [(await guest.reserve(name, soon, 1))[0].status_code for name in ("suite", "hut")] == [409, 200]


async def test_a_reservation_that_waits_while_its_night_is_booked_in_the_feed_is_refused(
    guest: Guest, provider_db: asyncpg.Pool, soon: date
) -> None:
    """When the guest asked, the night was free."""
    await guest.create_property("suite", hotel_id=3, room_id=17)
    async with provider_db.acquire() as other, other.transaction():
        await other.execute("SELECT lock_property(property_id) FROM property WHERE property_id = 'suite'")
        waiting = asyncio.create_task(guest.reserve("suite", soon, 2))
        await eventually(lambda: all_wait(provider_db, 1))
        await other.fetch(
            "SELECT * FROM store_events(ARRAY[5::bigint], ARRAY[3::bigint], ARRAY[now()], ARRAY[1::smallint],"
            " ARRAY['17'], ARRAY[$1::date], ARRAY[false])",
            soon,
        )

    answer, problem = await waiting

    assert (answer.status_code, problem["code"]) == (409, "not_available")
    assert await conflicts(guest) == []


async def all_wait(db: asyncpg.Pool, count: int) -> bool:
    if (cluster := cluster_of_environment()) is not None:
        return await cluster.count_waiting(await db.fetchval("SELECT current_database()")) == count
    waiting = await db.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'"
    )
    return waiting >= count


STEPS = st.lists(
    st.tuples(st.sampled_from(["reserve", "cancel", "book", "unbook"]), st.integers(0, 6), st.integers(1, 3)),
    min_size=1,
    max_size=15,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(turnover=st.integers(0, 2), steps=STEPS)
async def test_search_reserving_calendar_and_conflicts_follow_one_rule(
    guest: Guest, hotel: Hotel, turnover: int, steps: list[tuple[str, int, int]]
) -> None:
    """The hotel may book what it likes; the storefront sells what is free by both accounts."""
    start = datetime.now(UTC).date() + 30 * DAY
    room: dict[str, Any] = {"hotel_id": 3, "room_id": str(uuid.uuid4())}
    name = await guest.create_property(turnover_days=turnover, **room)
    held: dict[tuple[int, int], str] = {}
    booked: set[int] = set()

    def is_free(day: int, nights: int) -> bool:
        return not booked & set(range(day, day + nights)) and all(
            day + nights + turnover <= first or last + turnover <= day for first, last in held
        )

    for action, day, nights in steps:
        if action == "reserve":
            answer, reservation = await guest.reserve(name, start + day * DAY, nights)
            assert answer.status_code == (200 if is_free(day, nights) else 409)
            if answer.status_code == 200:
                held[day, day + nights] = reservation["reservation_id"]
        elif action == "cancel" and held:
            assert await guest.cancel(held.pop(sorted(held)[day % len(held)])) == 204
        elif action == "book":
            await hotel(BOOKING, start + day * DAY, **room)
            booked.add(day)
        elif action == "unbook":
            await hotel(CANCELLATION, start + day * DAY, **room)
            booked.discard(day)

    taken = {day for first, last in held for day in range(first, last)} | booked
    assert await guest.calendar(name, start, 9) == [
        "taken" if day in taken else "free" if is_free(day, 1) else "turnover" for day in range(9)
    ]
    for day in range(7):
        assert (name in await guest.available(start + day * DAY, 2)) == is_free(day, 2)
    before = await on_the_books(guest, room["room_id"])
    reported = [
        (each["reservation_id"], each["night"], each["kind"])
        for each in await conflicts(guest)
        if each["property_id"] == name
    ]
    assert sorted(reported) == sorted(
        (reservation, night, "feed" if day in booked else "feed_cancellation")
        for (first, last), reservation in held.items()
        for day, night in ((day, (start + day * DAY).isoformat()) for day in range(first, last))
        if day in booked or before[night] < 1
    )
    for reservation in held.values():
        assert await guest.cancel(reservation) == 204
    after = await on_the_books(guest, room["room_id"])
    for day in range(9):
        night = (start + day * DAY).isoformat()
        is_held = any(first <= day < last for first, last in held)
        assert after[night] == before[night] - (is_held and before[night] > (day in booked))
    assert await guest.calendar(name, start, 9) == ["taken" if day in booked else "free" for day in range(9)]


async def on_the_books(guest: Guest, room_id: str) -> Counter[str]:
    """Bookings less cancellations of each night of a room."""
    _, found = await guest.get(f"/events?hotel_id=3&room_id={room_id}&limit=1000")
    net: Counter[str] = Counter()
    for each in found:
        net[each["night_of_stay"]] += 1 if each["status"] == BOOKING else -1
    return net


class TestHowTheFeedIsWatched:
    """Only the nights of rooms that are, or were, linked are kept; none of their events may be missed."""

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("linked", ["before", "after"])
    async def test_an_event_counts_whichever_way_it_came(
        self,
        guest: Guest,
        client: Client,
        provider_url: Secret,
        provider_db: asyncpg.Pool,
        tmp_path: Path,
        soon: date,
        way: str,
        linked: str,
    ) -> None:
        if linked == "before":
            await guest.create_property("suite", hotel_id=3, room_id=17)
        night = event(5, room_id=17, hotel_id=3, night=soon.isoformat())
        if way == "post":
            await client.post("/events", json=night)
        elif way == "batch":
            await client.post("/events/batch", json=[night, event(6)])
        elif way == "sql":
            await provider_db.execute(
                "INSERT INTO booking_event (id, hotel_id, event_timestamp, status, room_id, night_of_stay)"
                " VALUES (5, 3, now(), 1, '17', $1)",
                soon,
            )
        else:
            lines = [night] if way == "file" else [event(6), night]
            path = tmp_path / "events.csv"
            path.write_text("\n".join([",".join(night), *(",".join(map(str, each.values())) for each in lines)]))
            if way != "file":
                await client.post("/events", json=event(6))
            assert await import_event_file(provider_url, path) == 0
        if linked == "after":
            await guest.create_property("suite", hotel_id=3, room_id=17)

        assert await guest.calendar("suite", soon, 2) == ["taken", "free"]
        assert await provider_db.fetchval("SELECT count(*) FROM watched_event") == 1

    async def test_an_event_that_is_being_stored_while_its_room_is_linked_counts(
        self, guest: Guest, provider_db: asyncpg.Pool, soon: date
    ) -> None:
        async with provider_db.acquire() as writer, writer.transaction():
            await writer.execute(
                "SELECT store_events('{5}', '{3}', ARRAY[now()], '{1}', '{17}', ARRAY[$1::date], '{false}')", soon
            )
            linking = asyncio.create_task(guest.create_property("suite", hotel_id=3, room_id=17))
            await eventually(lambda: linking.done() or waits_for_lock(provider_db))
        await linking

        assert await guest.calendar("suite", soon, 1) == ["taken"]

    async def test_an_event_that_arrives_while_its_room_is_being_linked_counts(
        self, guest: Guest, hotel: Hotel, provider_db: asyncpg.Pool, soon: date
    ) -> None:
        async with provider_db.acquire() as other, other.transaction():
            await other.execute("SELECT create_property('suite', 'x', 0::smallint, 3, '17', NULL)")
            sending = asyncio.ensure_future(hotel(BOOKING, soon))
            await eventually(lambda: sending.done() or waits_for_lock(provider_db))
        await sending

        assert await guest.calendar("suite", soon, 1) == ["taken"]

    async def test_a_room_is_watched_after_its_link_was_removed(self, guest: Guest, hotel: Hotel, soon: date) -> None:
        """A stay that was made in it still holds the night."""
        await guest.create_property("suite", hotel_id=3, room_id=17)
        await guest.reserve("suite", soon, 1)
        await guest.call("PATCH", "/properties/suite", json={"hotel_id": None, "room_id": None})

        await hotel(BOOKING, soon)

        assert [each["night"] for each in await conflicts(guest)] == [soon.isoformat()]

    async def test_events_of_other_rooms_are_not_kept_twice(
        self, guest: Guest, hotel: Hotel, provider_db: asyncpg.Pool, soon: date
    ) -> None:
        await hotel(BOOKING, soon, room_id=18)
        await guest.create_property("suite", hotel_id=3, room_id=17)
        for other in ({"room_id": 18}, {"hotel_id": 4}):
            await hotel(BOOKING, soon, **other)

        assert await provider_db.fetchval("SELECT count(*) FROM watched_event") == 0


class TestConflicts:
    async def test_a_booking_of_a_reserved_night_is_stored_and_reported(
        self, guest: Guest, hotel: Hotel, soon: date
    ) -> None:
        await guest.create_property("suite", hotel_id=3, room_id=17)
        _, reservation = await guest.reserve("suite", soon, 3)
        assert await conflicts(guest) == []

        event_id = await hotel(BOOKING, soon + DAY)

        assert (await guest.get(f"/events/{event_id}"))[0].status_code == 200
        assert await conflicts(guest) == [
            {
                "kind": "feed",
                "property_id": "suite",
                "reservation_id": reservation["reservation_id"],
                "night": (soon + DAY).isoformat(),
                "hotel_id": 3,
                "room_id": 17,
                "event_id": event_id,
                "source": None,
                "uid": None,
            }
        ]

    @pytest.mark.parametrize("ends", ["guest", "hotel"])
    async def test_a_cancellation_of_either_ends_the_conflict(
        self, guest: Guest, hotel: Hotel, soon: date, ends: str
    ) -> None:
        await guest.create_property("suite", hotel_id=3, room_id=ROOM)
        _, reservation = await guest.reserve("suite", soon, 1)
        await hotel(BOOKING, soon, room_id=ROOM.upper())
        assert [each["room_id"] for each in await conflicts(guest)] == [ROOM]

        if ends == "guest":
            await guest.cancel(reservation["reservation_id"])
        else:
            await hotel(CANCELLATION, soon, room_id=ROOM)

        assert await conflicts(guest) == []

    async def test_the_creator_of_a_property_and_the_administrator_see_its_conflicts(
        self, provider_app: Application, guest: Guest, new_guest: Callable[[], Guest], hotel: Hotel, soon: date
    ) -> None:
        other, stranger = new_guest(), new_guest()
        await guest.create_property("mine", hotel_id=3, room_id=17)
        await other.create_property("theirs", hotel_id=3, room_id=18)
        for name, room in (("theirs", 18), ("mine", 17)):
            await stranger.reserve(name, soon, 2)
            for day in (0, 1):
                await hotel(BOOKING, soon + day * DAY, room_id=room)
        administrator = Guest(provider_app, ADMIN)

        async def names(who: Guest) -> list[str]:
            return [each["property_id"] for each in await conflicts(who)]

        assert await names(guest) == ["mine"] * 2
        assert await names(other) == ["theirs"] * 2
        assert await names(stranger) == []
        assert await names(administrator) == ["mine", "mine", "theirs", "theirs"]
        for token in (None, "Bearer wrong", "Bearer " + ADMIN[:-1], "Basic " + ADMIN):
            headers = {} if token is None else {"Authorization": token}
            assert (await provider_app.test_client().get("/conflicts", headers=headers)).status_code == 401

    async def test_guesses_of_the_administrators_token_are_counted_but_not_the_tokens_of_guests(
        self, provider_app: Application, new_guest: Callable[[], Guest]
    ) -> None:
        async def statuses(*guests: Guest) -> list[int]:
            return [(await guest.get("/conflicts"))[0].status_code for guest in guests]

        assert await statuses(*(new_guest() for _ in range(7))) == [200] * 7
        assert await statuses(*(Guest(provider_app, f"guess {number}") for number in range(6))) == [401] * 5 + [429]

    async def test_conflicts_come_in_pages(self, guest: Guest, hotel: Hotel, soon: date) -> None:
        expected = []
        for number in range(2):
            await guest.create_property(f"p{number}", hotel_id=3, room_id=1 + number)
            await guest.reserve(f"p{number}", soon, 3)
            for day in range(3):
                await hotel(BOOKING, soon + day * DAY, room_id=1 + number)
                expected.append((f"p{number}", (soon + day * DAY).isoformat()))
        found = []
        path = "/conflicts?limit=2"
        while path:
            answer, page = await guest.get(path)
            assert len(page) == 2
            found += [(each["property_id"], each["night"]) for each in page]
            link = answer.headers.get("Link", "").partition(">")[0]
            path = link[link.index("/conflicts") :] if link else ""

        assert found == expected
        assert (await guest.get("/conflicts?cursor=x"))[0].status_code == 400
        assert (await guest.get("/conflicts?limit=0"))[0].status_code == 400

    async def test_nights_that_are_long_over_are_no_conflicts(
        self, guest: Guest, hotel: Hotel, provider_db: asyncpg.Pool
    ) -> None:
        today = datetime.now(UTC).date()
        await guest.create_property("suite")
        await provider_db.execute(
            "INSERT INTO reservation (property_id, arrival, departure, holder)"
            " SELECT property_id, $1::date - 4, $1 + 2, holder FROM property",
            today,
        )
        await guest.call("PATCH", "/properties/suite", json={"hotel_id": 3, "room_id": 17})
        for days in (-4, -3, 0, 1):
            await hotel(BOOKING, today + days * DAY)

        assert [each["night"] for each in await conflicts(guest)] == [f"{today}", f"{today + DAY}"]

    @pytest.mark.skipif(cluster_of_environment() is not None, reason="The nodes of a cluster have the plans.")
    async def test_a_page_of_conflicts_reads_the_properties_of_the_holder_alone_and_ends_when_it_is_full(
        self, guest: Guest, provider_db: asyncpg.Pool, soon: date
    ) -> None:
        await guest.create_property("suite")
        holder = await provider_db.fetchval("SELECT holder FROM property")
        async with provider_db.acquire() as connection, connection.transaction():
            await connection.execute(
                "INSERT INTO property (property_id, description, holder)"
                " SELECT 'p' || i, 'x', uuidv7() FROM generate_series(1, 20000) AS i"
            )
            await connection.execute("ANALYZE property")
            statements: list[tuple[str, tuple[object, ...]]] = []
            with connection.query_logger(lambda query: statements.append((query.query, query.args))):
                for each in (holder, None):
                    await select_conflicts(connection, each, ("", date.min, "", ""), soon, 10)
                await eventually(lambda: len(statements) == 2)
            plans = [
                "\n".join(row[0] for row in await connection.fetch("EXPLAIN " + query, *values))
                for query, values in statements
            ]

        assert "property_of_holder" in plans[0]
        assert "Incremental Sort" in plans[1]
        assert not any("Seq Scan on property" in plan for plan in plans)


class TestLinking:
    """The stays of a property that becomes a room."""

    async def test_linking_brings_the_stays_into_the_feed(self, guest: Guest, soon: date) -> None:
        await guest.create_property("hut")
        _, first = await guest.reserve("hut", soon, 2)
        await guest.reserve("hut", soon + 5 * DAY, 1)
        _, gone = await guest.reserve("hut", soon + 9 * DAY, 1)
        await guest.cancel(gone["reservation_id"])

        answer, _ = await guest.call("PATCH", "/properties/hut", json={"hotel_id": 3, "room_id": 17})

        assert answer.status_code == 200
        assert await nights_in_feed(guest) == [(soon + n * DAY).isoformat() for n in (0, 1, 5)]
        await guest.call("PATCH", "/properties/hut", json={"hotel_id": 3, "room_id": 17, "turnover_days": 1})
        assert len(await nights_in_feed(guest)) == 3
        await guest.cancel(first["reservation_id"])
        assert await nights_in_feed(guest, CANCELLATION) == [(soon + n * DAY).isoformat() for n in (0, 1)]

    async def test_nights_that_the_hotel_has_sold_too_are_a_conflict(
        self, guest: Guest, hotel: Hotel, soon: date
    ) -> None:
        await guest.create_property("hut")
        await guest.reserve("hut", soon, 2)
        await hotel(BOOKING, soon)

        await guest.call("PATCH", "/properties/hut", json={"hotel_id": 3, "room_id": 17})

        assert [each["night"] for each in await conflicts(guest)] == [soon.isoformat()]
        assert await nights_in_feed(guest) == [soon.isoformat(), soon.isoformat(), (soon + DAY).isoformat()]

    async def test_a_room_that_another_property_has_sold_for_these_nights_is_refused(
        self, guest: Guest, soon: date
    ) -> None:
        await guest.create_property("old", hotel_id=3, room_id=17)
        await guest.reserve("old", soon, 2)
        await guest.call("PATCH", "/properties/old", json={"hotel_id": None, "room_id": None})
        await guest.create_property("hut")
        await guest.reserve("hut", soon + DAY, 2)

        answer, problem = await guest.call("PATCH", "/properties/hut", json={"hotel_id": 3, "room_id": 17})

        assert answer.status_code == 409
        assert problem["code"] == "room_sold"
        assert str(soon + DAY) in problem["detail"]
        assert (await guest.get("/properties/hut"))[1]["hotel_id"] is None
        assert len(await nights_in_feed(guest)) == 2

    async def test_an_unknown_property_cannot_be_linked(self, guest: Guest) -> None:
        answer, _ = await guest.call("PATCH", "/properties/nowhere", json={"hotel_id": 3, "room_id": 17})

        assert answer.status_code == 404

    async def test_a_stay_that_is_reserved_while_its_property_is_linked_enters_the_feed_once(
        self, guest: Guest, provider_db: asyncpg.Pool, soon: date
    ) -> None:
        await guest.create_property("hut")
        async with provider_db.acquire() as other, other.transaction():
            await other.execute("SELECT lock_property(property_id) FROM property WHERE property_id = 'hut'")
            linking = asyncio.create_task(guest.call("PATCH", "/properties/hut", json={"hotel_id": 3, "room_id": 17}))
            await eventually(lambda: waits_for_lock(provider_db))
            await other.execute(
                "INSERT INTO reservation (property_id, arrival, departure) VALUES ('hut', $1, $2)", soon, soon + DAY
            )

        assert (await linking)[0].status_code == 200
        assert await nights_in_feed(guest) == [soon.isoformat()]
