"""`python -m benchmarks.cluster`: the provider's statements on a Citus cluster, beside those on one node.

    python -m benchmarks.cluster --one-node postgresql://…/one --cluster postgresql://…/spread

Both databases are empty, and on the same server, the coordinator: so a ratio is what the cluster costs, not what its
machines add. Each figure is measured twice in turn in both.
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import asyncpg

from benchmarks.table import Row, format_heading, format_row
from common.config import Secret
from common.db.distribution import DEFAULT_SHARDS, distribute, is_distributed
from common.db.migrate import migrate
from common.db.pool import BoundedPool, create_pool
from common.telemetry.logging import configure_logging
from provider.app import MIGRATIONS
from provider.booking_events import queries as events
from provider.booking_events.inputs import EventInput, EventsQuery
from provider.booking_events.service import EventWriter
from provider.distribution import DISTRIBUTION
from provider.stays.inputs.reservations import ReservationInput
from provider.stays.jobs import SEGMENT_PROPERTIES
from provider.stays.queries import free_stretches, storefront

CLIENTS = (1, 8)
FIRST_NIGHT = date(2028, 1, 1)
ALTERNATIVES = [FIRST_NIGHT + timedelta(days=number) for number in range(28)]

ROUTED, FAN_OUT = ">= 0.33", ">= 0.12"
"""Within 3 times and 8 times of one node."""

Work = Callable[[], Awaitable[object]]


async def works(db: BoundedPool, properties: int, stored_events: int) -> Mapping[str, tuple[str, Work]]:
    """What is measured: a name, the required ratio, and one call."""
    writer = EventWriter(db)
    reader = events.LineReader(db, await is_distributed(db, "booking_event"))
    holder = uuid4()

    def a_property() -> str:
        return f"p{random.randrange(properties):09}"

    def a_night() -> date:
        return FIRST_NIGHT + timedelta(days=random.randrange(300))

    async def post() -> None:
        night = a_night()
        event = EventInput.model_construct(
            id=None,
            hotel_id=random.randrange(1, 10_000),
            event_timestamp=datetime.now(UTC),
            status=1,
            room_id="5",
            night_of_stay=night,
        )
        await writer.store(event)

    async def reserve() -> None:
        request = ReservationInput.model_construct(property_id=a_property(), start_date=a_night(), nights=2)
        await storefront.insert_reservation(db, request, holder, rooms=False)

    async def calendar() -> None:
        await storefront.select_calendar(db, a_property(), FIRST_NIGHT, FIRST_NIGHT + timedelta(days=60))

    async def search() -> None:
        await storefront.select_available(db, a_night(), 2, a_property(), 101)

    async def alternatives() -> None:
        await storefront.select_available_start_dates(db, ALTERNATIVES, 3)

    async def read_event() -> None:
        await events.select_event(db, random.randrange(1, stored_events))

    async def read_page() -> None:
        await events.select_page(reader, EventsQuery(hotel_id=random.randrange(1, 100)), "json", None, 101)

    return {
        "GET /events/{id}": (ROUTED, read_event),
        "POST /events": (ROUTED, post),
        "reserve": (ROUTED, reserve),
        "calendar of 60 nights": (ROUTED, calendar),
        "search, page of 100": (FAN_OUT, search),
        "28 alternatives, all free": (FAN_OUT, alternatives),
        "GET /events, page of 100 of a hotel": (FAN_OUT, read_page),
    }


async def fill(url: Secret, properties: int, stored_events: int) -> None:
    """Insert properties and events, and split the segments as the job does."""
    connection = await asyncpg.connect(url.reveal())
    try:
        await connection.execute(
            "INSERT INTO property (property_id, description)"
            " SELECT 'p' || lpad(i::text, 9, '0'), 'Somewhere to sleep' FROM generate_series(0, $1::bigint - 1) AS i",
            properties,
        )
        await connection.execute(
            "INSERT INTO booking_event (id, hotel_id, event_timestamp, status, room_id, night_of_stay)"
            " SELECT i, 1 + i % 99, '2027-01-01T00:00Z'::timestamptz + i * interval '1 second', 1, '7', '2027-06-01'"
            " FROM generate_series(1, $1::bigint) AS i",
            stored_events,
        )
        left = properties
        while left > SEGMENT_PROPERTIES:
            target = await free_stretches.select_new_segment(connection)
            async with connection.transaction():
                await free_stretches.move_to_segment(connection, 0, target, SEGMENT_PROPERTIES)
            left -= SEGMENT_PROPERTIES
        await connection.execute("UPDATE property_segment SET moved_at = '-infinity'")
    finally:
        await connection.close()


async def measure(work: Work, clients: int, seconds: float) -> float:
    """Calls per second."""
    await work()
    calls = 0
    end = time.perf_counter() + seconds

    async def call() -> None:
        nonlocal calls
        while time.perf_counter() < end:
            await work()
            calls += 1

    began_at = time.perf_counter()
    await asyncio.gather(*(call() for _ in range(clients)))
    return calls / (time.perf_counter() - began_at)


async def run(arguments: argparse.Namespace) -> int:
    """Fill both databases, measure both in turn, and print the rows; the exit status is 1 if a target is missed."""
    urls = (Secret(arguments.cluster), Secret(arguments.one_node))
    for url in urls:
        await migrate(url, MIGRATIONS)
    for url in urls:
        await fill(url, arguments.properties, arguments.events)
    await distribute(urls[0], DISTRIBUTION, arguments.shards)
    missed = False
    async with AsyncExitStack() as stack:
        both = []
        for url in urls:
            connection = await asyncpg.connect(url.reveal())
            await connection.execute("VACUUM (ANALYZE) property, free_stretch, booking_event")
            await connection.close()
            pool = await stack.enter_async_context(create_pool(url, application="benchmark"))
            both.append(await works(pool, arguments.properties, arguments.events))
        print(format_heading(), flush=True)
        for name, (target, _) in both[0].items():
            for clients in CLIENTS:
                ours, limit = 0.0, 0.0
                for _ in range(2):
                    ours += await measure(both[0][name][1], clients, arguments.seconds) / 2
                    limit += await measure(both[1][name][1], clients, arguments.seconds) / 2
                row = Row(f"{name}, {clients} clients", ours, limit, "/s", "limit: one node", target)
                print(format_row(row), flush=True)
                missed = missed or row.met is False
    return 1 if missed else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description="a cluster beside one node")
    parser.add_argument("--one-node", required=True, metavar="URL", help="an empty database without Citus")
    parser.add_argument("--cluster", required=True, metavar="URL", help="an empty database of the coordinator")
    parser.add_argument("--shards", type=int, default=DEFAULT_SHARDS, metavar="N")
    parser.add_argument("--properties", type=int, default=20_000, metavar="N")
    parser.add_argument("--events", type=int, default=50_000, metavar="N")
    parser.add_argument("--seconds", type=float, default=3.0, metavar="N", help="length of each measurement")
    return asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    configure_logging(level="warning")  # to standard error: standard output is the table
    sys.exit(main())
