"""Polling the simulated fleet, and the three CSV files."""

import asyncio
import csv
import io
from datetime import UTC, datetime, timedelta

import asyncpg

from provider.store_polls import jobs, queries
from provider.store_polls.simulation import first_outage, simulate_fleet

NOW = datetime(2026, 3, 5, 10, 17, tzinfo=UTC)


async def poll(db: asyncpg.Pool, now: datetime, stores: int = 10) -> int:
    return await jobs.poll_fleet(db, None, now, stores=stores)


async def status_file(db: asyncpg.Pool, since: datetime | None, until: datetime) -> list[dict[str, str]]:
    file = io.BytesIO()

    async def output(data: bytes) -> None:
        file.write(data)

    async with db.acquire() as connection:
        await queries.copy_status_file(connection, since, until, output)
    return list(csv.DictReader(io.StringIO(file.getvalue().decode())))


async def test_the_first_run_stores_the_history_and_later_runs_the_new_polls(provider_db: asyncpg.Pool) -> None:
    history = await poll(provider_db, NOW)
    assert history > 9 * 24 * 10 * 0.8
    assert await poll(provider_db, NOW) == 0
    assert await poll(provider_db, NOW - timedelta(hours=1)) == 0
    assert 0 < await poll(provider_db, NOW + timedelta(hours=1)) <= 20
    assert await queries.select_polled_until(provider_db) == NOW + timedelta(hours=1)


async def test_concurrent_runs_store_each_poll_once(provider_db: asyncpg.Pool) -> None:
    polled = await asyncio.gather(*(poll(provider_db, NOW) for _ in range(3)))
    assert sum(polled) == await provider_db.fetchval("SELECT count(*) FROM store_poll")
    assert await provider_db.fetchval("SELECT count(*) FROM polled_store") == 10


async def test_polls_missed_during_a_long_pause_are_stored(provider_db: asyncpg.Pool) -> None:
    await poll(provider_db, NOW)
    late = NOW + timedelta(days=3, minutes=5)
    assert await poll(provider_db, late) > 3 * 24 * 10 * 0.8
    assert await queries.select_polled_until(provider_db) == late


async def test_one_store_is_down_when_the_fleet_is_first_polled_and_comes_back(provider_db: asyncpg.Pool) -> None:
    outage = first_outage(simulate_fleet(jobs.SEED, 22), NOW)
    assert outage is not None

    async def last_polls(number: int) -> list[bool]:
        rows = await provider_db.fetch(
            "SELECT active FROM store_poll WHERE store_id = $1 ORDER BY polled_at DESC LIMIT $2",
            outage.store_id,
            number,
        )
        return [row["active"] for row in rows]

    await poll(provider_db, NOW, stores=22)
    assert await last_polls(2) == [False, False]
    await poll(provider_db, NOW + timedelta(hours=2))
    assert await last_polls(4) == [False] * 4
    await poll(provider_db, NOW + timedelta(hours=9))
    assert True in await last_polls(4)


async def test_the_history_fills_ninety_days_of_every_store(provider_db: asyncpg.Pool) -> None:
    await poll(provider_db, NOW)
    firsts = await provider_db.fetch("SELECT min(polled_at) AS at FROM store_poll GROUP BY store_id")
    assert all(row["at"] < NOW - timedelta(days=91) for row in firsts)


async def test_the_status_file_is_ordered_and_can_start_at_an_instant(provider_db: asyncpg.Pool) -> None:
    await poll(provider_db, NOW)
    whole = await status_file(provider_db, None, NOW)
    assert list(whole[0]) == ["store_id", "status", "timestamp_utc"]
    assert {line["status"] for line in whole} == {"active", "inactive"}
    times = [line["timestamp_utc"] for line in whole]
    assert times == sorted(times)
    since = datetime.fromisoformat(times[-20].replace(" UTC", "Z"))
    assert await status_file(provider_db, since, NOW) == whole[-20:]
    assert await status_file(provider_db, NOW + timedelta(seconds=1), NOW) == []
    until_then = await status_file(provider_db, None, since)
    assert until_then == [line for line in whole if line["timestamp_utc"] <= times[-20]]


async def test_the_business_hours_and_time_zones_are_those_of_the_fleet(provider_db: asyncpg.Pool) -> None:
    await poll(provider_db, NOW)
    files = []
    for copy in (queries.copy_hours_file, queries.copy_timezones_file):
        file = io.BytesIO()

        async def output(data: bytes, file: io.BytesIO = file) -> None:
            file.write(data)

        async with provider_db.acquire() as connection:
            await copy(connection, output)
        files.append(list(csv.DictReader(io.StringIO(file.getvalue().decode()))))
    stores = simulate_fleet(jobs.SEED, 10)
    assert sorted(line["store_id"] for line in files[0]) == sorted(s.store_id for s in stores for _ in s.hours)
    assert list(files[0][0]) == ["store_id", "dayOfWeek", "start_time_local", "end_time_local"]
    zones = {store.store_id: store.timezone for store in stores if store.timezone}
    assert [(line["store_id"], line["timezone_str"]) for line in files[1]] == sorted(zones.items())
