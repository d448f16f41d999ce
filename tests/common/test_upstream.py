"""Every call of an external service ends in time with an answer or an UpstreamError."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aioresponses import CallbackResult, aioresponses
from yarl import URL

from common import upstream as upstream_client
from common.telemetry import metrics, tracing
from common.upstream import CircuitBreaker, Upstream, UpstreamError, retry_after_seconds

BASE = "http://upstream.test/base"
THING = f"{BASE}/thing"
NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def upstream(client: aiohttp.ClientSession) -> Upstream:
    return Upstream(client, "test", f"{BASE}/")


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits between attempts, in seconds, which take no time."""
    waits: list[float] = []

    async def record(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", record)
    return waits


def calls(mocked: aioresponses) -> int:
    return sum(len(each) for each in mocked.requests.values())


async def test_an_answer_is_read_completely(upstream: Upstream, mocked: aioresponses) -> None:
    mocked.get(THING, body=b"hello")
    assert await upstream.fetch("GET", "/thing") == b"hello"


@pytest.mark.parametrize("status", sorted(upstream_client.RETRY_STATUSES))
async def test_a_transient_failure_is_retried(
    upstream: Upstream, mocked: aioresponses, slept: list[float], status: int
) -> None:
    mocked.get(THING, status=status)
    mocked.get(THING, exception=aiohttp.ServerDisconnectedError())
    mocked.get(THING, body=b"at last")
    assert await upstream.fetch("GET", "/thing", attempts=3) == b"at last"
    assert len(slept) == 2


@pytest.mark.parametrize("status", [301, 302, 304, 400, 401, 403, 404, 409, 410, 422, 501])
async def test_a_permanent_failure_is_not_retried(upstream: Upstream, mocked: aioresponses, status: int) -> None:
    mocked.get(THING, status=status, repeat=True)
    with pytest.raises(UpstreamError) as caught:
        await upstream.fetch("GET", "/thing", attempts=5)
    assert caught.value.status == status
    assert calls(mocked) == 1


async def test_the_last_failure_is_reported(upstream: Upstream, mocked: aioresponses, slept: list[float]) -> None:
    mocked.get(THING, exception=aiohttp.ClientConnectionError("refused"))
    mocked.get(THING, status=503)
    with pytest.raises(UpstreamError, match="answered 503"):
        await upstream.fetch("GET", "/thing", attempts=2)
    assert len(slept) == 1


@pytest.mark.parametrize("wait", ["3", "Sat, 21 Nov 2026 12:00:03 GMT", "Sat, 21 Nov 2026 12:00:03 -0000"])
async def test_retry_after_is_honoured_as_a_number_and_as_a_date(
    upstream: Upstream, mocked: aioresponses, slept: list[float], wait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream_client, "retry_after_seconds", lambda headers: retry_after_seconds(headers, NOW))
    mocked.get(THING, status=429, headers={"Retry-After": wait})
    mocked.get(THING, body=b"ok")
    assert await upstream.fetch("GET", "/thing", attempts=2) == b"ok"
    assert slept == [3.0]


async def test_without_retry_after_the_wait_is_that_of_the_backoff(
    upstream: Upstream, mocked: aioresponses, slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream_client, "backoff_seconds", lambda attempt: 0.1 * (attempt + 1))
    mocked.get(THING, status=503, repeat=True)
    with pytest.raises(UpstreamError):
        await upstream.fetch("GET", "/thing", attempts=3)
    assert slept == [0.1, 0.2]


async def test_a_longer_wait_than_allowed_is_reported_at_once(
    upstream: Upstream, mocked: aioresponses, slept: list[float]
) -> None:
    mocked.get(THING, status=503, headers={"Retry-After": "3600"}, repeat=True)
    with pytest.raises(UpstreamError) as caught:
        await upstream.fetch("GET", "/thing", attempts=5)
    assert caught.value.retry_after == 3600
    assert (calls(mocked), slept) == (1, [])


@pytest.mark.parametrize(("wait", "attempts"), [("5", 2), ("6", 1)])
async def test_a_wait_of_the_limit_is_the_longest_that_is_waited(
    upstream: Upstream, mocked: aioresponses, slept: list[float], wait: str, attempts: int
) -> None:
    mocked.get(THING, status=503, headers={"Retry-After": wait}, repeat=True)
    with pytest.raises(UpstreamError):
        await upstream.fetch("GET", "/thing", attempts=2)
    assert calls(mocked) == attempts
    assert slept == [5.0] * (attempts - 1)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("Sat, 21 Nov 2026 12:01:00 GMT", 60.0),
        ("Sat, 21 Nov 2026 13:01:00 +0100", 60.0),
        ("Sat, 21 Nov 2026 12:01:00 -0000", 60.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("Sat, 99 Nov 2026 12:00:00 GMT", None),
        ("1 Jan 99999999999 00:00:00 GMT", None),
        ("1 Jan 2026 99999999999999999999:00:00 GMT", None),
        ("1 Jan 2026 00:00:00 +099999999999999999999", None),
        ("31 Dec 9999 23:59:59 -2300", None),
    ],
)
def test_retry_after_is_parsed_or_ignored(value: str, seconds: float | None) -> None:
    assert retry_after_seconds({"Retry-After": value}, NOW) == seconds
    assert retry_after_seconds({}, NOW) is None


@pytest.mark.parametrize("wait", ["1 Jan 99999999999 00:00:00 GMT", "1 Jan 2026 00:00:00 +099999999999999999999"])
async def test_a_wait_that_is_no_date_leaves_the_failure_as_it_is(
    upstream: Upstream, mocked: aioresponses, wait: str
) -> None:
    mocked.get(THING, status=503, headers={"Retry-After": wait})
    with pytest.raises(UpstreamError) as caught:
        await upstream.fetch("GET", "/thing")
    assert (caught.value.status, caught.value.retry_after) == (503, None)


@pytest.mark.parametrize(
    "failure",
    [
        aiohttp.ClientConnectionError("refused"),
        aiohttp.ClientPayloadError("cut off"),
        aiohttp.InvalidURL("http://["),
        TimeoutError(),
        ConnectionResetError("reset"),
        OSError("no route"),
    ],
)
async def test_every_failure_of_the_network_is_an_upstream_error(
    upstream: Upstream, mocked: aioresponses, failure: Exception
) -> None:
    mocked.get(THING, exception=failure)
    with pytest.raises(UpstreamError) as caught:
        await upstream.fetch("GET", "/thing")
    assert caught.value.status is None
    assert type(failure).__name__ in str(caught.value)


async def test_every_call_carries_the_request_id_and_the_trace(upstream: Upstream, mocked: aioresponses) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    tracing.begin_trace("my-id", f"00-{trace}-b7ad6b7169203331-01")
    mocked.get(THING, body=b"")
    await upstream.fetch("GET", "/thing", headers={"X-Other": "1"})
    ((request,),) = mocked.requests.values()
    headers = request.kwargs["headers"]
    assert headers["X-Request-ID"] == "my-id"
    assert headers["X-Other"] == "1"
    assert tracing.TRACEPARENT.fullmatch(headers["traceparent"])
    assert headers["traceparent"].split("-")[1] == trace
    assert headers["traceparent"].split("-")[2] != "b7ad6b7169203331"


async def test_every_call_has_a_time_out_and_follows_no_redirect(upstream: Upstream, mocked: aioresponses) -> None:
    seen: list[dict[str, Any]] = []

    def record(_: URL, **options: Any) -> CallbackResult:
        seen.append(options)
        return CallbackResult(body=b"")

    mocked.get(THING, callback=record)
    await upstream.fetch("GET", "/thing")
    assert seen[0]["allow_redirects"] is False
    assert seen[0]["timeout"].total is not None
    assert seen[0]["timeout"].sock_connect is not None


async def test_the_calls_are_counted_by_their_outcome(upstream: Upstream, mocked: aioresponses) -> None:
    def count(outcome: str) -> float:
        return metrics.UPSTREAM_CALLS.labels("test", outcome)._value.get()

    before = (count("200"), count("503"), count("error"))
    mocked.get(THING, body=b"")
    await upstream.fetch("GET", "/thing")
    for outcome in ({"status": 503}, {"exception": TimeoutError()}):
        mocked.get(THING, **outcome)
        with pytest.raises(UpstreamError):
            await upstream.fetch("GET", "/thing")
    assert (count("200"), count("503"), count("error")) == tuple(number + 1 for number in before)


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def raw_server(answer: bytes, *, stay_open: bool = False) -> AsyncIterator[str]:
    """Serve these bytes to every client, then close the connection or send nothing more."""
    end = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        if stay_open:
            await end.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        end.set()
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip",
        b"HTTP/1.1 99999 Invalid\r\n\r\n",
        b"not http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    ],
)
async def test_a_cut_off_or_broken_answer_is_an_upstream_error(client: aiohttp.ClientSession, answer: bytes) -> None:
    async with raw_server(answer) as address:
        with pytest.raises(UpstreamError):
            await Upstream(client, "test", address).fetch("GET", "/thing")


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"])
async def test_a_server_that_stops_sending_causes_a_time_out(client: aiohttp.ClientSession, answer: bytes) -> None:
    timeout = aiohttp.ClientTimeout(total=0.2)
    async with raw_server(answer, stay_open=True) as address:
        with pytest.raises(UpstreamError, match="Timeout"):
            await Upstream(client, "test", address, timeout=timeout).fetch("GET", "/thing")


def encoded(body: bytes, coding: str) -> bytes:
    """A whole response with this body and Content-Encoding."""
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (gzip.compress(b"first line\nsecond line\n"), "gzip"),
        (gzip.compress(b"first line\n") + gzip.compress(b"second line\n"), "gzip"),
        (gzip.compress(b"first line\nsecond line\n") + bytes(50), "X-Gzip"),
        (b"first line\nsecond line\n", "identity"),
    ],
    ids=["one member", "two members", "padded", "identity"],
)
async def test_a_compressed_answer_is_read_whole(client: aiohttp.ClientSession, body: bytes, coding: str) -> None:
    async with raw_server(encoded(body, coding)) as address:
        upstream = Upstream(client, "test", address)
        assert await upstream.fetch("GET", "/thing") == b"first line\nsecond line\n"
        async with upstream.call("GET", "/thing") as response:
            pieces = [piece async for piece in response.content.iter_chunked(4)]
    assert b"".join(pieces) == b"first line\nsecond line\n"
    assert max(map(len, pieces)) <= 4


@pytest.mark.parametrize("cut", [-1, -9, 12, 5])
async def test_a_compressed_answer_that_is_cut_off_is_an_upstream_error(
    client: aiohttp.ClientSession, cut: int
) -> None:
    """Also if the service has measured only what is left."""
    async with raw_server(encoded(gzip.compress(b"first line\nsecond line\n")[:cut], "gzip")) as address:
        with pytest.raises(UpstreamError, match="ends in the middle of its gzip data"):
            await Upstream(client, "test", address).fetch("GET", "/thing")


@pytest.mark.parametrize("coding", ["deflate", "br", "zstd", "gzip, gzip", "x"])
async def test_an_answer_in_a_coding_that_was_not_asked_for_is_refused(
    client: aiohttp.ClientSession, coding: str
) -> None:
    async with raw_server(encoded(b"[]", coding)) as address:
        with pytest.raises(UpstreamError, match=f"unsupported Content-Encoding {coding}"):
            await Upstream(client, "test", address).fetch("GET", "/thing")


async def test_an_answer_beyond_the_limit_is_refused(client: aiohttp.ClientSession) -> None:
    body = b"x" * 5000
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\nConnection: close\r\n\r\n"
    async with raw_server(head + body) as address:
        upstream = Upstream(client, "test", address)
        assert await upstream.fetch("GET", "/thing", max_bytes=5000) == body
        with pytest.raises(UpstreamError, match="more than 4999 bytes"):
            await upstream.fetch("GET", "/thing", max_bytes=4999)


@pytest.mark.parametrize(
    "failure", [TimeoutError("no free connection"), ConnectionResetError("our database"), OSError("disk"), ValueError()]
)
async def test_an_error_of_the_block_is_not_the_services(
    client: aiohttp.ClientSession, mocked: aioresponses, failure: Exception
) -> None:
    breaker = CircuitBreaker(threshold=1, seconds=10)
    upstream = Upstream(client, "test", BASE, breaker=breaker)
    mocked.get(THING, body=b"fine")
    before = metrics.UPSTREAM_CALLS.labels("test", "200")._value.get()

    async def work() -> None:
        async with upstream.call("GET", "/thing") as response:
            async for _ in response.content.iter_any():
                raise failure

    with pytest.raises(type(failure)) as caught:
        await work()

    assert caught.value is failure
    assert breaker.closed
    assert metrics.UPSTREAM_CALLS.labels("test", "200")._value.get() == before + 1


async def test_an_error_of_the_block_while_the_body_still_arrives_leaves_the_connection_closed(
    client: aiohttp.ClientSession,
) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"

    async def work(address: str) -> None:
        async with Upstream(client, "test", address).call("GET", "/thing") as response:
            await anext(response.content.iter_chunked(4))
            raise TimeoutError("ours")

    async with raw_server(answer, stay_open=True) as address:
        with pytest.raises(TimeoutError, match="ours"):
            await work(address)
    assert client.connector is not None
    assert not client.connector._acquired


@pytest.mark.parametrize("read", ["iter_any", "iter_chunked"])
async def test_a_body_that_breaks_off_is_the_services_failure(client: aiohttp.ClientSession, read: str) -> None:
    breaker = CircuitBreaker(threshold=1, seconds=10)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"
    async with raw_server(answer) as address:
        upstream = Upstream(client, "test", address, breaker=breaker)

        async def work() -> None:
            async with upstream.call("GET", "/thing") as response:
                content = response.content
                async for _ in content.iter_any() if read == "iter_any" else content.iter_chunked(4):
                    pass

        with pytest.raises(UpstreamError, match=r"GET /thing: ClientPayloadError"):
            await work()
    assert not breaker.closed


def test_backoff_stays_within_its_bounds() -> None:
    assert all(0 <= upstream_client.backoff_seconds(attempt) <= min(10.0, 0.2 * 2**attempt) for attempt in range(60))


async def test_a_session_has_a_shorter_time_out_than_the_default_of_aiohttp(client: aiohttp.ClientSession) -> None:
    assert client.timeout.total is not None
    assert client.timeout.total < timedelta(minutes=5).total_seconds()
