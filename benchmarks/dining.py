"""Dining and the front desk: listing tables, ordering one, and the throughput of order mails and of orders delivered to
the front desk."""

import asyncio
import time

from benchmarks.load import Request
from benchmarks.servers import Context, connect, wait_for_count
from benchmarks.table import Row
from common.config import Secret

TABLES = 200
CONNECTIONS = 32
SECONDS = 3.0
ORDERS = 2_000
ORDER = '{"email":"ann@example.com","name":"Ann","guests":1}'
SEARCH = "/api/customer/view_tables/?seats_min=2&limit=20"

COUNT_DELIVERED = "SELECT count(*) FROM front_desk_order"
COUNT_SENT_MAILS = "SELECT count(*) FROM outbox WHERE topic = 'mail' AND state = 'sent'"


async def run(context: Context) -> None:
    await measure_requests(context)
    await measure_messages(context)


async def measure_requests(context: Context) -> None:
    """Measure listing tables and ordering one, beside a prepared response and an empty POST."""
    async with context.database("provider") as url:
        orders = order_requests(await insert_tables(url))
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
            found, limit = search.require(200).per_second, ready.require(200).per_second
            note = f"a prepared response; p99 {search.p99:.0f} ms"
            context.add_row(Row(f"list tables, 20 of {TABLES}", found, limit, "/s", note))
            order = await context.load(provider.url, orders, connections=CONNECTIONS, seconds=SECONDS)
    ordered, limit = order.require(201).per_second, empty.require(201).per_second
    context.add_row(Row("order a table", ordered, limit, "/s", f"an empty POST; p99 {order.p99:.0f} ms"))


async def measure_messages(context: Context) -> None:
    """Measure sending the orders that wait in the outbox, until the last order is delivered and the last mail sent."""
    async with context.database("provider") as url, context.database("dashboard") as desk_url:
        orders = order_requests(await insert_tables(url))
        async with context.provider(url, PROVIDER_OUTBOX_SECONDS="0") as provider:
            queued = await context.load(provider.url, orders, connections=CONNECTIONS, seconds=600, max_requests=ORDERS)
            count = queued.require(201).requests
        async with context.dashboard(desk_url) as desk:
            environment = {"PROVIDER_OUTBOX_SECONDS": "1", "PROVIDER_ACCOUNTING_URL": f"{desk.url}/front-desk"}
            async with context.provider(url, **environment):
                began = time.perf_counter()
                delivery_seconds, mail_seconds = await asyncio.gather(
                    seconds_until(desk_url, COUNT_DELIVERED, count, began),
                    seconds_until(url, COUNT_SENT_MAILS, count, began),
                )
        async with context.bare() as bare:
            empty = await context.load(bare.url, [Request("POST", "/", ORDER)], connections=8, seconds=SECONDS)
    limit = empty.require(201).per_second
    note = "an empty POST, 8 connections; mails are sent at the same time"
    context.add_row(Row("queued orders delivered to the front desk", count / delivery_seconds, limit, "/s", note))
    context.add_row(Row("their mails sent", count / mail_seconds, None, "/s", "to the demo inbox in the same process"))


async def insert_tables(url: Secret) -> list[int]:
    """Insert `TABLES` tables; returns their ids."""
    connection = await connect(url)
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


def order_requests(table_ids: list[int]) -> list[Request]:
    return [Request("POST", f"/api/customer/book_table/?id={table_id}", ORDER) for table_id in table_ids]


async def seconds_until(url: Secret, query: str, count: int, began: float) -> float:
    """Wait until a query returns `count`; returns the seconds since `began`."""
    await wait_for_count(url, query, count)
    return time.perf_counter() - began
