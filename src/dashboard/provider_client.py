"""The only place that knows the HTTP of the booking feed, ours or anybody's.

A feed may know no more than the source's parameters. What it offers beyond them it says in the header X-Feed; a feed
that does not is taken for one that may cut its answers off without a word.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
import ijson
import msgspec

from common.http import Upstream, UpstreamError

READ_BYTES = 256 * 1024
LONGEST_LINE = 1024 * 1024
ACCEPT = "application/x-ndjson, application/json;q=0.9"

TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=60)
"""A feed of years takes its time; only silence ends it."""

Raw = bytes | object
"""An event as it came: a line of NDJSON, or a value out of a JSON array."""


@dataclass(frozen=True)
class Range:
    """What to read: by the events' own time (both ends included), by the provider's clock, and to split ties."""

    since: datetime | None = None
    until: datetime | None = None
    recorded_since: datetime | None = None
    status: int | None = None
    first_night: str | None = None
    last_night: str | None = None

    def parameters(self) -> dict[str, str]:
        named = {
            "updated__gte": as_text(self.since) if self.since else None,
            "updated__lte": as_text(self.until) if self.until else None,
            "recorded__gte": as_text(self.recorded_since) if self.recorded_since else None,
            "rpg_status": str(self.status) if self.status else None,
            "night_of_stay__gte": self.first_night,
            "night_of_stay__lte": self.last_night,
        }
        return {name: value for name, value in named.items() if value is not None}


@dataclass
class Reading:
    """An answer of the feed that is being read: its batches, the provider's clock when it began, what it offers."""

    batches: AsyncIterator[list[Raw]]
    at: datetime
    offers: frozenset[str] = field(default_factory=frozenset)

    @property
    def complete(self) -> bool:
        """The feed promises that what it answers is all there is."""
        return "complete" in self.offers


def as_text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


class BookingFeed:
    """The booking feed behind a base URL."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    @asynccontextmanager
    async def read(self, wanted: Range) -> AsyncIterator[Reading]:
        """The events of a range, in batches as they stream in.

        Raises UpstreamError when the feed fails in any way: no answer, an error, an answer that is cut off or is no
        JSON. What was yielded before stays true.
        """
        async with self._upstream.call(
            "GET", "/events", params=wanted.parameters(), headers={"Accept": ACCEPT}, timeout=TIMEOUT
        ) as response:
            ndjson = response.content_type == "application/x-ndjson"
            offers = frozenset(filter(None, (word.strip() for word in response.headers.get("X-Feed", "").split(","))))
            batches = _lines(response.content) if ndjson else _values(response.content)
            yield Reading(batches, _clock(response), offers)


def _clock(response: aiohttp.ClientResponse) -> datetime:
    """The provider's clock as its Date header tells; ours where it tells nothing."""
    try:
        return parsedate_to_datetime(response.headers.get("Date", "")).astimezone(UTC)
    except ValueError:
        return datetime.now(UTC)


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[list[Raw]]:
    """NDJSON, in batches of lines. Raises UpstreamError when the last line is cut off."""
    rest = b""
    async for chunk in content.iter_chunked(READ_BYTES):
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        if len(rest) > LONGEST_LINE:
            raise UpstreamError("GET /events: a line of more than 1 MiB")
        if lines:
            yield [line for line in lines if line]
    if rest:
        raise UpstreamError("GET /events: the answer is cut off")


async def _values(content: aiohttp.StreamReader) -> AsyncIterator[list[Raw]]:
    """The values of a JSON array, in batches. Raises UpstreamError when it is no array, no JSON, or cut off."""
    found: list[Raw] = ijson.sendable_list()
    parser = ijson.items_coro(found, "item", use_float=True)
    shape: list[tuple[str, object]] = ijson.sendable_list()
    outline = ijson.basic_parse_coro(shape, use_float=True)
    checked = False
    try:
        async for chunk in content.iter_chunked(READ_BYTES):
            if not checked:
                outline.send(chunk)
                if shape and shape[0][0] != "start_array":
                    raise UpstreamError("GET /events: the answer is no JSON array")
                checked = bool(shape)
            parser.send(chunk)
            if found:
                yield list(found)
                found.clear()
        parser.close()
    except ijson.JSONError as error:
        raise UpstreamError(f"GET /events: the answer is no JSON, or is cut off: {error}") from None
    if not checked:
        raise UpstreamError("GET /events: the answer is empty")
    if found:
        yield list(found)


def raw_text(raw: Raw) -> str:
    """An event as it came, for people."""
    if isinstance(raw, bytes):
        return raw.decode("utf-8", errors="replace")
    return msgspec.json.encode(raw, enc_hook=str).decode()
