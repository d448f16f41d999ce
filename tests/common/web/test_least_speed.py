"""Clients that are too slow are given up; those that are just fast enough are not."""

import asyncio

import pytest

from common.web import least_speed
from common.web.least_speed import LeastSpeed, TooSlowError

SECONDS = 30.0
PART = 48 * 1024


class Client:
    """Takes `seconds` for each part, of a clock that only moves here."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
        self.now = 0.0
        self.seconds = seconds
        self.taken = 0
        self.speed = LeastSpeed(SECONDS)
        monkeypatch.setattr(least_speed, "time", self)

    def monotonic(self) -> float:
        return self.now

    async def take(self, size: int, parts: int = 1) -> None:
        for _ in range(parts):
            await self.speed.wait_for(self._take(size), size)
            self.speed.count(size)

    async def _take(self, size: int) -> None:
        self.now += self.seconds
        self.taken += size


async def test_a_client_of_16_kib_a_second_is_served_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(monkeypatch, seconds=2.99)
    await client.take(PART, parts=1000)
    assert client.taken == 1000 * PART


async def test_a_slower_client_is_given_up_after_30_seconds_of_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(monkeypatch, seconds=3.4)
    with pytest.raises(TooSlowError):
        await client.take(PART, parts=1000)
    assert 27 <= client.now <= 34


async def test_a_fast_beginning_does_not_make_up_for_a_slow_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(monkeypatch, seconds=0.0)
    await client.take(PART, parts=1000)
    client.seconds = 10
    with pytest.raises(TooSlowError):
        await client.take(PART, parts=1000)
    assert client.now <= 60


async def test_the_time_between_the_parts_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(monkeypatch, seconds=0.0)
    for _ in range(100):
        client.now += 3600
        await client.take(9)
    assert client.taken == 900


async def test_a_client_that_takes_nothing_more_is_given_up() -> None:
    with pytest.raises(TooSlowError):
        await LeastSpeed(0.05).wait_for(asyncio.Event().wait(), 1)


async def test_a_time_out_of_the_connection_is_not_the_clients_slowness() -> None:
    async def time_out() -> None:
        raise TimeoutError("the network is down")

    with pytest.raises(TimeoutError, match="the network is down"):
        await LeastSpeed(SECONDS).wait_for(time_out())


async def test_a_long_part_has_the_time_that_its_length_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(monkeypatch, seconds=299.0)
    await client.take(300 * 16 * 1024, parts=2)
    assert client.taken == 600 * 16 * 1024
