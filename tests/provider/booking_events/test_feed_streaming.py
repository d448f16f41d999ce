"""GET /events without a limit: a stream of any length."""

import asyncio
import csv
import io
import json
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import asyncpg
import pytest
import zstandard

from common.config import Secret
from common.devstack.embedded import Server
from common.web import connection
from common.web.streaming import MAX_BUFFERED_CHUNKS
from provider.booking_events import feed, queries
from provider.booking_events.inputs import EventsQuery
from provider.resources import resources_of
from tests.support.databases import cloned
from tests.support.served import ChunkedResponse, ResponseHead, Served
from tests.support.waiting import eventually

STREAMS = 8
LONG = 150_000
"""More events than the buffers between PostgreSQL and a reader can hold."""


@pytest.fixture(scope="module")
def long_feed_url(postgres: Server, templates: dict[str, str]) -> Iterator[Secret]:
    """A database of LONG events, filled once, since the tests here only read."""

    async def fill(url: str) -> None:
        connection = await asyncpg.connect(url)
        await connection.execute(
            """
            INSERT INTO booking_event (id, hotel_id, event_timestamp, status, room_id, night_of_stay)
            SELECT i, 1 + i % 7, '2020-01-01'::timestamptz + i / 3 * interval '1 second', 1 + i % 2, 1 + i % 90,
                   '2020-06-01'::date + i % 300
              FROM generate_series(1, $1) AS i
            """,
            LONG,
        )
        await connection.close()

    with asyncio.Runner() as runner:
        database = cloned(postgres, templates["provider"])
        url = runner.run(database.__aenter__())
        try:
            runner.run(fill(url.reveal()))
            yield url
        finally:
            runner.run(database.__aexit__(None, None, None))


@pytest.fixture
def provider_url(long_feed_url: Secret, reached: Callable[[Secret], Secret]) -> Secret:
    return reached(long_feed_url)


async def copying(db: asyncpg.Pool) -> int:
    """The number of statements that stream the feed at the moment."""
    return await db.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'"
        " AND query LIKE 'COPY %'"
    )


@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson", "text/csv"])
async def test_every_event_is_streamed_once_and_in_order(
    served: Served, accept: str, provider_db: asyncpg.Pool
) -> None:
    head, wire = await served.get("/events", accept=accept)
    text = b"".join(await wire.chunks()).decode()
    await wire.close()

    assert head.status == 200
    assert "content-length" not in head.headers
    if accept == "application/json":
        found = [each["id"] for each in json.loads(text)]
    elif accept == "text/csv":
        found = [int(each["id"]) for each in csv.DictReader(io.StringIO(text))]
    else:
        found = [json.loads(line)["id"] for line in text.splitlines()]
    rows = await provider_db.fetch("SELECT id FROM booking_event ORDER BY event_timestamp, id")
    assert found == [row["id"] for row in rows]


async def body_of(head: ResponseHead, wire: ChunkedResponse) -> bytes:
    """The body, whether or not it was streamed."""
    if "transfer-encoding" in head.headers:
        return b"".join(await wire.chunks())
    return await wire.reader.readexactly(int(head.headers["content-length"]))


async def test_filters_apply_to_a_stream(served: Served, provider_db: asyncpg.Pool) -> None:
    path = "/events?hotel_id=3&rpg_status=2&room_id=5&updated__gte=2020-01-01&night_of_stay__lte=2020-12-31"
    for narrower in ("", "&limit=10000"):
        head, wire = await served.get(path + narrower)
        found = json.loads(await body_of(head, wire))
        await wire.close()
        assert len(found) == await provider_db.fetchval(
            "SELECT count(*) FROM booking_event"
            " WHERE hotel_id = 3 AND status = 2 AND room_id = '5' AND night_of_stay <= '2020-12-31'"
        )


@pytest.mark.parametrize("count", [999, 1000, 1001, 1002, 2001])
async def test_no_event_is_lost_around_the_length_at_which_streaming_begins(served: Served, count: int) -> None:
    last = (count - 1) // 3
    head, wire = await served.get(f"/events?updated__lte=2020-01-01T00:{last // 60:02}:{last % 60:02}Z")
    streamed = "transfer-encoding" in head.headers
    body = await body_of(head, wire)
    await wire.close()

    found = [each["id"] for each in json.loads(body)]
    assert found == list(range(1, len(found) + 1))
    assert len(found) == 3 * last + 2
    assert streamed == (len(found) > feed.MAX_UNSTREAMED_EVENTS)


async def test_the_first_bytes_arrive_before_the_last_row_is_read(served: Served, provider_db: asyncpg.Pool) -> None:
    _, wire = await served.get("/events")
    first = await wire.chunk()

    assert first.startswith(b'[{"id":1,')
    assert await copying(provider_db) == 1  # it waits for the reader
    rest = await wire.chunks()
    assert (first + b"".join(rest)).endswith(b"}]\n")
    assert len(rest) > 20
    assert max(map(len, rest)) <= 2**20
    await wire.close()


async def test_at_most_a_few_chunks_are_buffered(provider_db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    produced = 0
    copy_feed = queries.copy_feed

    async def counted(connection: Any, query: Any, form: Any, after: Any, output: Any) -> int:
        async def count(chunk: bytes) -> None:
            nonlocal produced
            await output(chunk)
            produced += 1

        return await copy_feed(connection, query, form, after, count)

    monkeypatch.setattr(queries, "copy_feed", counted)
    lines = feed.lines_after(provider_db, EventsQuery(), "json", None)
    taken = 0
    async for _ in lines:
        taken += 1
        await asyncio.sleep(0)
        assert produced <= taken + MAX_BUFFERED_CHUNKS
    assert taken == produced > 3 * MAX_BUFFERED_CHUNKS


async def test_a_reader_that_disconnects_frees_its_connection(served: Served, provider_db: asyncpg.Pool) -> None:
    for _ in range(2 * STREAMS):
        _, wire = await served.get("/events")
        await wire.chunk()
        await wire.close()

    await eventually(partial(none_copying, provider_db))
    pool = resources_of(served.app).pools.streams
    await eventually(lambda: pool.get_idle_size() == pool.get_size())
    head, wire = await served.get("/events")
    assert head.status == 200
    assert len(json.loads(b"".join(await wire.chunks()))) == LONG
    await wire.close()


async def test_a_reader_that_stops_reading_is_disconnected_and_frees_its_snapshot(
    served: Served, provider_db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "SLOW_SECONDS", 0.2)
    readers = [await served.get("/events") for _ in range(STREAMS)]

    await eventually(partial(none_copying, provider_db))
    head, wire = await served.get("/events?limit=1")
    assert head.status == 200
    for _, reader in readers:
        with pytest.raises(asyncio.IncompleteReadError):  # what was on its way arrives, but no end
            await reader.chunks()
    for _, reader in (*readers, (head, wire)):
        await reader.close()


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
async def test_a_compressed_stream_starts_at_once_and_is_the_same(served: Served, coding: str) -> None:
    _, plain = await served.get("/events", accept="text/csv")
    expected = b"".join(await plain.chunks())
    await plain.close()
    head, wire = await served.get("/events", accept="text/csv", coding=coding)
    stream = zlib.decompressobj(31) if coding == "gzip" else zstandard.ZstdDecompressor().decompressobj()
    first = stream.decompress(await wire.chunk())
    rest = b"".join([stream.decompress(chunk) for chunk in await wire.chunks()])
    await wire.close()

    assert head.headers["content-encoding"] == coding
    assert head.headers["vary"] == "Accept, Accept-Encoding"
    assert first.count(b"\n") > 1
    assert first + rest == expected


async def none_copying(db: asyncpg.Pool) -> bool:
    return await copying(db) == 0


@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson"])
async def test_a_stream_that_breaks_does_not_look_complete(
    served: Served, provider_db: asyncpg.Pool, accept: str
) -> None:
    _, wire = await served.get("/events", accept=accept)
    first = await wire.chunk()
    await provider_db.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND query LIKE 'COPY %'"
    )
    with pytest.raises(asyncio.IncompleteReadError) as cut:  # no final chunk
        await wire.chunks()
    await wire.close()

    assert first
    assert not cut.value.partial.rstrip().endswith(b"]")
    head, wire = await served.get("/events?limit=1")
    assert head.status == 200
    await wire.close()


async def test_a_reader_beyond_the_number_of_streams_is_refused(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = resources_of(served.app).pools.streams
    readers = [await served.get("/events") for _ in range(STREAMS)]
    assert {head.status for head, _ in readers} == {200}
    monkeypatch.setattr(pool, "acquire_seconds", 0.2)

    head, refused = await served.get("/events")
    assert head.status == 503
    assert head.headers["content-type"] == "application/problem+json"
    assert int(head.headers["retry-after"]) >= 1
    problem = json.loads(await refused.reader.readexactly(int(head.headers["content-length"])))
    assert problem["status"] == 503
    assert problem["code"] == "unavailable"
    head, page = await served.get("/events?limit=5")
    assert head.status == 200

    for _, wire in (*readers, (head, refused), (head, page)):
        await wire.close()
    await eventually(lambda: pool.get_idle_size() == pool.get_size())


async def test_head_of_a_long_feed_reads_nothing(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unexpected(*_: Any) -> None:
        raise AssertionError("HEAD streams the feed")

    monkeypatch.setattr(queries, "copy_feed", unexpected)
    head, wire = await served.get("/events", method="HEAD")

    assert head.status == 200
    assert head.headers["content-type"] == "application/json"
    await wire.close()


async def test_an_unreachable_database_is_reported_before_the_first_byte(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(*_: Any) -> None:
        raise ConnectionResetError("PostgreSQL went away")

    monkeypatch.setattr(queries, "copy_feed", gone)
    head, wire = await served.get("/events")

    assert head.status == 503
    assert head.headers["content-type"] == "application/problem+json"
    await wire.close()


async def test_a_stream_says_about_how_many_events_the_feed_has(served: Served, provider_db: asyncpg.Pool) -> None:
    await provider_db.execute("ANALYZE booking_event")
    events = await provider_db.fetchval("SELECT count(*) FROM booking_event")

    head, wire = await served.get("/events?updated__lte=2020-01-01T00:30:00Z")
    await wire.close()
    page, page_wire = await served.get("/events?limit=10")
    await page_wire.close()

    assert 0.9 * events <= int(head.headers["x-feed-events"]) <= 1.1 * events
    assert "x-feed-events" not in page.headers
