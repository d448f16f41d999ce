"""A year's load within an hour, with retention on: `make year` (SHARE=0.01 for a short run).

It sends everything through the product's own paths, then deletes what is too old, then asks every endpoint. It prints
the size of every table before and after the deletion, the memory of both processes, and the slowest endpoints.
"""

import argparse
import asyncio
import gzip
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import asyncpg
import psutil

from benchmarks.catalog import insert_products, wait_for_refresh
from benchmarks.dining import insert_tables, order_requests
from benchmarks.load import Request
from benchmarks.servers import Context, Process, connect, free_port, running, wait_for_count
from benchmarks.table import Row, format_heading, format_row
from common.config import Secret
from common.devstack.embedded import attach
from common.telemetry.logging import configure_logging

EVENTS, POLLS, PRICE_CHANGES, ORDERS = 10_000_000, 50_000_000, 2_000_000, 100_000
DAYS = 365
BATCH = 10_000
HOTELS, ROOMS, STORES, PRODUCTS, POLL_FILES = 1_000, 100, 5_700, 10_000, 52
KEEP_POLLS_DAYS = 330
SAMPLE_SECONDS = 2.0

RETENTION = {
    "DASHBOARD_KEEP_POLLS_DAYS": str(KEEP_POLLS_DAYS),
    "DASHBOARD_KEEP_REPORTS_DAYS": "1",
    "PROVIDER_ORDERS_PER_HOUR": "0",
}

ENDPOINTS = {
    "provider": (
        "/events?limit=10000",
        "/events?hotel_id=7&limit=100",
        "/events?hotel_id=7&updated__gte={yesterday}&limit=10000",
        "/events?hotel_id=7&room_id=999999&limit=100",
        "/events?room_id=7&limit=100",
        "/events?room_id=999999&limit=100",
        "/events?night_of_stay__gte={today}&limit=100",
        "/events?night_of_stay__gte={last_night}&limit=100",
        "/events?recorded__gte={yesterday}&limit=100",
        "/events?recorded__lte={year_ago}&limit=100",
        "/events/{event}",
        "/api/customer/view_tables/",
        "/api/customer/view_tables/?seats_min=2&price_max=50",
        "/stores/status.csv?since={now}",
        "/stores/business_hours.csv",
        "/stores/timezones.csv",
        "/jobs",
        "/metrics",
        "/readyz?verbose=1",
    ),
    "dashboard": (
        "/",
        "/hotels",
        "/hotels?search=7",
        "/hotels?search=99999",
        "/dashboard?hotel_id=7&period=day&year={year}",
        "/dashboard?hotel_id=7&period=day&year={year}&by=event_date",
        "/dashboard?hotel_id=7&period=month&year={year}",
        "/dashboard?hotel_id=7&period=day&year={year}&as_of={yesterday}",
        "/hotels/7/pickup?days=7&nights=366",
        "/hotels/7/pickup?days=366&nights=366&as_of={yesterday}",
        "/hotels/7/pace?year={year}",
        "/hotels/7/booking-curve?night={today}",
        "/hotels/7/lead-time?year={year}",
        "/hotels/7/build-up?month={year}-12",
        "/hotels/7/booking-curve/usual?night={today}&count=20",
        "/hotels/7/cancellations?year={year}",
        "/board/hotels/7",
        "/board/hotels/7?as_of={yesterday}&show=ahead",
        "/quarantine",
        "/audits",
        "/stores",
        "/stores?order=downtime&period=week",
        "/stores/sla?target=0.99",
        "/stores/sla/breaches?target=0.99",
        "/stores/gaps",
        "/stores/gaps?from={month_ago}&to={now}&minutes=5",
        "/stores/s7/timeline",
        "/stores/s7/incidents?from={month_ago}&to={now}",
        "/stores/s7/coverage?from={month_ago}&to={now}",
        "/stores/s7/days?days=366",
        "/stores/imports",
        "/reports",
        "/products?limit=100",
        "/products?search=Product",
        "/products?search=none",
        "/products/{product}",
        "/products/{product}/offers",
        "/products/{product}/offers?include=closed",
        "/products/{product}/offers/{offer}/trend",
        "/products/{product}/trend",
        "/products/{product}/trend?interval=day",
        "/jobs",
        "/metrics",
        "/readyz?verbose=1",
    ),
}
"""Reads that need no credential. The first `/stores` makes a report."""


@dataclass
class Year:
    """One run. share: of the whole year's load."""

    context: Context
    share: float
    memory: dict[str, list[float]] = field(default_factory=dict)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def scaled(self, number: int) -> int:
        return max(1, int(number * self.share))

    def add(self, name: str, figure: float, unit: str, note: str = "") -> None:
        self.context.add_row(Row(name, figure, None, unit, note))


async def run(year: Year) -> None:
    context = year.context
    async with context.database("provider") as url, context.database("dashboard") as desk_url, prices() as offers:
        port, desk_port = free_port(), free_port()
        environment = {
            **RETENTION,
            "PROVIDER_PORT": str(port),
            "PROVIDER_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "PROVIDER_OUTBOX_SECONDS": "1",
            "PROVIDER_ACCOUNTING_URL": f"http://127.0.0.1:{desk_port}/front-desk",
        }
        async with context.provider(url, **environment) as provider:
            desk_environment = {
                **RETENTION,
                "DASHBOARD_PORT": str(desk_port),
                "DASHBOARD_PROVIDER_URL": provider.url,
                "DASHBOARD_INGEST_SECONDS": "1",
                "DASHBOARD_OFFERS_URL": offers,
                "DASHBOARD_OFFERS_SECONDS": str(24 * 3600),
            }
            async with context.dashboard(desk_url, **desk_environment) as dashboard:
                processes = {"provider": provider, "dashboard": dashboard}
                watching = asyncio.create_task(watch_memory(year, processes))
                await send_events(year, provider, desk_url)
                await upload_polls(year, dashboard)
                await change_prices(year, desk_url)
                await order_tables(year, provider, url, desk_url)
                await forget(year, {"provider": url, "dashboard": desk_url})
                await ask_everything(year, processes, url, desk_url)
                watching.cancel()
    for name, sampled in year.memory.items():
        year.add(
            f"memory of the {name}: at rest, most, at the end",
            sampled[0],
            "MiB",
            f"{max(sampled):.0f}, {sampled[-1]:.0f}",
        )


@asynccontextmanager
async def prices() -> AsyncIterator[str]:
    """An offers service in which every price changes with every answer."""
    port = free_port()
    async with running(["-m", "benchmarks.catalog", str(port)], {}, port, "/api/v1/products/0000/offers") as process:
        yield f"{process.url}/api/v1"


async def watch_memory(year: Year, processes: dict[str, Process]) -> None:
    """Sample the memory of both processes, in MiB."""
    while True:
        for name, process in processes.items():
            year.memory.setdefault(name, []).append(psutil.Process(process.pid).memory_info().rss / 2**20)
        await asyncio.sleep(SAMPLE_SECONDS)


def event_batches(year: Year) -> Iterator[Request]:
    """Events of a year, in the order of their time: one in nine is the cancellation of an earlier booking."""
    number = year.scaled(EVENTS)
    start = year.now - timedelta(days=DAYS)
    step = timedelta(days=DAYS) / number
    lines: list[str] = []
    for index in range(number):
        cancels = index % 9 == 8
        booking = index - 4 if cancels else index
        at = start + step * index
        night = (start + step * booking + timedelta(days=booking % 90)).date()
        lines.append(
            f'{{"hotel_id":{booking % HOTELS + 1},"event_timestamp":"{at.isoformat()}","status":{2 if cancels else 1},'
            f'"room_id":{booking // HOTELS % ROOMS + 1},"night_of_stay":"{night}"}}'
        )
        if len(lines) == BATCH or index == number - 1:
            headers = {"Content-Type": "application/x-ndjson"}
            yield Request("POST", "/events/batch", "\n".join(lines), headers)
            lines.clear()


async def send_events(year: Year, provider: Process, desk_url: Secret) -> None:
    """Send the events to the feed while the dashboard counts them."""
    began = time.perf_counter()
    async with aiohttp.ClientSession(provider.url) as client:
        for request in event_batches(year):
            async with client.post(request.path, data=request.body, headers=request.headers) as answer:
                assert answer.status == 201, await answer.text()
    sent = time.perf_counter() - began
    number = year.scaled(EVENTS)
    year.add(f"{number:,} events sent in batches", number / sent, "events/s")
    await wait_for_count(desk_url, "SELECT coalesce(sum(bookings + cancellations), 0) FROM day_counter", number)
    year.add("until all are counted", time.perf_counter() - began - sent, "s", "after the last was sent")


async def upload_polls(year: Year, dashboard: Process) -> None:
    """Upload the polls of a year, a file for each week."""
    began, rows = time.perf_counter(), 0
    rounds = max(1, year.scaled(POLLS) // STORES // POLL_FILES)
    async with aiohttp.ClientSession(dashboard.url, timeout=aiohttp.ClientTimeout(3600)) as client:
        for week in range(POLL_FILES):
            start = year.now - timedelta(weeks=POLL_FILES - week)
            lines = ["store_id,status,timestamp_utc\n"]
            for turn in range(rounds):
                at = start + timedelta(weeks=1) * turn / rounds
                text = f"{at:%Y-%m-%d %H:%M:%S.%f} UTC"
                lines += [f"s{store},{'in' * ((store + turn) % 50 == 0)}active,{text}\n" for store in range(STORES)]
            body = gzip.compress("".join(lines).encode(), 1)
            headers = {"Content-Type": "text/csv", "Content-Encoding": "gzip"}
            async with client.put("/stores/status", data=body, headers=headers) as answer:
                result = await answer.json()
                assert answer.status == 200, result
            assert result["new"] == rounds * STORES, result
            rows += result["new"]
    year.add(f"{rows:,} polls uploaded in {POLL_FILES} files", rows / (time.perf_counter() - began), "polls/s")


async def change_prices(year: Year, desk_url: Secret) -> None:
    """Let the refresh run until so many offers have changed."""
    db = await connect(desk_url)
    try:
        await insert_products(db, PRODUCTS)
        _, _, started = await wait_for_refresh(db, None)
        began, changes, wanted = time.perf_counter(), 0, year.scaled(PRICE_CHANGES)
        while changes < wanted:
            await db.execute("UPDATE job SET due_at = now() WHERE name = 'refresh_offers'")
            _, result, started = await wait_for_refresh(db, started)
            changes += result.get("changes", 0)
    finally:
        await db.close()
    year.add(f"{changes:,} changes of offers", changes / (time.perf_counter() - began), "changes/s")


async def order_tables(year: Year, provider: Process, url: Secret, desk_url: Secret) -> None:
    """Order tables until each order is at the front desk and its mail is sent."""
    orders = order_requests(await insert_tables(url))
    began, number = time.perf_counter(), year.scaled(ORDERS)
    result = await year.context.load(provider.url, orders, connections=16, seconds=3600, max_requests=number)
    count = result.require(201).requests
    await wait_for_count(desk_url, "SELECT count(*) FROM front_desk_order", count)
    await wait_for_count(url, "SELECT count(*) FROM outbox WHERE topic = 'mail' AND state = 'sent'", count)
    year.add(f"{count:,} orders sent, delivered, mailed", count / (time.perf_counter() - began), "orders/s")


async def forget(year: Year, urls: dict[str, Secret]) -> None:
    """Run the nightly job once, and print each table's rows and size before and after it."""
    for name, url in urls.items():
        db = await connect(url)
        try:
            before = await sizes(db)
            began = time.perf_counter()
            await db.execute("UPDATE job SET due_at = now() WHERE name = 'forget_old'")
            started = datetime.now(UTC)
            await wait_for_count(
                url,
                f"SELECT count(*) FROM job WHERE name = 'forget_old' AND last_finished >= '{started.isoformat()}'",
                1,
            )
            row = await db.fetchrow("SELECT last_outcome, last_result FROM job WHERE name = 'forget_old'")
            assert row is not None
            assert row["last_outcome"] == "ok", dict(row)
            year.add(f"forget_old of the {name}", time.perf_counter() - began, "s", str(row["last_result"])[:120])
            await db.execute("VACUUM ANALYZE")
            after = await sizes(db)
        finally:
            await db.close()
        for table, (rows, size) in sorted(before.items(), key=lambda each: -each[1][1])[:12]:
            note = f"{size / 2**20:,.0f} MiB; afterwards {after[table][0]:,} rows, {after[table][1] / 2**20:,.0f} MiB"
            year.add(f"{name}: {table}", rows, "rows", note)


async def sizes(db: asyncpg.Connection) -> dict[str, tuple[int, int]]:
    """The rows and the bytes of each table, indexes included."""
    tables = await db.fetch(
        "SELECT relname, pg_total_relation_size(relid) AS bytes FROM pg_stat_user_tables ORDER BY relname"
    )
    return {
        row["relname"]: (await db.fetchval(f'SELECT count(*) FROM "{row["relname"]}"'), row["bytes"]) for row in tables
    }


async def ask_everything(year: Year, processes: dict[str, Process], url: Secret, desk_url: Secret) -> None:
    """Ask every endpoint three times, one client, and print the times. The first `/stores` waits for a report."""
    event = await fetch_row(url, "SELECT id FROM booking_event LIMIT 1")
    offer = await fetch_row(desk_url, "SELECT product_id, offer_id FROM offer LIMIT 1")
    now = year.now
    values = {
        "now": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "today": str(now.date()),
        "yesterday": str(now.date() - timedelta(days=1)),
        "month_ago": f"{now - timedelta(days=30):%Y-%m-%dT%H:%M:%SZ}",
        "year_ago": str(now.date() - timedelta(days=364)),
        "last_night": str(now.date() + timedelta(days=720)),
        "year": str(now.year),
        "event": str(event["id"]),
        "product": str(offer["product_id"]),
        "offer": str(offer["offer_id"]),
    }
    for name, process in processes.items():
        async with aiohttp.ClientSession(process.url) as client:
            for path in ENDPOINTS[name]:
                taken = []
                for _ in range(3):
                    began = time.perf_counter()
                    async with client.get(path.format(**values)) as answer:
                        assert answer.status == 200, (path, await answer.text())
                        await answer.read()
                    taken.append((time.perf_counter() - began) * 1000)
                year.add(f"GET {path}", max(taken), "ms", f"least {min(taken):.0f} ms")


async def fetch_row(url: Secret, statement: str) -> asyncpg.Record:
    """The first row that the statement finds; AssertionError if it finds none."""
    db = await connect(url)
    try:
        row = await db.fetchrow(statement)
    finally:
        await db.close()
    assert row is not None, statement
    return row


def main() -> int:
    parser = argparse.ArgumentParser(prog="make year", description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="of the whole load, such as 0.01")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="nightaudit-year-"))
    print(format_heading(), flush=True)
    try:
        with attach(directory) as postgres:
            context = Context(0, directory, postgres, lambda row: print(format_row(row), flush=True))
            asyncio.run(run(Year(context, options.share)))
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return 0


if __name__ == "__main__":
    configure_logging(level="warning")
    sys.exit(main())
