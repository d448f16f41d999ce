"""SQL of the quarantine: values of the feeds that were not counted."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

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


class QuarantinedHead(NamedTuple):
    """A quarantined value, of which `raw` is the beginning alone; length: characters of the whole."""

    feed: str
    fingerprint: bytes
    reason: str
    raw: str
    length: int
    first_seen: datetime
    last_seen: datetime
    times: int


class QuarantineCounts(NamedTuple):
    """How many values are in quarantine, how many of them are new since a time, and when the newest one came."""

    values: int
    new: int
    newest: datetime | None


async def select_latest_quarantined(db: Executor, limit: int, max_length: int) -> list[QuarantinedHead]:
    """The values that were quarantined last, the latest first, each with up to `max_length` of its characters."""
    rows = await db.fetch(
        """
        SELECT feed, fingerprint, reason, left(raw, $2) AS raw, length(raw) AS length, first_seen, last_seen, times
          FROM (SELECT feed, fingerprint
                  FROM quarantined_event
                 ORDER BY first_seen DESC, feed DESC, fingerprint DESC
                 LIMIT $1) AS latest
          JOIN quarantined_event USING (feed, fingerprint)
         ORDER BY first_seen DESC, feed DESC, fingerprint DESC
        """,
        limit,
        max_length,
    )
    return [QuarantinedHead(*row) for row in rows]


async def select_quarantine_counts(db: Executor, since: datetime) -> QuarantineCounts:
    """How many values are in quarantine, and how many were received for the first time since then."""
    row = await db.fetchrow(
        """
        SELECT count(*) AS values, count(*) FILTER (WHERE first_seen >= $1) AS new, max(first_seen) AS newest
          FROM quarantined_event
        """,
        since,
    )
    assert row is not None
    return QuarantineCounts(**row)


async def select_quarantined_text(db: Executor, feed: str, fingerprint: bytes) -> str | None:
    """The whole text of a quarantined value; None if there is none with this fingerprint."""
    return await db.fetchval(
        "SELECT raw FROM quarantined_event WHERE feed = $1 AND fingerprint = $2", feed, fingerprint
    )


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
