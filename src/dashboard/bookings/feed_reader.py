"""Reads one response of the booking feed in pages, and refuses one that is not what was asked for."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from common.instants import format_instant
from common.upstream import UpstreamError
from dashboard.bookings.decoding import BookingEvent, RejectedEvent, decode
from dashboard.feed_client import BookingFeed, FeedQuery, FeedResponse

EVENTS_PER_PAGE = 20_000
"""Events of one transaction. Larger pages change each counter less often, but take more memory."""

REJECTED_PER_PAGE = 500
"""Rejected values of one transaction; each may be long."""

MAX_REQUESTS = 10_000
"""Requests of one run. The next run continues where this one stopped."""


class IgnoredFilterError(UpstreamError):
    """The feed sent an event outside the range that it was asked for."""


class RequestLimitError(UpstreamError):
    """The run needs more than MAX_REQUESTS requests."""


@dataclass
class ReadSummary:
    """The contents of one response, or of several.

    at: the provider's clock when the response began. last_event_at, last_rejected_at: the latest event time of the
    events, and of the rejected values.
    """

    at: datetime
    complete: bool = False
    rows: int = 0
    new: int = 0
    rejected: int = 0
    last_event_at: datetime | None = None
    last_rejected_at: datetime | None = None
    in_order: bool = True


@dataclass
class Page:
    """Events of one transaction.

    through: the time up to which the feed has been read, None unless the response is in the order of event time.
    """

    events: list[BookingEvent] = field(default_factory=list)
    rejected: list[RejectedEvent] = field(default_factory=list)
    through: datetime | None = None


class CutOff(NamedTuple):
    """An instant of which the feed may have more events than it sent, and the reason."""

    at: datetime
    reason: str


class FeedSink(Protocol):
    """Receives what is read."""

    async def begin(self, response: FeedResponse) -> None:
        """A response has begun."""

    async def store(self, page: Page) -> int:
        """Store a page; returns how many of its events are new."""

    async def reached(self, position: datetime) -> None:
        """Everything before this time has been read."""

    async def cut_off(self, cut: CutOff) -> None:
        """Events of an instant may be missing."""


class Tie(NamedTuple):
    """An instant, and the number of rows that the feed sends of it."""

    at: datetime
    rows: int


@dataclass
class FeedMemory:
    """What a job remembers of the feed between two runs.

    is_complete: whether the feed promised, with its last response, not to truncate its responses. steady_windows: how
    many windows to read before they may grow again. settled: the latest instants that were read in parts, or found
    complete.
    """

    is_complete: bool = False
    steady_windows: int = 0
    settled: deque[Tie] = field(default_factory=lambda: deque(maxlen=100))


class FeedReader:
    """Makes the requests of one run, at most `MAX_REQUESTS`; rejects events dated after `latest`.

    largest_response: rows of the largest response of this run.
    """

    def __init__(self, feed: BookingFeed, memory: FeedMemory, *, latest: datetime) -> None:
        self.memory = memory
        self.largest_response = 0
        self._feed = feed
        self._latest = latest
        self._requests_left = MAX_REQUESTS

    async def read(self, query: FeedQuery, sink: FeedSink) -> ReadSummary:
        """Read one response; while a page is stored the next is read and decoded.

        Raises UpstreamError after the pages read before were stored.
        """
        self._count_request()
        async with self._feed.read(query) as response:
            summary = ReadSummary(response.at, response.complete)
            self.memory.is_complete = response.complete
            await sink.begin(response)
            storing: asyncio.Task[int] | None = None
            try:
                async for page in self._pages(response, query, summary):
                    summary.new += await storing if storing else 0
                    storing = asyncio.create_task(_store(sink, page))
            finally:
                summary.new += await storing if storing else 0
        self.largest_response = max(self.largest_response, summary.rows)
        return summary

    async def has_more_rows(self, query: FeedQuery, rows: int) -> bool:
        """Whether the response to a query has more than so many rows; the rest of it is not read."""
        self._count_request()
        async with self._feed.read(query) as response:
            async for batch in response.batches:
                rows -= len(batch)
                if rows < 0:
                    return True
        return False

    def _count_request(self) -> None:
        if not self._requests_left:
            raise RequestLimitError(f"stopped after {MAX_REQUESTS} requests of one run; the next run continues")
        self._requests_left -= 1

    async def _pages(self, response: FeedResponse, query: FeedQuery, summary: ReadSummary) -> AsyncIterator[Page]:
        """The events of a response in pages; adds its contents to `summary`. Raises IgnoredFilterError."""
        page = Page()
        async for batch in response.batches:
            events, rejected = await asyncio.to_thread(decode_requested, batch, query, self._latest)
            summary.rows += len(batch)
            summary.rejected += len(rejected)
            page.events += events
            page.rejected += rejected
            _note_event_times(summary, events)
            summary.last_rejected_at = max((each.at for each in rejected if each.at), default=summary.last_rejected_at)
            if len(page.events) >= EVENTS_PER_PAGE or len(page.rejected) >= REJECTED_PER_PAGE:
                page.through = summary.last_event_at if summary.in_order else None
                yield page
                page = Page()
        if page.events or page.rejected:
            page.through = summary.last_event_at if summary.in_order else None
            yield page


async def _store(sink: FeedSink, page: Page) -> int:
    return await sink.store(page)


def decode_requested(
    batch: list[bytes], query: FeedQuery, latest: datetime
) -> tuple[list[BookingEvent], list[RejectedEvent]]:
    """Decode a batch. Raises IgnoredFilterError for an event that the query does not ask for."""
    events, rejected = decode(batch, latest)
    for name, is_outside in _bounds(query):
        for event in events:
            if is_outside(event):
                raise IgnoredFilterError(
                    f"GET /events ignores {name}: asked for {query.parameters()[name]}, it sent event {event.id} of "
                    f"{format_instant(event.event_timestamp)}, status {event.status}, night {event.night_of_stay}"
                )
    return events, rejected


def _bounds(query: FeedQuery) -> Iterator[tuple[str, Callable[[BookingEvent], bool]]]:
    """The parameters of a query, each with a function that tells whether an event is outside."""
    since, until, first, last = query.since, query.until, query.first_night, query.last_night
    if since is not None:
        yield "updated__gte", lambda event: event.event_timestamp < since
    if until is not None:
        yield "updated__lte", lambda event: event.event_timestamp > until
    if first is not None:
        yield "night_of_stay__gte", lambda event: event.night_of_stay < first
    if last is not None:
        yield "night_of_stay__lte", lambda event: event.night_of_stay > last
    if query.status is not None:
        yield "rpg_status", lambda event: event.status != query.status
    if query.hotel_id is not None:
        yield "hotel_id", lambda event: event.hotel_id != query.hotel_id
    if query.room_id is not None:
        yield "room_id", lambda event: str(event.room_id) != query.room_id


def _note_event_times(summary: ReadSummary, events: list[BookingEvent]) -> None:
    """Note the latest event time, and whether the response is in the order of event time so far."""
    times = [event.event_timestamp for event in events]
    if not times:
        return
    last = summary.last_event_at
    if times != sorted(times) or (last is not None and times[0] < last):
        summary.in_order = False
    newest = times[-1] if summary.in_order else max(times)
    summary.last_event_at = max(newest, last or newest)
