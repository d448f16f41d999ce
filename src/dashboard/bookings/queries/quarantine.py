"""SQL of the quarantine: values of the feed that were not counted."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256

from common.db.pool import Executor
from dashboard.bookings.decoding import RejectedEvent
from dashboard.bookings.models import QuarantinedEvent

MAX_QUARANTINED = 20_000
"""Values that are stored, or a few more. Beyond them a new value is only counted, in the result of the job."""


async def upsert_quarantine(db: Executor, rejected: Sequence[RejectedEvent]) -> None:
    """Store rejected values; for a value that is already stored, only count and time change."""
    by_fingerprint = {sha256(f"{each.reason}\n{each.raw}".encode()).digest(): each for each in rejected}
    await db.execute(
        """
        INSERT INTO quarantined_event AS kept (fingerprint, reason, raw)
        SELECT *
          FROM unnest($1::bytea[], $2::text[], $3::text[]) AS rejected (fingerprint, reason, raw)
         WHERE (SELECT count(*) FROM quarantined_event) < $4
            OR EXISTS (SELECT FROM quarantined_event AS known WHERE known.fingerprint = rejected.fingerprint)
         ORDER BY fingerprint
        ON CONFLICT (fingerprint) DO UPDATE
           SET last_seen = now(), times = kept.times + 1
        """,
        list(by_fingerprint),
        [each.reason for each in by_fingerprint.values()],
        [each.raw for each in by_fingerprint.values()],
        MAX_QUARANTINED,
    )


async def select_quarantine(
    db: Executor, after: tuple[datetime, bytes] | None, limit: int
) -> list[tuple[bytes, QuarantinedEvent]]:
    """Up to `limit` quarantined values after a position, oldest first, each with its fingerprint."""
    rows = await db.fetch(
        """
        SELECT fingerprint, reason, raw, first_seen, last_seen, times
          FROM quarantined_event
         WHERE $1::timestamptz IS NULL OR (first_seen, fingerprint) > ($1, $2::bytea)
         ORDER BY first_seen, fingerprint
         LIMIT $3
        """,
        *(after or (None, None)),
        limit,
    )
    return [(row["fingerprint"], QuarantinedEvent(*tuple(row)[1:])) for row in rows]


async def delete_old_quarantined(db: Executor, keep: timedelta, limit: int) -> int:
    """Delete up to `limit` values that were not received again for `keep`; returns how many."""
    return await db.fetchval(
        """
        WITH deleted AS (
            DELETE FROM quarantined_event
             WHERE fingerprint IN (SELECT fingerprint
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
