"""A turnover that becomes longer applies to later reservations; stays that were sold closer keep and give up nights.

After each test the free stretches are equal to the recount, see conftest.py.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from tests.support.storefront import Guest

DAY = timedelta(days=1)


@pytest.fixture
async def close_stays(guest: Guest, soon: date) -> tuple[Any, Any]:
    """A stay of five nights and one that begins on the day it ends, at a property whose turnover is now three days."""
    await guest.create_property("hut")
    _, first = await guest.reserve("hut", soon, 5)
    _, second = await guest.reserve("hut", soon + 5 * DAY, 2)
    answer, _ = await guest.call("PATCH", "/properties/hut", json={"turnover_days": 3})
    assert answer.status_code == 200
    return first, second


async def shorten(guest: Guest, reservation: Any, **fields: Any) -> int:
    path = f"/reservations/{reservation['reservation_id']}"
    return (await guest.call("PATCH", path, json=fields))[0].status_code


async def test_a_stay_that_has_begun_is_cancelled(
    guest: Guest, provider_db: asyncpg.Pool, close_stays: tuple[Any, Any], soon: date
) -> None:
    """Nights before today stay sold, and the rest is freed."""
    today = datetime.now(UTC).date()
    back = soon + 3 * DAY - today
    await provider_db.execute("ALTER TABLE reservation DISABLE TRIGGER USER")
    await provider_db.execute(
        "UPDATE reservation SET arrival = arrival - $1::int, departure = departure - $1, free_from = free_from - $1",
        back.days,
    )
    await provider_db.execute("ALTER TABLE reservation ENABLE TRIGGER USER")
    await provider_db.execute("SELECT recompute_free_stretches('hut')")

    assert await guest.cancel(close_stays[0]["reservation_id"]) == 204

    _, found = await guest.get(f"/reservations/{close_stays[0]['reservation_id']}")
    assert (found["status"], found["nights_kept"]) == ("cancelled", 3)
    shown = [*["taken"] * 3, "turnover", "turnover", "taken", "taken", *["turnover"] * 3, "free"]
    assert await guest.calendar("hut", today - 3 * DAY, 11) == shown
    assert await guest.cancel(close_stays[1]["reservation_id"]) == 204
    shown = [*["taken"] * 3, *["turnover"] * 3, "free"]
    assert await guest.calendar("hut", today - 3 * DAY, 7) == shown


@pytest.mark.parametrize("nights", [4, 3, 1])
async def test_a_stay_gives_up_its_last_nights(
    guest: Guest, close_stays: tuple[Any, Any], soon: date, nights: int
) -> None:
    assert await shorten(guest, close_stays[0], nights=nights) == 200

    turnover = ["turnover"] * (5 - nights)
    assert await guest.calendar("hut", soon, 7) == ["taken"] * nights + turnover + ["taken", "taken"]
    assert await guest.available(soon + nights * DAY, 1) == []


async def test_a_stay_gives_up_its_first_and_its_last_nights(
    guest: Guest, close_stays: tuple[Any, Any], soon: date
) -> None:
    first, second = close_stays

    fields = {"start_date": (soon + DAY).isoformat(), "nights": 2}
    assert await shorten(guest, first, **fields) == 200
    assert await shorten(guest, second, start_date=(soon + 6 * DAY).isoformat(), nights=1) == 200

    shown = ["turnover", "taken", "taken", "turnover", "turnover", "turnover", "taken"]
    assert await guest.calendar("hut", soon, 7) == shown


async def test_a_stay_that_gave_up_a_night_takes_it_again_only_outside_the_turnover(
    guest: Guest, close_stays: tuple[Any, Any], soon: date
) -> None:
    assert await shorten(guest, close_stays[0], nights=4) == 200
    assert await shorten(guest, close_stays[0], nights=5) == 409

    await guest.cancel(close_stays[1]["reservation_id"])

    assert await guest.calendar("hut", soon, 8) == [*["taken"] * 4, *["turnover"] * 3, "free"]
    assert await shorten(guest, close_stays[0], nights=5) == 200
