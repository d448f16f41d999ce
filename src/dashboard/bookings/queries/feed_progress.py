"""SQL of `feed_progress`: how far the feed has been read."""

from datetime import datetime

import msgspec

from common.db.pool import Executor
from dashboard.bookings.models import FeedState


class FeedProgress(msgspec.Struct, frozen=True):
    """The row of `feed_progress`.

    watermark: event time up to which the feed was read in order. recorded_through: time of the provider's clock up to
    which late events were read. data_through: time up to which the counters show the feed. window_seconds: length of
    the next window of a foreign feed. audited_through, audit_started_at: the event time that an interrupted night audit
    reached, and when it began. wait_until: the feed asked not to be called before.
    """

    watermark: datetime | None
    recorded_through: datetime | None
    data_through: datetime | None
    window_seconds: float
    audited_through: datetime | None
    audit_started_at: datetime | None
    wait_until: datetime | None


async def select_progress(db: Executor) -> FeedProgress:
    row = await db.fetchrow(
        """
        SELECT watermark, recorded_through, data_through, window_seconds, audited_through, audit_started_at, wait_until
          FROM feed_progress
        """
    )
    assert row is not None
    return FeedProgress(**row)


async def select_feed_state(db: Executor) -> FeedState:
    """The time up to which the counters show the feed, None until it was read once, and the number of cut-offs."""
    row = await db.fetchrow("SELECT data_through, (SELECT count(*) FROM feed_cut_off) AS cut_off FROM feed_progress")
    assert row is not None
    return FeedState(**row)


async def update_watermark(db: Executor, watermark: datetime) -> None:
    """Move the watermark forward, never past now; during the first read of the feed move data_through with it."""
    await db.execute(
        """
        UPDATE feed_progress
           SET watermark = greatest(watermark, least($1, now())),
               data_through = CASE
                   WHEN data_through IS NULL OR data_through = watermark THEN greatest(watermark, least($1, now()))
                   ELSE data_through
               END
         WHERE watermark IS NULL OR watermark < least($1, now())
        """,
        watermark,
    )


async def update_first_contact(db: Executor, at: datetime) -> None:
    """Note the provider's clock at the first read: from then on late events are read by the time of their recording."""
    await db.execute("UPDATE feed_progress SET recorded_through = $1 WHERE recorded_through IS NULL", at)


async def update_after_reading(
    db: Executor, data_through: datetime, recorded_through: datetime | None, window_seconds: float
) -> None:
    """Note that the feed was read to its end.

    data_through moves forward, never past now: the provider's clock may be ahead of ours. recorded_through, unless
    absent, may move back when the provider's clock is corrected.
    """
    await db.execute(
        """
        UPDATE feed_progress
           SET data_through = greatest(data_through, least($1, now())),
               recorded_through = coalesce($2, recorded_through),
               window_seconds = $3,
               wait_until = NULL
        """,
        data_through,
        recorded_through,
        window_seconds,
    )


async def update_after_failure(db: Executor, window_seconds: float, wait_until: datetime | None) -> None:
    """Note how the next reading begins, and until when the feed asked not to be called."""
    await db.execute("UPDATE feed_progress SET window_seconds = $1, wait_until = $2", window_seconds, wait_until)


async def update_audit_start(db: Executor, started_at: datetime) -> None:
    """Note that a night audit begins at the beginning of the feed."""
    await db.execute("UPDATE feed_progress SET audit_started_at = $1, audited_through = NULL", started_at)


async def update_audited_through(db: Executor, audited_through: datetime) -> None:
    """Set where an interrupted night audit continues."""
    await db.execute("UPDATE feed_progress SET audited_through = $1", audited_through)


async def update_audit_end(db: Executor, window_seconds: float) -> None:
    """Note that the night audit is complete."""
    await db.execute(
        """
        UPDATE feed_progress
           SET audited_through = NULL, audit_started_at = NULL, window_seconds = $1, wait_until = NULL
        """,
        window_seconds,
    )
