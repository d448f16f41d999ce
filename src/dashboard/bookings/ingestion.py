"""Read the booking feed into the ledger: events since the last run, then events that were recorded late.

The first pass reads by event time, from one look-back before the watermark. A feed that promises complete responses is
read in one stream. Any other feed is read in windows of time, and each of its responses may be truncated: a window
counts as read only when a request that starts at its last event returns nothing more. The second pass reads by the
provider's clock and finds back-dated events. Only our own provider supports it; for other feeds the night audit finds
them later.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import asyncpg
import structlog

from common.db.pool import transaction
from common.jobs.lease import JobResult, Lease
from common.upstream import UpstreamError
from dashboard.bookings.decoding import BookingEvent, RejectedEvent, decode
from dashboard.bookings.queries import feed_progress, ledger
from dashboard.bookings.queries.quarantine import upsert_quarantine
from dashboard.feed_client import BookingFeed, FeedQuery, FeedResponse

log = structlog.get_logger()

EVENTS_PER_PAGE = 50_000
"""Events of one transaction. Larger pages change each counter less often."""

MAX_REMEMBERED_IDS = 500_000
"""Beyond this many counted ids, the older ones are dropped, and looked up in the ledger when they are read again."""

EARLIEST_EVENT = datetime(2000, 1, 1, tzinfo=UTC)
"""The first window of a foreign feed ends here."""

MAX_WINDOW = timedelta(days=64)
MIN_WINDOW = timedelta(minutes=1)
LARGE_RESPONSE = 50_000
SMALL_RESPONSE = 5_000
MIN_CAP = 10
"""We assume that no feed truncates its responses to fewer events than this."""

ALL_NIGHTS = (date(1900, 1, 1), date(2200, 12, 31))
ONE_MICROSECOND = timedelta(microseconds=1)


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

    rows: of the events that this process does not remember as counted. through: the time up to which the feed has been
    read, None unless the response is in the order of event time.
    """

    events: list[BookingEvent] = field(default_factory=list)
    rows: ledger.CopyRows = field(default_factory=dict)
    rejected: list[RejectedEvent] = field(default_factory=list)
    through: datetime | None = None


StorePage = Callable[[Page], Awaitable[int]]
"""Stores a page; returns how many of its events are new."""


class Ingestion:
    """Reads one feed into one database. Remembers between runs the properties of the feed and the counted ids."""

    def __init__(self, db: asyncpg.Pool, feed: BookingFeed, *, lookback: timedelta) -> None:
        self._db = db
        self._feed = feed
        self._lookback = lookback
        self._remembered_ids: set[int] = set()
        self._recent_ids: set[int] = set()
        self._recent_since = datetime.min.replace(tzinfo=UTC)
        self._feed_is_complete = False
        self._largest_response = 0
        self._last_tie: tuple[datetime, int] | None = None

    async def run(self, lease: Lease, now: datetime) -> JobResult:
        """Store and count the events that the ledger does not hold yet.

        Raises UpstreamError; events counted by then stay counted.
        """
        progress = await feed_progress.select_progress(self._db)

        async def store(page: Page) -> int:
            new = await store_page(self._db, lease, page)
            self._remember(page.rows, now)
            return new

        since = progress.watermark - self._lookback if progress.watermark else None
        first = await self.walk(store, since, now, progress.window_seconds)
        result = {"read": first.rows, "new": first.new, "rejected": first.rejected}
        if progress.recorded_through is not None:
            late = await self._read_late_events(store, progress.recorded_through - self._lookback)
            result |= {"read_again": late.rows, "late": late.new}
        await feed_progress.update_data_through(self._db, first.at)
        return result

    def _remember(self, ids: Iterable[int], now: datetime) -> None:
        """Remember counted ids for one to two look-backs, during which they are requested again."""
        if now - self._recent_since > self._lookback or len(self._remembered_ids) > MAX_REMEMBERED_IDS:
            self._remembered_ids, self._recent_ids = self._recent_ids, set()
            self._recent_since = now
        self._remembered_ids.update(ids)
        self._recent_ids.update(ids)

    async def _read_late_events(self, store: StorePage, since: datetime) -> ReadSummary:
        async def store_out_of_order(page: Page) -> int:
            page.through = None
            return await store(page)

        late = await self._read(FeedQuery(recorded_since=since), store_out_of_order)
        await feed_progress.update_recorded_through(self._db, late.at)
        return late

    async def walk(self, store: StorePage, since: datetime | None, now: datetime, window_seconds: float) -> ReadSummary:
        """Read the feed from `since` to its end; returns the sums over all responses, with `at` of the first.

        Raises UpstreamError; the next walk then begins with a smaller window.
        """
        window = timedelta(seconds=window_seconds)
        total: ReadSummary | None = None
        position = since
        while True:
            end = self._request_end(position, now, window)
            try:
                summary = await self._read(FeedQuery(since=position, until=end), store)
            except UpstreamError:
                await feed_progress.update_window(self._db, max(window / 4, MIN_WINDOW).total_seconds())
                raise
            total = _sum(total, summary)
            if end is None and (summary.complete or not summary.rows):
                break
            window = _next_window(window, summary.rows)
            position = end if summary.complete else await self._next_position(summary, position, end, store)
            if position is None:
                break
        await feed_progress.update_window(self._db, window.total_seconds())
        return total

    def _request_end(self, position: datetime | None, now: datetime, window: timedelta) -> datetime | None:
        """The end of the next request; None for an open end, as always for a feed whose responses are complete."""
        if self._feed_is_complete:
            return None
        if position is None:
            return EARLIEST_EVENT
        end = position + window
        return end if end < now - self._lookback else None

    async def _next_position(
        self, summary: ReadSummary, position: datetime | None, end: datetime | None, store: StorePage
    ) -> datetime | None:
        """The next start position after a possibly truncated response; None at the end of the feed.

        It is the time of the last event; if that does not move on, the time of the last rejected value.
        """
        for last in (summary.last_event_at, summary.last_rejected_at):
            if last is not None and (position is None or last > position):
                return last
        if position is None or summary.last_event_at is None:
            return end
        tie = (position, summary.rows)
        if summary.rows >= max(self._largest_response, MIN_CAP) and tie != self._last_tie:
            await self._read_tie(position, summary.rows, store)
            self._last_tie = tie
        return position + ONE_MICROSECOND

    async def _read_tie(self, at: datetime, cap: int, store: StorePage) -> None:
        """Read the events of one instant by status and nights, halving the range while a response reaches `cap`."""
        for status in (1, 2):
            ranges = [ALL_NIGHTS]
            while ranges:
                first, last = ranges.pop()
                query = FeedQuery(at, at, status=status, first_night=first.isoformat(), last_night=last.isoformat())
                summary = await self._read(query, store)
                if summary.rows >= cap and first < last:
                    middle = first + (last - first) / 2
                    ranges += [(first, middle), (middle + timedelta(days=1), last)]
                elif summary.rows >= cap:
                    log.warning(
                        "feed_possibly_truncated", at=at.isoformat(), night=first.isoformat(), events=summary.rows
                    )

    async def _read(self, query: FeedQuery, store: StorePage) -> ReadSummary:
        """Read one response; while a page is stored the next is read and decoded.

        Raises UpstreamError after the pages read before were stored.
        """
        async with self._feed.read(query) as response:
            summary = ReadSummary(response.at, response.complete)
            self._feed_is_complete = response.complete
            if "recorded" in response.features:
                await self._remember_first_contact(response)
            storing: asyncio.Task[int] | None = None
            try:
                async for page in _pages(response, summary):
                    page.rows = ledger.copy_rows_of(page.events, self._remembered_ids)
                    summary.new += await storing if storing else 0
                    storing = asyncio.create_task(store(page))  # type: ignore[arg-type]  # StorePage is a coroutine function
            finally:
                summary.new += await storing if storing else 0
        self._largest_response = max(self._largest_response, summary.rows)
        return summary

    async def _remember_first_contact(self, response: FeedResponse) -> None:
        """Store the time at which the first read began: the second pass reads events recorded since then."""
        if (await feed_progress.select_progress(self._db)).recorded_through is None:
            await feed_progress.update_recorded_through(self._db, response.at)


async def store_page(db: asyncpg.Pool, lease: Lease, page: Page) -> int:
    """Store a page: ledger, counters, quarantine and watermark change together; returns how many events are new.

    Raises LeaseLostError. A page that is stored again, by this replica or by another, changes nothing.
    """
    async with transaction(db) as connection:
        await lease.guard(connection)
        new = await ledger.insert_rows(connection, page.rows) if page.rows else 0
        if page.rejected:
            await upsert_quarantine(connection, page.rejected)
        if page.through is not None:
            await feed_progress.update_watermark(connection, page.through)
    return new


async def _pages(response: FeedResponse, summary: ReadSummary) -> AsyncIterator[Page]:
    """The events of a response in pages; adds its contents to `summary`."""
    page = Page()
    async for batch in response.batches:
        events, rejected = decode(batch)
        summary.rows += len(batch)
        summary.rejected += len(rejected)
        page.events += events
        page.rejected += rejected
        _note_event_times(summary, events)
        summary.last_rejected_at = max((each.at for each in rejected if each.at), default=summary.last_rejected_at)
        if len(page.events) + len(page.rejected) >= EVENTS_PER_PAGE:
            page.through = summary.last_event_at if summary.in_order else None
            yield page
            page = Page()
    if page.events or page.rejected:
        page.through = summary.last_event_at if summary.in_order else None
        yield page


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


def _sum(total: ReadSummary | None, summary: ReadSummary) -> ReadSummary:
    """The total including one more response."""
    if total is None:
        return summary
    return ReadSummary(
        total.at,
        summary.complete,
        total.rows + summary.rows,
        total.new + summary.new,
        total.rejected + summary.rejected,
        summary.last_event_at,
        in_order=total.in_order and summary.in_order,
    )


def _next_window(window: timedelta, rows: int) -> timedelta:
    """Half the window after a large response, twice the window after a small one."""
    if rows > LARGE_RESPONSE:
        return max(window / 2, MIN_WINDOW)
    if rows < SMALL_RESPONSE:
        return min(window * 2, MAX_WINDOW)
    return window
