"""The client of a feed: splitting a JSON array into values, and redirects."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from common.config import Secret
from common.upstream import Upstream, UpstreamBody, UpstreamError, create_client_session
from dashboard.feed_client import BookingFeed, FeedQuery, _lines, _values
from tests.support.feeds import ForeignFeed, event, serve_feed


class FakeStream:
    """A body that arrives in these parts."""

    def __init__(self, parts: list[bytes]) -> None:
        self.parts = parts

    async def iter_chunked(self, _: int) -> AsyncIterator[bytes]:
        for part in self.parts:
            yield part


async def read(parts: list[bytes]) -> list[bytes]:
    content = cast(UpstreamBody, FakeStream(parts))
    return [value async for batch in _values(content) for value in batch]


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text('a"\\,[]{}: \u00e9\u2028', max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=10,
)


@given(st.lists(values, max_size=5), st.sampled_from([None, 1, "\t"]), st.lists(st.integers(0, 200), max_size=9))
def test_the_values_of_an_array_are_found_however_the_stream_is_split(
    written: list[Any], indent: int | str | None, cuts: list[int]
) -> None:
    body = f" {json.dumps(written, indent=indent, ensure_ascii=False)}\n".encode()
    bounds = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    found = asyncio.run(read([body[start:end] for start, end in itertools.pairwise(bounds)]))
    assert [json.loads(value) for value in found] == written


class EndlessStream:
    """A body without an end: `beginning`, then `rest` again and again. taken: the bytes of `rest` that were read."""

    def __init__(self, beginning: bytes, rest: bytes) -> None:
        self.beginning = beginning
        self.rest = rest * (65536 // len(rest))
        self.taken = 0

    async def iter_chunked(self, _: int) -> AsyncIterator[bytes]:
        yield self.beginning
        while True:
            self.taken += len(self.rest)
            yield self.rest


@pytest.mark.parametrize("split", [_values, _lines])
@pytest.mark.parametrize("beginning", [b"", b"[", b'[{"id": 1},\n', b'[{"id": 1}]\n'])
@pytest.mark.parametrize("rest", [b"\n", b" \n", b" ", b"\t"])
async def test_white_space_without_end_is_a_fault_of_the_feed(
    split: Callable[[UpstreamBody], AsyncIterator[list[bytes]]], beginning: bytes, rest: bytes
) -> None:
    body = EndlessStream(beginning, rest)
    with pytest.raises(UpstreamError, match="exceeds 1 MiB"):
        [batch async for batch in split(cast(UpstreamBody, body))]
    assert body.taken < 2 * 1024 * 1024


@pytest.mark.parametrize("gap", [b"\n", b" "])
async def test_white_space_between_two_events_is_skipped(gap: bytes) -> None:
    parts = [b'[{"id": 1}', *[gap * 65536] * 15, b',{"id": 2}]']
    assert [json.loads(value)["id"] for value in await read(parts)] == [1, 2]


@dataclass
class RedirectingFeed(ForeignFeed):
    """Answers `/events` with a redirect to `location`, and other paths as a feed does."""

    location: str = ""
    status: int = 308

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/events":
            self.requests.append(dict(request.query))
            return web.Response(status=self.status, headers={"Location": self.location.format(request.query_string)})
        return await super().answer(request)


async def read_feed(feed: BookingFeed, query: FeedQuery) -> list[int]:
    async with feed.read(query) as response:
        return [json.loads(value)["id"] async for batch in response.batches for value in batch]


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with create_client_session() as session:
        yield session


EVENTS = [event(1, "2024-01-01T00:00:00.000000Z"), event(2, "2024-01-02T00:00:00.000000Z")]
FROM_THE_SECOND = FeedQuery(since=datetime(2024, 1, 2, tzinfo=UTC))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["/v2/events?{}", "v2/events?{}", "//HOST/v2/events?{}"])
async def test_a_redirect_within_the_host_is_followed(
    client: aiohttp.ClientSession, status: int, location: str
) -> None:
    feed = RedirectingFeed(list(EVENTS))
    async with serve_feed(feed):
        feed.status, feed.location = status, location.replace("HOST", feed.url.removeprefix("http://"))
        booking_feed = BookingFeed(Upstream(client, "booking_feed", feed.url))
        assert await read_feed(booking_feed, FROM_THE_SECOND) == [2]


async def test_the_token_is_sent_after_a_redirect_too(client: aiohttp.ClientSession) -> None:
    async with serve_feed(RedirectingFeed(list(EVENTS), location="/v2/events?{}", token="s3cret")) as feed:
        upstream = Upstream(client, "booking_feed", feed.url)
        assert await read_feed(BookingFeed(upstream.with_token(Secret("s3cret"))), FROM_THE_SECOND) == [2]
        with pytest.raises(UpstreamError, match="answered 401"):
            await read_feed(BookingFeed(upstream), FROM_THE_SECOND)


@pytest.mark.parametrize(
    "location",
    [
        "",
        "http://127.0.0.2:{port}/v2/events",
        "http://localhost:{port}/v2/events",
        "http://127.0.0.1:1/v2/events",
        "https://127.0.0.1:{port}/v2/events",
        "ftp://127.0.0.1/v2/events",
        "http://[::1/v2/events",
        "/events?{query}",
    ],
)
async def test_no_other_redirect_is_followed(client: aiohttp.ClientSession, location: str) -> None:
    feed = RedirectingFeed(list(EVENTS))
    async with serve_feed(feed):
        feed.location = location.replace("{port}", feed.url.rpartition(":")[2]).replace("{query}", "{}")
        booking_feed = BookingFeed(Upstream(client, "booking_feed", feed.url))
        with pytest.raises(UpstreamError, match="only redirects to another address of the same host"):
            await read_feed(booking_feed, FROM_THE_SECOND)
    assert len(feed.requests) == 1


async def test_a_chain_of_redirects_has_an_end(client: aiohttp.ClientSession) -> None:
    class Endless(ForeignFeed):
        async def answer(self, request: web.Request) -> web.StreamResponse:
            self.requests.append(dict(request.query))
            return web.Response(status=302, headers={"Location": f"/events?step={len(self.requests)}"})

    async with serve_feed(Endless()) as feed:
        with pytest.raises(UpstreamError, match="more than 5 redirects"):
            await read_feed(BookingFeed(Upstream(client, "booking_feed", feed.url)), FROM_THE_SECOND)
    assert len(feed.requests) == 6
