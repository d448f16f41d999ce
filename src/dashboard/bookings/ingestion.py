"""Read a booking feed into the ledger: events since the last run, then events that were recorded late.

The first pass reads by event time, from one look-back before the watermark. The second pass reads by the provider's
clock and finds back-dated events. Only our own provider supports it; for other feeds the night audit finds them later.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from common.db.pool import transaction
from common.instants import format_instant
from common.jobs.lease import JobResult, Lease, make_job_due
from common.limits import MAX_EVENT_AHEAD
from common.upstream import UpstreamError
from dashboard.bookings.feed_reader import CutOff, FeedMemory, FeedReader, Page
from dashboard.bookings.feed_walk import FeedWalk
from dashboard.bookings.job_names import NIGHT_AUDIT, job_of_feed
from dashboard.bookings.queries import feed_progress, ledger
from dashboard.bookings.queries.cut_offs import upsert_cut_off
from dashboard.bookings.queries.feed_progress import FeedProgress
from dashboard.bookings.queries.ledger import LedgerFeed
from dashboard.bookings.queries.quarantine import upsert_quarantine
from dashboard.feed_client import BookingFeed, FeedResponse

MAX_REMEMBERED_IDS = 10_000
"""Beyond this many counted ids, the older ones are dropped, and looked up in the ledger when they are read again."""

MAX_WAIT = timedelta(hours=1)
"""The longest wait that the feed may ask for."""


class CutOffError(UpstreamError):
    """The feed may have more events than it sent."""


class RememberedIds:
    """Counted ids, remembered for one to two look-backs, during which they are requested again."""

    def __init__(self, lookback: timedelta) -> None:
        self._lookback = lookback
        self._ids: set[int] = set()
        self._recent: set[int] = set()
        self._recent_since = datetime.min.replace(tzinfo=UTC)

    def __contains__(self, event_id: object) -> bool:
        return event_id in self._ids

    def add(self, ids: Collection[int], now: datetime) -> None:
        """Remember ids, unless they are too many, as in the first read of a feed."""
        if len(ids) > MAX_REMEMBERED_IDS:
            return
        if now - self._recent_since > self._lookback or len(self._ids) > MAX_REMEMBERED_IDS:
            self._ids, self._recent = self._recent, set()
            self._recent_since = now
        self._ids.update(ids)
        self._recent.update(ids)


class Ingestion:
    """Reads one feed into one database. Only the job of the ingestion uses it, one run at a time."""

    def __init__(self, db: asyncpg.Pool, feed: BookingFeed, *, lookback: timedelta, timezone: str) -> None:
        """timezone: that of hotels which have no time zone of their own."""
        self.feed = feed
        self._db = db
        self._timezone = timezone
        self._lookback = lookback
        self._counted = RememberedIds(lookback)
        self._memory = FeedMemory()

    async def run(self, lease: Lease, now: datetime) -> JobResult:
        """Store and count the events that the ledger does not hold yet; the first reading makes the night audit due.

        Raises UpstreamError; events counted by then stay counted. Raises CutOffError at the end of a reading that may
        be incomplete.
        """
        progress = await progress_of(self._db, self.feed.name)
        require_may_call(progress, now)
        walk = FeedWalk(
            db=self._db,
            reader=FeedReader(self.feed, self._memory, latest=now + MAX_EVENT_AHEAD),
            now=now,
            lookback=self._lookback,
            window=timedelta(seconds=progress.window_seconds),
        )
        sink = LedgerSink(
            db=self._db,
            lease=lease,
            name=self.feed.name,
            feed=LedgerFeed(progress.feed_number, self._timezone),
            counted=self._counted,
            now=now,
            is_contacted=progress.recorded_through is not None,
            is_first_reading=progress.first_read_at is None,
        )
        recorded_through: datetime | None = None
        try:
            first = await walk.read(sink, progress.watermark - self._lookback if progress.watermark else None)
            if sink.is_first_reading:
                async with guarded(self._db, lease) as connection:
                    await feed_progress.update_first_reading_end(connection, self.feed.name)
                    # The audit that ran at the start had nothing to compare; the next would come a day later.
                    await make_job_due(connection, job_of_feed(NIGHT_AUDIT, self.feed.name))
            result = {"read": first.rows, "new": first.new, "rejected": first.rejected}
            if progress.recorded_through is not None:
                late = await walk.read_recorded(sink, progress.recorded_through - self._lookback)
                result |= {"read_again": late.rows, "late": late.new}
                recorded_through = late.at
            if walk.is_cut_off:
                raise CutOffError(
                    "the feed may have more events than it sent; `feed_cut_off` of GET /hotels counts them"
                )
        except UpstreamError as error:
            await note_failure(self._db, lease, self.feed.name, walk, error)
            raise
        async with guarded(self._db, lease) as connection:
            await feed_progress.update_after_reading(
                connection, self.feed.name, first.at, recorded_through, walk.window.total_seconds()
            )
        return result


@dataclass(kw_only=True)
class LedgerSink:
    """Stores what the ingestion reads of a feed; every transaction holds the lease.

    is_contacted: whether the provider's clock at the first read is known. is_first_reading: whether no reading before
    has reached the end of the feed.
    """

    db: asyncpg.Pool
    lease: Lease
    name: str
    feed: LedgerFeed
    counted: RememberedIds
    now: datetime
    is_contacted: bool
    is_first_reading: bool

    async def begin(self, response: FeedResponse) -> None:
        """Note the provider's clock when the first read began: the second pass reads events recorded since then.

        During the first reading also note about how many events there are.
        """
        if self.is_first_reading and response.about_events is not None:
            async with guarded(self.db, self.lease) as connection:
                await feed_progress.update_about_events(connection, self.name, response.about_events)
        if self.is_contacted or "recorded" not in response.features:
            return
        async with guarded(self.db, self.lease) as connection:
            await feed_progress.update_first_contact(connection, self.name, response.at)
        self.is_contacted = True

    async def store(self, page: Page) -> int:
        """Store a page: ledger, counters, quarantine and watermark change together; returns how many events are new.

        Raises LeaseLostError. A page that is stored again, by this replica or by another, changes nothing.
        """
        rows = await asyncio.to_thread(ledger.copy_rows_of, self.feed, page.events, self.counted)
        async with guarded(self.db, self.lease) as connection:
            new = await ledger.insert_rows(connection, self.feed, rows) if rows else 0
            if self.is_first_reading and new:
                await feed_progress.update_past_events(connection, self.name, new)
            if page.rejected:
                await upsert_quarantine(connection, self.name, page.rejected)
            if page.through is not None:
                await feed_progress.update_watermark(connection, self.name, page.through)
        self.counted.add(rows, self.now)
        return new

    async def reached(self, position: datetime) -> None:
        async with guarded(self.db, self.lease) as connection:
            await feed_progress.update_watermark(connection, self.name, position)

    async def cut_off(self, cut: CutOff) -> None:
        async with guarded(self.db, self.lease) as connection:
            await upsert_cut_off(connection, self.name, cut, self.now)


@asynccontextmanager
async def guarded(db: asyncpg.Pool, lease: Lease) -> AsyncIterator[PoolConnectionProxy]:
    """A connection in a transaction that holds the lease. Raises LeaseLostError."""
    async with transaction(db) as connection:
        await lease.guard(connection)
        yield connection


async def progress_of(db: asyncpg.Pool, feed: str) -> FeedProgress:
    """The progress of a feed, which begins with its first job."""
    while (progress := await feed_progress.select_progress(db, feed)) is None:
        await feed_progress.insert_feed(db, feed)
    return progress


def require_may_call(progress: FeedProgress, now: datetime) -> None:
    """Raises UpstreamError while the feed has asked not to be called."""
    until = progress.wait_until
    if until is not None and now < until <= now + MAX_WAIT:
        raise UpstreamError(f"not called: the feed asked to wait until {format_instant(until)}")


async def note_failure(db: asyncpg.Pool, lease: Lease, feed: str, walk: FeedWalk, error: UpstreamError) -> None:
    """Store how the next reading begins, and for how long the feed asked to wait."""
    wait = min(error.retry_after or 0.0, MAX_WAIT.total_seconds())
    wait_until = datetime.now(UTC) + timedelta(seconds=wait) if wait else None
    async with guarded(db, lease) as connection:
        await feed_progress.update_after_failure(connection, feed, walk.window.total_seconds(), wait_until)
