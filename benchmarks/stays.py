"""The storefront: searching and reserving among many reservations, and a race over three processes."""

import asyncio
import random
import sys
import time
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import asyncpg
from quart import Quart

from benchmarks.load import LoadResult, Request
from benchmarks.servers import Context, connect
from benchmarks.table import Row
from common.config import Secret
from common.web.pagination import encode_cursor
from provider.stays.audit import find_differences
from provider.stays.inputs.reservations import ReservationInput
from provider.stays.jobs import SEGMENT_PROPERTIES
from provider.stays.queries import storefront

CLIENTS = 100
SECONDS = 10.0
STATEMENT_CONNECTIONS = 10
STATEMENT_NOTE = f"limit: the statement alone, {STATEMENT_CONNECTIONS} connections"
STAYS_EACH = 100

RACE_ATTEMPTS = 100_000
RACE_PROPERTIES = 50
RACE_PROCESSES = 3
RACE_CLIENTS = 50
"""Connections to each process; the server closes a connection after 1,000 requests."""

TOKEN = {"Authorization": "Bearer 0197a2b4-5c6d-7e8f-9a0b-1c2d3e4f5a6b"}
ADMIN_TOKEN = "a-token-of-an-administrator-of-the-benchmark"
ADMIN = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
OWNER = UUID(int=0)

LEAD = timedelta(days=7)
"""The provider rejects nights that are in the past when it is asked, which may be a day after the run began."""

PAST = timedelta(days=730)
OCCUPANCY = 0.7
"""7 of 10 slots of 8 days hold a stay of 1 to 7 nights, anywhere in the slot; the slots begin `PAST` before the first
requested night. A hash decides, so the stays are the same in every run."""


Stay = tuple[str, date, int]
"""Property, arrival and nights."""


async def run(context: Context) -> None:
    """Measure searching and reserving among `context.rows` reservations, then the race in a separate database."""
    first_night = first_requested_night(datetime.now(UTC))
    async with context.database("provider") as url:
        properties = context.rows // STAYS_EACH
        started = time.perf_counter()
        await fill(url, properties, STAYS_EACH, first_night)
        print(f"stays: {context.rows:,} reservations loaded in {time.perf_counter() - started:.0f} s", file=sys.stderr)
        for name, size in await sizes(url):
            context.add_row(Row(f"{name}, {context.rows:,} reservations", size / 2**20, None, "MiB"))
        await measure_search(context, url, properties, first_night)
        await measure_reservations(context, url, properties, first_night)
    await race(context, first_night)


def first_requested_night(now: datetime) -> date:
    """Return the earliest night to request; it must still be in the future at the end of the run."""
    return now.date() + LEAD


def property_id(number: int) -> str:
    return f"p{number:09}"


def random_stays(count: int, properties: int, first_night: date, seed: int) -> list[Stay]:
    """Return stays that begin within 300 days from `first_night` on; the same for the same seed."""
    rng = random.Random(seed)
    return [
        (property_id(rng.randrange(properties)), first_night + timedelta(days=rng.randrange(300)), rng.randint(1, 7))
        for _ in range(count)
    ]


async def measure_search(context: Context, url: Secret, properties: int, first_night: date) -> None:
    """Measure pages from anywhere in the list, for nights of the coming year."""
    stays = random_stays(2_000, properties, first_night, seed=1)
    async with Quart(__name__).test_request_context("/properties/available"):  # a cursor is valid for one path
        requests = [
            Request(
                "GET",
                f"/properties/available?start_date={arrival}&nights={nights}&limit=100&cursor={encode_cursor(after)}",
                headers=TOKEN,
            )
            for after, arrival, nights in stays
        ]
    async with context.provider(url) as provider, context.bare() as bare:
        await context.load(provider.url, requests, connections=10, seconds=3)
        alone = (await context.load(provider.url, requests, connections=1, seconds=SECONDS / 2)).require(200)
        crowd = (await context.load(provider.url, requests, connections=CLIENTS, seconds=SECONDS)).require(200)
        prepared = Request("GET", f"/ready/{crowd.bytes // crowd.requests}")
        limit = await context.load(bare.url, [prepared], connections=CLIENTS, seconds=SECONDS / 2)
    note = f"{context.rows:,} reservations"
    name, p99 = "search, page of 100, 100 clients", "search, page of 100, {}, p99"
    prepared_note = f"{note}; limit: a prepared response of the same size"
    context.add_row(Row(name, crowd.per_second, limit.per_second, "requests/s", prepared_note, ">= 0.45"))
    context.add_row(Row(p99.format("100 clients"), crowd.p99, 60, "ms", f"{note}; p50 {crowd.p50:.1f} ms", "<= 1"))
    context.add_row(Row(p99.format("1 client"), alone.p99, None, "ms", f"{note}; p50 {alone.p50:.2f} ms"))
    statement = await search_without_http(url, stays)
    context.add_row(Row(name, crowd.per_second, statement, "requests/s", f"{note}; {STATEMENT_NOTE}"))


async def search_without_http(url: Secret, stays: list[Stay]) -> float:
    """Run the statement of the search alone; returns pages per second."""
    pool = asyncpg.create_pool(url.reveal(), min_size=STATEMENT_CONNECTIONS, max_size=STATEMENT_CONNECTIONS)
    async with pool:
        deadline = time.perf_counter() + SECONDS / 2

        async def client(number: int) -> int:
            done = 0
            while time.perf_counter() < deadline:
                after, arrival, nights = stays[(number * 97 + done) % len(stays)]
                await storefront.select_available(pool, arrival, nights, after, 101)
                done += 1
            return done

        return sum(await asyncio.gather(*map(client, range(STATEMENT_CONNECTIONS)))) / (SECONDS / 2)


def reserve_request(stay: Stay) -> Request:
    name, arrival, nights = stay
    body = f'{{"property_id":"{name}","start_date":"{arrival}","nights":{nights}}}'
    return Request("POST", "/reservations", body, TOKEN)


async def measure_reservations(context: Context, url: Secret, properties: int, first_night: date) -> None:
    """Measure 100 clients that reserve any property, then ten properties only."""
    spread = [reserve_request(stay) for stay in random_stays(50_000, properties, first_night, seed=2)]
    hot = [reserve_request(stay) for stay in random_stays(20_000, 10, first_night, seed=3)]
    async with context.provider(url) as provider, context.bare() as bare:
        anywhere = (await context.load(provider.url, spread, connections=CLIENTS, seconds=SECONDS)).require(200, 409)
        crowded = (await context.load(provider.url, hot, connections=CLIENTS, seconds=SECONDS)).require(200, 409)
        empty = Request("POST", "/", spread[0].body)
        limit = await context.load(bare.url, [empty], connections=CLIENTS, seconds=SECONDS / 2)
    note = f"{context.rows:,} reservations"
    for place, ours in (("any property", anywhere), ("10 properties", crowded)):
        details = f"{note}; {accepted_share(ours)} accepted; p99 {ours.p99:.0f} ms; limit: an empty POST"
        name = f"reserve, 100 clients, {place}"
        context.add_row(Row(name, ours.per_second, limit.per_second, "requests/s", details, ">= 0.6"))
    statement = await reserve_without_http(url, random_stays(50_000, properties, first_night, seed=4))
    name = "reserve, 100 clients, any property"
    context.add_row(Row(name, anywhere.per_second, statement, "requests/s", f"{note}; {STATEMENT_NOTE}"))


def accepted_share(result: LoadResult) -> str:
    return f"{result.statuses.get(200, 0) / result.requests:.0%}"


async def reserve_without_http(url: Secret, stays: list[Stay]) -> float:
    """Run the statement that reserves alone; returns attempts per second."""
    pool = asyncpg.create_pool(url.reveal(), min_size=STATEMENT_CONNECTIONS, max_size=STATEMENT_CONNECTIONS)
    async with pool:
        remaining = iter(stays)
        deadline = time.perf_counter() + SECONDS / 2

        async def client() -> int:
            done = 0
            for name, arrival, nights in remaining:
                if time.perf_counter() > deadline:
                    break
                wanted = ReservationInput.model_construct(property_id=name, start_date=arrival, nights=nights)
                await storefront.insert_reservation(pool, wanted, OWNER, rooms=False)
                done += 1
            return done

        started = time.perf_counter()
        done = sum(await asyncio.gather(*(client() for _ in range(STATEMENT_CONNECTIONS))))
        return done / (time.perf_counter() - started)


def race_request(number: int, stay: Stay, rng: random.Random) -> Request:
    """A reservation, or one of every 20 times a block, a change, a cancellation, or an end of a block."""
    name, arrival, nights = stay
    night = f'"start_date":"{arrival}","nights":{nights}'
    match number % 20:
        case 3:
            return Request("POST", f"/properties/{name}/blocks", f"{{{night}}}", ADMIN)
        case 7:
            return Request("DELETE", f"/properties/{name}/blocks/{{id}}", headers=ADMIN, id_of="block_id")
        case 11:
            return Request("PATCH", "/reservations/{id}", f"{{{night}}}", TOKEN, "reservation_id")
        case 13:
            return Request("DELETE", "/reservations/{id}", headers=TOKEN, id_of="reservation_id")
        case 17:
            return Request("PATCH", f"/properties/{name}", f'{{"turnover_days":{rng.randrange(3)}}}', TOKEN)
    return reserve_request(stay)


async def race(context: Context, first_night: date) -> None:
    """Measure 100,000 attempts on a few properties over three processes.

    Blocks, changes, cancellations and changes of turnovers are among them. Raises ValueError if a night is sold twice,
    or sold and blocked, if the free stretches differ from the recount, or if there is a deadlock.
    """
    async with context.database("provider") as url:
        await fill(url, RACE_PROPERTIES, 0, first_night)
        stays = random_stays(RACE_ATTEMPTS, RACE_PROPERTIES, first_night, seed=5)
        rng = random.Random(6)
        attempts = [race_request(number // RACE_PROCESSES, stay, rng) for number, stay in enumerate(stays)]
        admin = {"PROVIDER_STAYS_ADMIN_TOKEN": ADMIN_TOKEN}
        async with (
            context.provider(url, **admin) as one,
            context.provider(url, **admin) as two,
            context.provider(url, **admin) as three,
        ):
            results = await asyncio.gather(*(
                context.load(process.url, attempts[number::RACE_PROCESSES], connections=RACE_CLIENTS,
                             seconds=600, max_requests=len(attempts[number::RACE_PROCESSES]))
                for number, process in enumerate((one, two, three))
            ))  # fmt: skip
        statuses = Counter[int]()
        for result in results:
            statuses.update(result.require(200, 201, 204, 404, 409).statuses)
        doubles, stored, deadlocks = await audit(url)
        attempted = statuses.total()
        async with asyncpg.create_pool(url.reveal(), min_size=0, max_size=1) as db:
            _, differences = await find_differences(db)
        if (attempted, doubles, deadlocks, differences) != (RACE_ATTEMPTS, 0, 0, []):
            raise ValueError(
                f"{attempted} attempts, {doubles} nights sold twice, {deadlocks} deadlocks,"
                f" free stretches that differ in {differences}"
            )
        name = f"race: {RACE_ATTEMPTS:,} attempts, {RACE_PROPERTIES} properties, {RACE_PROCESSES} processes"
        p99 = max(result.p99 for result in results)
        note = (
            f"{stored:,} reserved, {statuses[204]:,} cancelled or unblocked, {statuses[201]:,} blocked,"
            f" {statuses[409]:,} refused; 0 nights sold twice, 0 deadlocks, 0 5xx, free stretches equal to the recount;"
            f" p99 {p99:.0f} ms"
        )
        context.add_row(Row(name, attempted / max(result.seconds for result in results), None, "requests/s", note))


async def audit(url: Secret) -> tuple[int, int, int]:
    """Return the numbers of nights sold twice, or sold and blocked, of stored reservations, and of deadlocks."""
    connection = await connect(url)
    try:
        doubles = await connection.fetchval(
            """
            SELECT count(*)
              FROM (SELECT property_id, night
                      FROM (SELECT property_id, arrival AS first, departure AS until
                              FROM reservation
                             WHERE cancelled_at IS NULL
                             UNION ALL
                            SELECT property_id, min(first_night), max(end_date)
                              FROM (SELECT property_id,
                                           unnest(range_agg(daterange(first_night, end_date))) AS blocked
                                      FROM property_block
                                     GROUP BY property_id) AS united,
                                   LATERAL (SELECT lower(blocked) AS first_night, upper(blocked) AS end_date) AS ends
                             GROUP BY property_id, blocked) AS held,
                           generate_series(0, until - first - 1) AS night_number,
                           LATERAL (SELECT first + night_number AS night) AS nights
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


async def fill(url: Secret, properties: int, stays_each: int, first_night: date) -> None:
    """Insert properties p000000000 … with about `stays_each` stays each."""
    connection = await connect(url)
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
            await fill_reservations(connection, properties, stays_each, first_night)
        await fill_free_stretches(connection)
        await connection.execute("VACUUM (ANALYZE) property, reservation, free_stretch")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def fill_reservations(
    connection: asyncpg.Connection, properties: int, stays_each: int, first_night: date
) -> None:
    """Insert the rows while the indexes are disabled, then build all indexes at once.

    Adding the exclusion constraint to filled tables checks every row, which takes an hour for 100 million. VACUUM FULL
    builds its index without that check; the rows satisfy the constraint because a slot holds at most one stay.
    """
    started = time.perf_counter()
    ready = "UPDATE pg_index SET indisready = $1 WHERE indrelid = 'reservation'::regclass"
    await connection.execute(ready, False)
    slots = round(stays_each / OCCUPANCY)
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
            first_night - PAST,
            slots,
        )
    rows = time.perf_counter() - started
    await connection.execute(ready, True)
    await connection.execute("VACUUM FULL reservation")
    indexes = time.perf_counter() - started - rows
    print(f"  rows {rows:.0f} s, indexes {indexes:.0f} s", file=sys.stderr, flush=True)


async def fill_free_stretches(connection: asyncpg.Connection) -> None:
    """Compute the free stretches of properties without turnover, blocks and rooms, and the segments of their ids."""
    await connection.execute("TRUNCATE property_segment")
    await connection.execute(
        """
        INSERT INTO property_segment (segment, first_id, moved_at)
        SELECT number / $1, CASE WHEN number = 0 THEN '' ELSE property_id END, '-infinity'
          FROM (SELECT property_id, row_number() OVER (ORDER BY property_id)::integer - 1 AS number
                  FROM property) AS each
         WHERE number % $1 = 0
        """,
        SEGMENT_PROPERTIES,
    )
    # Without the indexes, which are built faster at once.
    await connection.execute("ALTER TABLE free_stretch DROP CONSTRAINT free_stretch_pkey")
    indexes = await connection.fetch(
        "SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition FROM pg_index"
        " WHERE indrelid = 'free_stretch'::regclass"
    )
    for index in indexes:
        await connection.execute(f"DROP INDEX {index['name']}")
    await connection.execute(
        """
        INSERT INTO free_stretch (property_id, first_night, end_date, segment)
        SELECT property_id, first, until, number / $1
          FROM (SELECT property_id, row_number() OVER (ORDER BY property_id)::integer - 1 AS number
                  FROM property) AS each
         CROSS JOIN LATERAL (
                   SELECT '1900-01-01'::date AS first,
                          coalesce((SELECT min(arrival) FROM reservation AS stay
                                     WHERE stay.property_id = each.property_id AND cancelled_at IS NULL),
                                   '2200-01-01') AS until
                    UNION ALL
                   SELECT free_from, lead(arrival, 1, '2200-01-01') OVER (ORDER BY arrival)
                     FROM reservation AS stay
                    WHERE stay.property_id = each.property_id
                      AND cancelled_at IS NULL
               ) AS gap
         WHERE first < until
        """,
        SEGMENT_PROPERTIES,
    )
    await connection.execute("ALTER TABLE free_stretch ADD PRIMARY KEY (property_id, first_night) INCLUDE (end_date)")
    for index in indexes:
        await connection.execute(index["definition"])


async def sizes(url: Secret) -> list[tuple[str, int]]:
    """Return the names and sizes in bytes of the tables of reservations and of free stretches, and their indexes."""
    connection = await connect(url)
    try:
        rows = await connection.fetch(
            """
            SELECT relname, pg_relation_size(oid) AS size
              FROM pg_class
             WHERE oid IN ('reservation'::regclass, 'free_stretch'::regclass)
                OR oid IN (SELECT indexrelid
                             FROM pg_index
                            WHERE indrelid IN ('reservation'::regclass, 'free_stretch'::regclass))
             ORDER BY relkind DESC, relname
            """
        )
    finally:
        await connection.close()
    return [(row["relname"], row["size"]) for row in rows]
