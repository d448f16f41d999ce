"""The pages of a hotel: how long one reader waits for a page, and for the answer that it has not changed."""

import aiohttp

from benchmarks.load import Request
from benchmarks.servers import Context, connect
from benchmarks.table import Row
from common.config import Secret

HOTELS = 10
NIGHTS_BACK, NIGHTS_AHEAD = 1_095, 365
SECONDS = 10.0
MOST_MILLISECONDS, MOST_UNCHANGED_MILLISECONDS = 50.0, 5.0
HTML = {"Accept": "text/html"}


async def run(context: Context) -> None:
    """Measure the pages of `HOTELS` hotels that share the events."""
    async with context.database("dashboard") as url:
        await fill_hotels(url, context.rows)
        async with context.dashboard(url) as dashboard:
            pages = [f"/board/hotels/{hotel}" for hotel in range(1, HOTELS + 1)]
            async with aiohttp.ClientSession() as client, client.get(dashboard.url + pages[0], headers=HTML) as page:
                size, tag = len(await page.read()), page.headers["ETag"]
            note = f"one client; {context.rows:,} events of {HOTELS} hotels; {size:,} bytes"
            requests = [Request("GET", page, headers=HTML) for page in pages]
            ours = await context.load(dashboard.url, requests, connections=1, seconds=SECONDS)
            ours.require(200)
            context.add_row(Row("the page of a hotel, p95", ours.p95, MOST_MILLISECONDS, "ms", note, "<= 1"))
            requests = [Request("GET", pages[0], headers={**HTML, "If-None-Match": tag})]
            ours = await context.load(dashboard.url, requests, connections=1, seconds=SECONDS)
            ours.require(304)
            limit = MOST_UNCHANGED_MILLISECONDS
            context.add_row(Row("the page of a hotel, unchanged, p95", ours.p95, limit, "ms", "one client", "<= 1"))


async def fill_hotels(url: Secret, events: int) -> None:
    """Insert the counters of hotels whose nights were booked on up to as many dates each as give the events."""
    dates = max(1, events // HOTELS // (NIGHTS_BACK + NIGHTS_AHEAD))
    connection = await connect(url)
    await connection.execute(
        """
        INSERT INTO hotel_summary (hotel_id, timezone, events, first_night, last_night, last_event_timestamp,
                                   first_event_date, last_event_date)
        SELECT n, 'UTC', $2::bigint / $1::bigint, current_date - $3::int, current_date + $4::int - 1, now(),
               current_date - $3::int - 200, current_date
          FROM generate_series(1, $1::bigint) AS n
        """,
        HOTELS,
        events,
        NIGHTS_BACK,
        NIGHTS_AHEAD,
    )
    await connection.execute(
        """
        INSERT INTO night_counter (hotel_id, night_of_stay, event_date, bookings, cancellations)
        SELECT hotel, current_date + night, current_date + night - (day * 180 / $4::int + day), 1,
               ((hotel + night + day) % 5 = 0)::int
          FROM generate_series(1, $1::bigint) AS hotel,
               generate_series(-$2::int, $3::int - 1) AS night,
               generate_series(0, $4::int - 1) AS day
         WHERE night - (day * 180 / $4::int + day) <= 0
        """,
        HOTELS,
        NIGHTS_BACK,
        NIGHTS_AHEAD,
        dates,
        timeout=3600,
    )
    await connection.execute(
        "INSERT INTO hotel_profile (hotel_id, rooms, hidden) SELECT hotel_id, 60, false FROM hotel_summary"
    )
    await connection.execute("VACUUM ANALYZE", timeout=3600)
    await connection.close()
