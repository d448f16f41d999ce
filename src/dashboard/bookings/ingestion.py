"""Reading the feed: what came since the last time, and what came late.

The first pass goes by the events' own time, from the watermark less a lookback on. A feed that promises to answer
whole is read in one stream. Any other is walked in windows of time and taken for one that may cut an answer off: a
window counts as read only when a request from the last event on brings nothing more. The second pass goes by the
provider's clock and picks up what was dated back; only our own provider offers it, for any other the night audit does
the same more slowly.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import asyncpg
import structlog

from common.jobs.lease import JobResult, Lease
from common.upstream import UpstreamError
from dashboard.bookings import ledger
from dashboard.bookings.decoding import FeedEvent, Refused, decode
from dashboard.feed_client import BookingFeed, Range, Reading

log = structlog.get_logger()

PAGE = 50_000
"""Events of one transaction. The more there are, the more of them change the same counters, and cost one change."""

KNOWN = 2_000_000
"""Ids that a process remembers to have counted, so that a lookback does not ask the database for them again."""

BEFORE_ALL = datetime(2000, 1, 1, tzinfo=UTC)
"""A feed that is walked in windows is read up to here in the first one."""

LONGEST_WINDOW = timedelta(days=64)
SHORTEST_WINDOW = timedelta(minutes=1)
LARGE_ANSWER = 50_000
SMALL_ANSWER = 5_000
LEAST_CAP = 10
"""No feed cuts its answers off below so many events."""

NIGHTS = (date(1900, 1, 1), date(2200, 12, 31))
INSTANT = timedelta(microseconds=1)


@dataclass
class Answer:
    """What one answer of the feed held.

    last: the latest time of an event. last_refused: the same of what was no event.
    """

    at: datetime
    complete: bool = False
    rows: int = 0
    new: int = 0
    refused: int = 0
    last: datetime | None = None
    last_refused: datetime | None = None
    in_order: bool = True


@dataclass
class Page:
    """Events of one transaction.

    rows: of the events that this process does not remember to have counted. through: the time up to which the feed has
    been read in order, if it has.
    """

    events: list[FeedEvent] = field(default_factory=list)
    rows: ledger.Rows = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    through: datetime | None = None


StorePage = Callable[[Page], Awaitable[int]]


class Ingestion:
    """The reading of one feed into one database; keeps what it learned of the feed between the runs of its job."""

    def __init__(self, db: asyncpg.Pool, feed: BookingFeed, *, lookback: timedelta) -> None:
        self._db = db
        self._feed = feed
        self._lookback = lookback
        self._known: set[int] = set()
        self._whole = False
        self._largest = 0
        self._split: tuple[datetime, int] | None = None

    async def run(self, lease: Lease, now: datetime) -> JobResult:
        """Count what the feed holds and the ledger does not. Raises UpstreamError; what was counted before stays."""
        progress = await ledger.select_progress(self._db)

        async def store(page: Page) -> int:
            new = await ledger.store_page(self._db, lease, page.rows, page.refused, page.through)
            self._remember(page.rows)
            return new

        since = progress.watermark - self._lookback if progress.watermark else None
        first = await self.walk(store, since, now, progress.window_seconds)
        did = {"read": first.rows, "new": first.new, "refused": first.refused}
        if progress.recorded_through is not None:
            late = await self._pick_up_late(store, progress.recorded_through - self._lookback)
            did |= {"read_again": late.rows, "late": late.new}
        await ledger.update_data_through(self._db, first.at)
        return did

    def _remember(self, ids: Iterable[int]) -> None:
        if len(self._known) > KNOWN:
            self._known.clear()
        self._known.update(ids)

    async def _pick_up_late(self, store: StorePage, since: datetime) -> Answer:
        async def out_of_order(page: Page) -> int:
            page.through = None
            return await store(page)

        answer = await self._read(Range(recorded_since=since), out_of_order)
        await ledger.update_recorded_through(self._db, answer.at)
        return answer

    async def walk(self, store: StorePage, since: datetime | None, now: datetime, window_seconds: float) -> Answer:
        """Read the feed from `since` on, to its end; returns the sums over all answers, `at` being the first one's.

        Raises UpstreamError; a smaller window is tried the next time.
        """
        window = timedelta(seconds=window_seconds)
        sums: Answer | None = None
        position = since
        while True:
            until = self._until(position, now, window)
            try:
                answer = await self._read(Range(since=position, until=until), store)
            except UpstreamError:
                await ledger.update_window(self._db, max(window / 4, SHORTEST_WINDOW).total_seconds())
                raise
            sums = _added(sums, answer)
            if until is None and (answer.complete or not answer.rows):
                break
            window = _next_window(window, answer.rows)
            position = until if answer.complete else await self._after(answer, position, until, store)
            if position is None:
                break
        await ledger.update_window(self._db, window.total_seconds())
        return sums

    def _until(self, position: datetime | None, now: datetime, window: timedelta) -> datetime | None:
        """The end of the next request; None for an open one, which a feed that answers whole always gets."""
        if self._whole:
            return None
        if position is None:
            return BEFORE_ALL
        end = position + window
        return end if end < now - self._lookback else None

    async def _after(
        self, answer: Answer, position: datetime | None, until: datetime | None, store: StorePage
    ) -> datetime | None:
        """Where to go on after an answer that may have been cut off; None at the end.

        At its last event, or where that leads nowhere, at the last of those that were refused.
        """
        for last in (answer.last, answer.last_refused):
            if last is not None and (position is None or last > position):
                return last
        if position is None or answer.last is None:
            return until
        tie = (position, answer.rows)
        if answer.rows >= max(self._largest, LEAST_CAP) and tie != self._split:
            await self._read_tie(position, answer.rows, store)
            self._split = tie
        return position + INSTANT

    async def _read_tie(self, at: datetime, cap: int, store: StorePage) -> None:
        """Read the events of one instant by status and by ever fewer nights, each answer shorter than the cap."""
        for status in (1, 2):
            ranges = [NIGHTS]
            while ranges:
                low, high = ranges.pop()
                wanted = Range(at, at, status=status, first_night=low.isoformat(), last_night=high.isoformat())
                answer = await self._read(wanted, store)
                if answer.rows >= cap and low < high:
                    middle = low + (high - low) / 2
                    ranges += [(low, middle), (middle + timedelta(days=1), high)]
                elif answer.rows >= cap:
                    log.warning("feed_may_be_cut_off", at=at.isoformat(), night=low.isoformat(), events=answer.rows)

    async def _read(self, wanted: Range, store: StorePage) -> Answer:
        """Read one answer; while a page is stored the next is read and made ready.

        Raises UpstreamError after storing what came whole.
        """
        async with self._feed.read(wanted) as reading:
            answer = Answer(reading.at, reading.complete)
            self._whole = reading.complete
            if "recorded" in reading.offers:
                await self._note_first_contact(reading)
            storing: asyncio.Task[int] | None = None
            try:
                async for page in _pages(reading, answer):
                    page.rows = ledger.rows_of(page.events, self._known)
                    answer.new += await storing if storing else 0
                    storing = asyncio.create_task(store(page))  # type: ignore[arg-type]  # StorePage is a coroutine function
            finally:
                answer.new += await storing if storing else 0
        self._largest = max(self._largest, answer.rows)
        return answer

    async def _note_first_contact(self, reading: Reading) -> None:
        """What the provider stored before now the first pass reads; what it stores later the second pass looks for."""
        if (await ledger.select_progress(self._db)).recorded_through is None:
            await ledger.update_recorded_through(self._db, reading.at)


async def _pages(reading: Reading, answer: Answer) -> AsyncIterator[Page]:
    """The events of an answer in pages, and what the answer holds added up in `answer`."""
    page = Page()
    async for batch in reading.batches:
        events, refused = decode(batch)
        answer.rows += len(batch)
        answer.refused += len(refused)
        page.events += events
        page.refused += refused
        _follow(answer, events)
        answer.last_refused = max((each.at for each in refused if each.at), default=answer.last_refused)
        if len(page.events) + len(page.refused) >= PAGE:
            page.through = answer.last if answer.in_order else None
            yield page
            page = Page()
    if page.events or page.refused:
        page.through = answer.last if answer.in_order else None
        yield page


def _follow(answer: Answer, events: list[FeedEvent]) -> None:
    """Note the last event's time, and whether all came in the order of their time so far."""
    times = [event.event_timestamp for event in events]
    if not times:
        return
    if times != sorted(times) or (answer.last is not None and times[0] < answer.last):
        answer.in_order = False
    newest = times[-1] if answer.in_order else max(times)
    answer.last = max(newest, answer.last or newest)


def _added(sums: Answer | None, answer: Answer) -> Answer:
    if sums is None:
        return answer
    return Answer(
        sums.at,
        answer.complete,
        sums.rows + answer.rows,
        sums.new + answer.new,
        sums.refused + answer.refused,
        answer.last,
        in_order=sums.in_order and answer.in_order,
    )


def _next_window(window: timedelta, rows: int) -> timedelta:
    """Shorter where the answers are large, longer where they are small."""
    if rows > LARGE_ANSWER:
        return max(window / 2, SHORTEST_WINDOW)
    if rows < SMALL_ANSWER:
        return min(window * 2, LONGEST_WINDOW)
    return window
