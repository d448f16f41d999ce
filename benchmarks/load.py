"""A load generator: N keep-alive connections that send as fast as they are answered, in a process of its own.

    python -m benchmarks.load < plan.json > result.json

Over bare sockets, since an HTTP client library would be slower than the servers it measures.
"""

import asyncio
import itertools
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import cast

import msgspec
import uvloop

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)


class Request(msgspec.Struct, frozen=True, omit_defaults=True):
    """One request; `path` with its query string."""

    method: str
    path: str
    body: str = ""
    headers: dict[str, str] = {}

    def wire(self, host: str) -> bytes:
        lines = [f"{self.method} {self.path} HTTP/1.1", f"Host: {host}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        body = self.body.encode()
        if body or self.method in ("POST", "PUT", "PATCH"):
            lines.append(f"Content-Length: {len(body)}")
            if not any(name.lower() == "content-type" for name in self.headers):
                lines.append("Content-Type: application/json")
        return "\r\n".join([*lines, "", ""]).encode() + body


class Plan(msgspec.Struct, frozen=True):
    """What to send: the requests in turn, over and over, for `seconds`, or `count` of them, whichever ends first."""

    host: str
    port: int
    requests: list[Request]
    connections: int
    seconds: float
    count: int | None = None


class Measured(msgspec.Struct, frozen=True):
    """What came of it. Latencies in milliseconds."""

    requests: int
    seconds: float
    bytes: int
    p50: float
    p99: float
    statuses: dict[int, int]

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    def require(self, *statuses: int) -> "Measured":
        """Raises ValueError when anything else was answered: a fast error is no result."""
        if set(self.statuses) - set(statuses):
            raise ValueError(f"answered {self.statuses}")
        return self


class Response:
    """The length of one answer, found as it arrives; nothing of it is kept."""

    def __init__(self) -> None:
        self.status = 0
        self._head = bytearray()
        self._left = 0  # of the body, or of the chunk and its line end
        self._chunked = False
        self._last = False

    def feed(self, data: bytes) -> bool:
        """Take what came; True when the answer is complete. An answer ends with the data, as nothing is pipelined."""
        if self.status == 0:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return False
            self.status = int(self._head[9:12])
            head = bytes(self._head[:end])
            self._chunked = _CHUNKED.search(head) is not None
            length = _LENGTH.search(head)
            self._left = int(length[1]) if length and not self._chunked else 0
            data = bytes(self._head[end + 4 :])
            self._head.clear()
        if self._chunked:
            return self._feed_chunks(data)
        self._left -= len(data)
        return self._left <= 0

    def _feed_chunks(self, data: bytes) -> bool:
        at = 0
        while True:
            step = min(self._left, len(data) - at)
            self._left -= step
            at += step
            if self._left:
                return False
            if self._last:
                return True
            line_end = data.find(b"\n", at)
            if line_end < 0:
                self._head += data[at:]
                return False
            size = int(self._head + data[at:line_end], 16)
            self._head.clear()
            self._left = size + len(b"\r\n")
            self._last = size == 0
            at = line_end + 1


class Sender(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, run: "Run") -> None:
        self._run = run
        self._response = Response()
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def _send(self) -> None:
        wire = self._run.next_request()
        if wire is None:
            self._transport.close()
            return
        self._response = Response()
        self._sent_at = time.perf_counter()
        self._transport.write(wire)

    def data_received(self, data: bytes) -> None:
        self._run.bytes += len(data)
        if self._response.feed(data):
            self._run.answered(self._response.status, time.perf_counter() - self._sent_at)
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        self._run.left(exc)


class Run:
    """All connections of a plan, and what they measured."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._wires: Iterator[bytes] = itertools.cycle(
            [request.wire(f"{plan.host}:{plan.port}") for request in plan.requests]
        )
        self._sent = 0
        self._open = 0
        self._latencies: list[float] = []
        self._statuses: Counter[int] = Counter()
        self._ended = asyncio.get_running_loop().create_future()
        self.bytes = 0

    def next_request(self) -> bytes | None:
        over = time.perf_counter() >= self._deadline
        if over or (self._plan.count is not None and self._sent >= self._plan.count):
            return None
        self._sent += 1
        return next(self._wires)

    def answered(self, status: int, seconds: float) -> None:
        self._latencies.append(seconds)
        self._statuses[status] += 1

    def left(self, error: Exception | None) -> None:
        self._open -= 1
        if error is not None and not self._ended.done():
            self._ended.set_exception(error)
        elif self._open == 0 and not self._ended.done():
            self._ended.set_result(None)

    async def measure(self) -> Measured:
        loop = asyncio.get_running_loop()
        started = time.perf_counter()
        self._deadline = started + self._plan.seconds
        self._open = self._plan.connections
        for _ in range(self._plan.connections):
            await loop.create_connection(lambda: Sender(self), self._plan.host, self._plan.port)
        await self._ended
        seconds = time.perf_counter() - started
        latencies = sorted(self._latencies)
        return Measured(
            requests=len(latencies),
            seconds=seconds,
            bytes=self.bytes,
            p50=percentile(latencies, 0.50) * 1000,
            p99=percentile(latencies, 0.99) * 1000,
            statuses=dict(self._statuses),
        )


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value that `share` of an ordered sequence does not exceed; 0 where there is none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


async def main() -> None:
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    sys.stdout.buffer.write(msgspec.json.encode(await Run(plan).measure()))


if __name__ == "__main__":
    uvloop.run(main())
