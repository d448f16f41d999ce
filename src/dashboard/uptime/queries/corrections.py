"""SQL of what people change by hand: closures, groups, and the deletion of polls.

Callers hold the lock of `imports.lock_imports`, so that these changes and imports commit one after the other.
"""

from collections.abc import Sequence
from datetime import date, datetime

from common.db.pool import Executor
from dashboard.uptime.models.stores import StoredClosure


async def select_closures(db: Executor, store_id: str) -> list[StoredClosure]:
    """The closures of a store, as they were put."""
    rows = await db.fetch(
        """
        SELECT first_day, last_day, starts_at, ends_at, reason
          FROM store_closure
         WHERE store_id = $1
         ORDER BY position
        """,
        store_id,
    )
    return [
        StoredClosure(
            row["first_day"] if row["starts_at"] is None else row["starts_at"],
            row["last_day"] if row["ends_at"] is None else row["ends_at"],
            row["reason"],
        )
        for row in rows
    ]


async def delete_closures(db: Executor, store_id: str) -> None:
    await db.execute("DELETE FROM store_closure WHERE store_id = $1", store_id)


async def insert_closures(db: Executor, store_id: str, closures: Sequence[StoredClosure]) -> None:
    """Insert the closures of a store, which has none."""
    await db.execute(
        """
        INSERT INTO store_closure (store_id, position, first_day, last_day, starts_at, ends_at, reason)
        SELECT $1, place, first_day, last_day, starts_at, ends_at, reason
          FROM unnest($2::date[], $3::date[], $4::timestamptz[], $5::timestamptz[], $6::text[])
               WITH ORDINALITY AS closure (first_day, last_day, starts_at, ends_at, reason, place)
        """,
        store_id,
        [_day(closure.start) for closure in closures],
        [_day(closure.end) for closure in closures],
        [_instant(closure.start) for closure in closures],
        [_instant(closure.end) for closure in closures],
        [closure.reason for closure in closures],
    )


def _day(at: date | datetime) -> date | None:
    return None if isinstance(at, datetime) else at


def _instant(at: date | datetime) -> datetime | None:
    return at if isinstance(at, datetime) else None


async def update_group(db: Executor, store_id: str, group: str | None) -> bool:
    """Set the group of a store; returns whether it had another."""
    status = await db.execute(
        "UPDATE store SET store_group = $2 WHERE store_id = $1 AND store_group IS DISTINCT FROM $2", store_id, group
    )
    return status != "UPDATE 0"


async def forget_all_days(db: Executor, store_id: str) -> None:
    """Forget the kept figures of a store; those of days whose polls were deleted by their age stay."""
    await db.execute("SELECT forget_recent_days(ARRAY[$1], ARRAY['-infinity'::timestamptz])", store_id)


async def delete_polls(db: Executor, store_id: str, start: datetime, end: datetime) -> int:
    """Delete the polls of a store in `[start, end)`; returns how many."""
    status = await db.execute(
        "DELETE FROM store_poll WHERE store_id = $1 AND polled_at >= $2 AND polled_at < $3", store_id, start, end
    )
    return int(status.split()[-1])


async def upsert_poll_deletion(db: Executor, store_id: str, start: datetime, end: datetime) -> None:
    """Remember that the polls of a span were deleted, so that pulls do not bring them back."""
    await db.execute(
        """
        INSERT INTO store_poll_deletion (store_id, deleted_from, deleted_until)
        VALUES ($1, $2, $3)
        ON CONFLICT DO NOTHING
        """,
        store_id,
        start,
        end,
    )


async def update_first_and_last_poll(db: Executor, store_id: str) -> None:
    """Set when a store was first and last polled by the polls that are left; null if none are.

    The first poll stays where older polls were deleted by their age.
    """
    await db.execute(
        """
        UPDATE store
           SET first_polled_at = CASE WHEN polls_since IS NOT NULL AND polls.last IS NOT NULL THEN first_polled_at
                                      ELSE polls.first
                                 END,
               last_polled_at = polls.last
          FROM (SELECT min(polled_at) AS first, max(polled_at) AS last FROM store_poll WHERE store_id = $1) AS polls
         WHERE store.store_id = $1
        """,
        store_id,
    )


async def delete_poll_spans(db: Executor, start: datetime, end: datetime) -> None:
    """Delete the five minutes that touch `[start, end)` and of which all polls of the fleet are kept."""
    await db.execute(
        """
        DELETE FROM poll_span
         WHERE span_start > $1::timestamptz - INTERVAL '5 minutes'
           AND span_start < $2
           AND span_start >= coalesce((SELECT max(polls_since) FROM store), '-infinity')
        """,
        start,
        end,
    )


async def insert_poll_spans(db: Executor, start: datetime, end: datetime) -> None:
    """Insert the five minutes that `delete_poll_spans` deleted and in which a store was polled all the same."""
    await db.execute(
        """
        INSERT INTO poll_span (span_start, first_polled_at, last_polled_at)
        SELECT date_bin('5 minutes', poll.polled_at, '2000-01-01 00:00:00+00'), min(poll.polled_at), max(poll.polled_at)
          FROM store
         CROSS JOIN LATERAL (
            SELECT polled_at
              FROM store_poll
             WHERE store_poll.store_id = store.store_id
               AND polled_at >= date_bin('5 minutes', $1::timestamptz, '2000-01-01 00:00:00+00')
               AND polled_at < INTERVAL '5 minutes' + date_bin(
                   '5 minutes', $2::timestamptz - INTERVAL '1 microsecond', '2000-01-01 00:00:00+00'
               )
          ) AS poll
         WHERE poll.polled_at >= coalesce((SELECT max(polls_since) FROM store), '-infinity')
         GROUP BY 1
        ON CONFLICT (span_start) DO NOTHING
        """,
        start,
        end,
    )
