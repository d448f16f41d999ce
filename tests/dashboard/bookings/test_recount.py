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


async def test_undamaged_counters_equal_the_recount(counted: asyncpg.Pool) -> None:
    assert dict(await select_differences(counted)) == RIGHT


@pytest.mark.parametrize(
    ("kind", "damage"),
    [
        ("hotels", "UPDATE hotel_summary SET hotel_id = 3 WHERE hotel_id = 2"),
        ("hotels", "UPDATE hotel_summary SET events = events + 1 WHERE hotel_id = 1"),
        ("hotels", "UPDATE hotel_summary SET first_night = first_night - 1 WHERE hotel_id = 1"),
        ("hotels", "UPDATE hotel_summary SET last_night = last_night - 1 WHERE hotel_id = 1"),
        ("hotels", "UPDATE hotel_summary SET last_event_timestamp = last_event_timestamp - interval '1 microsecond'"),
        ("hotels", "DELETE FROM hotel_summary WHERE hotel_id = 2"),
        (
            "hotels",
            "INSERT INTO hotel_summary VALUES (3, 'UTC', 0, '2024-01-01', '2024-01-01', '2024-01-01', '2024-01-01')",
        ),
        ("night_counters", "UPDATE night_counter SET hotel_id = 3 WHERE hotel_id = 2"),
        ("night_counters", "UPDATE night_counter SET night_of_stay = night_of_stay + 7 WHERE hotel_id = 2"),
        ("night_counters", "UPDATE night_counter SET event_date = event_date - 1 WHERE hotel_id = 2"),
        ("night_counters", "UPDATE night_counter SET bookings = bookings + 1 WHERE hotel_id = 2"),
        ("night_counters", "UPDATE night_counter SET cancellations = 0 WHERE cancellations > 0"),
        ("night_counters", "DELETE FROM night_counter WHERE hotel_id = 2"),
        ("night_counters", "INSERT INTO night_counter VALUES (2, '2024-03-01', '2024-01-01', 0, 0)"),
        ("day_counters", "UPDATE day_counter SET hotel_id = 3 WHERE hotel_id = 2 AND by_event_date"),
        ("day_counters", "UPDATE day_counter SET by_event_date = NOT by_event_date WHERE hotel_id = 2"),
        ("day_counters", "UPDATE day_counter SET day = day + 7 WHERE hotel_id = 2 AND by_event_date"),
        ("day_counters", "UPDATE day_counter SET bookings = bookings + 1 WHERE hotel_id = 2 AND NOT by_event_date"),
        ("day_counters", "UPDATE day_counter SET cancellations = 0 WHERE cancellations > 0 AND by_event_date"),
        ("day_counters", "DELETE FROM day_counter WHERE hotel_id = 2 AND by_event_date"),
        ("day_counters", "INSERT INTO day_counter VALUES (2, true, '2024-03-01', 0, 0)"),
        (
            "night_counters",
            "UPDATE ledger_event SET event_timestamp = event_timestamp + '1 second' WHERE id = 4",
        ),
        ("night_counters", "UPDATE ledger_event SET status = 2 WHERE id = 4"),
        ("night_counters", "UPDATE ledger_event SET hotel_id = 2 WHERE id = 3"),
        ("night_counters", "UPDATE ledger_event SET night_of_stay = '2024-03-01' WHERE id = 2"),
    ],
)
async def test_each_damage_is_named(counted: asyncpg.Pool, kind: str, damage: str) -> None:
    await counted.execute(damage)

    found = dict(await select_differences(counted))

    assert found[kind] > 0, found
    if not damage.startswith("UPDATE ledger"):
        assert {name for name, count in found.items() if count} == {"events", kind}
