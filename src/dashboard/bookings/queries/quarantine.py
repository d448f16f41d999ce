"""SQL of the quarantine: values of the feeds that were not counted."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256

from common.db.pool import Executor
from dashboard.bookings.decoding import RejectedEvent
from dashboard.bookings.models.figures import QuarantinedEvent

MAX_QUARANTINED = 20_000
"""Values of each feed that are stored, or a few more. Beyond them a new value is only counted, in the job's result."""


async def upsert_quarantine(db: Executor, feed: str, rejected: Sequence[RejectedEvent]) -> None:
    """Store rejected values; for a value that is already stored, only count and time change."""
    by_fingerprint = {sha256(f"{each.reason}\n{each.raw}".encode()).digest(): each for each in rejected}
    await db.execute(
        """
        INSERT INTO quarantined_event AS kept (feed, fingerprint, reason, raw)
        SELECT $5, *
          FROM unnest($1::bytea[], $2::text[], $3::text[]) AS rejected (fingerprint, reason, raw)
         WHERE (SELECT count(*) FROM quarantined_event WHERE feed = $5) < $4
            OR EXISTS (SELECT FROM quarantined_event AS known
                        WHERE known.feed = $5 AND known.fingerprint = rejected.fingerprint)
         ORDER BY fingerprint
        ON CONFLICT (feed, fingerprint) DO UPDATE
           SET last_seen = now(), times = kept.times + 1
        """,
        list(by_fingerprint),
        [each.reason for each in by_fingerprint.values()],
        [each.raw for each in by_fingerprint.values()],
        MAX_QUARANTINED,
        feed,
    )


async def select_quarantine(
    db: Executor, after: tuple[datetime, str, bytes] | None, limit: int
) -> list[tuple[bytes, QuarantinedEvent]]:
    """Up to `limit` quarantined values after a position, oldest first, each with its fingerprint."""
    rows = await db.fetch(
        """
        SELECT fingerprint, feed, reason, raw, first_seen, last_seen, times
          FROM quarantined_event
         WHERE $1::timestamptz IS NULL OR (first_seen, feed, fingerprint) > ($1, $2::text, $3::bytea)
         ORDER BY first_seen, feed, fingerprint
         LIMIT $4
        """,
        *(after or (None, None, None)),
        limit,
    )
    return [(row["fingerprint"], QuarantinedEvent(*tuple(row)[1:])) for row in rows]


async def select_new_quarantined_count(db: Executor, since: datetime) -> int:
    """How many values were quarantined for the first time since then."""
    return await db.fetchval("SELECT count(*) FROM quarantined_event WHERE first_seen >= $1", since)


async def delete_old_quarantined(db: Executor, keep: timedelta, limit: int) -> int:
    """Delete up to `limit` values that were not received again for `keep`; returns how many."""
    return await db.fetchval(
        """
        WITH deleted AS (
            DELETE FROM quarantined_event
             WHERE (feed, fingerprint) IN (SELECT feed, fingerprint
                                             FROM quarantined_event
                                            WHERE last_seen < now() - $1::interval
                                            LIMIT $2)
            RETURNING 1
        )
        SELECT count(*) FROM deleted
        """,
        keep,
        limit,
    )
