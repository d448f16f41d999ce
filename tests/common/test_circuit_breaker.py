"""The circuit breaker: a service that fails too often is not called for a while."""

import time
from typing import Any

import aiohttp
import pytest

from common import upstream as upstream_client
from common.upstream import CircuitBreaker, CircuitOpenError, Upstream, UpstreamError

BASE = "http://upstream.test/base"
THING = f"{BASE}/thing"


class Clock:
    """A clock that a test moves, in the place of the module `time`: not the clock of the event loop."""

    now = 1000.0
    perf_counter = staticmethod(time.perf_counter)

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(upstream_client, "time", clock)
    return clock


@pytest.fixture
def guarded(client: aiohttp.ClientSession) -> Upstream:
    return Upstream(client, "test", BASE, breaker=CircuitBreaker(threshold=3, seconds=10))


async def fails(upstream: Upstream, kind: type[UpstreamError] = UpstreamError) -> None:
    with pytest.raises(UpstreamError) as caught:
        await upstream.fetch("GET", "/thing")
    assert type(caught.value) is kind


async def test_the_breaker_opens_lets_one_through_and_closes(guarded: Upstream, mocked: Any, clock: Clock) -> None:
    for _ in range(3):
        mocked.get(THING, status=500)
        await fails(guarded)
    await fails(guarded, CircuitOpenError)
    assert sum(map(len, mocked.requests.values())) == 3

    clock.now += 10
    mocked.get(THING, status=500)
    await fails(guarded)
    await fails(guarded, CircuitOpenError)
    assert sum(map(len, mocked.requests.values())) == 4

    clock.now += 10
    mocked.get(THING, body=b"back")
    assert await guarded.fetch("GET", "/thing") == b"back"
    mocked.get(THING, status=500)
    await fails(guarded)
    mocked.get(THING, body=b"closed")
    assert await guarded.fetch("GET", "/thing") == b"closed"


async def test_half_open_lets_through_one_call_not_all(clock: Clock) -> None:
    breaker = CircuitBreaker(threshold=1, seconds=10)
    breaker.failed()
    clock.now += 10
    breaker.check()
    with pytest.raises(CircuitOpenError):
        breaker.check()


async def test_an_answer_that_refuses_us_is_no_failure_of_the_service(
    guarded: Upstream, mocked: Any, clock: Clock
) -> None:
    mocked.get(THING, status=404, repeat=True)
    for _ in range(5):
        await fails(guarded)


async def test_an_open_breaker_is_not_tried_again(guarded: Upstream, mocked: Any, clock: Clock) -> None:
    for _ in range(3):
        mocked.get(THING, exception=TimeoutError())
        await fails(guarded)
    with pytest.raises(CircuitOpenError) as caught:
        await guarded.fetch("GET", "/thing", attempts=5)
    assert caught.value.retry_after == 10


async def test_a_failure_while_the_caller_reads_counts_against_the_service(
    client: aiohttp.ClientSession, mocked: Any, clock: Clock
) -> None:
    upstream = Upstream(client, "test", BASE, breaker=CircuitBreaker(threshold=1, seconds=10))
    mocked.get(THING, body=b"no json")
    with pytest.raises(UpstreamError, match="no JSON"):
        async with upstream.call("GET", "/thing"):
            raise UpstreamError("no JSON")
    await fails(upstream, CircuitOpenError)
