"""The only place that knows the HTTP of the booking feed, ours or anybody's.

A feed may know no more than the source's parameters. What it offers beyond them it says in the header X-Feed; a feed
that does not is taken for one that may cut its answers off without a word.
"""

import codecs
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp

from common.upstream import Upstream, UpstreamError
from common.web.responses import format_instant

READ_BYTES = 256 * 1024
LONGEST_VALUE = 1024 * 1024
ACCEPT = "application/x-ndjson, application/json;q=0.9"

TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=60)
"""A feed of years takes its time; only silence ends it."""


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
            "updated__gte": format_instant(self.since) if self.since else None,
            "updated__lte": format_instant(self.until) if self.until else None,
            "recorded__gte": format_instant(self.recorded_since) if self.recorded_since else None,
            "rpg_status": str(self.status) if self.status else None,
            "night_of_stay__gte": self.first_night,
            "night_of_stay__lte": self.last_night,
        }
        return {name: value for name, value in named.items() if value is not None}


@dataclass
class Reading:
    """An answer of the feed that is being read.

    batches: of events as they came, each the bytes of a JSON value. at: the provider's clock when it began. offers:
    what the feed knows beyond the source's parameters.
    """

    batches: AsyncIterator[list[bytes]]
    at: datetime
    offers: frozenset[str] = field(default_factory=frozenset)

    @property
    def complete(self) -> bool:
        """The feed promises that what it answers is all there is."""
        return "complete" in self.offers


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
        at = parsedate_to_datetime(response.headers.get("Date", ""))
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)  # a zone of -0000 is UTC without a word
    except (ValueError, OverflowError):
        return datetime.now(UTC)


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[list[bytes]]:
    """NDJSON, in batches of lines. Raises UpstreamError when the last line is cut off."""
    rest = b""
    async for chunk in content.iter_chunked(READ_BYTES):
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        if len(rest) > LONGEST_VALUE:
            raise UpstreamError("GET /events: a line of more than 1 MiB")
        if values := [line for line in lines if line]:
            yield values
    if rest:
        raise UpstreamError("GET /events: the answer is cut off")


async def _values(content: aiohttp.StreamReader) -> AsyncIterator[list[bytes]]:
    """The values of a JSON array as they are written, in batches. Raises UpstreamError when it is none, or cut off."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")  # a byte that is no text spoils one value only
    rest, mark = "", ""
    async for chunk in content.iter_chunked(READ_BYTES):
        values, rest, mark = _split(rest + decoder.decode(chunk), mark)
        if len(rest) > LONGEST_VALUE:
            raise UpstreamError("GET /events: the answer is no JSON array, or has a value of more than 1 MiB")
        if values:
            yield values
    if mark != "]" or rest:
        raise UpstreamError("GET /events: the answer is no JSON array, or is cut off")


def _split(text: str, mark: str) -> tuple[list[bytes], str, str]:
    """The values at the start of a part of an array, the text behind them, and the mark that it follows.

    mark: what of the array's own `[`, `,` and `]` came last; empty before the array. A value counts once a comma or the
    array's end stands behind it: 12 may yet become 123.
    """
    values: list[bytes] = []
    text, position = text.lstrip(BLANKS), 0
    if opening := _BEGIN.match(text) if not mark else None:
        mark, position = "[", opening.end()
    if ending := _END.match(text, position) if mark == "[" else None:
        mark, position = "]", ending.end()
    with suppress(ValueError, RecursionError):  # cut off, no JSON, or nested a thousand deep
        while mark in ("[", ","):
            _, end = _scan(text, position)
            behind = _BEHIND.match(text, end)
            if behind is None:
                break
            values.append(text[position:end].encode("utf-8", "surrogateescape"))
            mark, position = behind[1], behind.end()
    return values, text[position:], mark


BLANKS = " \t\n\r"
_BEGIN = re.compile(rf"\[[{BLANKS}]*")
_END = re.compile(rf"\][{BLANKS}]*")
_BEHIND = re.compile(rf"[{BLANKS}]*([,\]])[{BLANKS}]*")
_scan = json.JSONDecoder(parse_int=str, parse_float=str, strict=False).raw_decode
"""Finds where a value ends, and judges it no more than that needs: what a number or a letter may be, decoding says."""
