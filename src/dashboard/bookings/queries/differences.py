"""SQL of the differences between the feeds and the ledger that the night audit found."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from common.db.pool import Executor
from dashboard.bookings.decoding import BookingEvent
from dashboard.bookings.models.feed_progress import FeedDifferences
from dashboard.bookings.models.figures import DifferenceCounts, FeedDifference

_decode_event = msgspec.json.Decoder(BookingEvent).decode


async def upsert_changed_events(
    db: Executor, feed: str, counted: Sequence[BookingEvent], found: Sequence[BookingEvent], now: datetime
) -> None:
    """Store events that the feed has changed: as they were counted, and as the feed has them now."""
    await db.execute(
        """
        INSERT INTO feed_difference AS known (feed, event_id, kind, counted, found, first_found, last_found)
        SELECT $5, event_id, 'changed', counted, found, $4, $4
          FROM unnest($1::bigint[], $2::text[], $3::text[]) AS new (event_id, counted, found)
         ORDER BY event_id
        ON CONFLICT (feed, event_id) WHERE applied_at IS NULL DO UPDATE
           SET kind = 'changed', counted = excluded.counted, found = excluded.found, last_found = excluded.last_found
        """,
        [event.id for event in counted],
        [msgspec.json.encode(event).decode() for event in counted],
        [msgspec.json.encode(event).decode() for event in found],
        now,
        feed,
    )


async def upsert_missing_events(db: Executor, feed: str, counted: Sequence[BookingEvent], now: datetime) -> None:
    """Store events that the feed no longer has, except those that the same audit found changed."""
    await db.execute(
        """
        INSERT INTO feed_difference AS known (feed, event_id, kind, counted, first_found, last_found)
        SELECT $4, event_id, 'missing', counted, $3, $3
          FROM unnest($1::bigint[], $2::text[]) AS new (event_id, counted)
         ORDER BY event_id
        ON CONFLICT (feed, event_id) WHERE applied_at IS NULL DO UPDATE
           SET kind = 'missing', counted = excluded.counted, found = NULL, last_found = excluded.last_found
         WHERE known.kind = 'missing' OR known.last_found < $3
        """,
        [event.id for event in counted],
        [msgspec.json.encode(event).decode() for event in counted],
        now,
        feed,
    )


async def select_difference_counts(db: Executor, feed: str | None = None) -> DifferenceCounts:
    """How many differences of each kind, of one feed or of all, have not been applied."""
    row = await db.fetchrow(
        """
        SELECT count(*) FILTER (WHERE kind = 'missing') AS missing, count(*) FILTER (WHERE kind = 'changed') AS changed
          FROM feed_difference
         WHERE applied_at IS NULL AND ($1::text IS NULL OR feed = $1)
        """,
        feed,
    )
    assert row is not None
    return DifferenceCounts(**row)


async def select_feed_differences(db: Executor, feeds: Sequence[str]) -> list[FeedDifferences]:
    """How many differences of each of these feeds are open and applied, in their order."""
    rows = await db.fetch(
        """
        SELECT named.feed,
               count(*) FILTER (WHERE kind = 'missing' AND applied_at IS NULL) AS missing,
               count(*) FILTER (WHERE kind = 'changed' AND applied_at IS NULL) AS changed,
               count(applied_at) AS applied,
               max(applied_at) AS applied_at
          FROM unnest($1::text[]) WITH ORDINALITY AS named (feed, position)
          LEFT JOIN feed_difference ON feed_difference.feed = named.feed
         GROUP BY named.feed, position
         ORDER BY position
        """,
        feeds,
    )
    return [FeedDifferences(**row) for row in rows]


async def select_latest_differences(db: Executor, limit: int, *, are_applied: bool) -> list[FeedDifference]:
    """Up to `limit` differences of all feeds that are open, or were applied; those found last come first."""
    rows = await db.fetch(
        """
        SELECT feed, event_id, kind, counted, found, first_found, last_found, applied_at, reason
          FROM feed_difference
         WHERE (applied_at IS NOT NULL) = $1
         ORDER BY first_found DESC, feed DESC, event_id DESC
         LIMIT $2
        """,
        are_applied,
        limit,
    )
    return [_difference(**row) for row in rows]


async def select_differences_page(
    db: Executor, after: tuple[datetime, str, int] | None, limit: int
) -> list[FeedDifference]:
    """Up to `limit` differences after a position, the oldest first."""
    rows = await db.fetch(
        """
        SELECT feed, event_id, kind, counted, found, first_found, last_found, applied_at, reason
          FROM feed_difference
         WHERE $1::timestamptz IS NULL OR (first_found, feed, event_id) > ($1, $2::text, $3::bigint)
         ORDER BY first_found, feed, event_id
         LIMIT $4
        """,
        *(after or (None, None, None)),
        limit,
    )
    return [_difference(**row) for row in rows]


async def select_open_differences(db: Executor, feed: str, limit: int) -> list[FeedDifference]:
    """Up to `limit` differences of a feed that have not been applied, by event."""
    rows = await db.fetch(
        """
        SELECT feed, event_id, kind, counted, found, first_found, last_found, applied_at, reason
          FROM feed_difference
         WHERE feed = $1 AND applied_at IS NULL
         ORDER BY event_id
         LIMIT $2
        """,
        feed,
        limit,
    )
    return [_difference(**row) for row in rows]


def _difference(*, counted: str, found: str | None, **columns: object) -> FeedDifference:
    return FeedDifference(
        counted=_decode_event(counted),
        found=_decode_event(found) if found else None,
        **columns,  # type: ignore[arg-type]  # the columns of the statement have the types of the fields
    )


async def update_applied_differences(
    db: Executor, feed: str, event_ids: Sequence[int], now: datetime, reason: str
) -> None:
    """Note that differences of a feed were applied, and why."""
    await db.execute(
        """
        UPDATE feed_difference
           SET applied_at = $3, reason = $4
         WHERE feed = $1 AND event_id = ANY($2::bigint[]) AND applied_at IS NULL
        """,
        feed,
        event_ids,
        now,
        reason,
    )


async def delete_resolved_differences(db: Executor, feed: str, audit_started_at: datetime) -> None:
    """Delete the differences that a complete audit did not find again: the feed agrees with the ledger."""
    await db.execute(
        "DELETE FROM feed_difference WHERE feed = $1 AND applied_at IS NULL AND last_found < $2", feed, audit_started_at
    )
