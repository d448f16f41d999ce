"""The catalogue: its requests beside the framework's limit, and the refresh beside the limit that latency sets.

This module simulates the offers service in a separate process: `python -m benchmarks.catalog PORT`. Each response takes
20 ms and has new prices.
"""

import asyncio
import statistics
import sys
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Literal

import asyncpg
import msgspec
import uvloop
from aiohttp import web

from benchmarks.load import Request
from benchmarks.servers import POLL_SECONDS, Context, connect, free_port, running
from benchmarks.table import Row
from common.web.pagination import encode_cursor
from dashboard.catalog.inputs import ProductsQuery
from dashboard.catalog.list_cursor import position_of
from dashboard.catalog.models import ProductPosition, ProductSort

LATENCY = 0.02
IN_FLIGHT = 50
OFFERS = 5
ROUNDS = 3
PAGE_MS = 200
"""The limit of a list of 10,000 products."""
BROWSER = {"Accept": "text/html", "Accept-Encoding": "gzip"}

PRODUCT = '{"name":"Pressure washer","description":"Washes. Under pressure. For years."}'

_responses: Counter[str] = Counter()


def price(product_id: str, number: int, response: int) -> int:
    """Return the price of a product's offer in the nth response about it; consecutive responses differ."""
    return 1000 + 100 * number + response + int(product_id[-4:], 16) % 50


async def _authenticate(_: web.Request) -> web.Response:
    return web.json_response({"access_token": str(uuid.uuid4())}, status=201)


async def _register(request: web.Request) -> web.Response:
    return web.json_response({"id": (await request.json())["id"]}, status=201)


async def _offers(request: web.Request) -> web.Response:
    await asyncio.sleep(LATENCY)
    product_id = request.match_info["product_id"]
    _responses[product_id] += 1
    offers = [
        {
            "id": f"{product_id}/{number}",
            "price": price(product_id, number, _responses[product_id]),
            "items_in_stock": 5,
        }
        for number in range(OFFERS)
    ]
    return web.Response(body=msgspec.json.encode(offers), content_type="application/json")


def create_offers_service() -> web.Application:
    """Return the simulated offers service; only `_offers` waits for `LATENCY`."""
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
    """Insert registered products that were never refreshed; returns their ids."""
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


async def wait_for_refresh(db: asyncpg.Connection, after: datetime | None) -> tuple[float, dict[str, int], datetime]:
    """Wait for the end of a run of the job that started later than `after`; returns its seconds, result and start."""
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
        await asyncio.sleep(POLL_SECONDS)


async def refresh_seconds(context: Context, count: int) -> float:
    """Return the median of `ROUNDS` refreshes of every price. Raises AssertionError if a price is not stored."""
    async with context.database("dashboard") as url, offers_service() as service:
        db = await connect(url)
        try:
            ids = await insert_products(db, count)
            environment = {
                "DASHBOARD_OFFERS_URL": service,
                "DASHBOARD_OFFERS_SECONDS": "3600",
                "DASHBOARD_OFFERS_CONCURRENCY": str(IN_FLIGHT),
            }
            async with context.dashboard(url, **environment):
                _, _, started = await wait_for_refresh(db, None)
                taken = []
                for response in range(2, ROUNDS + 2):
                    await db.execute("UPDATE job SET due_at = now() WHERE name = 'refresh_offers'")
                    seconds, result, started = await wait_for_refresh(db, started)
                    assert result["refreshed"] == count, result
                    assert result["changes"] == count * OFFERS, result
                    await require_stored(db, ids, response)
                    taken.append(seconds)
        finally:
            await db.close()
    return statistics.median(taken)


async def require_stored(db: asyncpg.Connection, ids: Sequence[uuid.UUID], response: int) -> None:
    """Raises AssertionError unless every offer has the price of the nth response, and n rows of history."""
    rows = await db.fetch("SELECT product_id, offer_id, price FROM offer WHERE closed_at IS NULL")
    assert len(rows) == len(ids) * OFFERS
    for row in rows:
        assert row["price"] == price(str(row["product_id"]), int(row["offer_id"].rpartition("/")[2]), response)
    assert await db.fetchval("SELECT count(*) FROM offer_price_change") == len(ids) * OFFERS * response


async def measure_requests(context: Context) -> None:
    """Measure reading, listing, creating and changing products, 32 connections, one process."""
    prepared = Request("GET", "/ready/350")
    async with context.bare() as bare:
        read_limit = (await context.load(bare.url, [prepared], connections=32, seconds=3)).require(200)
        write_limit = await context.load(bare.url, [Request("POST", "/", PRODUCT)], connections=32, seconds=3)
        write_limit.require(201)
    async with context.database("dashboard") as url, offers_service() as service:
        db = await connect(url)
        ids = await insert_products(db, 1000)
        await db.close()
        environment = {"DASHBOARD_OFFERS_URL": service, "DASHBOARD_OFFERS_SECONDS": "3600"}
        get = [Request("GET", f"/products/{product_id}") for product_id in ids]
        page = [Request("GET", "/products?limit=20")]
        create = [Request("POST", "/products", PRODUCT)]
        put = [Request("PUT", f"/products/{product_id}", PRODUCT) for product_id in ids]
        async with context.dashboard(url, **environment) as dashboard:
            for name, requests, status, limit, note, target in (
                ("GET /products/{id}", get, 200, read_limit, "a prepared response", ">= 0.7"),
                ("GET /products?limit=20", page, 200, read_limit, "a prepared response", ""),
                ("POST /products, registered at once", create, 201, write_limit, "an empty POST", ""),
                ("PUT /products/{id}", put, 200, write_limit, "an empty POST", ""),
            ):
                ours = (await context.load(dashboard.url, requests, connections=32, seconds=3)).require(status)
                details = f"{note}; p99 {ours.p99:.0f} ms"
                if requests is create:
                    details += "; one call of the service each"
                context.add_row(Row(name, ours.per_second, limit.per_second, "/s", details, target))


PAST_DAYS = 32
"""Days of prices of each product, with two changes a day: as many as the lowest price in 30 days needs."""
BUSY_MINUTES = 90 * 24 * 60
"""Changes of the best price of one product, one a minute, as the offers service changes its prices."""
BUSY_PAGE = "product page, a change each minute"
PRICES_PATH = "/board/prices"
SORTS: tuple[ProductSort, ...] = ("name", "-name", "price", "-price", "change_7d", "-change_7d")


async def insert_past(db: asyncpg.Connection) -> None:
    """Give every product PAST_DAYS of prices, now and then nothing in stock, and five offers."""
    await db.execute(
        """
        INSERT INTO product_price_change (product_id, at, price)
        SELECT product_id, now() - number * interval '12 hours' - random() * interval '6 hours',
               CASE WHEN random() > 0.04 THEN 1000 + (500 * random())::integer END
          FROM product, generate_series(0, $1 - 1) AS number
        """,
        2 * PAST_DAYS,
    )
    await db.execute(
        """
        INSERT INTO offer (product_id, offer_id, numeric_id, price, items_in_stock, first_seen, changed_at)
        SELECT product_id, number::text, true, 1000 + number, 5, now(), now()
          FROM product, generate_series(1, $1) AS number
        """,
        OFFERS,
    )
    await db.execute(
        """
        UPDATE product_refresh
           SET last_success = now(), attempted_at = now(), best_price = newest.price, week_price = 1200
          FROM (SELECT DISTINCT ON (product_id) product_id, price
                  FROM product_price_change
                 ORDER BY product_id, at DESC) AS newest
         WHERE product_refresh.product_id = newest.product_id
        """
    )
    await db.execute("VACUUM ANALYZE product_price_change, product_refresh, offer")


async def insert_busy_past(db: asyncpg.Connection, product_id: uuid.UUID) -> None:
    """Give a product 90 days of prices that changed each minute."""
    await db.execute("DELETE FROM product_price_change WHERE product_id = $1", product_id)
    await db.execute(
        """
        INSERT INTO product_price_change (product_id, at, price)
        SELECT $1, now() - number * interval '1 minute', 1000 + (500 * random())::integer
          FROM generate_series(0, $2 - 1) AS number
        """,
        product_id,
        BUSY_MINUTES,
    )
    await db.execute("VACUUM ANALYZE product_price_change")


async def last_page(db: asyncpg.Connection, sort: Literal["name", "price"]) -> str:
    """The address of the last page of the list of prices in an order."""
    value = {"name": "name_key", "price": "best_price"}[sort]
    row = await db.fetchrow(
        f"""
        SELECT {value} AS value, product_id
          FROM product
          JOIN product_refresh USING (product_id)
         ORDER BY {value} DESC NULLS FIRST, product_id DESC
        OFFSET 50
         LIMIT 1
        """
    )
    assert row is not None
    position = position_of(ProductsQuery(sort=sort), ProductPosition(row["value"], row["product_id"]))
    return f"{PRICES_PATH}?sort={sort}&cursor={encode_cursor(*position, path=PRICES_PATH)}"


async def measure_pages(context: Context) -> None:
    """Measure the pages of prices for one reader: the list of 10,000 products in all ways, and the page of one."""
    async with context.database("dashboard") as url:
        db = await connect(url)
        ids = await insert_products(db, 10_000)
        await insert_past(db)
        await insert_busy_past(db, ids[1])
        pages = {f"prices page, sorted by {sort}": f"{PRICES_PATH}?sort={sort}" for sort in SORTS}
        pages |= {
            "prices page, search found by many": f"{PRICES_PATH}?search=product&sort=-price",
            "prices page, search found by few": f"{PRICES_PATH}?search={str(ids[0])[:6]}",
            "prices page, search found by none": f"{PRICES_PATH}?search=nothing",
            "prices page, last page by name": await last_page(db, "name"),
            "prices page, last page by price": await last_page(db, "price"),
            "product page": f"{PRICES_PATH}/{ids[0]}",
            BUSY_PAGE: f"{PRICES_PATH}/{ids[1]}",
        }
        await db.close()
        note = f"p95; 10,000 products of {2 * PAST_DAYS} changes in {PAST_DAYS} days, one of {BUSY_MINUTES:,} in 90"
        async with context.dashboard(url, DASHBOARD_OFFERS_SECONDS="0") as dashboard:
            for name, path in pages.items():
                request = Request("GET", path, headers=BROWSER)
                page = (await context.load(dashboard.url, [request], connections=1, seconds=3)).require(200)
                target = "" if name == BUSY_PAGE else "<= 1"
                context.add_row(Row(f"{name}, one client", page.p95, PAGE_MS, "ms", note, target))


async def run(context: Context) -> None:
    await measure_requests(context)
    await measure_pages(context)
    for count, target in ((1_000, "<= 1.3"), (10_000, "<= 1.125")):
        seconds = await refresh_seconds(context, count)
        limit = count * LATENCY / IN_FLIGHT
        note = f"n * 20 ms / 50; {OFFERS} offers each, every price changed and stored"
        context.add_row(Row(f"refresh of {count:,} products", seconds, limit, "s", note, target))


if __name__ == "__main__":
    uvloop.install()
    web.run_app(create_offers_service(), host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
