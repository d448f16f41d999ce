"""The dashboard's bookings on a Citus cluster, beside a database on one of its nodes; needs NIGHTAUDIT_TEST_CITUS."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta

import asyncpg

from benchmarks.load import Request
from benchmarks.servers import MIGRATIONS, Context
from benchmarks.table import Row
from common.config import Secret
from common.db.migrate import migrate
from dashboard.bookings.decoding import BookingEvent
from dashboard.bookings.feed_reader import EVENTS_PER_PAGE
from dashboard.bookings.queries.ledger import LedgerFeed, insert_events
from dashboard.distribution import DISTRIBUTION
from tests.support.citus import CitusCluster, cluster_of_environment

HOTELS = 100
PAGES = 10
TURNS = 5
SECONDS = 1.0
AT_MOST_THREE_TIMES_AS_SLOW = ">= 0.33"
LIMIT = "the same on one node"


async def run(context: Context) -> None:
    cluster = cluster_of_environment()
    assert cluster is not None
    async with (
        database(cluster, "nightaudit_bench_one_node", is_distributed=False) as one_node,
        database(cluster, "nightaudit_bench_cluster", is_distributed=True) as spread,
    ):
        await measure_counting(context, one_node, spread)
        await measure_reading(context, one_node, spread)


@asynccontextmanager
async def database(cluster: CitusCluster, name: str, *, is_distributed: bool) -> AsyncIterator[Secret]:
    """An empty, migrated database of the dashboard, over all nodes or on the coordinator alone; dropped on exit."""
    await cluster.create(name)
    try:
        url = Secret(cluster.url(name))
        await migrate(url, MIGRATIONS["dashboard"])
        if is_distributed:
            await cluster.distribute(name, DISTRIBUTION)
        yield url
    finally:
        await cluster.drop(name)


def page_of_events(page: int) -> list[BookingEvent]:
    """A page of events of all hotels, one a minute."""
    start = datetime(2020, 1, 1, tzinfo=UTC)
    first = page * EVENTS_PER_PAGE + 1
    return [
        BookingEvent(
            number,
            1 + number % HOTELS,
            start + timedelta(minutes=number),
            1 if number % 5 else 2,
            1 + number % 5000,
            date(2020, 1, 1) + timedelta(days=number // 1440 + number % 90),
        )
        for number in range(first, first + EVENTS_PER_PAGE)
    ]


async def measure_counting(context: Context, one_node: Secret, spread: Secret) -> None:
    """Measure the storing and counting of pages, in turn on one node and on the cluster."""
    connections = {url: await asyncpg.connect(url.reveal()) for url in (one_node, spread)}
    seconds = dict.fromkeys(connections, 0.0)
    for page in range(PAGES):
        events = page_of_events(page)
        for url, connection in connections.items():
            started = time.perf_counter()
            async with connection.transaction():
                await insert_events(connection, LedgerFeed(1, "UTC"), events)
            seconds[url] += time.perf_counter() - started
    for connection in connections.values():
        await connection.close()
    events_of_all = PAGES * EVENTS_PER_PAGE
    ours, limit = events_of_all / seconds[spread], events_of_all / seconds[one_node]
    name = f"on a cluster: counting pages of {EVENTS_PER_PAGE:,}"
    context.add_row(Row(name, ours, limit, "events/s", LIMIT, AT_MOST_THREE_TIMES_AS_SLOW))


async def measure_reading(context: Context, one_node: Secret, spread: Secret) -> None:
    """Measure months and days of the hotels, with one client and with eight, in turn on one node and on the cluster."""
    async with context.dashboard(one_node) as alone, context.dashboard(spread) as distributed:
        for period in ("month", "day"):
            requests = [
                Request("GET", f"/dashboard?hotel_id={hotel}&period={period}&year=2020")
                for hotel in range(1, HOTELS + 1)
            ]
            for connections in (1, 8):
                figures = {alone.url: 0.0, distributed.url: 0.0}
                for turn in range(-1, TURNS):  # the first warms up: connections to the nodes open at their first use
                    for url in figures:
                        result = await context.load(url, requests, connections=connections, seconds=SECONDS)
                        result.require(200)
                        figures[url] += result.per_second / TURNS if turn >= 0 else 0
                name = f"on a cluster: GET /dashboard by {period}, {connections} at once"
                ours, limit = figures[distributed.url], figures[alone.url]
                context.add_row(Row(name, ours, limit, "/s", LIMIT, AT_MOST_THREE_TIMES_AS_SLOW))
