"""HTTP client of a booking feed, our provider's or a foreign one.

A foreign feed may support only the parameters of the source. Our provider names further features in the header X-Feed;
without that header we assume that responses may be truncated silently.
"""

import asyncio
import codecs
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import aiohttp
from yarl import URL

from common.instants import format_instant, parse_instant
from common.upstream import (
    SUCCESS_STATUSES,
    Upstream,
    UpstreamBody,
    UpstreamError,
    UpstreamResponse,
    parse_http_date,
)
from dashboard.config import MAIN_FEED, FeedSource

READ_BYTES = 256 * 1024
MAX_VALUE_LENGTH = 1024 * 1024
MAX_COUNT_DIGITS = 15
ACCEPT = "application/x-ndjson, application/json;q=0.9"

TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=60)
"""No total time-out: a first read of years of events takes long. A silent feed ends after `sock_read`."""

REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
MAX_REDIRECTS = 5


@dataclass(frozen=True)
class FeedQuery:
    """Events to read; every bound is included.

    since, until: event time. recorded_since: the provider's clock when it stored the event. The other filters divide
    the events of one instant.
    """

    since: datetime | None = None
    until: datetime | None = None
    recorded_since: datetime | None = None
    status: int | None = None
    first_night: date | None = None
    last_night: date | None = None
    hotel_id: int | None = None
    room_id: str | None = None

    def parameters(self) -> dict[str, str]:
        """The query parameters of the request."""
        parameters = {
            "updated__gte": format_instant(self.since) if self.since else None,
            "updated__lte": format_instant(self.until) if self.until else None,
            "recorded__gte": format_instant(self.recorded_since) if self.recorded_since else None,
            "rpg_status": str(self.status) if self.status else None,
            "night_of_stay__gte": self.first_night.isoformat() if self.first_night else None,
            "night_of_stay__lte": self.last_night.isoformat() if self.last_night else None,
            "hotel_id": str(self.hotel_id) if self.hotel_id else None,
            "room_id": self.room_id,
        }
        return {name: value for name, value in parameters.items() if value is not None}


@dataclass
class FeedResponse:
    """A response of the feed while it is read.

    batches: undecoded events, each the bytes of a JSON value. at: the time up to which the feed is complete: the
    provider's clock when the response began, or an earlier time of a copy of the feed. features: those of the X-Feed
    header. about_events: about how many events the feed has in all; None if it does not say.
    """

    batches: AsyncIterator[list[bytes]]
    at: datetime
    features: frozenset[str] = field(default_factory=frozenset)
    about_events: int | None = None

    @property
    def complete(self) -> bool:
        """Whether the feed promises not to truncate its responses."""
        return "complete" in self.features


class BookingFeed:
    """The booking feed behind a base URL. name: the one that DASHBOARD_FEEDS gives it."""

    def __init__(self, upstream: Upstream, name: str = MAIN_FEED, *, reads_copies: bool = True) -> None:
        """reads_copies: whether a copy of the feed, which may be behind, may answer."""
        self.name = name
        self._upstream = upstream
        self._headers = {"Accept": ACCEPT} if reads_copies else {"Accept": ACCEPT, "Cache-Control": "no-cache"}

    def without_copies(self) -> "BookingFeed":
        """The same feed, whose responses contain all that was stored before the request."""
        return BookingFeed(self._upstream, self.name, reads_copies=False)

    @asynccontextmanager
    async def read(self, query: FeedQuery) -> AsyncIterator[FeedResponse]:
        """Read events in batches while they arrive.

        Raises UpstreamError when the feed fails: no response, an error status, a redirect to another host, a response
        that is truncated or is not JSON. Batches yielded before the error are valid.
        """
        async with self._get(query.parameters()) as response:
            ndjson = response.content_type == "application/x-ndjson"
            features = frozenset(filter(None, map(str.strip, response.headers.get("X-Feed", "").split(","))))
            batches = _lines(response.content) if ndjson else _values(response.content)
            yield FeedResponse(batches, _complete_through(response), features, _about_events(response))

    @asynccontextmanager
    async def _get(self, parameters: dict[str, str]) -> AsyncIterator[UpstreamResponse]:
        """The response to a request, after redirects within the same host."""
        upstream, path, params = self._upstream, "/events", parameters
        for _ in range(MAX_REDIRECTS + 1):
            async with upstream.call(
                "GET",
                path,
                params=params,
                headers=self._headers,
                timeout=TIMEOUT,
                accept=SUCCESS_STATUSES | REDIRECT_STATUSES,
            ) as response:
                if response.status not in REDIRECT_STATUSES:
                    yield response
                    return
                target = _redirect_target(response)
            credentials = URL(self._upstream.base_url)
            base_url = target.origin().with_user(credentials.user).with_password(credentials.password)
            upstream, path, params = self._upstream.moved_to(str(base_url)), target.raw_path_qs, {}
        raise UpstreamError(f"GET /events: more than {MAX_REDIRECTS} redirects")


def create_feed(http: aiohttp.ClientSession, source: FeedSource) -> BookingFeed:
    """The client of a booking feed, with the token that it may require. Each feed has its own circuit breaker."""
    name = "booking_feed" if source.name == MAIN_FEED else f"booking_feed:{source.name}"
    return BookingFeed(Upstream(http, name, source.url.reveal()).with_token(source.token), source.name)


def _redirect_target(response: UpstreamResponse) -> URL:
    """The address that a redirect names. Raises UpstreamError unless it is on the same host and not less secure."""
    source = response.url
    try:
        target = source.join(URL(response.headers.get("Location", "")))
        same_port = target.port == source.port
        upgrade = (source.scheme, source.port, target.scheme, target.port) == ("http", 80, "https", 443)
        followed = target.host == source.host and ((target.scheme == source.scheme and same_port) or upgrade)
    except ValueError:
        followed = False
    if not followed or target == source:
        raise UpstreamError(
            f"GET /events answered {response.status}: only redirects to another address of the same host are followed",
            status=response.status,
        )
    return target


def _provider_clock(response: UpstreamResponse) -> datetime:
    """The time of the Date header, or our own time when the header is missing or invalid."""
    try:
        return parse_http_date(response.headers.get("Date", ""))
    except ValueError:
        return datetime.now(UTC)


def _about_events(response: UpstreamResponse) -> int | None:
    """The number in the header X-Feed-Events; None without a valid one."""
    text = response.headers.get("X-Feed-Events", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_COUNT_DIGITS else None


def _complete_through(response: UpstreamResponse) -> datetime:
    """The provider's clock, or the time up to which the copy of the feed that answers has every event."""
    at = _provider_clock(response)
    try:
        return min(at, parse_instant(response.headers.get("X-Recorded-Through", "")))
    except ValueError:
        return at


async def _lines(content: UpstreamBody) -> AsyncIterator[list[bytes]]:
    """The lines of NDJSON, in batches. Raises UpstreamError when the last line is truncated."""
    rest, since_last = b"", 0
    async for chunk in content.iter_chunked(READ_BYTES):
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        values = [line for line in lines if line and not line.isspace()]
        since_last = 0 if values else since_last + len(chunk)
        if max(len(rest), since_last) > MAX_VALUE_LENGTH:
            raise UpstreamError("GET /events: a line exceeds 1 MiB, or blank lines do")
        if values:
            yield values
    if rest:
        raise UpstreamError("GET /events: the response is truncated")


async def _values(content: UpstreamBody) -> AsyncIterator[list[bytes]]:
    """The undecoded values of a JSON array, in batches. Raises UpstreamError when it is not an array, or truncated."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")  # an invalid byte spoils one value only
    rest, delimiter, since_last = "", "", 0
    async for chunk in content.iter_chunked(READ_BYTES):
        values, rest, delimiter = await asyncio.to_thread(_split_array, rest + decoder.decode(chunk), delimiter)
        since_last = 0 if values else since_last + len(chunk)
        if max(len(rest), since_last) > MAX_VALUE_LENGTH:
            raise UpstreamError(
                "GET /events: the response is not a JSON array, or a value or white space exceeds 1 MiB"
            )
        if values:
            yield values
    if delimiter != "]" or rest:
        raise UpstreamError("GET /events: the response is not a JSON array, or is truncated")


def _split_array(text: str, delimiter: str) -> tuple[list[bytes], str, str]:
    """Split a part of an array: its complete values, the remaining text, and the last delimiter.

    delimiter: the last `[`, `,` or `]` of the array itself; empty before the array begins. A value is complete when a
    comma or the array's end follows it: 12 may be the beginning of 123.
    """
    values: list[bytes] = []
    text, position = text.lstrip(WHITESPACE), 0
    if opening := _BEGIN.match(text) if not delimiter else None:
        delimiter, position = "[", opening.end()
    if ending := _END.match(text, position) if delimiter == "[" else None:
        delimiter, position = "]", ending.end()
    with suppress(ValueError, RecursionError):  # truncated, not JSON, or nested too deeply
        while delimiter in ("[", ","):
            _, end = _scan(text, position)
            following = _FOLLOWING.match(text, end)
            if following is None:
                break
            values.append(text[position:end].encode("utf-8", "surrogateescape"))
            delimiter, position = following[1], following.end()
    return values, text[position:], delimiter


WHITESPACE = " \t\n\r"
_BEGIN = re.compile(rf"\[[{WHITESPACE}]*")
_END = re.compile(rf"\][{WHITESPACE}]*")
_FOLLOWING = re.compile(rf"[{WHITESPACE}]*([,\]])[{WHITESPACE}]*")
_scan = json.JSONDecoder(parse_int=str, parse_float=str, strict=False).raw_decode
"""Finds the end of a value. Numbers stay text and control characters pass: decoding.py validates the values."""
