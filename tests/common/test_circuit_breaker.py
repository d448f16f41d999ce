"""The circuit breaker: a service that fails repeatedly is not called for some time."""

import time

import aiohttp
import pytest
from aioresponses import aioresponses

from common import upstream as upstream_client
from common.upstream import CircuitBreaker, CircuitOpenError, Upstream, UpstreamError

BASE = "http://upstream.test/base"
THING = f"{BASE}/thing"


class Clock:
    """Replaces the module `time` in `common.upstream`, but not the clock of the event loop; a test sets `now`."""

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


async def assert_fails(upstream: Upstream, kind: type[UpstreamError] = UpstreamError) -> None:
    with pytest.raises(UpstreamError) as caught:
        await upstream.fetch("GET", "/thing")
    assert type(caught.value) is kind


async def test_the_breaker_opens_allows_one_call_and_closes(
    guarded: Upstream, mocked: aioresponses, clock: Clock
) -> None:
    for _ in range(3):
        mocked.get(THING, status=500)
        await assert_fails(guarded)
    await assert_fails(guarded, CircuitOpenError)
    assert sum(map(len, mocked.requests.values())) == 3

    clock.now += 10
    mocked.get(THING, status=500)
    await assert_fails(guarded)
    await assert_fails(guarded, CircuitOpenError)
    assert sum(map(len, mocked.requests.values())) == 4

    clock.now += 10
    mocked.get(THING, body=b"back")
    assert await guarded.fetch("GET", "/thing") == b"back"
    mocked.get(THING, status=500)
    await assert_fails(guarded)
    mocked.get(THING, body=b"closed")
    assert await guarded.fetch("GET", "/thing") == b"closed"


async def test_a_half_open_breaker_allows_one_call(clock: Clock) -> None:
    breaker = CircuitBreaker(threshold=1, seconds=10)
    breaker.failed()
    clock.now += 10
    breaker.check()
    with pytest.raises(CircuitOpenError):
        breaker.check()


async def test_a_client_error_does_not_count_as_a_failure_of_the_service(
    guarded: Upstream, mocked: aioresponses, clock: Clock
) -> None:
    mocked.get(THING, status=404, repeat=True)
    for _ in range(5):
        await assert_fails(guarded)


async def test_a_call_is_not_retried_when_the_breaker_opens(
    guarded: Upstream, mocked: aioresponses, clock: Clock
) -> None:
    for _ in range(3):
        mocked.get(THING, exception=TimeoutError())
        await assert_fails(guarded)
    with pytest.raises(CircuitOpenError) as caught:
        await guarded.fetch("GET", "/thing", attempts=5)
    assert caught.value.retry_after == 10


async def test_an_invalid_response_counts_as_a_failure_of_the_service(
    client: aiohttp.ClientSession, mocked: aioresponses, clock: Clock
) -> None:
    upstream = Upstream(client, "test", BASE, breaker=CircuitBreaker(threshold=1, seconds=10))
    mocked.get(THING, body=b"not JSON")
    with pytest.raises(UpstreamError, match="not JSON"):
        async with upstream.call("GET", "/thing"):
            raise UpstreamError("not JSON")
    await assert_fails(upstream, CircuitOpenError)
