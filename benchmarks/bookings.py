"""The dashboard's bookings: throughput of ingestion, and of reading the counters."""

import asyncio
import random
import time
from collections.abc import AsyncIterator

import aiohttp

from benchmarks.load import Request
from benchmarks.servers import Context, connect, wait_for_count
from benchmarks.table import Row
from common.config import Secret

HOTELS = 10_000
CONNECTIONS = 32
SECONDS = 5.0
PATHS = 2_000
COUNT_EVENTS = "SELECT coalesce(sum(events), 0) FROM hotel_summary"


async def run(context: Context) -> None:
    await measure_ingestion(context)
    await measure_reading(context)


async def measure_ingestion(context: Context) -> None:
    """Measure ingestion of a provider's events, beside reading the feed and then COPY of the same rows."""
    async with (
        context.database("provider") as feed,
        context.database("dashboard") as counted,
        context.database("dashboard") as copied,
    ):
        await fill_feed(feed, context.rows)
        async with context.provider(feed) as provider:
            limit_seconds = await read_feed(provider.url) + await copy_rows(feed, copied)
            environment = {"DASHBOARD_PROVIDER_URL": provider.url, "DASHBOARD_INGEST_SECONDS": "1"}
            started = time.perf_counter()
            async with context.dashboard(counted, **environment):
                await wait_for_count(counted, COUNT_EVENTS, context.rows)
                seconds = time.perf_counter() - started
    ours, limit = context.rows / seconds, context.rows / limit_seconds
    note = "reading the feed, then COPY; start of the process included"
    context.add_row(Row(f"ingestion, {context.rows:,} events", ours, limit, "events/s", note, ">= 0.35"))
    required = "the required 30,000 events/s on two cores"
    context.add_row(Row(f"ingestion, {context.rows:,} events", ours, 30_000, "events/s", required, ">= 1"))


async def fill_feed(url: Secret, events: int) -> None:
    """Insert events of 100 hotels, one a minute."""
    connection = await connect(url)
    await connection.execute(
        """
        INSERT INTO booking_event (id, hotel_id, event_timestamp, status, room_id, night_of_stay)
        SELECT n, 1 + n % 100, '2020-01-01'::timestamptz + n * interval '60 seconds', 1 + (n % 5 = 0)::int,
               (1 + n % 5000)::text, '2020-01-01'::date + (n / 1440 + n % 90)::int
          FROM generate_series(1, $1::bigint) AS n
        """,
        events,
        timeout=3600,
    )
    await connection.execute("VACUUM ANALYZE booking_event", timeout=3600)
    await connection.close()


async def read_feed(base_url: str) -> float:
    """Read the whole feed as NDJSON and discard it; returns the seconds."""
    started = time.perf_counter()
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as client,
        client.get(f"{base_url}/events", headers={"Accept": "application/x-ndjson"}) as response,
    ):
        async for _ in response.content.iter_chunked(256 * 1024):
            pass
    return time.perf_counter() - started


async def copy_rows(feed: Secret, target: Secret) -> float:
    """COPY the feed's rows into an empty ledger with its indexes; returns the seconds."""
    source, ledger = await connect(feed), await connect(target)
    rows: asyncio.Queue[bytes | None] = asyncio.Queue(64)

    async def read() -> None:
        await source.copy_from_query(
            "SELECT id, hotel_id, event_timestamp, night_of_stay, status, 1, room_id FROM booking_event ORDER BY id",
            output=rows.put,
            timeout=3600,
        )
        await rows.put(None)

    async def chunks() -> AsyncIterator[bytes]:
        while (chunk := await rows.get()) is not None:
            yield chunk

    started = time.perf_counter()
    reader = asyncio.create_task(read())
    columns = ["id", "hotel_id", "event_timestamp", "night_of_stay", "status", "feed_number", "room_id"]
    await ledger.copy_to_table("ledger_event", source=chunks(), columns=columns, timeout=3600)
    await reader
    seconds = time.perf_counter() - started
    await source.close()
    await ledger.close()
    return seconds


async def measure_reading(context: Context) -> None:
    """Measure months and days of `HOTELS` hotels over three years, beside a prepared response of the same size."""
    rng = random.Random(1)
    async with context.database("dashboard") as url:
        await fill_counters(url)
        async with context.dashboard(url) as dashboard, context.bare() as bare:
            for period, target in (("month", ">= 0.7"), ("day", ">= 0.5")):
                paths = [
                    f"/dashboard?hotel_id={rng.randint(1, HOTELS)}&period={period}&year={rng.randint(2021, 2023)}"
                    for _ in range(PATHS)
                ]
                async with aiohttp.ClientSession() as client, client.get(dashboard.url + paths[0]) as response:
                    size = len(await response.read())
                limit = await context.load(
                    bare.url, [Request("GET", f"/ready/{size}")], connections=CONNECTIONS, seconds=SECONDS
                )
                ours = await context.load(
                    dashboard.url, [Request("GET", path) for path in paths], connections=CONNECTIONS, seconds=SECONDS
                )
                ours.require(200)
                note = f"a prepared response of {size:,} bytes; p99 {ours.p99:.0f} ms; {HOTELS:,} hotels x 3 years"
                name = f"GET /dashboard by {period}"
                context.add_row(Row(name, ours.per_second, limit.per_second, "/s", note, target))


async def fill_counters(url: Secret) -> None:
    """Insert the counters of `HOTELS` hotels over three years; the ledger stays empty, since no request reads it."""
    connection = await connect(url)
    await connection.execute(
        """
        INSERT INTO hotel_summary (hotel_id, timezone, events, first_night, last_night, last_event_timestamp,
                                   first_event_date, last_event_date)
        SELECT n, 'UTC', 1096, '2021-01-01', '2023-12-31', '2023-12-31 12:00:00Z', '2020-01-01', '2023-12-31'
          FROM generate_series(1, $1::bigint) AS n
        """,
        HOTELS,
    )
    await connection.execute(
        """
        INSERT INTO day_counter (hotel_id, by_event_date, day, bookings, cancellations)
        SELECT hotel, false, '2021-01-01'::date + night, 20 + (hotel + night) % 37, (hotel + night) % 7
          FROM generate_series(1, $1::bigint) AS hotel, generate_series(0, 1094) AS night
        """,
        HOTELS,
        timeout=3600,
    )
    await connection.execute("VACUUM ANALYZE", timeout=3600)
    await connection.close()
