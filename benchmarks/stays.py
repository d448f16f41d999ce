"""The storefront: a page of the search at any number of reservations, reserving, and a race over three processes."""

import asyncio
import random
import sys
import time
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import asyncpg
from quart import Quart

from benchmarks.load import Measured, Request
from benchmarks.servers import Context
from benchmarks.table import Row
from common.config import Secret
from common.web.pagination import encode_cursor
from provider.stays.inputs import ReservationInput
from provider.stays.queries import storefront

CLIENTS = 100
SECONDS = 10.0
BARE_CONNECTIONS = 10
STAYS_EACH = 100

RACE_ATTEMPTS = 100_000
RACE_PROPERTIES = 50
RACE_PROCESSES = 3
RACE_CLIENTS = 50
"""Of each process; its server ends a connection after 1,000 requests."""

TOKEN = {"Authorization": "Bearer 0197a2b4-5c6d-7e8f-9a0b-1c2d3e4f5a6b"}
NOBODY = UUID(int=0)

PAST = timedelta(days=730)
TAKEN = 0.7
"""How the stays of a property lie: one in 7 of 10 slots of 8 days, of 1 to 7 nights, anywhere in its slot; the first
two years of them are over. Drawn by a hash, so they are the same in every run."""


async def run(context: Context) -> list[Row]:
    """Everything at `context.rows` reservations, then the race on a database of its own."""
    rows: list[Row] = []
    today = datetime.now(UTC).date()
    async with context.database("provider") as url:
        properties = context.rows // STAYS_EACH
        started = time.perf_counter()
        await fill(url, properties, STAYS_EACH, today)
        print(f"stays: {context.rows:,} reservations loaded in {time.perf_counter() - started:.0f} s", file=sys.stderr)
        for name, size in await sizes(url):
            rows.append(Row(f"{name}, {context.rows:,} reservations", size / 2**20, None, "MiB"))
        rows += await search(context, url, properties, today)
        rows += await reserve(context, url, properties, today)
    rows.append(await race(context, today))
    return rows


def name_of(number: int) -> str:
    return f"p{number:09}"


def wishes(count: int, properties: int, today: date, seed: int) -> list[tuple[str, date, int]]:
    """Property, arrival and nights, drawn at random but the same in every run."""
    chance = random.Random(seed)
    return [
        (name_of(chance.randrange(properties)), today + timedelta(days=chance.randrange(300)), chance.randint(1, 7))
        for _ in range(count)
    ]


async def search(context: Context, url: Secret, properties: int, today: date) -> list[Row]:
    """Pages from anywhere in the list, for nights of the coming year."""
    places = wishes(2_000, properties, today, seed=1)
    async with Quart(__name__).test_request_context("/properties/available"):  # cursors are sealed for their path
        requests = [
            Request(
                "GET",
                f"/properties/available?start_date={arrival}&nights={nights}&limit=100&cursor={encode_cursor(after)}",
                headers=TOKEN,
            )
            for after, arrival, nights in places
        ]
    async with context.provider(url) as provider, context.bare() as bare:
        await context.load(provider.url, requests, connections=10, seconds=3)
        alone = (await context.load(provider.url, requests, connections=1, seconds=SECONDS / 2)).require(200)
        crowd = (await context.load(provider.url, requests, connections=CLIENTS, seconds=SECONDS)).require(200)
        ready = Request("GET", f"/ready/{crowd.bytes // crowd.requests}")
        ceiling = await context.load(bare.url, [ready], connections=CLIENTS, seconds=SECONDS / 2)
    statement = await bare_search(url, places)
    note = f"{context.rows:,} reservations"
    return [
        Row("search, page of 100, 100 clients", crowd.per_second, ceiling.per_second, "requests/s",
            f"{note}; limit: the framework's ready answer of that size"),
        Row("search, page of 100, 100 clients", crowd.per_second, statement, "requests/s",
            f"{note}; limit: the bare statement, {BARE_CONNECTIONS} connections"),
        Row("search, page of 100, 100 clients, p99", crowd.p99, 50, "ms", f"{note}; p50 {crowd.p50:.1f} ms", "<= 1"),
        Row("search, page of 100, 1 client, p99", alone.p99, None, "ms", f"{note}; p50 {alone.p50:.2f} ms"),
    ]  # fmt: skip


async def bare_search(url: Secret, places: list[tuple[str, date, int]]) -> float:
    """The search's own statement without HTTP: pages a second."""
    pool = asyncpg.create_pool(url.reveal(), min_size=BARE_CONNECTIONS, max_size=BARE_CONNECTIONS)
    async with pool:
        deadline = time.perf_counter() + SECONDS / 2

        async def client(number: int) -> int:
            done = 0
            while time.perf_counter() < deadline:
                after, arrival, nights = places[(number * 97 + done) % len(places)]
                await storefront.select_available(pool, arrival, nights, after, 101)
                done += 1
            return done

        return sum(await asyncio.gather(*map(client, range(BARE_CONNECTIONS)))) / (SECONDS / 2)


def reserve_request(wish: tuple[str, date, int]) -> Request:
    property_id, arrival, nights = wish
    body = f'{{"property_id":"{property_id}","start_date":"{arrival}","nights":{nights}}}'
    return Request("POST", "/reservations", body, TOKEN)


async def reserve(context: Context, url: Secret, properties: int, today: date) -> list[Row]:
    """100 clients that reserve anywhere, then on ten properties alone."""
    spread = [reserve_request(wish) for wish in wishes(50_000, properties, today, seed=2)]
    hot = [reserve_request(wish) for wish in wishes(20_000, 10, today, seed=3)]
    async with context.provider(url) as provider, context.bare() as bare:
        anywhere = (await context.load(provider.url, spread, connections=CLIENTS, seconds=SECONDS)).require(200, 409)
        crowded = (await context.load(provider.url, hot, connections=CLIENTS, seconds=SECONDS)).require(200, 409)
        empty = Request("POST", "/", spread[0].body)
        ceiling = await context.load(bare.url, [empty], connections=CLIENTS, seconds=SECONDS / 2)
    statement = await bare_reserve(url, wishes(50_000, properties, today, seed=4))
    note = f"{context.rows:,} reservations"
    return [
        Row("reserve, 100 clients, any property", anywhere.per_second, ceiling.per_second, "requests/s",
            f"{note}; {share(anywhere)} won; p99 {anywhere.p99:.0f} ms; limit: an empty POST", ">= 0.5"),
        Row("reserve, 100 clients, 10 properties", crowded.per_second, ceiling.per_second, "requests/s",
            f"{note}; {share(crowded)} won; p99 {crowded.p99:.0f} ms; limit: an empty POST", ">= 0.5"),
        Row("reserve, 100 clients, any property", anywhere.per_second, statement, "requests/s",
            f"{note}; limit: the bare statement, {BARE_CONNECTIONS} connections"),
    ]  # fmt: skip


def share(measured: Measured) -> str:
    return f"{measured.statuses.get(200, 0) / measured.requests:.0%}"


async def bare_reserve(url: Secret, places: list[tuple[str, date, int]]) -> float:
    """The statement that reserves without HTTP: attempts a second."""
    pool = asyncpg.create_pool(url.reveal(), min_size=BARE_CONNECTIONS, max_size=BARE_CONNECTIONS)
    async with pool:
        todo = iter(places)
        deadline = time.perf_counter() + SECONDS / 2

        async def client() -> int:
            done = 0
            for property_id, arrival, nights in todo:
                if time.perf_counter() > deadline:
                    break
                wanted = ReservationInput.model_construct(property_id=property_id, start_date=arrival, nights=nights)
                await storefront.insert_reservation(pool, wanted, NOBODY, rooms=False)
                done += 1
            return done

        started = time.perf_counter()
        done = sum(await asyncio.gather(*(client() for _ in range(BARE_CONNECTIONS))))
        return done / (time.perf_counter() - started)


async def race(context: Context, today: date) -> Row:
    """100,000 attempts on a few properties over three processes. Raises where a night is sold twice, or worse."""
    async with context.database("provider") as url:
        await fill(url, RACE_PROPERTIES, 0, today)
        attempts = [reserve_request(wish) for wish in wishes(RACE_ATTEMPTS, RACE_PROPERTIES, today, seed=5)]
        async with context.provider(url) as one, context.provider(url) as two, context.provider(url) as three:
            results = await asyncio.gather(*(
                context.load(process.url, attempts[number::RACE_PROCESSES], connections=RACE_CLIENTS,
                             seconds=600, requests_in_all=len(attempts[number::RACE_PROCESSES]))
                for number, process in enumerate((one, two, three))
            ))  # fmt: skip
        won = sum(result.require(200, 409).statuses.get(200, 0) for result in results)
        doubles, stored, deadlocks = await audit(url)
        attempted = sum(result.requests for result in results)
        if (attempted, doubles, deadlocks, stored) != (RACE_ATTEMPTS, 0, 0, won):
            raise ValueError(
                f"{attempted} attempts, {won} won, {stored} stored, {doubles} doubles, {deadlocks} deadlocks"
            )
        return Row(
            f"race: {RACE_ATTEMPTS:,} attempts, {RACE_PROPERTIES} properties, {RACE_PROCESSES} processes",
            attempted / max(result.seconds for result in results),
            None,
            "requests/s",
            f"{won:,} won; 0 nights sold twice, 0 deadlocks, 0 5xx; p99 {max(result.p99 for result in results):.0f} ms",
        )


async def audit(url: Secret) -> tuple[int, int, int]:
    """Nights sold more than once, counted one by one; stored reservations; PostgreSQL's own count of deadlocks."""
    connection = await asyncpg.connect(url.reveal())
    try:
        doubles = await connection.fetchval(
            """
            SELECT count(*)
              FROM (SELECT property_id, night
                      FROM reservation, generate_series(0, departure - arrival - 1) AS night_number,
                           LATERAL (SELECT arrival + night_number AS night) AS nights
                     WHERE cancelled_at IS NULL
                     GROUP BY property_id, night
                    HAVING count(*) > 1) AS twice
            """
        )
        stored = await connection.fetchval("SELECT count(*) FROM reservation")
        await connection.execute("SELECT pg_stat_force_next_flush()")
        deadlocks = await connection.fetchval(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        )
    finally:
        await connection.close()
    return doubles, stored, deadlocks


async def fill(url: Secret, properties: int, stays_each: int, today: date) -> None:
    """Properties p000000000 … with about so many stays each."""
    connection = await asyncpg.connect(url.reveal())
    try:
        await connection.execute("SET maintenance_work_mem = '1GB'")
        await connection.execute("SET session_replication_role = replica")  # no triggers, no foreign keys
        await connection.execute(
            """
            INSERT INTO property (property_id, description)
            SELECT 'p' || lpad(number::text, 9, '0'), 'Somewhere to sleep, number ' || number
              FROM generate_series(0, $1::bigint - 1) AS number
            """,
            properties,
        )
        if stays_each:
            await fill_reservations(connection, properties, stays_each, today)
        await connection.execute("VACUUM (ANALYZE) property, reservation")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def fill_reservations(connection: asyncpg.Connection, properties: int, stays_each: int, today: date) -> None:
    """The rows while no index listens, then all indexes at once.

    A constraint that is added to rows looks each of them up, which takes an hour for 100 million. VACUUM FULL builds
    its index without, as the rows were right before; these are right since a slot holds one stay.
    """
    started = time.perf_counter()
    ready = "UPDATE pg_index SET indisready = $1 WHERE indrelid = 'reservation'::regclass"
    await connection.execute(ready, False)
    slots = round(stays_each / TAKEN)
    step = max(1, 1_000_000 // slots)
    for first in range(0, properties, step):
        await connection.execute(
            """
            INSERT INTO reservation (property_id, arrival, departure, free_from)
            SELECT property_id, arrival, arrival + nights, arrival + nights
              FROM (SELECT 'p' || lpad(number::text, 9, '0') AS property_id,
                           $3::date + slot * 8 + (chance / 7 % (9 - nights))::integer AS arrival,
                           nights
                      FROM generate_series($1::bigint, $2) AS number,
                           generate_series(0, $4::integer - 1) AS slot,
                           LATERAL (SELECT abs(hashint8extended(number * 100000 + slot, 1) / 2)) AS drawn (chance),
                           LATERAL (SELECT (1 + chance % 7)::integer) AS length (nights)
                     WHERE chance / 1000 % 10 < 7) AS stay
            """,
            first,
            min(first + step, properties) - 1,
            today - PAST,
            slots,
        )
    rows = time.perf_counter() - started
    await connection.execute(ready, True)
    await connection.execute("VACUUM FULL reservation")
    indexes = time.perf_counter() - started - rows
    print(f"  rows {rows:.0f} s, indexes {indexes:.0f} s", file=sys.stderr, flush=True)


async def sizes(url: Secret) -> list[tuple[str, int]]:
    """The table of reservations and each of its indexes, in bytes."""
    connection = await asyncpg.connect(url.reveal())
    try:
        rows = await connection.fetch(
            """
            SELECT relname, pg_relation_size(oid) AS size
              FROM pg_class
             WHERE oid = 'reservation'::regclass
                OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = 'reservation'::regclass)
             ORDER BY relkind DESC, relname
            """
        )
    finally:
        await connection.close()
    return [(row["relname"], row["size"]) for row in rows]
