"""Readers that are too slow are disconnected, and what their streams held is freed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from quart import Response

from common.db.pool import BoundedPool, Connection
from common.web import application, connection
from common.web.connection import Pace, SlowReaderError
from common.web.resources import Application
from common.web.streaming import Sink, prefetch_first_chunk, stream_copy
from tests.support.waiting import eventually


class Reader:
    """Takes each part of a response after `seconds` of a clock that only moves here."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
        self.now = 0.0
        self.seconds = seconds
        self.taken = 0
        monkeypatch.setattr(connection, "time", self)

    def monotonic(self) -> float:
        return self.now

    async def take(self, message: Any) -> None:
        self.now += self.seconds
        self.taken += len(message["body"])


async def read(pace: Pace, size: int, parts: int) -> None:
    for _ in range(parts):
        await pace.send(b"x" * size)


PART = 48 * 1024


async def test_a_reader_of_16_kib_a_second_is_served_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader(monkeypatch, seconds=2.99)
    await read(Pace(reader.take), PART, 1000)
    assert reader.taken == 1000 * PART


async def test_a_slower_reader_is_given_up_after_30_seconds_of_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader(monkeypatch, seconds=3.4)
    with pytest.raises(SlowReaderError):
        await read(Pace(reader.take), PART, 1000)
    assert 27 <= reader.now <= 34


async def test_a_fast_beginning_does_not_make_up_for_a_slow_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader(monkeypatch, seconds=0.0)
    pace = Pace(reader.take)
    await read(pace, PART, 1000)
    reader.seconds = 10
    with pytest.raises(SlowReaderError):
        await read(pace, PART, 1000)
    assert reader.now <= 60


async def test_the_time_in_which_a_response_is_made_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader(monkeypatch, seconds=0.0)
    pace = Pace(reader.take)
    for _ in range(100):
        reader.now += 3600
        await pace.send(b"one line\n")
    assert reader.taken == 900


async def test_a_reader_that_takes_nothing_more_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SLOW_SECONDS", 0.05)

    async def never(_: Any) -> None:
        await asyncio.Event().wait()

    with pytest.raises(SlowReaderError):
        await Pace(never).send(b"x")


async def test_a_long_part_has_the_time_that_its_length_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader(monkeypatch, seconds=299.0)
    pace = Pace(reader.take)
    await pace.send(b"x" * connection.LEAST_BYTES * 10)
    await pace.send(b"x" * connection.LEAST_BYTES * 10)
    assert reader.taken == 20 * connection.LEAST_BYTES


@pytest.mark.parametrize("coding", [b"identity", b"gzip"])
async def test_a_stream_that_nobody_reads_frees_its_connection_and_snapshot(
    ground_pool: BoundedPool, monkeypatch: pytest.MonkeyPatch, coding: bytes
) -> None:
    monkeypatch.setattr(connection, "SLOW_SECONDS", 0.05)
    app = application.create("ground", title="Ground", description="For tests", tags={})
    provide_stream(app, ground_pool)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)
        if len(sent) == 3:
            await asyncio.Event().wait()

    async def receive() -> Any:
        await asyncio.Event().wait()

    scope = {
        "type": "http", "method": "GET", "path": "/numbers", "query_string": b"", "http_version": "1.1",
        "scheme": "http", "headers": [(b"accept-encoding", coding)],
    }  # fmt: skip
    await app(scope, receive, send)  # type: ignore[arg-type]  # plain dictionaries stand for ASGI's

    assert [message.get("more_body") for message in sent] == [None, True, True]  # not ended: it must not look complete
    await eventually(lambda: ground_pool.get_idle_size() == ground_pool.get_size())
    assert ground_pool.turns._value == ground_pool.get_max_size()
    running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY %' AND datname = current_database()"
    assert await ground_pool.fetchval(running) == 0


def provide_stream(app: Application, pool: BoundedPool) -> None:
    async def copy(db: Connection, output: Sink) -> None:
        await db.copy_from_query("SELECT generate_series(1, 5000000)", output=output)

    @app.get("/numbers")
    async def numbers() -> Response:
        body: AsyncIterator[bytes] = await prefetch_first_chunk(stream_copy(pool, copy))
        return Response(body, content_type="text/csv")
