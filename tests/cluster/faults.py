"""`python -m tests.cluster.faults`: lose a worker of a Citus cluster under load, get it back, and add another.

    python -m tests.cluster.faults --database postgresql://postgres@127.0.0.1:5432/provider \\
        --kill 'kill -9 …' --restart 'pg_ctl … start' --add 'psql … -c "SELECT citus_add_node(…)"'

It serves the provider on an empty database, distributed by `python -m provider distribute`, and sends events and
reservations without a pause. Meanwhile it runs the three commands, and then moves shards to the worker that was added.
At the end every event and every reservation that was acknowledged must be stored, no night may be sold twice, and the
free stretches must be equal to the recount. Exit status 1 if not.

The nodes need `synchronous_commit = on`, else PostgreSQL itself may lose what it has acknowledged.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from uuid import uuid4

import aiohttp
import asyncpg

from tests.conftest import TEST_ENVIRONMENT
from tests.support.applications import ApplicationProcess, run_process

EVENT_CLIENTS = 6
STAY_CLIENTS = 4
PROPERTIES = 200
REQUEST_SECONDS = 60.0
DAY = timedelta(days=1)


@dataclass
class Load:
    """What the clients sent, and what was acknowledged."""

    url: str
    phase: str = "before"
    is_over: bool = False
    statuses: dict[str, Counter[int | str]] = field(default_factory=dict)
    events: list[int] = field(default_factory=list)
    reservations: list[str] = field(default_factory=list)

    def note(self, what: str, status: int | str) -> None:
        self.statuses.setdefault(f"{self.phase}: {what}", Counter())[status] += 1


async def send_events(load: Load, client: aiohttp.ClientSession, ids: "count[int]") -> None:
    """Send events, each with an id of its own, one after the other."""
    while not load.is_over:
        event_id = next(ids)
        event = {
            "id": event_id,
            "hotel_id": event_id % 500 + 1,
            "event_timestamp": datetime.now(UTC).isoformat(),
            "status": 1,
            "room_id": 1,
            "night_of_stay": "2030-01-01",
        }
        try:
            async with client.post(f"{load.url}/events", json=event) as answer:
                load.note("events", answer.status)
                if answer.status in (200, 201):
                    load.events.append(event_id)
        except (aiohttp.ClientError, TimeoutError) as error:
            load.note("events", type(error).__name__)


async def send_reservations(load: Load, client: aiohttp.ClientSession, days: "count[int]") -> None:
    """Reserve nights of properties, two clients the same ones; one of them wins."""
    while not load.is_over:
        number = next(days) // 2
        wanted = {
            "property_id": f"p{number % PROPERTIES}",
            "start_date": f"{datetime.now(UTC).date() + DAY + number // PROPERTIES * DAY}",
            "nights": 1,
        }
        try:
            async with client.post(f"{load.url}/reservations", json=wanted) as answer:
                load.note("reservations", answer.status)
                if answer.status == 200:
                    load.reservations.append((await answer.json())["reservation_id"])
        except (aiohttp.ClientError, TimeoutError) as error:
            load.note("reservations", type(error).__name__)


async def run_shell(command: str) -> None:
    """Run a command of the caller. Raises RuntimeError when it fails."""
    process = await asyncio.create_subprocess_shell(command)
    if await process.wait():
        raise RuntimeError(f"{command} ended with {process.returncode}")


async def rebalance(database: str) -> int:
    """Move shards to the node that was added, and wait for it; returns how many it then has."""
    connection = await asyncpg.connect(database)
    try:
        await connection.execute("SELECT citus_rebalance_start()")
        await connection.execute("SELECT citus_rebalance_wait()")
        return await connection.fetchval(
            """
            SELECT count(*)
              FROM pg_dist_placement
             WHERE groupid = (SELECT max(groupid) FROM pg_dist_node)
            """
        )
    finally:
        await connection.close()


async def count_lost(database: str, load: Load) -> dict[str, int]:
    """How many acknowledged events and reservations are not stored, and how many nights were sold twice."""
    connection = await asyncpg.connect(database)
    try:
        events = await connection.fetchval(
            "SELECT count(*) FROM booking_event WHERE id = ANY($1::bigint[])", load.events
        )
        reservations = await connection.fetchval(
            "SELECT count(*) FROM reservation WHERE reservation_id = ANY($1::uuid[])", load.reservations
        )
        twice = await connection.fetchval(
            """
            SELECT count(*)
              FROM (SELECT 1 FROM reservation WHERE cancelled_at IS NULL GROUP BY property_id, arrival
                    HAVING count(*) > 1) AS sold
            """
        )
    finally:
        await connection.close()
    return {
        "events lost": len(load.events) - events,
        "reservations lost": len(load.reservations) - reservations,
        "nights sold twice": twice,
    }


async def create_properties(database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        await connection.execute(
            "SELECT create_property('p' || i, 'a hut', 0::smallint, NULL, NULL, NULL) FROM generate_series(0, $1) AS i",
            PROPERTIES - 1,
        )
    finally:
        await connection.close()


async def run_phases(load: Load, arguments: argparse.Namespace) -> None:
    """Name the phases of the load, and cause the faults between them."""
    await asyncio.sleep(arguments.seconds)
    load.phase = "worker down"
    await run_shell(arguments.kill)
    await asyncio.sleep(arguments.seconds)
    await run_shell(arguments.restart)
    load.phase = "worker back"
    await asyncio.sleep(arguments.seconds)
    load.phase = "worker added"
    await run_shell(arguments.add)
    print(f"shards moved to the new worker: {await rebalance(arguments.database)}")
    load.phase = "after"
    await asyncio.sleep(arguments.seconds)
    load.is_over = True


async def run(arguments: argparse.Namespace) -> int:
    environment = {**TEST_ENVIRONMENT, "PROVIDER_DATABASE_URL": arguments.database, "NIGHTAUDIT_DEMO": "1"}
    done = run_process("provider", "distribute", environment=environment)
    print(done.stdout, end="")
    if done.returncode:
        raise RuntimeError(done.stderr)
    await create_properties(arguments.database)
    with tempfile.TemporaryDirectory(prefix="nightaudit-faults-") as folder:
        provider = ApplicationProcess("provider", environment, Path(folder))
        await asyncio.to_thread(provider.start)
        load = Load(provider.url)
        headers = {"Authorization": f"Bearer {uuid4()}"}
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
        ids, days = count(int(time.time()) * 1_000_000), count()
        try:
            async with aiohttp.ClientSession(headers=headers, timeout=timeout) as client:
                await asyncio.gather(
                    run_phases(load, arguments),
                    *(send_events(load, client, ids) for _ in range(EVENT_CLIENTS)),
                    *(send_reservations(load, client, days) for _ in range(STAY_CLIENTS)),
                )
        finally:
            provider.kill()
    for name, statuses in load.statuses.items():
        print(f"{name}: {', '.join(f'{number} x {status}' for status, number in statuses.most_common())}")
    print(f"acknowledged: {len(load.events)} events, {len(load.reservations)} reservations")
    lost = await count_lost(arguments.database, load)
    print(", ".join(f"{what}: {number}" for what, number in lost.items()))
    audit = run_process("provider", "audit", environment=environment)
    print(audit.stdout, end="")
    return 1 if any(lost.values()) or audit.returncode else 0


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.cluster.faults", description="lose and add workers under load"
    )
    parser.add_argument("--database", required=True, metavar="URL", help="an empty database on the coordinator")
    parser.add_argument("--kill", required=True, metavar="COMMAND", help="kills a worker")
    parser.add_argument("--restart", required=True, metavar="COMMAND", help="starts it again")
    parser.add_argument("--add", required=True, metavar="COMMAND", help="adds another worker to the database")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each phase (default 10)")
    return asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
