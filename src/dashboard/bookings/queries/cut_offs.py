"""SQL of the instants of which a feed may have more events than it sent."""

from datetime import datetime

from common.db.pool import Executor
from dashboard.bookings.feed_reader import CutOff

MAX_REASON_LENGTH = 500

MAX_CUT_OFFS = 10_000
"""Instants that are stored of each feed. A feed with more of them is beyond repair by instants."""


async def upsert_cut_off(db: Executor, feed: str, cut: CutOff, now: datetime) -> None:
    """Store an instant, or its new reason; beyond MAX_CUT_OFFS no further instant is stored."""
    await db.execute(
        """
        INSERT INTO feed_cut_off (feed, event_timestamp, reason, first_seen, last_seen)
        SELECT $1, $2, $3, $4, $4
         WHERE (SELECT count(*) FROM feed_cut_off WHERE feed = $1) < $5
            OR EXISTS (SELECT FROM feed_cut_off WHERE feed = $1 AND event_timestamp = $2)
        ON CONFLICT (feed, event_timestamp) DO UPDATE
           SET reason = excluded.reason, last_seen = excluded.last_seen
        """,
        feed,
        cut.at,
        cut.reason[:MAX_REASON_LENGTH].replace("\0", "\ufffd"),
        now,
        MAX_CUT_OFFS,
    )


async def select_cut_off_count(db: Executor, feed: str) -> int:
    """The number of instants of which the feed may have more events."""
    return await db.fetchval("SELECT count(*) FROM feed_cut_off WHERE feed = $1", feed)


async def delete_resolved_cut_offs(db: Executor, feed: str, audit_started_at: datetime) -> None:
    """Delete the instants that a complete audit found whole: those not seen since it began."""
    await db.execute("DELETE FROM feed_cut_off WHERE feed = $1 AND last_seen < $2", feed, audit_started_at)
