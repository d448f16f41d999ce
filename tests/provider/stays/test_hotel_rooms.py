"""A property that is a hotel's room: its reservations append events to the feed in the same transaction."""

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from common.db.pool import Connection
from common.web.resources import Application
from provider.hotel_rooms import NightEvent
from provider.resources import resources_of
from provider.stays.queries import storefront as reservations
from tests.support.storefront import Guest

DAY = timedelta(days=1)


async def events(guest: Guest) -> list[tuple[int, int, Any, str]]:
    _, found = await guest.get("/events")
    return [(each["status"], each["hotel_id"], each["room_id"], each["night_of_stay"]) for each in found]


@pytest.mark.parametrize("room_id", [17, str(uuid.UUID(int=5))])
async def test_each_night_becomes_an_event(guest: Guest, soon: date, room_id: int | str) -> None:
    await guest.create_property("suite", hotel_id=3, room_id=room_id)
    before = datetime.now(UTC)

    _, reservation = await guest.reserve("suite", soon, 3)

    nights = [(soon + n * DAY).isoformat() for n in range(3)]
    assert await events(guest) == [(1, 3, room_id, night) for night in nights]
    _, found = await guest.get("/events")
    assert all(before <= datetime.fromisoformat(each["event_timestamp"]) <= datetime.now(UTC) for each in found)
    await guest.cancel(reservation["reservation_id"])
    assert (await events(guest))[3:] == [(2, 3, room_id, night) for night in nights]


async def test_a_property_that_is_not_a_room_makes_no_events(guest: Guest, soon: date) -> None:
    await guest.create_property("hut")
    _, reservation = await guest.reserve("hut", soon, 3)
    await guest.cancel(reservation["reservation_id"])

    assert await events(guest) == []


async def test_a_refused_reservation_makes_no_events(guest: Guest, soon: date) -> None:
    await guest.create_property("suite", hotel_id=3, room_id=17)
    await guest.reserve("suite", soon, 1)

    assert (await guest.reserve("suite", soon, 2))[0].status_code == 409
    assert len(await events(guest)) == 1


async def test_the_same_key_appends_its_events_once(guest: Guest, soon: date) -> None:
    await guest.create_property("suite", hotel_id=3, room_id=17)
    await guest.reserve("suite", soon, 2, key="k")
    await guest.reserve("suite", soon, 2, key="k")

    assert len(await events(guest)) == 2


async def test_a_cancellation_is_of_the_room_that_was_booked(guest: Guest, soon: date) -> None:
    await guest.create_property("suite", hotel_id=3, room_id=17)
    _, reservation = await guest.reserve("suite", soon, 1)
    await guest.call("PATCH", "/properties/suite", json={"hotel_id": 4, "room_id": 18})

    await guest.cancel(reservation["reservation_id"])

    assert await events(guest) == [(1, 3, 17, soon.isoformat()), (2, 3, 17, soon.isoformat())]


async def test_in_the_feed_too_a_night_is_sold_again_only_after_its_cancellation(
    guest: Guest, soon: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if the second request arrived before the first reservation was cancelled, and waited for a connection."""
    await guest.create_property("suite", hotel_id=3, room_id=17)
    _, first = await guest.reserve("suite", soon, 1)
    requested, cancelled = asyncio.Event(), asyncio.Event()
    insert_reservation = reservations.insert_reservation

    async def late(*args: Any, **options: Any) -> Any:
        requested.set()
        await cancelled.wait()
        return await insert_reservation(*args, **options)

    monkeypatch.setattr(reservations, "insert_reservation", late)
    second = asyncio.create_task(guest.reserve("suite", soon, 1))
    await requested.wait()
    assert await guest.cancel(first["reservation_id"]) == 204
    cancelled.set()

    assert (await second)[0].status_code == 200
    assert [status for status, *_ in await events(guest)] == [1, 2, 1]


async def fail(_connection: Connection, _events: Sequence[NightEvent]) -> None:
    raise ConnectionError("the feed is not available")


@pytest.mark.parametrize("key", [None, "k"])
async def test_when_the_events_fail_nothing_is_reserved(
    provider_app: Application, guest: Guest, provider_db: asyncpg.Pool, soon: date, key: str | None
) -> None:
    await guest.create_property("suite", hotel_id=3, room_id=17)
    working = resources_of(provider_app)
    provider_app.resources = replace(working, append_events=fail)

    answer, _ = await guest.reserve("suite", soon, 2, key=key)

    assert answer.status_code == 503
    assert await provider_db.fetchval("SELECT count(*) FROM reservation") == 0
    provider_app.resources = working
    assert (await guest.reserve("suite", soon, 2, key=key))[0].status_code == 200


async def test_when_the_events_fail_nothing_is_cancelled(provider_app: Application, guest: Guest, soon: date) -> None:
    await guest.create_property("suite", hotel_id=3, room_id=17)
    _, reservation = await guest.reserve("suite", soon, 2)
    provider_app.resources = replace(resources_of(provider_app), append_events=fail)

    assert await guest.cancel(reservation["reservation_id"]) == 503

    assert await guest.available(soon, 1) == []
    assert len(await events(guest)) == 2


async def test_no_event_is_lost_when_a_client_has_used_the_next_id(
    provider_app: Application, guest: Guest, soon: date
) -> None:
    """Clients may store events under ids that the server would assign next."""
    await guest.create_property("suite", hotel_id=3, room_id=17)
    await guest.create_property("other", hotel_id=4, room_id=17)
    await guest.reserve("other", soon, 1)
    _, (event,) = await guest.get("/events")
    imported = {**event, "id": event["id"] + 2000, "hotel_id": 9}
    assert (await provider_app.test_client().post("/events", json=imported)).status_code == 201

    await guest.reserve("suite", soon, 3)

    assert sorted(each for each in await events(guest) if each[1] == 3) == [
        (1, 3, 17, (soon + n * DAY).isoformat()) for n in range(3)
    ]
