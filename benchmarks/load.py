"""A load generator in a separate process: N keep-alive connections, each sending as soon as it has its response.

    python -m benchmarks.load < plan.json > result.json

It uses plain sockets, since an HTTP client library would be slower than the servers it measures.
"""

import asyncio
import itertools
import re
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from typing import cast

import msgspec
import uvloop

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)


class Request(msgspec.Struct, frozen=True, omit_defaults=True):
    """One request; `path` includes the query string.

    id_of: `{id}` in the path stands for the value that an earlier response had in this field, such as `reservation_id`;
    a DELETE uses it up. Without such a response yet, the request is skipped.
    """

    method: str
    path: str
    body: str = ""
    headers: dict[str, str] = {}
    id_of: str = ""

    def encode(self, host: str) -> bytes:
        lines = [f"{self.method} {self.path} HTTP/1.1", f"Host: {host}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        body = self.body.encode()
        if body or self.method in ("POST", "PUT", "PATCH"):
            lines.append(f"Content-Length: {len(body)}")
            if not any(name.lower() == "content-type" for name in self.headers):
                lines.append("Content-Type: application/json")
        return "\r\n".join([*lines, "", ""]).encode() + body


class Plan(msgspec.Struct, frozen=True):
    """Send the requests in order, repeatedly, for `seconds` or until `max_requests` are sent, whichever is first."""

    host: str
    port: int
    requests: list[Request]
    connections: int
    seconds: float
    max_requests: int | None = None


class LoadResult(msgspec.Struct, frozen=True):
    """The result of a plan. `p50`, `p95` and `p99` are latencies in milliseconds."""

    requests: int
    seconds: float
    bytes: int
    p50: float
    p95: float
    p99: float
    statuses: dict[int, int]

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    def require(self, *statuses: int) -> "LoadResult":
        """Return the result. Raises ValueError if there was any other status: fast errors are not a valid result."""
        if set(self.statuses) - set(statuses):
            raise ValueError(f"expected only status {statuses}, got {self.statuses} (status: responses)")
        return self


class ResponseReader:
    """Finds the end of one response as it arrives. body: its beginning, if it came with the head."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""
        self._head = bytearray()
        self._remaining = 0  # bytes of the body, or of the chunk and its line end
        self._chunked = False
        self._is_last_chunk = False

    def feed(self, data: bytes) -> bool:
        """Read data; returns whether the response is complete. No data follows it, since requests are not pipelined."""
        if self.status == 0:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return False
            self.status = int(self._head[9:12])
            head = bytes(self._head[:end])
            self._chunked = _CHUNKED.search(head) is not None
            length = _LENGTH.search(head)
            self._remaining = int(length[1]) if length and not self._chunked else 0
            data = bytes(self._head[end + 4 :])
            self._head.clear()
            self.body = data
        if self._chunked:
            return self._feed_chunks(data)
        self._remaining -= len(data)
        return self._remaining <= 0

    def _feed_chunks(self, data: bytes) -> bool:
        position = 0
        while True:
            step = min(self._remaining, len(data) - position)
            self._remaining -= step
            position += step
            if self._remaining:
                return False
            if self._is_last_chunk:
                return True
            line_end = data.find(b"\n", position)
            if line_end < 0:
                self._head += data[position:]
                return False
            size = int(self._head + data[position:line_end], 16)
            self._head.clear()
            self._remaining = size + len(b"\r\n")
            self._is_last_chunk = size == 0
            position = line_end + 1


class Sender(asyncio.Protocol):
    """One connection, which sends a request, reads the response and sends the next."""

    def __init__(self, run: "LoadRun") -> None:
        self._run = run
        self._response = ResponseReader()
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def _send(self) -> None:
        request = self._run.next_request()
        if request is None:
            self._transport.close()
            return
        self._response = ResponseReader()
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._run.bytes += len(data)
        if self._response.feed(data):
            self._run.record_response(self._response, time.perf_counter() - self._sent_at)
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        self._run.connection_closed(exc)


class LoadRun:
    """All connections of a plan and their measurements."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._requests: Iterator[tuple[bytes, Request]] = itertools.cycle(
            [(request.encode(f"{plan.host}:{plan.port}"), request) for request in plan.requests]
        )
        self._ids: dict[str, deque[bytes]] = {request.id_of: deque() for request in plan.requests if request.id_of}
        self._sent = 0
        self._open = 0
        self._latencies: list[float] = []
        self._statuses: Counter[int] = Counter()
        self._finished = asyncio.get_running_loop().create_future()
        self.bytes = 0

    def next_request(self) -> bytes | None:
        expired = time.perf_counter() >= self._deadline
        if expired or (self._plan.max_requests is not None and self._sent >= self._plan.max_requests):
            return None
        self._sent += 1
        while True:
            encoded, request = next(self._requests)
            if not request.id_of:
                return encoded
            if ids := self._ids[request.id_of]:
                used = ids.popleft()
                if request.method != "DELETE":
                    ids.append(used)
                return encoded.replace(b"{id}", used, 1)

    def record_response(self, response: ResponseReader, seconds: float) -> None:
        self._latencies.append(seconds)
        self._statuses[response.status] += 1
        for field, ids in self._ids.items():
            found = re.search(rb'"%b":"([^"]+)"' % field.encode(), response.body)
            if found and found[1] not in ids:
                ids.append(found[1])

    def connection_closed(self, error: Exception | None) -> None:
        self._open -= 1
        if error is not None and not self._finished.done():
            self._finished.set_exception(error)
        elif self._open == 0 and not self._finished.done():
            self._finished.set_result(None)

    async def measure(self) -> LoadResult:
        loop = asyncio.get_running_loop()
        started = time.perf_counter()
        self._deadline = started + self._plan.seconds
        self._open = self._plan.connections
        for _ in range(self._plan.connections):
            await loop.create_connection(lambda: Sender(self), self._plan.host, self._plan.port)
        await self._finished
        seconds = time.perf_counter() - started
        latencies = sorted(self._latencies)
        return LoadResult(
            requests=len(latencies),
            seconds=seconds,
            bytes=self.bytes,
            p50=percentile(latencies, 0.50) * 1000,
            p95=percentile(latencies, 0.95) * 1000,
            p99=percentile(latencies, 0.99) * 1000,
            statuses=dict(self._statuses),
        )


def percentile(sorted_values: Sequence[float], share: float) -> float:
    """Return the value that `share` of a sorted sequence does not exceed; 0.0 if the sequence is empty."""
    if not sorted_values:
        return 0.0
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))]


async def main() -> None:
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    sys.stdout.buffer.write(msgspec.json.encode(await LoadRun(plan).measure()))


if __name__ == "__main__":
    uvloop.run(main())
