"""The search for free properties while more and more of a million are taken."""

import random
from datetime import UTC, date, datetime, timedelta

from quart import Quart

from benchmarks.load import Request
from benchmarks.servers import Context, connect
from benchmarks.stays import TOKEN, fill_free_stretches, first_requested_night, property_id
from benchmarks.table import Row
from common.config import Secret
from common.web.pagination import encode_cursor

SECONDS = 5.0

TAKEN = (0.0, 0.5, 0.9, 0.97, 0.99, 0.999, 1.0, 1.0)
"""The shares of properties that are taken for one night after the other; around the last, each has one free night."""

OCCUPIED_EVERY = timedelta(days=50)
MAX_PROPERTIES = 1_000_000


async def run(context: Context) -> None:
    """Measure pages of 100 from anywhere in the list while more and more properties are taken for the nights."""
    properties = min(context.rows, MAX_PROPERTIES)
    first_night = first_requested_night(datetime.now(UTC))
    nights = searched_nights(first_night)
    async with context.database("provider") as url:
        await fill_occupied(url, properties, nights)
        async with context.provider(url) as provider, Quart(__name__).test_request_context("/properties/available"):
            free = None
            for share, night in zip(TAKEN, nights, strict=True):
                path = f"/properties/available?start_date={night}&nights=3&limit=100"
                rng = random.Random(7)
                starts = [property_id(rng.randrange(properties // 2)) for _ in range(200)]
                pages = [f"{path}&cursor={encode_cursor(start)}" for start in starts] if share < 1 else [path]
                requests = [Request("GET", page, headers=TOKEN) for page in pages]
                await context.load(provider.url, requests, connections=1, seconds=2)
                result = await context.load(provider.url, requests, connections=1, seconds=SECONDS)
                result.require(200 if share < 1 else 404)
                note = f"{properties:,} properties; p99 {result.p99:.2f} ms"
                name = f"search, page of 100, 1 client, {share:.1%} taken"
                name += ", short gaps" if night == nights[-1] else ""
                if share == 1:
                    note += "; no alternatives" + (", though each has a free night" if night == nights[-1] else "")
                    context.add_row(Row(f"{name}, p50", result.p50, 50, "ms", note, "<= 1"))
                else:
                    free = free or result.p50
                    note += "; limit: all free"
                    context.add_row(Row(f"{name}, p50", result.p50, free, "ms", note, "<= 3" if share else ""))


def searched_nights(first_night: date) -> list[date]:
    """A night for each of the shares `TAKEN`."""
    return [first_night + number * OCCUPIED_EVERY for number in range(1, len(TAKEN) + 1)]


async def fill_occupied(url: Secret, properties: int, nights: list[date]) -> None:
    """Insert properties of which the shares `TAKEN` have stays around the nights, for the alternatives too."""
    connection = await connect(url)
    try:
        await connection.execute("SET maintenance_work_mem = '1GB'")
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(
            """
            INSERT INTO property (property_id, description)
            SELECT 'p' || lpad(number::text, 9, '0'), 'Somewhere to sleep, number ' || number
              FROM generate_series(0, $1::bigint - 1) AS number
            """,
            properties,
        )
        await connection.execute("UPDATE pg_index SET indisready = false WHERE indrelid = 'reservation'::regclass")
        await connection.execute(
            """
            INSERT INTO reservation (property_id, arrival, departure, free_from)
            SELECT 'p' || lpad(number::text, 9, '0'), arrival, departure, departure
              FROM generate_series(0, $1::bigint - 1) AS number,
                   unnest($2::date[], $3::float[]) WITH ORDINALITY AS around (night, share, place),
                   LATERAL (SELECT abs(hashint8extended(number, place) / 2)) AS drawn (chance),
                   LATERAL (SELECT (chance % 4)::integer) AS moved (jitter),
                   LATERAL (SELECT night - 18 - jitter, night + 22 - jitter WHERE place < cardinality($2)
                             UNION ALL
                            SELECT night - 18, night WHERE place = cardinality($2)
                             UNION ALL
                            SELECT night + 1, night + 22 WHERE place = cardinality($2)) AS stay (arrival, departure)
             WHERE chance / 4 % 1000000 < share * 1000000
            """,
            properties,
            nights,
            TAKEN,
        )
        await connection.execute("UPDATE pg_index SET indisready = true WHERE indrelid = 'reservation'::regclass")
        await connection.execute("VACUUM FULL reservation")
        await fill_free_stretches(connection)
        await connection.execute("VACUUM (ANALYZE) property, reservation, free_stretch")
    finally:
        await connection.close()
