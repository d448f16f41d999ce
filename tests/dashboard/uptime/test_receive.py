"""Uploads that arrive too slowly are refused, so that they do not hold the places of all others."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from common.web import least_speed
from common.web.errors import Invalid, TooLarge
from dashboard.uptime.intake import receive
from dashboard.uptime.intake.receive import received, steady_chunks


class Upload:
    """Sends `size` bytes after each `seconds` of a clock that only moves here."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, size: int, seconds: float, parts: int) -> None:
        self.now = 0.0
        self.size = size
        self.seconds = seconds
        self.parts = parts
        monkeypatch.setattr(least_speed, "time", self)

    def monotonic(self) -> float:
        return self.now

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(self.parts):
            self.now += self.seconds
            yield b"x" * self.size

    async def take(self) -> int:
        return sum([len(chunk) async for chunk in steady_chunks(aiter(self))])


async def test_an_upload_of_16_kib_a_second_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await Upload(monkeypatch, 16 * 1024, seconds=0.99, parts=600).take() == 600 * 16 * 1024


@pytest.mark.parametrize(("size", "seconds"), [(1, 1.0), (1, 59.0), (16 * 1024, 1.1), (100, 0.1)])
async def test_a_slower_upload_is_refused_after_a_minute_of_waiting(
    monkeypatch: pytest.MonkeyPatch, size: int, seconds: float
) -> None:
    upload = Upload(monkeypatch, size, seconds, parts=10_000)
    with pytest.raises(Invalid, match="too slow"):
        await upload.take()
    assert 60 <= upload.now <= 120


async def test_a_fast_beginning_does_not_make_up_for_a_slow_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    upload = Upload(monkeypatch, 1024 * 1024, seconds=0.0, parts=10_000)
    chunks = steady_chunks(aiter(upload))
    for _ in range(5_000):
        await anext(chunks)
    upload.size, upload.seconds = 1, 1.0
    with pytest.raises(Invalid, match="too slow"):
        [chunk async for chunk in chunks]
    assert upload.now <= 62


async def test_the_time_in_which_a_chunk_is_written_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    upload = Upload(monkeypatch, 1024, seconds=0.0, parts=100)
    async for _ in steady_chunks(aiter(upload)):
        upload.now += 10.0


async def test_an_upload_that_stops_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def stopped() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    monkeypatch.setattr(receive, "SLOW_SECONDS", 0.01)
    with pytest.raises(Invalid, match="too slow"):
        [chunk async for chunk in steady_chunks(stopped())]


async def test_a_file_of_the_limit_is_received_whole_and_a_longer_one_is_refused() -> None:
    async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
        for part in parts:
            yield part

    async with received(chunks(b"ab", b"c"), limit=3) as file:
        assert file.read() == b"abc"
    with pytest.raises(TooLarge, match="exceeds 3 bytes"):
        async with received(chunks(b"ab", b"cd"), limit=3):
            pass
