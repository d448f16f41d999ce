"""The night audit: read the whole feed again, add missing events, and report where the feed contradicts the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import asyncpg

from common.jobs.lease import JobResult, Lease
from common.limits import MAX_EVENT_AHEAD
from common.upstream import UpstreamError
from dashboard.bookings.decoding import BookingEvent
from dashboard.bookings.feed_reader import CutOff, FeedMemory, FeedReader, Page
from dashboard.bookings.feed_walk import FeedWalk
from dashboard.bookings.ingestion import guarded, note_failure, progress_of, require_may_call
from dashboard.bookings.queries import corrections, differences, feed_progress, ledger
from dashboard.bookings.queries.counting import CountedEvents
from dashboard.bookings.queries.cut_offs import delete_resolved_cut_offs, select_cut_off_count, upsert_cut_off
from dashboard.bookings.queries.ledger import LedgerFeed, LedgerRange
from dashboard.bookings.queries.quarantine import upsert_quarantine
from dashboard.feed_client import BookingFeed, FeedResponse

NOT_READ = {"read": 0, "repaired": 0, "changed_upstream": 0, "missing_upstream": 0, "rejected": 0, "cut_off": 0}

EVENTS_PER_SEARCH = 20_000
"""Events of the ledger that one search for missing events returns."""

EVENTS_PER_CORRECTION = 1_000

MAX_SEEN = 1_000_000
"""Events that the audit keeps in memory until it can compare them: those of one response that is not in order."""


@dataclass(frozen=True)
class NightAudit:
    """Audits one database against one feed. timezone: that of hotels which have no time zone of their own."""

    db: asyncpg.Pool
    feed: BookingFeed
    lookback: timedelta
    timezone: str

    async def run(self, lease: Lease) -> JobResult:
        """Audit the whole feed; returns how many events of each kind were found.

        An event that the feed has changed, or no longer has, is stored as a difference; the ledger keeps it. Continues
        where an interrupted audit stopped. Does nothing until the first reading of the feed has ended, which makes the
        audit due. Raises UpstreamError.
        """
        now = datetime.now(UTC)
        name = self.feed.name
        progress = await progress_of(self.db, name)
        if progress.first_read_at is None:
            return NOT_READ
        require_may_call(progress, now)
        since = progress.audited_through - self.lookback if progress.audited_through else None
        started_at = progress.audit_started_at or now
        walk = FeedWalk(
            db=self.db,
            # A copy of the feed may lack events that the ledger has: they would look deleted.
            reader=FeedReader(self.feed.without_copies(), FeedMemory(), latest=now + MAX_EVENT_AHEAD),
            now=now,
            lookback=self.lookback,
            window=timedelta(seconds=progress.window_seconds),
        )
        comparison = Comparison(
            db=self.db,
            lease=lease,
            name=name,
            feed=LedgerFeed(progress.feed_number, self.timezone),
            walk=walk,
            started_at=started_at,
            compared_until=since,
        )
        # 1. Note the start: differences and cut-offs of earlier audits that this one does not find again are resolved.
        if since is None:
            async with guarded(self.db, lease) as connection:
                await feed_progress.update_audit_start(connection, name, started_at)
        # 2. Read the feed, comparing part by part. No transaction is open during a request.
        try:
            total = await walk.read(comparison, since)
            await comparison.compare_until(None)
        except UpstreamError as error:
            await note_failure(self.db, lease, name, walk, error)
            raise
        # 3. Note the end.
        async with guarded(self.db, lease) as connection:
            await differences.delete_resolved_differences(connection, name, started_at)
            await delete_resolved_cut_offs(connection, name, started_at)
            await feed_progress.update_audit_end(connection, name, walk.window.total_seconds())
            open_differences = await differences.select_difference_counts(connection, name)
            cut_offs = await select_cut_off_count(connection, name)
        return {
            "read": total.rows,
            "repaired": total.new,
            "changed_upstream": open_differences.changed,
            "missing_upstream": open_differences.missing,
            "rejected": total.rejected,
            "cut_off": cut_offs,
        }

    async def apply_differences(self, lease: Lease, now: datetime, reason: str) -> int:
        """Correct the ledger and the counters by all differences of the feed, which keep the reason; returns how many.

        An event that the feed no longer has is deleted; one that it has changed is counted as the feed has it now.
        """
        name = self.feed.name
        feed = LedgerFeed((await progress_of(self.db, name)).feed_number, self.timezone)
        corrected = 0
        while True:
            async with guarded(self.db, lease) as connection:
                found = await differences.select_open_differences(connection, name, EVENTS_PER_CORRECTION)
                if not found:
                    return corrected
                ids = [difference.event_id for difference in found]
                replacements = [difference.found for difference in found if difference.found is not None]
                hotels = sorted({difference.counted.hotel_id for difference in found})
                is_distributed = await ledger.lock_ledger(connection)
                counted = CountedEvents(feed.number, ids, hotels)
                await corrections.uncount_events(connection, counted, is_distributed=is_distributed)
                await corrections.delete_events(connection, feed.number, ids)
                await ledger.insert_events(connection, feed, replacements)
                await corrections.delete_empty_hotels(connection, hotels)
                await corrections.update_hotel_summaries(connection, hotels)
                await differences.update_applied_differences(connection, name, ids, now, reason)
                corrected += len(ids)


@dataclass(kw_only=True)
class Comparison:
    """Receives what the audit reads of a feed, and compares it with the ledger; every transaction holds the lease."""

    db: asyncpg.Pool
    lease: Lease
    name: str
    feed: LedgerFeed
    walk: FeedWalk
    started_at: datetime
    compared_until: datetime | None
    seen: dict[int, datetime] = field(default_factory=dict)
    cut_off_instants: set[datetime] = field(default_factory=set)

    async def begin(self, response: FeedResponse) -> None:
        """The audit notes nothing of a response."""

    async def store(self, page: Page) -> int:
        """Add the events that the ledger does not hold; store those that it holds with other content."""
        async with guarded(self.db, self.lease) as connection:
            changed = await ledger.select_changed_events(connection, self.feed.number, page.events)
            counted = {event.id: event for event in changed}
            if counted:
                found = {event.id: event for event in page.events if event.id in counted}
                pairs = [(counted[event_id], event) for event_id, event in found.items()]
                await differences.upsert_changed_events(
                    connection, self.name, [pair[0] for pair in pairs], [pair[1] for pair in pairs], self.started_at
                )
            new = await ledger.insert_events(connection, self.feed, page.events) if page.events else 0
            if page.rejected:
                await upsert_quarantine(connection, self.name, page.rejected)
        self.seen.update((event.id, event.event_timestamp) for event in page.events)
        if len(self.seen) > MAX_SEEN:
            raise UpstreamError(f"GET /events sent more than {MAX_SEEN} events in no order, too many to audit")
        if page.through is not None:
            await self.reached(page.through)
        return new

    async def reached(self, position: datetime) -> None:
        """Compare what has been read before a position, and continue from there if the audit is interrupted."""
        if self.compared_until is not None and position <= self.compared_until:
            return
        await self.compare_until(position)
        async with guarded(self.db, self.lease) as connection:
            await feed_progress.update_audited_through(connection, self.name, min(position, self.walk.now))

    async def cut_off(self, cut: CutOff) -> None:
        self.cut_off_instants.add(cut.at)
        async with guarded(self.db, self.lease) as connection:
            await upsert_cut_off(connection, self.name, cut, self.started_at)

    async def compare_until(self, position: datetime | None) -> None:
        """Store the events of the ledger before a position that the feed no longer has.

        An event that was not seen may have been stored after its part of the feed was read. So the feed is asked again
        for the time of these events: what the ledger held before that request, the answer must contain.
        """
        after, after_id = self.compared_until, 0
        while True:
            searched = LedgerRange(self.feed.number, after, after_id, position)
            unseen = await ledger.select_unseen_events(self.db, searched, self.seen, EVENTS_PER_SEARCH)
            if not unseen:
                break
            present = PresentIds()
            beside = FeedWalk(
                db=self.db,
                reader=self.walk.reader,
                now=self.walk.now,
                lookback=self.walk.lookback,
                window=self.walk.window,
            )
            await beside.read(present, unseen[0].event_timestamp, unseen[-1].event_timestamp)
            await self._store_missing(
                [
                    event
                    for event in unseen
                    if event.id not in present.ids
                    and event.event_timestamp not in self.cut_off_instants | present.cut_off_instants
                ]
            )
            after, after_id = unseen[-1].event_timestamp, unseen[-1].id
        self.compared_until = position
        if position is not None:
            self.seen = {event_id: at for event_id, at in self.seen.items() if at >= position}

    async def _store_missing(self, events: Sequence[BookingEvent]) -> None:
        if events:
            async with guarded(self.db, self.lease) as connection:
                await differences.upsert_missing_events(connection, self.name, events, self.started_at)


class PresentIds:
    """The ids of the events that the feed has in a range of time."""

    def __init__(self) -> None:
        self.ids: set[int] = set()
        self.cut_off_instants: set[datetime] = set()

    async def begin(self, response: FeedResponse) -> None:
        """Nothing to note."""

    async def store(self, page: Page) -> int:
        self.ids.update(event.id for event in page.events)
        return 0

    async def reached(self, position: datetime) -> None:
        """Nothing to note."""

    async def cut_off(self, cut: CutOff) -> None:
        self.cut_off_instants.add(cut.at)
