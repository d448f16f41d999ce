"""The pages that people open every morning, for one reader: beside `GET /dashboard` of the same hotel."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice

import aiohttp
import msgspec

from benchmarks.load import LoadResult, Request
from benchmarks.servers import Context, connect
from benchmarks.table import Row
from common.config import Secret
from dashboard.bookings.decoding import BookingEvent
from dashboard.bookings.queries.ledger import LedgerFeed, insert_events
from provider.simulated_hotels.simulation import Simulation

LARGE_HOTELS, SMALL_HOTELS = 5, 95
ROOMS_OF_LARGE, ROOMS_OF_SMALL = 60, 3
"""With these rooms, 100 hotels have about a million events in three years."""
YEARS = 3
SECONDS = 5.0
BATCH = 50_000
BROWSER = {"Accept": "text/html", "Accept-Encoding": "gzip"}
LARGE = 1
MORNING = "morning page"
"""It shows all slices, so that finding nothing changed takes ten small statements; the contract does not limit that."""


async def run(context: Context) -> None:
    async with context.database("dashboard") as url:
        events = await fill(url, max(1, context.rows // 1_000_000))
        async with context.dashboard(url) as dashboard:
            await measure(context, dashboard.url, events)


async def measure(context: Context, base_url: str, events: int) -> None:
    """Measure each page and its 304, beside the limits of the contract."""
    now = datetime.now(UTC)
    year = Request("GET", f"/dashboard?hotel_id={LARGE}&period=day&year={now.year}")
    beside = await load(context, base_url, year, 200)
    night, month = now.date() + timedelta(days=12), f"{now + timedelta(days=12):%Y-%m}"
    pages: Mapping[str, tuple[str, float]] = {
        "hotel page": (f"/board/hotels/{LARGE}", 50),
        "night page": (f"/board/hotels/{LARGE}/nights/{night}", 50),
        "month page": (f"/board/hotels/{LARGE}/months/{month}", 50),
        MORNING: ("/", 150),
        "hotels page": ("/board/hotels", 150),
    }
    for name, (path, required) in pages.items():
        page = await load(context, base_url, Request("GET", path, headers=BROWSER), 200)
        note = f"p95; {events:,} events of {LARGE_HOTELS + SMALL_HOTELS} hotels; GET /dashboard by day {beside.p95:.2g}"
        context.add_row(Row(f"{name}, one client", page.p95, required, "ms", note, "<= 1"))
        tagged = Request("GET", path, headers={**BROWSER, "If-None-Match": await read_tag(base_url + path)})
        unchanged = await load(context, base_url, tagged, 304)
        target = "" if name == MORNING else "<= 1"
        context.add_row(Row(f"{name}, unchanged", unchanged.p95, 5, "ms", "p95 of a 304", target))


async def load(context: Context, base_url: str, request: Request, status: int) -> LoadResult:
    """The latencies of one client that repeats a request. Raises ValueError for another status."""
    return (await context.load(base_url, [request], connections=1, seconds=SECONDS)).require(status)


async def read_tag(address: str) -> str:
    """The ETag of a page."""
    async with aiohttp.ClientSession(headers=BROWSER) as client, client.get(address) as response:
        return response.headers["ETag"]


async def fill(url: Secret, factor: int) -> int:
    """Count three years of simulated hotels, with names and rooms; returns the number of events."""
    connection = await connect(url)
    numbered = enumerate(history(factor, datetime.now(UTC)), 1)
    events = (msgspec.convert({"id": number, **event}, BookingEvent) for number, event in numbered)
    count = 0
    while batch := list(islice(events, BATCH)):
        async with connection.transaction():
            count += await insert_events(connection, LedgerFeed(1, "UTC"), batch)
    await connection.execute(
        """
        INSERT INTO hotel_profile (hotel_id, name, rooms, hidden)
        SELECT hotel_id, 'House ' || hotel_id, CASE WHEN hotel_id <= $1 THEN $2::int ELSE $3::int END, false
          FROM hotel_summary
        """,
        LARGE_HOTELS,
        ROOMS_OF_LARGE * factor,
        ROOMS_OF_SMALL * factor,
    )
    await connection.execute("UPDATE feed_progress SET data_through = now() + interval '1 day', first_read_at = now()")
    await connection.execute("VACUUM ANALYZE", timeout=3600)
    await connection.close()
    return count


def history(factor: int, now: datetime) -> Iterator[dict[str, object]]:
    """The events of all hotels up to now."""
    large = Simulation(1, LARGE_HOTELS, ROOMS_OF_LARGE * factor)
    small = Simulation(2, SMALL_HOTELS, ROOMS_OF_SMALL * factor, first_hotel_id=LARGE_HOTELS + 1)
    for simulation in (large, small):
        for event in simulation.history(now.date() - timedelta(days=365 * YEARS), now.date() + timedelta(days=1)):
            if event.event_timestamp <= now:
                yield event._asdict()
