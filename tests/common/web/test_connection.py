"""Readers that are too slow are disconnected, and what their streams held is freed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from quart import Response
from structlog.testing import capture_logs

from common.db.pool import BoundedPool, Connection
from common.web import application, connection
from common.web.resources import Application
from common.web.streaming import Sink, prefetch_first_chunk, stream_copy
from tests.support.waiting import eventually


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


@pytest.mark.parametrize("before", ["", "http://127.0.0.1:9000"])
async def test_the_log_of_a_reader_that_is_too_slow_does_not_show_the_token_in_its_address(
    monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    monkeypatch.setattr(connection, "SLOW_SECONDS", 0.05)
    app = application.create("ground", title="Ground", description="For tests", tags={})

    @app.get("/calendars/<calendar_token>.ics")
    async def calendar(calendar_token: str) -> Response:
        return Response([b"BEGIN:VCALENDAR"] * 3, content_type="text/calendar")

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    async def receive() -> Any:
        await asyncio.Event().wait()

    scope = {
        "type": "http", "method": "GET", "path": f"{before}/calendars/the-secret.ics", "query_string": b"",
        "http_version": "1.1", "scheme": "http", "headers": [],
    }  # fmt: skip
    with capture_logs() as logs:
        await app(scope, receive, send)  # type: ignore[arg-type]  # plain dictionaries stand for ASGI's

    assert {each["event"]: each["path"] for each in logs} == {
        "request": "/calendars/<calendar_token>.ics",
        "slow_reader_disconnected": "/calendars/<calendar_token>.ics",
    }


def provide_stream(app: Application, pool: BoundedPool) -> None:
    async def copy(db: Connection, output: Sink) -> None:
        await db.copy_from_query("SELECT generate_series(1, 5000000)", output=output)

    @app.get("/numbers")
    async def numbers() -> Response:
        body: AsyncIterator[bytes] = await prefetch_first_chunk(stream_copy(pool, copy))
        return Response(body, content_type="text/csv")
