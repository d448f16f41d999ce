"""Dining and the front desk: finding a table and ordering it, and how fast what is ordered leaves by mail and arrives
at the front desk."""

import asyncio
import time

import asyncpg

from benchmarks.load import Request
from benchmarks.servers import Context, until_counts
from benchmarks.table import Row
from common.config import Secret

TABLES = 200
CONNECTIONS = 32
SECONDS = 3.0
ORDERS = 2_000
ORDER = '{"email":"ann@example.com","name":"Ann","guests":2}'
SEARCH = "/api/customer/view_tables/?seats_min=2&limit=20"

ARRIVED = "SELECT count(*) FROM front_desk_order"
SENT = "SELECT count(*) FROM outbox WHERE topic = 'mail' AND state = 'sent'"


async def run(context: Context) -> list[Row]:
    return [*await requests(context), *await messages(context)]


async def requests(context: Context) -> list[Row]:
    """Searching tables and ordering one, beside an answer that is ready and an empty POST."""
    async with context.database("provider") as url:
        orders = orders_of(await insert_tables(url))
        async with context.provider(url, PROVIDER_OUTBOX_SECONDS="0") as provider, context.bare() as bare:
            ready = await context.load(
                bare.url, [Request("GET", "/ready/1600")], connections=CONNECTIONS, seconds=SECONDS
            )
            empty = await context.load(
                bare.url, [Request("POST", "/", ORDER)], connections=CONNECTIONS, seconds=SECONDS
            )
            search = await context.load(
                provider.url, [Request("GET", SEARCH)], connections=CONNECTIONS, seconds=SECONDS
            )
            order = await context.load(provider.url, orders, connections=CONNECTIONS, seconds=SECONDS)
    searched, ordered = search.require(200).per_second, order.require(201).per_second
    return [
        Row(
            f"tables, 20 of {TABLES}",
            searched,
            ready.require(200).per_second,
            "/s",
            f"a ready answer; p99 {search.p99:.0f} ms",
        ),
        Row("order a table", ordered, empty.require(201).per_second, "/s", f"an empty POST; p99 {order.p99:.0f} ms"),
    ]


async def messages(context: Context) -> list[Row]:
    """Orders that wait in the outbox, until the last is at the front desk and the last mail is out."""
    async with context.database("provider") as url, context.database("dashboard") as desk_url:
        orders = orders_of(await insert_tables(url))
        async with context.provider(url, PROVIDER_OUTBOX_SECONDS="0") as provider:
            waiting = await context.load(
                provider.url, orders, connections=CONNECTIONS, seconds=600, requests_in_all=ORDERS
            )
            count = waiting.require(201).requests
        async with context.dashboard(desk_url) as desk:
            environment = {"PROVIDER_OUTBOX_SECONDS": "1", "PROVIDER_ACCOUNTING_URL": f"{desk.url}/front-desk"}
            async with context.provider(url, **environment):
                began = time.perf_counter()
                arrived, sent = await asyncio.gather(
                    seconds_until(desk_url, ARRIVED, count, began), seconds_until(url, SENT, count, began)
                )
        async with context.bare() as bare:
            empty = await context.load(bare.url, [Request("POST", "/", ORDER)], connections=8, seconds=SECONDS)
    return [
        Row(
            "orders that waited reach the front desk",
            count / arrived,
            empty.require(201).per_second,
            "/s",
            "an empty POST, 8 at once; mails leave meanwhile",
        ),
        Row("their mails are out", count / sent, None, "/s", "to a mail catcher in the same process"),
    ]


async def insert_tables(url: Secret) -> list[int]:
    connection = await asyncpg.connect(url.reveal())
    rows = await connection.fetch(
        """
        INSERT INTO dining_table (table_type, seats, price, can_be_booked)
        SELECT (ARRAY['regular', 'cabin', 'room'])[1 + n % 3], 1 + n % 12, n % 90, true
          FROM generate_series(1, $1::integer) AS n
        RETURNING table_id
        """,
        TABLES,
    )
    await connection.close()
    return [row["table_id"] for row in rows]


def orders_of(tables: list[int]) -> list[Request]:
    return [Request("POST", f"/api/customer/book_table/?id={table}", ORDER) for table in tables]


async def seconds_until(url: Secret, counting: str, count: int, began: float) -> float:
    """How long it takes from `began` on until a query counts so many."""
    await until_counts(url, counting, count)
    return time.perf_counter() - began
