"""One reading of the booking feed from a position to its end, however the feed truncates or misorders its responses.

A feed that promises complete responses is read in one stream. Any other feed is read in windows of time, and each of
its responses may be truncated: a window counts as read only when a request that starts at its last event returns
nothing more. See docs/decisions/walking-a-foreign-feed.md.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from common.db.pool import Executor
from common.limits import MAX_EVENT_AHEAD
from common.upstream import UpstreamError
from dashboard.bookings.feed_reader import CutOff, FeedReader, FeedSink, ReadSummary, RequestLimitError, Tie
from dashboard.bookings.instant_parts import PartSink, read_instant
from dashboard.feed_client import FeedQuery

EARLIEST_WINDOW_END = datetime(2000, 1, 1, tzinfo=UTC)
"""The first window of a foreign feed ends here."""

MAX_WINDOW = timedelta(days=64)
MIN_WINDOW = timedelta(minutes=1)
LARGE_RESPONSE = 50_000
SMALL_RESPONSE = 5_000
STEADY_WINDOWS = 100
"""A feed may fail because a window is too long: after a failure, so many windows are read before they grow again."""

MIN_CAP = 10
"""We assume that no feed truncates its responses to fewer events than this."""

PROBED_TIMES = (timedelta(days=1), timedelta(days=64), None)
"""Times before an instant, None for all, that may have more events than the instant alone."""

ONE_MICROSECOND = timedelta(microseconds=1)


@dataclass(kw_only=True)
class FeedWalk:
    """The readings of one run.

    db: of the ledger. now: when the run began. window: the length of the next window, for the caller to store.
    is_cut_off: whether events may be missing.
    """

    db: Executor
    reader: FeedReader
    now: datetime
    lookback: timedelta
    window: timedelta
    is_cut_off: bool = False

    async def read(self, sink: FeedSink, since: datetime | None, until: datetime | None = None) -> ReadSummary:
        """Read from `since` to `until`, by default the whole feed; returns the sums of all responses.

        Raises UpstreamError; what was delivered by then is valid, and the next run begins with a smaller window.
        """
        try:
            return await self._read_windows(sink, since, until)
        except RequestLimitError:
            raise
        except UpstreamError:
            self.window = max(self.window / 4, MIN_WINDOW)
            self.reader.memory.steady_windows = STEADY_WINDOWS
            raise

    async def read_recorded(self, sink: FeedSink, since: datetime) -> ReadSummary:
        """Read the events that the provider recorded since a time of its clock. Raises UpstreamError."""
        return await self.reader.read(FeedQuery(recorded_since=since), PartSink(sink))

    async def _read_windows(self, sink: FeedSink, since: datetime | None, until: datetime | None) -> ReadSummary:
        total: ReadSummary | None = None
        position = since
        while True:
            query = FeedQuery(since=position, until=self._request_end(position, until))
            summary = await self.reader.read(query, sink)
            if query.until == until and (summary.complete or not summary.rows):
                if summary.last_event_at is not None and not summary.in_order:
                    await sink.reached(summary.last_event_at)
                return _sum(total, summary)
            self.window = self._next_window(summary.rows)
            position = query.until if summary.complete else await self._next_position(query, summary, sink)
            total = _sum(total, summary)
            if position is None or position > (until or self.now + MAX_EVENT_AHEAD):
                return total
            await sink.reached(position)

    def _request_end(self, position: datetime | None, until: datetime | None) -> datetime | None:
        """The end of the next request: `until`, as always for a feed whose responses are complete, or before."""
        if self.reader.memory.is_complete:
            return until
        end = EARLIEST_WINDOW_END if position is None else position + self.window
        if until is not None:
            return min(end, until)
        return end if end < self.now - self.lookback else None

    def _next_window(self, rows: int) -> timedelta:
        """Half the window after a large response, twice the window after a small one, but not soon after a failure."""
        memory = self.reader.memory
        memory.steady_windows, may_grow = max(0, memory.steady_windows - 1), memory.steady_windows == 0
        if rows > LARGE_RESPONSE:
            return max(self.window / 2, MIN_WINDOW)
        if rows < SMALL_RESPONSE and may_grow:
            return min(self.window * 2, MAX_WINDOW)
        return self.window

    async def _next_position(self, query: FeedQuery, summary: ReadSummary, sink: FeedSink) -> datetime | None:
        """The next start position after a possibly truncated response; None at the end of the feed.

        It is the time of the last event; if that does not move on, the time of the last rejected value.
        """
        position, end = query.since, query.until
        for last in (summary.last_event_at, summary.last_rejected_at):
            moved = min(last, end) if last is not None and end is not None else last
            if moved is not None and (position is None or moved > position):
                return moved
        if position is not None and position in (summary.last_event_at, summary.last_rejected_at):
            summary.new += await self._complete_instant(Tie(position, summary.rows), sink)
            return position + ONE_MICROSECOND
        if summary.rows >= MIN_CAP:
            self.is_cut_off = True
            reason = f"{summary.rows} values without a valid time in one response; events after them may be missing"
            await sink.cut_off(CutOff(position or EARLIEST_WINDOW_END, reason))
        if end is None or position is None:
            return end
        return max(end, position + ONE_MICROSECOND)

    async def _complete_instant(self, tie: Tie, sink: FeedSink) -> int:
        """Read the events of an instant that the response to a request for it may lack; returns how many are new.

        An instant older than the look-back is not read again while the feed sends as many rows of it as before.
        """
        settled = self.reader.memory.settled
        if tie.rows < MIN_CAP or (tie in settled and tie.at < self.now - self.lookback):
            return 0
        new = 0
        if not await self._can_hold_more(tie):
            new, is_cut_off = await read_instant(self.reader, self.db, tie, sink)
            self.is_cut_off |= is_cut_off
        settled.append(tie)
        return new

    async def _can_hold_more(self, tie: Tie) -> bool:
        """Whether the feed sends more rows at once than those of an instant, which are complete then.

        It is asked for longer and longer times before the instant, until a response is larger.
        """
        if self.reader.largest_response > tie.rows:
            return True
        for before in PROBED_TIMES:
            since = tie.at - before if before else None
            if await self.reader.has_more_rows(FeedQuery(since=since, until=tie.at), tie.rows):
                return True
        return False


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
