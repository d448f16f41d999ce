"""The feed: reading and writing, each beside what PostgreSQL or the framework alone can do."""

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import asyncpg

from benchmarks.load import Measured, Request
from benchmarks.servers import ROOT, Context
from benchmarks.table import Row
from common.config import Secret

SECONDS = 4.0
SENDERS = 64
BATCHES = 10
BATCH = 10_000
FILE_ROWS = 300_000
COLUMNS = ("id", "hotel_id", "event_timestamp", "status", "room_id", "night_of_stay")
SELECTED = "SELECT id, hotel_id, event_timestamp, status, room_id, night_of_stay FROM booking_event"
START = datetime(2018, 1, 1, tzinfo=UTC)

Rows = list[tuple[int, int, datetime, int, str, object]]


def rows(count: int, *, seed: int, first_id: int = 1, hotels: int = 50) -> Rows:
    """Events of a year, their times in no order."""
    dice = random.Random(seed)
    found: Rows = []
    for number in range(first_id, first_id + count):
        at = START + timedelta(seconds=dice.randrange(365 * 86_400))
        night = (at + timedelta(days=dice.randrange(300))).date()
        found.append(
            (number, dice.randrange(1, hotels + 1), at, dice.choice((1, 1, 1, 2)), str(dice.randrange(1, 400)), night)
        )
    return found


def as_json(row: Sequence[object], *, with_id: bool = True) -> dict[str, object]:
    event = dict(zip(COLUMNS, row, strict=True))
    event |= {
        "event_timestamp": str(row[2]).replace(" ", "T").replace("+00:00", "Z"),
        "room_id": int(str(row[4])),
        "night_of_stay": str(row[5]),
    }
    return event if with_id else {name: value for name, value in event.items() if name != "id"}


async def seconds_of(work: Callable[[], Awaitable[object]], times: int = 3) -> float:
    """The median of several runs."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        await work()
        taken.append(time.perf_counter() - started)
    return median(taken)


async def copied_in(url: Secret, events: Rows) -> float:
    """Rows a second of COPY into the same indexed table."""
    connection = await asyncpg.connect(url.reveal())
    try:
        taken = await seconds_of(
            lambda: connection.copy_records_to_table("booking_event", records=events, columns=COLUMNS), times=1
        )
    finally:
        await connection.close()
    return len(events) / taken


async def writing_one_by_one(context: Context) -> Row:
    """POST /events beside a POST to which nothing is done."""
    requests = [Request("POST", "/events", json.dumps(as_json(row, with_id=False))) for row in rows(2000, seed=1)]
    empty = [Request("POST", "/", request.body) for request in requests]
    limits: list[Measured] = []
    ours: list[Measured] = []
    async with context.bare() as bare, context.database("provider") as url, context.provider(url) as provider:
        await context.load(provider.url, requests, connections=SENDERS, seconds=1)  # what is made once is made
        for _ in range(3):  # in turn, since the machine may be busy with other things as well
            limits.append((await context.load(bare.url, empty, connections=SENDERS, seconds=SECONDS)).require(201))
            ours.append((await context.load(provider.url, requests, connections=SENDERS, seconds=SECONDS)).require(201))
    best, limit = max(ours, key=lambda each: each.per_second), max(limits, key=lambda each: each.per_second)
    note = f"an empty POST, {SENDERS} senders; p50 {best.p50:.0f} ms, p99 {best.p99:.0f} ms; fsync on"
    return Row("POST /events", best.per_second, limit.per_second, "/s", note, ">= 0.7")


async def writing_batches(context: Context) -> Row:
    """POST /events/batch beside COPY into the same table."""
    events = rows(BATCHES * BATCH, seed=2)
    batches = [
        Request("POST", "/events/batch", json.dumps([as_json(row) for row in events[at : at + BATCH]]))
        for at in range(0, len(events), BATCH)
    ]
    async with context.database("provider") as url, context.provider(url) as provider:
        measured = await context.load(provider.url, batches, connections=1, seconds=600, requests_in_all=BATCHES)
        measured.require(201)
    async with context.database("provider") as url:
        limit = await copied_in(url, events)
    ours = len(events) / measured.seconds
    return Row("POST /events/batch", ours, limit, "rows/s", f"COPY; batches of {BATCH:,}", ">= 0.25")


async def importing(context: Context) -> Row:
    """`python -m provider import` beside COPY into the same table."""
    events = rows(FILE_ROWS, seed=3)
    path = context.directory / "events.csv"
    with path.open("w") as file:
        file.write(",".join(COLUMNS) + "\n")
        for row in events:
            file.write(",".join(map(str, as_json(row).values())) + "\n")
    async with context.database("provider") as url:
        idle = await seconds_of(lambda: provider_command(url, "migrate"))
        taken = await seconds_of(lambda: provider_command(url, "import", str(path)), times=1) - idle
    async with context.database("provider") as url:
        limit = await copied_in(url, events)
    note = f"COPY; {FILE_ROWS:,} rows, without the start of the program ({idle:.1f} s)"
    return Row("import", FILE_ROWS / taken, limit, "rows/s", note, ">= 0.6")


async def provider_command(url: Secret, *arguments: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PROVIDER_DATABASE_URL": url.reveal()}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "provider", *arguments, env=environment, stdout=asyncio.subprocess.DEVNULL
    )
    if await process.wait() != 0:
        raise RuntimeError(f"provider {arguments[0]} failed")


async def reading(context: Context) -> list[Row]:
    """GET /events of one hotel and a time range among all rows, and of all, beside COPY of the same rows."""
    found = []
    async with context.database("provider") as url:
        await fill(url, context.rows)
        connection = await asyncpg.connect(url.reveal(), server_settings={"timezone": "UTC"})
        async with context.provider(url) as provider:
            memory = resident(provider.pid)
            for size in (100, 1_000, 10_000, context.rows // 50):
                end = await connection.fetchval(
                    "SELECT event_timestamp FROM booking_event WHERE hotel_id = 7"
                    " ORDER BY event_timestamp, id OFFSET $1 LIMIT 1",
                    size - 1,
                )
                where = f"WHERE hotel_id = 7 AND event_timestamp <= '{end}'" if end else "WHERE hotel_id = 7"
                path = f"/events?hotel_id=7&updated__lte={end.isoformat()}" if end else "/events?hotel_id=7"
                path = path.replace("+", "%2B")
                found.append(await read_row(context, connection, provider.url, where, path, size))
            found.append(await read_row(context, connection, provider.url, "", "/events", context.rows))
            grown = (resident(provider.pid) - memory) / 2**20
        await connection.close()
    found.append(Row("GET /events, memory grown", grown, None, "MiB", f"after all of {context.rows:,} rows"))
    return found


async def read_row(
    context: Context, connection: "asyncpg.Connection[asyncpg.Record]", base_url: str, where: str, path: str, size: int
) -> Row:
    statement = f"{SELECTED} {where} ORDER BY event_timestamp, id"

    async def discard(_: bytes) -> None:
        """The client takes the rows and does nothing with them."""

    limit = size / await seconds_of(lambda: connection.copy_from_query(statement, output=discard), times=5)
    measured = (await context.load(base_url, [Request("GET", path)], connections=1, seconds=SECONDS)).require(200)
    ours = measured.per_second * size
    note = f"COPY of the same; {measured.per_second:.1f} requests/s, p99 {measured.p99:.0f} ms, one reader"
    return Row(f"GET /events, {size:,} rows", ours, limit, "rows/s", note, ">= 0.5" if size >= 10_000 else "")


async def fill(url: Secret, count: int) -> None:
    """`count` events of 50 hotels, as many each."""
    connection = await asyncpg.connect(url.reveal(), server_settings={"timezone": "UTC"})
    await connection.execute(
        """
        INSERT INTO booking_event (id, hotel_id, event_timestamp, status, room_id, night_of_stay)
        SELECT i, 1 + i % 50, '2018-01-01'::timestamptz + i * interval '1 minute', 1 + (i % 4 = 0)::int, 1 + i % 399,
               '2018-01-01'::date + (i / 1440)::int + i % 300
          FROM generate_series(1, $1::int) AS i
        """,
        count,
    )
    await connection.execute("VACUUM ANALYZE booking_event")
    await connection.close()


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def run(context: Context) -> list[Row]:
    return [
        await writing_one_by_one(context),
        await writing_batches(context),
        await importing(context),
        *await reading(context),
    ]
