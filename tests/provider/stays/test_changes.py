"""A reservation that moves to other nights."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from tests.support.storefront import Guest

DAY = timedelta(days=1)


async def change(guest: Guest, reservation: Any, **fields: Any) -> tuple[int, Any]:
    body = {name: value.isoformat() if isinstance(value, date) else value for name, value in fields.items()}
    answer, found = await guest.call("PATCH", f"/reservations/{reservation['reservation_id']}", json=body)
    return answer.status_code, found


async def test_a_stay_gives_up_nights_and_takes_others(guest: Guest, soon: date) -> None:
    await guest.create_property("hut", turnover_days=1)
    _, reservation = await guest.reserve("hut", soon, 3)

    status, changed = await change(guest, reservation, start_date=soon + DAY, nights=4)

    assert (status, changed) == (200, {**reservation, "start_date": (soon + DAY).isoformat(), "nights": 4})
    assert (await guest.get(f"/reservations/{reservation['reservation_id']}"))[1] == changed
    nights = ["free", "turnover", *["taken"] * 4, "turnover", "free"]
    assert await guest.calendar("hut", soon - DAY, 8) == nights
    assert (await change(guest, reservation, nights=1))[0] == 200
    assert await guest.calendar("hut", soon - DAY, 5) == ["free", "turnover", "taken", "turnover", "free"]
    assert (await change(guest, reservation, start_date=soon - 9 * DAY))[0] == 200
    assert await guest.calendar("hut", soon - 10 * DAY, 4) == ["turnover", "taken", "turnover", "free"]


async def test_a_change_of_nothing_changes_nothing(guest: Guest, soon: date) -> None:
    await guest.create_property("suite", hotel_id=3, room_id=17)
    _, reservation = await guest.reserve("suite", soon, 2)

    assert await change(guest, reservation) == (200, reservation)
    assert await change(guest, reservation, start_date=soon, nights=2) == (200, reservation)
    assert len((await guest.get("/events"))[1]) == 2


@pytest.mark.parametrize("fields", [{"start_date": 2}, {"nights": 3}, {"start_date": 1, "nights": 5}])
async def test_a_change_to_taken_nights_leaves_everything_as_it_was(
    guest: Guest, soon: date, fields: dict[str, int]
) -> None:
    await guest.create_property("hut", turnover_days=1)
    _, reservation = await guest.reserve("hut", soon, 2)
    await guest.reserve("hut", soon + 3 * DAY, 1)
    wanted = {name: soon + value * DAY if name == "start_date" else value for name, value in fields.items()}

    status, problem = await change(guest, reservation, **wanted)

    assert (status, problem["code"]) == (409, "not_available")
    assert (await guest.get(f"/reservations/{reservation['reservation_id']}"))[1] == reservation
    assert await guest.calendar("hut", soon, 4) == ["taken", "taken", "turnover", "taken"]


async def test_blocked_nights_are_not_taken_by_a_change(guest: Guest, soon: date) -> None:
    await guest.create_property("hut")
    _, reservation = await guest.reserve("hut", soon, 2)
    body = {"start_date": (soon + 2 * DAY).isoformat(), "nights": 1}
    assert (await guest.call("POST", "/properties/hut/blocks", json=body))[0].status_code == 201

    assert (await change(guest, reservation, nights=3))[0] == 409
    assert (await change(guest, reservation, start_date=soon + 3 * DAY))[0] == 200


async def test_the_feed_is_told_of_the_difference_only(guest: Guest, soon: date) -> None:
    await guest.create_property("suite", hotel_id=3, room_id=17)
    _, reservation = await guest.reserve("suite", soon, 3)

    assert (await change(guest, reservation, start_date=soon + 2 * DAY))[0] == 200

    _, found = await guest.get("/events")
    expected = [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (1, 3), (1, 4)]
    assert [(each["status"], (date.fromisoformat(each["night_of_stay"]) - soon).days) for each in found] == expected
    assert (await change(guest, reservation, nights=3))[0] == 200
    assert len((await guest.get("/events"))[1]) == 7
    assert await guest.calendar("suite", soon, 6) == ["free", "free", "taken", "taken", "taken", "free"]


async def test_a_night_that_the_hotel_has_sold_is_not_taken_by_a_change(guest: Guest, soon: date) -> None:
    await guest.create_property("suite", hotel_id=3, room_id=17)
    _, reservation = await guest.reserve("suite", soon, 2)
    sold = {
        "hotel_id": 3,
        "event_timestamp": datetime.now(UTC).isoformat(),
        "status": 1,
        "room_id": 17,
        "night_of_stay": (soon + 2 * DAY).isoformat(),
    }
    assert (await guest.call("POST", "/events", json=sold))[0].status_code == 201

    assert (await change(guest, reservation, nights=3))[0] == 409
    assert (await change(guest, reservation, start_date=soon + 3 * DAY))[0] == 200
    assert await guest.calendar("suite", soon, 5) == ["free", "free", "taken", "taken", "taken"]


async def test_a_stay_that_was_sold_close_to_the_next_can_still_begin_earlier(guest: Guest, soon: date) -> None:
    """A longer turnover applies to later reservations."""
    await guest.create_property("hut")
    _, first = await guest.reserve("hut", soon, 1)
    _, second = await guest.reserve("hut", soon + DAY, 1)
    await guest.call("PATCH", "/properties/hut", json={"turnover_days": 2})

    assert (await change(guest, first, start_date=soon - DAY, nights=2))[0] == 200
    assert (await change(guest, second, nights=2))[0] == 200
    assert (await change(guest, second, start_date=soon + 2 * DAY))[0] == 200  # closer than two days, but less close
    assert (await change(guest, second, start_date=soon + 9 * DAY))[0] == 200
    assert (await change(guest, second, start_date=soon + 2 * DAY))[0] == 409  # now the turnover is due
    assert (await guest.cancel(second["reservation_id"])) == 204
    assert await guest.calendar("hut", soon - DAY, 6) == ["taken", "taken", "turnover", "turnover", "free", "free"]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"nights": 0}, "nights"),
        ({"nights": 366}, "nights"),
        ({"nights": None}, "nights"),
        ({"start_date": None}, "start_date"),
        ({"start_date": "2020-01-01"}, "start_date"),
        ({"start_date": "2199-12-31"}, "start_date"),
        ({"start_date": "tomorrow"}, "start_date"),
        ({"property_id": "barn"}, "property_id"),
    ],
)
async def test_an_invalid_change_is_refused(guest: Guest, soon: date, body: dict[str, Any], named: str) -> None:
    await guest.create_property("hut")
    _, reservation = await guest.reserve("hut", soon, 2)

    status, problem = await change(guest, reservation, **body)

    assert status == 400
    assert [error["field"] for error in problem["errors"]] == [named]
    assert (await guest.get(f"/reservations/{reservation['reservation_id']}"))[1] == reservation


async def test_only_the_token_that_made_a_reservation_changes_it(
    guest: Guest, new_guest: Callable[[], Guest], soon: date
) -> None:
    await guest.create_property("hut")
    _, reservation = await guest.reserve("hut", soon, 2)

    assert (await change(new_guest(), reservation, nights=1))[0] == 404
    assert (await change(guest, {"reservation_id": "x"}, nights=1))[0] == 404
    await guest.cancel(reservation["reservation_id"])
    status, problem = await change(guest, reservation, nights=1)
    assert (status, problem["code"]) == (409, "cancelled")


class TestWhatIsOver:
    """Nights before today stay sold."""

    MOVE = "UPDATE reservation SET arrival = $1, departure = $2"

    @pytest.fixture
    async def begun(self, guest: Guest, provider_db: asyncpg.Pool) -> tuple[Any, date]:
        """A stay of six nights that began two days ago, and today."""
        await guest.create_property("hut")
        today = datetime.now(UTC).date()
        _, reservation = await guest.reserve("hut", today + 20 * DAY, 6)
        await provider_db.execute(self.MOVE, today - 2 * DAY, today + 4 * DAY)
        return reservation, today

    async def test_a_stay_that_has_begun_ends_today_at_the_earliest(
        self, guest: Guest, begun: tuple[Any, date]
    ) -> None:
        reservation, today = begun

        assert (await change(guest, reservation, nights=1))[1]["code"] == "already_slept"
        assert (await change(guest, reservation, start_date=today, nights=1))[1]["code"] == "already_begun"
        assert (await change(guest, reservation, start_date=today - 2 * DAY, nights=8))[0] == 200
        assert (await change(guest, reservation, nights=2))[0] == 200
        assert await guest.calendar("hut", today - 2 * DAY, 3) == ["taken", "taken", "free"]

    async def test_a_stay_that_is_over_keeps_its_nights(
        self, guest: Guest, begun: tuple[Any, date], provider_db: asyncpg.Pool
    ) -> None:
        reservation, today = begun
        await provider_db.execute(self.MOVE, today - 9 * DAY, today - 3 * DAY)

        for nights in (5, 7, 20):
            assert (await change(guest, reservation, nights=nights))[1]["code"] == "already_slept"
        assert (await change(guest, reservation, nights=6))[0] == 200


async def test_of_two_that_want_the_same_nights_each_has_nights_after_the_race(
    guest: Guest, new_guest: Callable[[], Guest], provider_db: asyncpg.Pool, soon: date
) -> None:
    """Stays swap and shift over one another, with new reservations and cancellations among them."""
    await guest.create_property("suite", hotel_id=3, room_id=17)
    visitors = [new_guest() for _ in range(12)]
    held = [(await visitor.reserve("suite", soon + 3 * n * DAY, 2))[1] for n, visitor in enumerate(visitors)]

    async def visit(number: int) -> int:
        visitor, reservation = visitors[number % 12], held[number % 12]
        if number % 5 == 0:
            return (await new_guest().reserve("suite", soon + number % 40 * DAY, 1))[0].status_code
        if number % 97 == 0:
            return await visitor.cancel(reservation["reservation_id"])
        return (await change(visitor, reservation, start_date=soon + number * 7 % 40 * DAY, nights=1 + number % 3))[0]

    statuses = Counter(await asyncio.gather(*(visit(number) for number in range(300))))

    assert set(statuses) <= {200, 204, 404, 409}
    booked = await provider_db.fetch(
        "SELECT arrival + n AS night FROM reservation, generate_series(0, departure - arrival - 1) AS n"
        " WHERE cancelled_at IS NULL"
    )
    nights = Counter(row["night"] for row in booked)
    assert set(nights.values()) == {1}
    in_feed = await provider_db.fetch("SELECT night FROM nights_booked_in_feed(3, '17', '2000-01-01', '2199-01-01')")
    assert {row["night"] for row in in_feed} == set(nights)
