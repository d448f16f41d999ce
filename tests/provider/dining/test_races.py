"""Concurrent changes, and constraints that the database itself enforces."""

import asyncio
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from common.db.pool import Connection, transaction
from common.web.errors import Conflict
from provider.dining import service
from provider.dining.inputs import BookingInput
from provider.dining.models import Actor
from tests.support.databases import waits_for_lock
from tests.support.restaurant import EVENING, Restaurant
from tests.support.waiting import eventually

START = EVENING
NOW = EVENING - timedelta(days=30)
PAIRS = 200
ADMIN = Actor("admin", "admin")


async def test_of_two_concurrent_overlapping_confirmations_exactly_one_succeeds(
    restaurant: Restaurant,
) -> None:
    table = await restaurant.add_table()
    rows = [
        (table, START + timedelta(hours=3 * pair, minutes=30 * side), 120) for pair in range(PAIRS) for side in (0, 1)
    ]
    await restaurant.db.executemany(
        """
        INSERT INTO dining_booking (table_id, status, email, starts_at, minutes, price, changed_by)
        VALUES ($1, 'waiting', 'ann@example.com', $2, $3, 0, 'guest')
        """,
        rows,
    )
    ids = [row["id"] for row in await restaurant.db.fetch("SELECT id FROM dining_booking ORDER BY starts_at")]
    pairs = [tuple(ids[number : number + 2]) for number in range(0, 2 * PAIRS, 2)]
    slots = asyncio.Semaphore(4)

    async def confirm(booking: int) -> str:
        try:
            async with transaction(restaurant.db) as connection:
                return (await service.confirm_booking(connection, restaurant.settings, booking, ADMIN, NOW)).status
        except Conflict as conflict:
            return conflict.problem_code

    async def race(pair: tuple[int, ...]) -> list[str]:
        async with slots:
            return sorted(await asyncio.gather(*map(confirm, pair)))

    assert await asyncio.gather(*map(race, pairs)) == [["confirmed", "overlapping"]] * PAIRS
    assert await restaurant.db.fetchval("SELECT count(*) FROM dining_booking WHERE status = 'confirmed'") == PAIRS
    assert await restaurant.db.fetchval("SELECT count(*) FROM outbox WHERE topic = 'mail'") == PAIRS


async def test_concurrent_changes_of_a_booking_change_it_once(restaurant: Restaurant) -> None:
    booking = await restaurant.book(await restaurant.add_table())
    await restaurant.admin("GET", "outbox/")

    steps = ["accept", "accept", "accept"]
    responses = await asyncio.gather(*(restaurant.admin("POST", f"{step}_booking/?id={booking}") for step in steps))
    decisions = await asyncio.gather(restaurant.decide(booking, "confirm"), restaurant.decide(booking, "decline"))

    assert sorted(response.status_code for response in responses) == [200, 409, 409]
    assert [response.status_code for response in decisions] == [200, 409]
    assert await restaurant.db.fetchval("SELECT count(*) FROM dining_booking_status_change") == 2


async def place_order(connection: Connection, restaurant: Restaurant, table: int, order: BookingInput) -> None:
    now = datetime.now(UTC)
    await service.place_order(connection, restaurant.settings, table, order, now, service.nothing_before_storing)


async def test_a_table_is_not_closed_while_an_order_for_it_is_stored(restaurant: Restaurant) -> None:
    """Otherwise the order would be stored for a table that is closed already."""
    table = await restaurant.add_table()
    order = BookingInput(email="ann@example.com")

    async with transaction(restaurant.db) as connection:
        await place_order(connection, restaurant, table, order)
        closing = asyncio.create_task(
            restaurant.admin("PATCH", "update_table/", json={"id": table, "can_be_booked": False})
        )
        await eventually(lambda: waits_for_lock(restaurant.db))
        assert not closing.done()

    assert (await closing).status_code == 200
    assert (await restaurant.post_order(table)).status_code == 409


async def test_orders_for_one_table_do_not_wait_for_each_other(restaurant: Restaurant) -> None:
    table = await restaurant.add_table()

    async with transaction(restaurant.db) as connection:
        order = BookingInput(email="ann@example.com")
        await place_order(connection, restaurant, table, order)
        assert (await restaurant.post_order(table)).status_code == 201


async def test_confirmations_without_a_start_do_not_conflict(restaurant: Restaurant) -> None:
    table = await restaurant.add_table()
    for _ in range(2):
        booking = await restaurant.book(table)
        assert (await restaurant.admin("POST", f"accept_booking/?id={booking}")).status_code == 200


async def test_concurrent_bulk_changes_of_the_same_tables_do_not_deadlock(restaurant: Restaurant) -> None:
    tables = [await restaurant.add_table() for _ in range(10)]

    def change(ids: list[int]) -> Any:
        return restaurant.admin("POST", "tables/bulk", json={"update": [{"id": each, "seats": 5} for each in ids]})

    responses = await asyncio.gather(*(change(tables if turn % 2 else tables[::-1]) for turn in range(10)))

    assert [response.status_code for response in responses] == [200] * 10


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE dining_booking SET status = 'waiting'",
        "UPDATE dining_booking SET status = 'confirmed'",
        "UPDATE dining_booking SET email = 'eve@example.com'",
        "INSERT INTO dining_booking (table_id, status, phone, minutes, price, changed_by)"
        " SELECT table_id, 'cancelled', '+4930123456', 120, 0, 'x' FROM dining_table",
        "INSERT INTO dining_booking (table_id, status, minutes, price, changed_by)"
        " SELECT table_id, 'waiting', 120, 0, 'x' FROM dining_table",
        "UPDATE dining_booking_status_change SET changed_by = 'nobody'",
        "DELETE FROM dining_booking_status_change",
        "TRUNCATE dining_booking_status_change",
        "UPDATE dining_table_price SET price = 0",
        "UPDATE dining_table SET price = 100000",
        "UPDATE dining_table SET seats = 0",
    ],
)
async def test_the_database_refuses_forbidden_changes(restaurant: Restaurant, statement: str) -> None:
    booking = await restaurant.book(await restaurant.add_table())
    await restaurant.admin("POST", f"cancel_booking/?id={booking}")

    with pytest.raises((asyncpg.IntegrityConstraintViolationError, asyncpg.NumericValueOutOfRangeError)):
        await restaurant.db.execute(statement)


async def test_the_database_refuses_overlapping_confirmations(restaurant: Restaurant) -> None:
    table = await restaurant.add_table()
    for start in (START, START + timedelta(minutes=119)):
        await restaurant.book(table, email="ann@example.com", starts_at=start.isoformat())

    with pytest.raises(asyncpg.ExclusionViolationError):
        await restaurant.db.execute("UPDATE dining_booking SET status = 'confirmed'")


@pytest.mark.parametrize(
    "relation",
    ["dining_table", "dining_table_price", "dining_booking", "dining_booking_status_change", "dining_cancel_token"],
)
async def test_the_table_id_is_part_of_every_unique_key(restaurant: Restaurant, relation: str) -> None:
    keys_without_table_id = await restaurant.db.fetch(
        """
        SELECT indexrelid::regclass::text
          FROM pg_index
          JOIN pg_attribute ON attrelid = indrelid AND attname = 'table_id'
         WHERE indrelid = $1::regclass AND (indisunique OR indisexclusion) AND NOT attnum = ANY(indkey::int2[])
        """,
        relation,
    )

    assert keys_without_table_id == []


def test_an_order_requires_an_email_or_a_phone() -> None:
    with pytest.raises(ValueError, match="is required unless email is given"):
        BookingInput(name="Ann")


@pytest.mark.parametrize(
    ("phone", "is_stored"), [("+123", False), ("+1234", True), ("+" + "9" * 15, True), ("+" + "9" * 16, False)]
)
async def test_the_database_stores_phone_numbers_of_4_to_15_digits(
    restaurant: Restaurant, phone: str, is_stored: bool
) -> None:
    table = await restaurant.add_table()
    insert = (
        "INSERT INTO dining_booking (table_id, status, phone, starts_at, minutes, price, changed_by)"
        " VALUES ($1, 'waiting', $2, now(), 120, 0, 'x')"
    )

    with nullcontext() if is_stored else pytest.raises(asyncpg.CheckViolationError):
        await restaurant.db.execute(insert, table, phone)
