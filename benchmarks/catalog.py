"""The catalogue: its requests beside the framework's ceiling, and the refresh beside what the service's latency allows.

The offers service is played by this module in a process of its own: `python -m benchmarks.catalog PORT`. It answers
after 20 ms, and the prices of a product are others at every answer.
"""

import asyncio
import statistics
import sys
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import asyncpg
import msgspec
import uvloop
from aiohttp import web

from benchmarks.load import Request
from benchmarks.servers import LOOKS_EVERY_SECONDS, Context, free_port, running
from benchmarks.table import Row

LATENCY = 0.02
IN_FLIGHT = 50
OFFERS = 5
ROUNDS = 3

PRODUCT = '{"name":"Pressure washer","description":"Washes. Under pressure. For years."}'

_asked: Counter[str] = Counter()


def price(product_id: str, number: int, answer: int) -> int:
    """The price of a product's offer in the service's nth answer: another in each."""
    return 1000 + 100 * number + answer + int(product_id[-4:], 16) % 50


async def _authenticate(_: web.Request) -> web.Response:
    return web.json_response({"access_token": str(uuid.uuid4())}, status=201)


async def _register(request: web.Request) -> web.Response:
    return web.json_response({"id": (await request.json())["id"]}, status=201)


async def _offers(request: web.Request) -> web.Response:
    await asyncio.sleep(LATENCY)
    product_id = request.match_info["product_id"]
    _asked[product_id] += 1
    offers = [
        {"id": f"{product_id}/{number}", "price": price(product_id, number, _asked[product_id]), "items_in_stock": 5}
        for number in range(OFFERS)
    ]
    return web.Response(body=msgspec.json.encode(offers), content_type="application/json")


def upstream() -> web.Application:
    """The offers service, without a latency of its own but that of `_offers`."""
    app = web.Application()
    app.router.add_post("/api/v1/auth", _authenticate)
    app.router.add_get("/api/v1/auth", _authenticate)
    app.router.add_post("/api/v1/products/register", _register)
    app.router.add_get("/api/v1/products/{product_id}/offers", _offers)
    return app


@asynccontextmanager
async def offers_service() -> AsyncIterator[str]:
    port = free_port()
    async with running(["-m", "benchmarks.catalog", str(port)], {}, port, "/api/v1/products/0000/offers") as process:
        yield f"{process.url}/api/v1"


async def insert_products(db: asyncpg.Connection, count: int) -> list[uuid.UUID]:
    """Registered products that were never refreshed."""
    ids = [uuid.uuid4() for _ in range(count)]
    await db.execute(
        """
        INSERT INTO product (product_id, name, description)
        SELECT id, 'Product ' || id, 'As large as descriptions are.' FROM unnest($1::uuid[]) AS id
        """,
        ids,
    )
    await db.execute(
        "INSERT INTO product_refresh (product_id, registered_at) SELECT id, now() FROM unnest($1::uuid[]) AS id", ids
    )
    await db.execute("VACUUM ANALYZE product, product_refresh")
    return ids


async def one_refresh(db: asyncpg.Connection, after: datetime | None) -> tuple[float, dict[str, int], datetime]:
    """Wait for a run of the job that started after a moment; its seconds, what it did, when it started."""
    while True:
        row = await db.fetchrow(
            """
            SELECT last_started, last_finished, last_outcome, last_result, expires_at
              FROM job
             WHERE name = 'refresh_offers'
            """
        )
        if row and row["expires_at"] is None and row["last_finished"] and (not after or row["last_started"] > after):
            assert row["last_outcome"] == "ok"
            seconds = (row["last_finished"] - row["last_started"]).total_seconds()
            return seconds, msgspec.json.decode(row["last_result"]), row["last_started"]
        await asyncio.sleep(LOOKS_EVERY_SECONDS)


async def refresh_seconds(context: Context, count: int) -> float:
    """The median of a few refreshes in each of which every price changed; raises where one was not stored."""
    async with context.database("dashboard") as url, offers_service() as service:
        db = await asyncpg.connect(url.reveal())
        try:
            ids = await insert_products(db, count)
            environment = {
                "DASHBOARD_OFFERS_URL": service,
                "DASHBOARD_OFFERS_SECONDS": "3600",
                "DASHBOARD_OFFERS_CONCURRENCY": str(IN_FLIGHT),
            }
            async with context.dashboard(url, **environment):
                _, _, started = await one_refresh(db, None)
                taken = []
                for answer in range(2, ROUNDS + 2):
                    await db.execute("UPDATE job SET due_at = now() WHERE name = 'refresh_offers'")
                    seconds, did, started = await one_refresh(db, started)
                    assert did["refreshed"] == count, did
                    assert did["changes"] == count * OFFERS, did
                    await require_stored(db, ids, answer)
                    taken.append(seconds)
        finally:
            await db.close()
    return statistics.median(taken)


async def require_stored(db: asyncpg.Connection, ids: Sequence[uuid.UUID], answer: int) -> None:
    """Raises AssertionError unless every offer has the price of the service's nth answer, and n rows of history."""
    rows = await db.fetch("SELECT product_id, offer_id, price FROM offer WHERE closed_at IS NULL")
    assert len(rows) == len(ids) * OFFERS
    for row in rows:
        assert row["price"] == price(str(row["product_id"]), int(row["offer_id"].rpartition("/")[2]), answer)
    assert await db.fetchval("SELECT count(*) FROM offer_price_change") == len(ids) * OFFERS * answer


async def requests(context: Context) -> list[Row]:
    """Reading, listing, creating and changing products, 32 connections, one process."""
    ready = Request("GET", "/ready/350")
    async with context.bare() as bare:
        read_limit = await context.load(bare.url, [ready], connections=32, seconds=3)
        write_limit = await context.load(bare.url, [Request("POST", "/", PRODUCT)], connections=32, seconds=3)
    async with context.database("dashboard") as url, offers_service() as service:
        db = await asyncpg.connect(url.reveal())
        ids = await insert_products(db, 1000)
        await db.close()
        environment = {"DASHBOARD_OFFERS_URL": service, "DASHBOARD_OFFERS_SECONDS": "3600"}
        async with context.dashboard(url, **environment) as dashboard:
            reads = [Request("GET", f"/products/{product_id}") for product_id in ids]
            changes = [Request("PUT", f"/products/{product_id}", PRODUCT) for product_id in ids]
            read = await context.load(dashboard.url, reads, connections=32, seconds=3)
            page = await context.load(dashboard.url, [Request("GET", "/products?limit=20")], connections=32, seconds=3)
            create = await context.load(
                dashboard.url, [Request("POST", "/products", PRODUCT)], connections=32, seconds=3
            )
            change = await context.load(dashboard.url, changes, connections=32, seconds=3)
    note = "an answer that is ready; p99 {:.0f} ms"
    empty = "an empty POST; p99 {:.0f} ms"
    reading, writing = read_limit.require(200).per_second, write_limit.require(201).per_second
    return [
        Row("GET /products/{id}", read.require(200).per_second, reading, "/s", note.format(read.p99)),
        Row("GET /products?limit=20", page.require(200).per_second, reading, "/s", note.format(page.p99)),
        Row(
            "POST /products, registered at once",
            create.require(201).per_second,
            writing,
            "/s",
            f"{empty.format(create.p99)}; one call of the service each",
        ),
        Row("PUT /products/{id}", change.require(200).per_second, writing, "/s", empty.format(change.p99)),
    ]


async def run(context: Context) -> list[Row]:
    rows = await requests(context)
    for count, reach in ((1_000, "<= 1.3"), (10_000, "<= 1.5")):
        seconds = await refresh_seconds(context, count)
        limit = count * LATENCY / IN_FLIGHT
        note = f"n * 20 ms / 50; {OFFERS} offers each, every price changed and stored"
        rows.append(Row(f"refresh of {count:,} products", seconds, limit, "s", note, reach))
    return rows


if __name__ == "__main__":
    uvloop.install()
    web.run_app(upstream(), host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
