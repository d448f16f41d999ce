"""The table itself refuses invalid events and changes, whichever client writes."""

from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.citus import cluster_of_environment

ROW = {
    "id": "1",
    "hotel_id": "1",
    "event_timestamp": "'2020-01-01T00:00:00.000000Z'",
    "status": "1",
    "room_id": "'1'",
    "night_of_stay": "'2020-01-05'",
}


async def insert(db: asyncpg.Pool, **changes: str) -> None:
    row = {**ROW, **changes}
    await db.execute(f"INSERT INTO booking_event ({', '.join(row)}) VALUES ({', '.join(row.values())})")


CHANGES = [
    "UPDATE booking_event SET status = 2",
    "DELETE FROM booking_event",
    "TRUNCATE booking_event",
    "INSERT INTO booking_event SELECT * FROM booking_event ON CONFLICT (id) DO UPDATE SET status = 2",
    "MERGE INTO booking_event USING (SELECT 1 AS one) AS other ON id = one WHEN MATCHED THEN DELETE",
]
CHANGES_OF_NO_ROW = [
    "UPDATE booking_event SET status = status WHERE id = 2",
    "DELETE FROM booking_event WHERE false",
]
"""Refused on one node only: on a cluster the trigger runs for rows."""


@pytest.mark.parametrize("statement", CHANGES if cluster_of_environment() else CHANGES + CHANGES_OF_NO_ROW)
async def test_an_event_is_never_changed_and_never_deleted(provider_db: asyncpg.Pool, statement: str) -> None:
    await insert(provider_db)
    before = await provider_db.fetch("SELECT * FROM booking_event")

    with pytest.raises(asyncpg.PostgresError):
        await provider_db.execute(statement)

    assert await provider_db.fetch("SELECT * FROM booking_event") == before


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("id", "0"),
        ("id", "-1"),
        ("id", "NULL"),
        ("hotel_id", "0"),
        ("hotel_id", "NULL"),
        ("status", "0"),
        ("status", "3"),
        ("status", "NULL"),
        ("room_id", "'0'"),
        ("room_id", "'-1'"),
        ("room_id", "'007'"),
        ("room_id", "' 7'"),
        ("room_id", "''"),
        ("room_id", "'a'"),
        ("room_id", "'9223372036854775808'"),
        ("room_id", "'6f1c2b1e9a514c3f8f570d5b7f5a2c11'"),
        ("room_id", "'{6f1c2b1e-9a51-4c3f-8f57-0d5b7f5a2c11}'"),
        ("room_id", "'6f1c2b1e-9a51-4c3f-8f57-0d5b7f5a2c1g'"),
        ("room_id", "NULL"),
        ("night_of_stay", "'infinity'"),
        ("night_of_stay", "'2200-01-01'"),
        ("night_of_stay", "'1899-12-31'"),
        ("night_of_stay", "NULL"),
        ("event_timestamp", "'-infinity'"),
        ("event_timestamp", "'2200-01-01T00:00:00.000000Z'"),
        ("event_timestamp", "'1899-12-31T23:59:59.999999Z'"),
        ("event_timestamp", "NULL"),
        ("body", "'{}'"),
    ],
)
async def test_the_table_refuses_invalid_events(provider_db: asyncpg.Pool, column: str, value: str) -> None:
    with pytest.raises(asyncpg.PostgresError):
        await insert(provider_db, **{column: value})


rooms = st.integers(1, 2**63 - 1).map(str) | st.uuids().map(str) | st.uuids().map(lambda room: str(room).upper())
instants = st.timedeltas(timedelta(0), timedelta(days=3_652_058, hours=23, microseconds=999_999)).map(
    lambda since: datetime(1, 1, 1, 0, 0, 1, tzinfo=UTC) + since
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hotel=st.integers(1, 2**63 - 1), at=instants, room=rooms, night=st.dates(date(1, 1, 2), date(9999, 12, 30)))
async def test_the_rendered_event_is_the_row(
    provider_db: asyncpg.Pool, hotel: int, at: datetime, room: str, night: date
) -> None:
    body = await provider_db.fetchval(
        "SELECT booking_event_json(7, $1, $2, 2::smallint, $3, $4)", hotel, at, room, night
    )

    assert body == (
        f'{{"id":7,"hotel_id":{hotel}'
        f',"event_timestamp":"{at.replace(tzinfo=None).isoformat(timespec="microseconds")}Z","status":2'
        f',"room_id":{room if room.isdigit() else chr(34) + room + chr(34)}'
        f',"night_of_stay":"{night.isoformat()}"}}'
    )


async def test_a_row_is_recorded_when_it_is_written_not_when_its_transaction_began(provider_db: asyncpg.Pool) -> None:
    async with provider_db.acquire() as connection, connection.transaction():
        await connection.execute(
            "INSERT INTO booking_event (id, hotel_id, event_timestamp, status, room_id, night_of_stay)"
            " VALUES (1, 1, now(), 1, '1', now())"
        )
        began_at = await connection.fetchval("SELECT now()")
        assert await connection.fetchval("SELECT recorded_at > $1 FROM booking_event", began_at)
