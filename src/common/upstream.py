"""Calls external services: one session, explicit time-outs, retries with jitter, and a circuit breaker."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from copy import copy
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self, TypedDict, Unpack

import aiohttp

from common.config import Secret
from common.gzip_data import DamagedGzipError, GzipData
from common.telemetry import metrics, tracing

CONNECT_SECONDS = 5.0
MAX_RESPONSE_BYTES = 64 * 1024 * 1024
MAX_PIECE_BYTES = 256 * 1024
GZIP = "gzip"
"""The Content-Encoding that services may use."""
MAX_RETRY_WAIT_SECONDS = 5.0
SUCCESS_STATUSES = frozenset({200, 201, 204})
RETRY_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})


class UpstreamError(Exception):
    """An external service gave no usable answer.

    status: its HTTP status, None when there was no answer. retry_after: seconds to wait, from its Retry-After header.
    """

    def __init__(self, reason: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.retry_after = retry_after


class CircuitOpenError(UpstreamError):
    """The service was not called because it has failed too often recently."""


class ResponseTooLargeError(UpstreamError):
    """The body of the response exceeds the limit."""


FAILURES: tuple[type[Exception], ...] = (aiohttp.ClientError, TimeoutError, OSError)
"""What aiohttp raises when a call fails."""


def call_failure(method: str, path: str, error: Exception) -> UpstreamError:
    return UpstreamError(f"{method} {path}: {type(error).__name__} {error}".strip())


class CircuitBreaker:
    """Opens after `threshold` failures in a row; after `seconds` it lets one call through."""

    def __init__(self, threshold: int = 10, seconds: float = 10.0) -> None:
        self.threshold = threshold
        self.seconds = seconds
        self._failures = 0
        self._last_failure = ""
        self._retry_at = 0.0

    @property
    def closed(self) -> bool:
        """Whether calls are let through."""
        return self._failures < self.threshold

    def check(self) -> None:
        """Raises CircuitOpenError while the breaker is open."""
        if self.closed:
            return
        now = time.monotonic()
        if now < self._retry_at:
            reason = f"not called: the service has failed too often recently: {self._last_failure}".removesuffix(": ")
            raise CircuitOpenError(reason, retry_after=self._retry_at - now)
        self._retry_at = now + self.seconds

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self, reason: str = "") -> None:
        self._failures += 1
        self._last_failure = reason
        if not self.closed:
            self._retry_at = time.monotonic() + self.seconds


def create_client_session() -> aiohttp.ClientSession:
    """Create the application's one client session, with time-outs shorter than aiohttp's default of 300 s."""
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=30, sock_connect=CONNECT_SECONDS, sock_read=20),
        connector=aiohttp.TCPConnector(limit=200, ttl_dns_cache=60),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "nightaudit"},
    )


def backoff_seconds(attempt: int, *, base: float = 0.2, longest: float = 10.0) -> float:
    """A random wait from 0 to base * 2^attempt seconds, at most `longest`; attempt counts from 0 (full jitter)."""
    return random.uniform(0, min(longest, base * 2**attempt))


def retry_after_seconds(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """The Retry-After header in seconds, whether a number or a date; None when absent or invalid."""
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    if not value:
        return None
    try:
        at = parse_http_date(value)
    except ValueError:
        return None
    return max(0.0, (at - (now or datetime.now(UTC))).total_seconds())


def parse_http_date(text: str) -> datetime:
    """An instant in the form that HTTP headers have, in UTC. Raises ValueError."""
    try:
        at = parsedate_to_datetime(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)  # -0000 means UTC, but is parsed as naive
    except OverflowError:
        raise ValueError("is not a valid date") from None


def require_status(response: aiohttp.ClientResponse, accept: frozenset[int]) -> None:
    """Raise UpstreamError unless the status is one of `accept`."""
    if response.status not in accept:
        raise UpstreamError(
            f"{response.method} {response.url.path} answered {response.status}",
            status=response.status,
            retry_after=retry_after_seconds(response.headers),
        )


class UpstreamBody:
    """The body of a response. Every read raises UpstreamError when the service fails.

    aiohttp would take gzip data that are cut off for whole, and drop all members but the first.
    """

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """The decompressed bytes, in pieces of at most `size`."""
        return self._decoded(self._response.content.iter_chunked(size), size)

    def iter_any(self) -> AsyncIterator[bytes]:
        """The decompressed bytes, in pieces as they arrive."""
        return self._decoded(self._response.content.iter_any(), MAX_PIECE_BYTES)

    async def _decoded(self, parts: AsyncIterator[bytes], size: int) -> AsyncIterator[bytes]:
        coding = self._response.headers.get("Content-Encoding", "").strip().lower().removeprefix("x-")
        if coding in ("", "identity"):
            async for part in self._reading(parts):
                yield part
            return
        if coding != GZIP:
            raise self._failure(f"unsupported Content-Encoding {coding[:40]}")
        gzip_data = GzipData()
        try:
            async for part in self._reading(parts):
                for piece in gzip_data.decompress(part, size):
                    yield piece
            gzip_data.finish()
        except DamagedGzipError as error:
            raise self._failure(f"the body cannot be read: {error}") from None

    async def _reading(self, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        while True:
            try:
                part = await anext(parts)
            except StopAsyncIteration:
                return
            except FAILURES as error:
                raise call_failure(self._response.method, self._response.url.path, error) from error
            yield part

    def _failure(self, reason: str) -> UpstreamError:
        return UpstreamError(f"{self._response.method} {self._response.url.path}: {reason}")


class UpstreamResponse:
    """A response of an external service, whose body is still to be read."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.method = response.method
        self.url = response.url
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self.content_type = response.content_type
        self.content = UpstreamBody(response)


async def read_body(response: UpstreamResponse, max_bytes: int) -> bytes:
    """The whole body, decompressed. Raises ResponseTooLargeError as soon as it exceeds `max_bytes`."""
    parts = []
    room = max_bytes
    async for part in response.content.iter_any():
        room -= len(part)
        if room < 0:
            raise ResponseTooLargeError(
                f"{response.method} {response.url.path} answered more than {max_bytes} bytes", status=response.status
            )
        parts.append(part)
    return b"".join(parts)


class RequestOptions(TypedDict, total=False):
    """aiohttp's options for a call."""

    params: Mapping[str, str] | None
    json: Any
    data: Any
    headers: Mapping[str, str] | None
    timeout: aiohttp.ClientTimeout


class Upstream:
    """An external service: its name (for metrics) and base URL."""

    def __init__(
        self,
        client: aiohttp.ClientSession,
        name: str,
        base_url: str,
        *,
        timeout: aiohttp.ClientTimeout | None = None,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        self.client = client
        self.name = name
        self.base_url = base_url.rstrip("/")
        self.timeout = timeout or aiohttp.ClientTimeout(total=15, sock_connect=CONNECT_SECONDS, sock_read=10)
        self.breaker = breaker
        self._headers: dict[str, str] = {}

    def with_token(self, token: Secret | None) -> Self:
        """The same service, with a bearer token that is sent with every call; None: as it is."""
        service = copy(self)
        if token is not None:
            service._headers = {"Authorization": f"Bearer {token.reveal()}"}
        return service

    def moved_to(self, base_url: str) -> Self:
        """The same service at another address."""
        service = copy(self)
        service.base_url = base_url.rstrip("/")
        return service

    @asynccontextmanager
    async def call(
        self,
        method: str,
        path: str,
        *,
        accept: frozenset[int] = SUCCESS_STATUSES,
        **options: Unpack[RequestOptions],
    ) -> AsyncIterator[UpstreamResponse]:
        """Make one call; the block reads the response. Raises UpstreamError for any failure, even while reading.

        An error of the block itself is not the service's: it passes unchanged, and the breaker does not count it. The
        block raises UpstreamError for content that is not valid.
        """
        if self.breaker:
            self.breaker.check()
        started = time.perf_counter()
        outcome = "error"
        try:
            response = await self._request(method, path, options)
            try:
                outcome = str(response.status)
                require_status(response, accept)
                yield UpstreamResponse(response)
            finally:
                response.release()
            if self.breaker:
                self.breaker.succeeded()
        except UpstreamError as error:
            if error.status is None:
                outcome = "error"
            if self.breaker:
                answered = error.status is not None and error.status not in RETRY_STATUSES
                self.breaker.succeeded() if answered else self.breaker.failed(str(error))
            raise
        finally:
            metrics.UPSTREAM_CALLS.labels(self.name, outcome).inc()
            metrics.UPSTREAM_SECONDS.labels(self.name).observe(time.perf_counter() - started)

    async def _request(self, method: str, path: str, options: RequestOptions) -> aiohttp.ClientResponse:
        """Send the request; returns the response when its headers have arrived. Raises UpstreamError."""
        options["headers"] = {
            "Accept-Encoding": GZIP,
            **tracing.request_headers(),
            **self._headers,
            **(options.get("headers") or {}),
        }
        options.setdefault("timeout", self.timeout)
        try:
            return await self.client.request(
                method, self.base_url + path, allow_redirects=False, auto_decompress=False, **options
            )
        except FAILURES as error:
            raise call_failure(method, path, error) from error

    async def fetch(
        self,
        method: str,
        path: str,
        *,
        attempts: int = 1,
        max_bytes: int = MAX_RESPONSE_BYTES,
        **options: Unpack[RequestOptions],
    ) -> bytes:
        """Return the body of the response; retry transient failures, up to `attempts` calls in all.

        Only for calls that are safe to repeat. Waits for Retry-After up to MAX_RETRY_WAIT_SECONDS. Raises UpstreamError
        when the last attempt fails or the body exceeds `max_bytes`, and without a retry when Retry-After is longer or
        the failure is not transient.
        """
        for attempt in range(attempts):
            try:
                async with self.call(method, path, **options) as response:
                    return await read_body(response, max_bytes)
            except CircuitOpenError:
                raise
            except UpstreamError as error:
                final = error.status is not None and error.status not in RETRY_STATUSES
                too_long = error.retry_after is not None and error.retry_after > MAX_RETRY_WAIT_SECONDS
                if final or too_long or attempt == attempts - 1:
                    raise
                await asyncio.sleep(max(error.retry_after or 0.0, backoff_seconds(attempt)))
        raise AssertionError("unreachable")
