"""A cancellation that others send to the feed, of a night of a hotel's room that a reservation holds.

The feed stores facts, so the event is stored, and reported as a conflict. When the reservation gives the night up, the
feed is not told a second time: on the books would be -1.
"""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from common.config import Secret
from provider.booking_events.cli import import_event_file
from provider.stays.audit import find_differences
from tests.support.feeds import event
from tests.support.storefront import Guest

DAY = timedelta(days=1)
BOOKED, CANCELLED = 1, 2


@pytest.fixture
async def held(guest: Guest, soon: date) -> Any:
    """A reservation of three nights of a hotel's room."""
    await guest.create_property("suite", hotel_id=3, room_id=17)
    return (await guest.reserve("suite", soon, 3))[1]


async def send(guest: Guest, status: int, night: date, minutes: int = 0) -> None:
    body = {
        "hotel_id": 3,
        "event_timestamp": (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat(),
        "status": status,
        "room_id": 17,
        "night_of_stay": night.isoformat(),
    }
    assert (await guest.call("POST", "/events", json=body))[0].status_code == 201


async def on_the_books(guest: Guest) -> dict[str, int]:
    """Bookings less cancellations of each night that has any difference, in the order of the nights."""
    _, found = await guest.get("/events?limit=1000")
    net: Counter[str] = Counter()
    for each in found:
        net[each["night_of_stay"]] += 1 if each["status"] == BOOKED else -1
    return {night: number for night, number in sorted(net.items()) if number}


async def conflicts(guest: Guest) -> list[tuple[str, str]]:
    return [(each["kind"], each["night"]) for each in (await guest.get("/conflicts"))[1]]


def nights(soon: date, *offsets: int, number: int = 1) -> dict[str, int]:
    return {(soon + offset * DAY).isoformat(): number for offset in offsets}


async def move(guest: Guest, reservation: Any, **fields: Any) -> int:
    path = f"/reservations/{reservation['reservation_id']}"
    return (await guest.call("PATCH", path, json=fields))[0].status_code


@pytest.mark.parametrize("minutes", [0, -60, 600])
async def test_it_is_a_conflict_and_the_night_is_cancelled_once(
    guest: Guest, held: Any, soon: date, minutes: int
) -> None:
    await send(guest, CANCELLED, soon + DAY, minutes)

    _, (conflict,) = await guest.get("/conflicts")
    assert (conflict["kind"], conflict["night"]) == ("feed_cancellation", (soon + DAY).isoformat())
    assert (conflict["property_id"], conflict["hotel_id"], conflict["room_id"]) == ("suite", 3, 17)
    assert conflict["event_id"] is not None
    assert await guest.available(soon + DAY, 1) == []
    assert await guest.cancel(held["reservation_id"]) == 204
    assert await on_the_books(guest) == {}
    assert await conflicts(guest) == []
    assert await guest.available(soon, 3) == ["suite"]


async def test_the_night_can_be_sold_and_cancelled_again(guest: Guest, held: Any, soon: date) -> None:
    for _ in range(3):
        await send(guest, CANCELLED, soon + DAY)
        assert await guest.cancel(held["reservation_id"]) == 204
        assert await on_the_books(guest) == {}
        answer, held = await guest.reserve("suite", soon, 3)
        assert answer.status_code == 200
        assert await on_the_books(guest) == nights(soon, 0, 1, 2)
        assert await conflicts(guest) == []


async def test_a_cancellation_that_its_sender_repeats_counts_once(
    guest: Guest, held: Any, soon: date, provider_url: Secret, tmp_path: Path
) -> None:
    path = tmp_path / "events.csv"
    cancellation = event(5, status=CANCELLED, hotel_id=3, room_id=17, night=(soon + DAY).isoformat())
    path.write_text("\n".join([",".join(cancellation), ",".join(map(str, cancellation.values()))]))
    assert await import_event_file(provider_url, path) == 0
    assert await guest.cancel(held["reservation_id"]) == 204

    assert await import_event_file(provider_url, path) == 0

    _, held = await guest.reserve("suite", soon, 3)
    assert await conflicts(guest) == []
    assert await guest.cancel(held["reservation_id"]) == 204
    assert await on_the_books(guest) == {}


async def test_a_cancellation_that_counts_as_ours_is_noted_once(
    guest: Guest, held: Any, soon: date, provider_db: asyncpg.Pool
) -> None:
    await send(guest, CANCELLED, soon + DAY)
    noted = await provider_db.fetchval(
        "SELECT array_agg(each)::text FROM watched_event AS each WHERE NOT by_storefront AND status = 2"
    )
    assert await guest.cancel(held["reservation_id"]) == 204

    await provider_db.execute("SELECT note_events($1::text::watched_event[])", noted)

    assert await provider_db.fetchval("SELECT count(*) FROM watched_event WHERE status = 2") == 3
    _, held = await guest.reserve("suite", soon, 3)
    assert await conflicts(guest) == []


async def test_a_change_gives_the_night_up_and_takes_it_again(guest: Guest, held: Any, soon: date) -> None:
    await send(guest, CANCELLED, soon + 2 * DAY)

    assert await move(guest, held, nights=2) == 200
    assert await on_the_books(guest) == nights(soon, 0, 1)
    assert await conflicts(guest) == []
    assert await move(guest, held, nights=4) == 200
    assert await on_the_books(guest) == nights(soon, 0, 1, 2, 3)


async def test_a_booking_and_its_cancellation_from_outside_leave_ours(guest: Guest, held: Any, soon: date) -> None:
    await send(guest, BOOKED, soon + DAY)
    assert await conflicts(guest) == [("feed", (soon + DAY).isoformat())]
    await send(guest, CANCELLED, soon + DAY)
    assert await conflicts(guest) == []

    assert await guest.cancel(held["reservation_id"]) == 204

    assert await on_the_books(guest) == {}
    assert await guest.available(soon, 3) == ["suite"]


async def test_a_night_that_others_cancelled_and_booked_anew_is_theirs(guest: Guest, held: Any, soon: date) -> None:
    await send(guest, CANCELLED, soon + DAY)
    await send(guest, BOOKED, soon + DAY)
    assert await conflicts(guest) == [("feed", (soon + DAY).isoformat())]

    assert await guest.cancel(held["reservation_id"]) == 204

    assert await on_the_books(guest) == nights(soon, 1)
    assert await guest.calendar("suite", soon, 3) == ["free", "taken", "free"]


async def test_a_night_that_others_have_booked_too_stays_theirs(guest: Guest, held: Any, soon: date) -> None:
    await send(guest, BOOKED, soon + DAY)

    assert await guest.cancel(held["reservation_id"]) == 204

    assert await on_the_books(guest) == nights(soon, 1)


async def test_a_stay_of_a_room_that_was_linked_elsewhere_gives_the_night_up(
    guest: Guest, held: Any, soon: date, provider_db: asyncpg.Pool
) -> None:
    """The property that the room belongs to by now sells the night again."""
    await guest.call("PATCH", "/properties/suite", json={"hotel_id": None, "room_id": None})
    await guest.create_property("loft", hotel_id=3, room_id=17)
    await send(guest, CANCELLED, soon + DAY)
    assert await guest.calendar("loft", soon, 3) == ["taken"] * 3

    assert await guest.cancel(held["reservation_id"]) == 204

    assert await guest.calendar("loft", soon, 3) == ["free"] * 3
    assert await on_the_books(guest) == {}
    assert (await find_differences(provider_db))[1] == []


async def test_after_a_stay_was_cut_short_the_feed_has_the_nights_that_are_kept(
    guest: Guest, provider_db: asyncpg.Pool
) -> None:
    today = datetime.now(UTC).date()
    await guest.create_property("suite")
    reservation_id = await provider_db.fetchval(
        "INSERT INTO reservation (property_id, arrival, departure, holder)"
        " SELECT property_id, $1::date - 2, $1 + 2, holder FROM property RETURNING reservation_id",
        today,
    )
    await guest.call("PATCH", "/properties/suite", json={"hotel_id": 3, "room_id": 17})
    await send(guest, CANCELLED, today)

    assert await guest.cancel(str(reservation_id)) == 204

    assert await on_the_books(guest) == nights(today, -2, -1)
