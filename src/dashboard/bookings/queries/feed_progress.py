"""SQL of `feed_progress`: how far each feed has been read."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from common.db.pool import Executor
from dashboard.bookings.models.feed_progress import FeedStatus, ReadingProgress
from dashboard.bookings.models.figures import FeedState


class FeedProgress(msgspec.Struct, frozen=True):
    """A row of `feed_progress`.

    feed_number: stands for the feed in the ledger. watermark: event time up to which the feed was read in order.
    recorded_through: time of the provider's clock up to which late events were read. data_through: time up to which the
    counters show the feed. window_seconds: length of the next window of a foreign feed. audited_through,
    audit_started_at: the event time that an interrupted night audit reached, and when it began. wait_until: the feed
    asked not to be called before. first_read_at: when the first reading reached the end of the feed.
    """

    feed_number: int
    watermark: datetime | None
    recorded_through: datetime | None
    data_through: datetime | None
    window_seconds: float
    audited_through: datetime | None
    audit_started_at: datetime | None
    wait_until: datetime | None
    first_read_at: datetime | None


async def select_progress(db: Executor, feed: str) -> FeedProgress | None:
    """The progress of a feed; None for one that no job has read yet."""
    row = await db.fetchrow(
        """
        SELECT feed_number, watermark, recorded_through, data_through, window_seconds, audited_through,
               audit_started_at, wait_until, first_read_at
          FROM feed_progress
         WHERE feed = $1
        """,
        feed,
    )
    return FeedProgress(**row) if row else None


async def insert_feed(db: Executor, feed: str) -> None:
    """Begin the progress of a feed, unless another job does so now."""
    await db.execute("INSERT INTO feed_progress (feed) VALUES ($1) ON CONFLICT DO NOTHING", feed)


async def select_feed_states(db: Executor, feeds: Sequence[str]) -> list[FeedState]:
    """The state of each of these feeds, in their order, also of one that no job has read yet."""
    rows = await db.fetch(
        """
        SELECT feed, data_through,
               (SELECT count(*) FROM feed_cut_off WHERE feed_cut_off.feed = named.feed) AS cut_off
          FROM unnest($1::text[]) WITH ORDINALITY AS named (feed, position)
          LEFT JOIN feed_progress USING (feed)
         ORDER BY position
        """,
        feeds,
    )
    return [FeedState(**row) for row in rows]


async def select_feed_statuses(db: Executor, feeds: Sequence[str]) -> list[FeedStatus]:
    """How far each of these feeds is read, in their order, also of one that no job has read yet."""
    rows = await db.fetch(
        """
        SELECT named.feed, feed_number, data_through, coalesce(past_events, 0) AS past_events, about_events,
               first_read_at, coalesce(cut_offs, 0) AS cut_offs, first_cut_off, cut_off_reason,
               wait_until, audit_started_at, audited_through
          FROM unnest($1::text[]) WITH ORDINALITY AS named (feed, position)
          LEFT JOIN feed_progress ON feed_progress.feed = named.feed
          LEFT JOIN (SELECT feed, count(*) AS cut_offs, min(event_timestamp) AS first_cut_off,
                            (array_agg(reason ORDER BY last_seen DESC, event_timestamp))[1] AS cut_off_reason
                       FROM feed_cut_off
                      GROUP BY feed) AS cut_off ON cut_off.feed = named.feed
         ORDER BY position
        """,
        feeds,
    )
    return [FeedStatus(**row) for row in rows]


async def select_events_by_feed(db: Executor, since: datetime, until: datetime) -> dict[int, int]:
    """How many counted events are dated in the period, by the number of their feed; feeds without any are absent."""
    rows = await db.fetch(
        """
        SELECT feed_number, count(*) AS events
          FROM ledger_event
         WHERE event_timestamp > $1 AND event_timestamp <= $2
         GROUP BY feed_number
        """,
        since,
        until,
    )
    return {row["feed_number"]: row["events"] for row in rows}


async def select_reading_progress(db: Executor, feeds: Sequence[str]) -> ReadingProgress:
    """How far the first readings of these feeds are; a feed that was never read is being read too."""
    row = await db.fetchrow(
        """
        SELECT coalesce(sum(past_events), 0)::bigint AS counted,
               CASE
                   WHEN count(about_events) = count(*) THEN sum(greatest(about_events, past_events))::bigint
               END AS about,
               count(*) > 0 AS is_reading_the_past
          FROM unnest($1::text[]) AS named (feed)
          LEFT JOIN feed_progress USING (feed)
         WHERE first_read_at IS NULL
        """,
        feeds,
    )
    assert row is not None
    return ReadingProgress(**row)


async def select_data_through(db: Executor, feeds: Sequence[str]) -> datetime | None:
    """The time up to which all of these feeds are counted; None while one of them has not been read."""
    return await db.fetchval(
        """
        SELECT CASE WHEN count(data_through) = cardinality($1::text[]) THEN min(data_through) END
          FROM feed_progress
         WHERE feed = ANY($1::text[])
        """,
        feeds,
    )


async def update_watermark(db: Executor, feed: str, watermark: datetime) -> None:
    """Move the watermark forward, never past now; during the first read of the feed move data_through with it."""
    await db.execute(
        """
        UPDATE feed_progress
           SET watermark = greatest(watermark, least($2, now())),
               data_through = CASE
                   WHEN data_through IS NULL OR data_through = watermark THEN greatest(watermark, least($2, now()))
                   ELSE data_through
               END
         WHERE feed = $1 AND (watermark IS NULL OR watermark < least($2, now()))
        """,
        feed,
        watermark,
    )


async def update_first_contact(db: Executor, feed: str, at: datetime) -> None:
    """Note the provider's clock at the first read: from then on late events are read by the time of their recording."""
    await db.execute(
        "UPDATE feed_progress SET recorded_through = $2 WHERE feed = $1 AND recorded_through IS NULL", feed, at
    )


async def update_about_events(db: Executor, feed: str, about: int) -> None:
    """Note about how many events the feed has."""
    await db.execute("UPDATE feed_progress SET about_events = $2 WHERE feed = $1", feed, about)


async def update_past_events(db: Executor, feed: str, new: int) -> None:
    """Add events that the first reading has counted."""
    await db.execute("UPDATE feed_progress SET past_events = past_events + $2 WHERE feed = $1", feed, new)


async def update_first_reading_end(db: Executor, feed: str) -> None:
    """Note that the first reading has reached the end of the feed."""
    await db.execute("UPDATE feed_progress SET first_read_at = now() WHERE feed = $1 AND first_read_at IS NULL", feed)


async def update_after_reading(
    db: Executor, feed: str, data_through: datetime, recorded_through: datetime | None, window_seconds: float
) -> None:
    """Note that the feed was read to its end.

    data_through moves forward, never past now: the provider's clock may be ahead of ours. recorded_through, unless
    absent, may move back when the provider's clock is corrected.
    """
    await db.execute(
        """
        UPDATE feed_progress
           SET data_through = greatest(data_through, least($2, now())),
               recorded_through = coalesce($3, recorded_through),
               window_seconds = $4,
               wait_until = NULL
         WHERE feed = $1
        """,
        feed,
        data_through,
        recorded_through,
        window_seconds,
    )


async def update_after_failure(db: Executor, feed: str, window_seconds: float, wait_until: datetime | None) -> None:
    """Note how the next reading begins, and until when the feed asked not to be called."""
    await db.execute(
        "UPDATE feed_progress SET window_seconds = $2, wait_until = $3 WHERE feed = $1",
        feed,
        window_seconds,
        wait_until,
    )


async def update_audit_start(db: Executor, feed: str, started_at: datetime) -> None:
    """Note that a night audit begins at the beginning of the feed."""
    await db.execute(
        "UPDATE feed_progress SET audit_started_at = $2, audited_through = NULL WHERE feed = $1", feed, started_at
    )


async def update_audited_through(db: Executor, feed: str, audited_through: datetime) -> None:
    """Set where an interrupted night audit continues."""
    await db.execute("UPDATE feed_progress SET audited_through = $2 WHERE feed = $1", feed, audited_through)


async def update_audit_end(db: Executor, feed: str, window_seconds: float) -> None:
    """Note that the night audit is complete."""
    await db.execute(
        """
        UPDATE feed_progress
           SET audited_through = NULL, audit_started_at = NULL, window_seconds = $2, wait_until = NULL
         WHERE feed = $1
        """,
        feed,
        window_seconds,
    )
