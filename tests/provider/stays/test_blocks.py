"""Nights that the holder of a property takes off sale."""

import asyncio
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest

from common.web.resources import Application
from tests.support.databases import waits_for_lock
from tests.support.storefront import Guest
from tests.support.waiting import eventually

DAY = timedelta(days=1)
ADMIN = "an-administrators-token-of-32-chars"


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return {**environment, "PROVIDER_STAYS_ADMIN_TOKEN": ADMIN}


async def block(guest: Guest, start: date, nights: int, **more: Any) -> tuple[int, Any]:
    body = {"start_date": start.isoformat(), "nights": nights, **more}
    answer, created = await guest.call("POST", "/properties/hut/blocks", json=body)
    return answer.status_code, created


async def test_blocked_nights_are_neither_found_nor_reserved_until_the_block_is_deleted(
    guest: Guest, soon: date
) -> None:
    await guest.create_property("hut", turnover_days=1)
    answer, created = await guest.call(
        "POST", "/properties/hut/blocks", json={"start_date": soon.isoformat(), "nights": 2, "note": "The roof"}
    )

    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/properties/hut/blocks/{created['block_id']}"
    assert created == {
        "block_id": created["block_id"],
        "property_id": "hut",
        "start_date": soon.isoformat(),
        "nights": 2,
        "note": "The roof",
    }
    assert await guest.available(soon + DAY, 2) == []
    assert (await guest.reserve("hut", soon - DAY, 2))[0].status_code == 409
    assert await guest.calendar("hut", soon - DAY, 4) == ["free", "taken", "taken", "free"]
    assert (await guest.reserve("hut", soon - 2 * DAY, 2))[0].status_code == 200  # the turnover may be blocked
    assert (await guest.reserve("hut", soon + 2 * DAY, 1))[0].status_code == 200
    path = answer.headers["Location"]
    assert (await guest.get("/properties/hut/blocks"))[1] == [created]
    deleted, _ = await guest.call("DELETE", path)
    again, _ = await guest.call("DELETE", path)
    assert (deleted.status_code, again.status_code) == (204, 404)
    assert await guest.calendar("hut", soon - DAY, 4) == ["taken", "turnover", "turnover", "taken"]


async def test_where_two_blocks_overlap_the_nights_stay_off_sale_until_both_are_deleted(
    guest: Guest, soon: date
) -> None:
    await guest.create_property("hut")
    blocks = [(await block(guest, soon + first * DAY, 3))[1] for first in (0, 2, 0)]

    assert await guest.calendar("hut", soon - DAY, 7) == ["free", *["taken"] * 5, "free"]
    await guest.call("DELETE", f"/properties/hut/blocks/{blocks[0]['block_id']}")
    assert await guest.calendar("hut", soon - DAY, 7) == ["free", *["taken"] * 5, "free"]
    await guest.call("DELETE", f"/properties/hut/blocks/{blocks[2]['block_id']}")
    assert await guest.calendar("hut", soon - DAY, 7) == ["free", "free", "free", *["taken"] * 3, "free"]


async def test_reserved_nights_cannot_be_blocked(guest: Guest, soon: date) -> None:
    await guest.create_property("hut", turnover_days=2)
    await guest.reserve("hut", soon, 365)

    assert [(await block(guest, soon + first * DAY, 2))[0] for first in (-1, 0, 200, 364)] == [409] * 4
    assert (await block(guest, soon + DAY, 1))[1]["code"] == "not_available"
    assert [(await block(guest, soon + first * DAY, 2))[0] for first in (-2, 365)] == [201] * 2
    assert len((await guest.get("/properties/hut/blocks"))[1]) == 2


@pytest.mark.parametrize(
    "body",
    [
        {"nights": 2},
        {"start_date": "2030-01-01"},
        {"start_date": "2030-01-01", "nights": 0},
        {"start_date": "2030-01-01", "nights": 366},
        {"start_date": "2199-12-31", "nights": 2},
        {"start_date": "2030-01-01", "nights": 1, "note": ""},
        {"start_date": "2030-01-01", "nights": 1, "note": "x" * 201},
        {"start_date": "2030-01-01", "nights": 1, "note": "two\nlines"},
        {"start_date": "2030-01-01", "nights": 1, "reason": "x"},
    ],
)
async def test_an_invalid_block_is_refused(guest: Guest, body: dict[str, Any]) -> None:
    await guest.create_property("hut")

    answer, _ = await guest.call("POST", "/properties/hut/blocks", json=body)

    assert answer.status_code == 400
    assert (await guest.get("/properties/hut/blocks"))[1] == []


async def test_only_the_holder_and_the_administrator_block(
    guest: Guest, new_guest: Callable[[], Guest], provider_app: Application, soon: date
) -> None:
    await guest.create_property("hut")
    _, created = await block(guest, soon, 1)
    paths = [("GET", "/properties/hut/blocks"), ("DELETE", f"/properties/hut/blocks/{created['block_id']}")]
    other, admin = new_guest(), Guest(provider_app, ADMIN)

    assert (await block(other, soon, 1))[0] == 403
    for method, path in paths:
        answer, problem = await other.call(method, path)
        assert (answer.status_code, problem["code"]) == (403, "not_holder")
    assert (await block(admin, soon, 1))[0] == 201
    assert len((await admin.get("/properties/hut/blocks"))[1]) == 2
    assert (await admin.call(*paths[1]))[0].status_code == 204


async def test_of_an_imported_property_only_the_administrator_blocks(
    guest: Guest, provider_app: Application, provider_db: asyncpg.Pool, soon: date
) -> None:
    await provider_db.execute("INSERT INTO property (property_id, description) VALUES ('hut', 'x')")

    assert (await block(guest, soon, 1))[0] == 403
    assert (await block(Guest(provider_app, ADMIN), soon, 1))[0] == 201


async def test_what_does_not_exist_is_not_found(guest: Guest, soon: date) -> None:
    assert (await block(guest, soon, 1))[0] == 404
    assert (await guest.get("/properties/hut/blocks"))[0].status_code == 404
    await guest.create_property("hut")
    for block_id in (uuid.uuid4(), "x"):
        assert (await guest.call("DELETE", f"/properties/hut/blocks/{block_id}"))[0].status_code == 404


async def test_blocks_are_listed_by_night_in_pages(guest: Guest, soon: date) -> None:
    await guest.create_property("hut")
    for first in (4, 0, 2, 0):
        await block(guest, soon + first * DAY, 1)
    path, found = "/properties/hut/blocks?limit=3", []
    while path:
        answer, page = await guest.get(path)
        found += [date.fromisoformat(each["start_date"]) for each in page]
        link = answer.headers.get("Link")
        path = link.partition("<")[2].partition(">")[0] if link else ""

    assert found == [soon, soon, soon + 2 * DAY, soon + 4 * DAY]
    assert (await guest.get("/properties/hut/blocks?cursor=x"))[0].status_code == 400


async def test_the_same_key_blocks_once(guest: Guest, soon: date) -> None:
    await guest.create_property("hut")
    body = {"start_date": soon.isoformat(), "nights": 2}

    answers = [await guest.call("POST", "/properties/hut/blocks", json=body, key="k") for _ in range(2)]

    assert answers[0][1] == answers[1][1]
    assert len((await guest.get("/properties/hut/blocks"))[1]) == 1


@pytest.mark.parametrize("link", [{}, {"hotel_id": 7, "room_id": 1}])
async def test_a_reservation_that_waits_while_its_nights_are_blocked_is_refused(
    guest: Guest, provider_db: asyncpg.Pool, soon: date, link: dict[str, int]
) -> None:
    """When the guest asked, the nights were free."""
    await guest.create_property("hut", **link)
    async with provider_db.acquire() as other, other.transaction():
        await other.execute("SELECT lock_property(property_id) FROM property WHERE property_id = 'hut'")
        waiting = [asyncio.create_task(guest.reserve("hut", soon, 2, key)) for key in (None, "k")]
        await eventually(lambda: waits_for_lock(provider_db))
        await other.execute(
            "INSERT INTO property_block (property_id, first_night, end_date) VALUES ('hut', $1, $1::date + 1)",
            soon + DAY,
        )

    answers = await asyncio.gather(*waiting)

    assert [(answer.status_code, problem["code"]) for answer, problem in answers] == [(409, "not_available")] * 2
    assert await provider_db.fetchval("SELECT count(*) FROM reservation") == 0


async def test_plain_sql_can_neither_block_reserved_nights_nor_reserve_blocked_ones(
    guest: Guest, provider_db: asyncpg.Pool, soon: date
) -> None:
    await guest.create_property("hut")
    insert = {
        "block": "INSERT INTO property_block (property_id, first_night, end_date) VALUES ('hut', $1, $1::date + 1)",
        "stay": "INSERT INTO reservation (property_id, arrival, departure) VALUES ('hut', $1, $1::date + 1)",
    }
    await provider_db.execute(insert["block"], soon)
    await provider_db.execute(insert["stay"], soon + DAY)

    with pytest.raises(asyncpg.ExclusionViolationError, match="blocked"):
        await provider_db.execute(insert["stay"], soon)
    with pytest.raises(asyncpg.ExclusionViolationError, match="blocked"):
        await provider_db.execute("UPDATE reservation SET arrival = $1", soon)
    with pytest.raises(asyncpg.ExclusionViolationError, match="reserved"):
        await provider_db.execute(insert["block"], soon + DAY)
    with pytest.raises(asyncpg.ExclusionViolationError, match="reserved"):
        await provider_db.execute("UPDATE property_block SET end_date = end_date + 1")
    await provider_db.execute("UPDATE property_block SET first_night = first_night - 3, end_date = end_date - 1")
    assert await guest.calendar("hut", soon - 4 * DAY, 6) == ["free", "taken", "taken", "taken", "free", "taken"]


async def test_of_blocks_and_reservations_at_once_one_has_each_night(
    guest: Guest, new_guest: Callable[[], Guest], provider_db: asyncpg.Pool, soon: date
) -> None:
    """One block and one reservation have nights of their own, so at least one of each kind succeeds."""
    await guest.create_property("hut")

    async def visit(number: int) -> int:
        start = soon + (number % 10 if number > 1 else 20 + 5 * number) * DAY
        if number % 3:
            return (await new_guest().reserve("hut", start, 1 + number % 2))[0].status_code
        return (await block(guest, start, 1 + number % 2))[0]

    statuses = Counter(await asyncio.gather(*(visit(number) for number in range(150))))

    assert set(statuses) == {200, 201, 409}
    assert await provider_db.fetchval(
        "SELECT count(*) FROM reservation JOIN property_block USING (property_id)"
        " WHERE arrival < end_date AND departure > first_night"
    ) == 0  # fmt: skip
