"""The recount names every damage of a counter."""

from datetime import UTC, date, datetime

import asyncpg
import pytest

from dashboard.bookings.decoding import BookingEvent
from dashboard.bookings.queries.counters import select_differences
from dashboard.bookings.queries.ledger import insert_events
from tests.support.feeds import MAIN_LEDGER

RIGHT = {"events": 4, "night_counters": 0, "day_counters": 0, "hotels": 0}


@pytest.fixture
async def counted(dashboard_db: asyncpg.Pool) -> asyncpg.Pool:
    """Two hotels; hotel 1 has two nights, one of them booked and cancelled."""
    nights = [date(2024, 2, 28), date(2024, 2, 29)]
    at = datetime(2024, 1, 1, 23, 59, 59, tzinfo=UTC)
    async with dashboard_db.acquire() as connection, connection.transaction():
        await insert_events(
            connection,
            MAIN_LEDGER,
            [
                BookingEvent(1, 1, at, 1, 1, nights[0]),
                BookingEvent(2, 1, at, 1, 2, nights[1]),
                BookingEvent(3, 1, at.replace(day=2), 2, 2, nights[1]),
                BookingEvent(4, 2, at, 1, 1, nights[0]),
            ],
        )
    return dashboard_db


def moved(table: str, columns: str) -> str:
    """A statement that moves the rows of hotel 2 to hotel 3; a cluster does not change a distribution column."""
    return f"""
        WITH moved AS (DELETE FROM {table} WHERE hotel_id = 2 RETURNING *)
        INSERT INTO {table} (hotel_id, {columns}) SELECT 3, {columns} FROM moved
    """


both_forms = pytest.mark.parametrize("is_distributed", [False, True])
"""The statement for one node and that for a cluster, both of which either takes."""


@both_forms
async def test_undamaged_counters_equal_the_recount(counted: asyncpg.Pool, is_distributed: bool) -> None:
    assert dict(await select_differences(counted, is_distributed=is_distributed)) == RIGHT


@both_forms
@pytest.mark.parametrize(
    ("kind", "damage"),
    [
        (
            "hotels",
            moved(
                "hotel_summary",
                "timezone, events, first_night, last_night, last_event_timestamp, first_event_date, last_event_date",
            ),
        ),
        ("hotels", "UPDATE hotel_summary SET events = events + 1 WHERE hotel_id = 1"),
        ("hotels", "UPDATE hotel_summary SET first_night = first_night - 1 WHERE hotel_id = 1"),
        ("hotels", "UPDATE hotel_summary SET last_night = last_night - 1 WHERE hotel_id = 1"),
        ("hotels", "UPDATE hotel_summary SET last_event_timestamp = '2024-01-01 23:59:58.999999Z' WHERE hotel_id = 2"),
        ("hotels", "UPDATE hotel_summary SET first_event_date = first_event_date - 1 WHERE hotel_id = 1"),
        ("hotels", "UPDATE hotel_summary SET last_event_date = last_event_date + 1 WHERE hotel_id = 1"),
        ("hotels", "DELETE FROM hotel_summary WHERE hotel_id = 2"),
        (
            "hotels",
            "INSERT INTO hotel_summary SELECT 3, 'UTC', 0, day, day, day, day, day FROM date('2024-01-01') AS day",
        ),
        ("night_counters", moved("night_counter", "night_of_stay, event_date, bookings, cancellations")),
        ("night_counters", "UPDATE night_counter SET night_of_stay = night_of_stay + 7 WHERE hotel_id = 2"),
        ("night_counters", "UPDATE night_counter SET event_date = event_date - 1 WHERE hotel_id = 2"),
        ("night_counters", "UPDATE night_counter SET bookings = bookings + 1 WHERE hotel_id = 2"),
        ("night_counters", "UPDATE night_counter SET cancellations = 0 WHERE cancellations > 0"),
        ("night_counters", "DELETE FROM night_counter WHERE hotel_id = 2"),
        ("night_counters", "INSERT INTO night_counter VALUES (2, '2024-03-01', '2024-01-01', 0, 0)"),
        ("day_counters", moved("day_counter", "by_event_date, day, bookings, cancellations")),
        ("day_counters", "UPDATE day_counter SET by_event_date = NOT by_event_date WHERE hotel_id = 2"),
        ("day_counters", "UPDATE day_counter SET day = day + 7 WHERE hotel_id = 2 AND by_event_date"),
        ("day_counters", "UPDATE day_counter SET bookings = bookings + 1 WHERE hotel_id = 2 AND NOT by_event_date"),
        ("day_counters", "UPDATE day_counter SET cancellations = 0 WHERE cancellations > 0 AND by_event_date"),
        ("day_counters", "DELETE FROM day_counter WHERE hotel_id = 2 AND by_event_date"),
        ("day_counters", "INSERT INTO day_counter VALUES (2, true, '2024-03-01', 0, 0)"),
        (
            "night_counters",
            "UPDATE ledger_event SET event_timestamp = '2024-01-02 00:00:00Z' WHERE id = 4",
        ),
        ("night_counters", "UPDATE ledger_event SET status = 2 WHERE id = 4"),
        ("night_counters", "DELETE FROM ledger_event WHERE id = 3"),
        ("night_counters", "UPDATE ledger_event SET night_of_stay = '2024-03-01' WHERE id = 2"),
    ],
)
async def test_each_damage_is_named(counted: asyncpg.Pool, kind: str, damage: str, is_distributed: bool) -> None:
    await counted.execute(damage)

    found = dict(await select_differences(counted, is_distributed=is_distributed))

    assert found[kind] > 0, found
    if "ledger_event" not in damage:
        assert {name for name, count in found.items() if count} == {"events", kind}
