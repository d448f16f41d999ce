"""SQL of `feed_progress`: how far the feed has been read."""

from datetime import datetime

import msgspec

from common.db.pool import Executor


class FeedProgress(msgspec.Struct, frozen=True):
    """The row of `feed_progress`.

    watermark: event time up to which the feed was read in order. recorded_through: time of the provider's clock up to
    which late events were read. data_through: time up to which the counters show the feed. window_seconds: length of
    the next window of a foreign feed. audited_through: event time that an interrupted night audit reached.
    """

    watermark: datetime | None
    recorded_through: datetime | None
    data_through: datetime | None
    window_seconds: float
    audited_through: datetime | None


async def select_progress(db: Executor) -> FeedProgress:
    row = await db.fetchrow(
        "SELECT watermark, recorded_through, data_through, window_seconds, audited_through FROM feed_progress"
    )
    assert row is not None
    return FeedProgress(**row)


async def select_data_through(db: Executor) -> datetime | None:
    """The time up to which the counters show the feed; None until it was read once."""
    return await db.fetchval("SELECT data_through FROM feed_progress")


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
        """,
        watermark,
    )


async def update_recorded_through(db: Executor, recorded_through: datetime) -> None:
    """Set the time up to which late events were read; it may move back when the provider's clock is corrected."""
    await db.execute("UPDATE feed_progress SET recorded_through = $1", recorded_through)


async def update_data_through(db: Executor, data_through: datetime) -> None:
    """Move data_through forward, never past now: the provider's clock may be ahead of ours."""
    await db.execute("UPDATE feed_progress SET data_through = greatest(data_through, least($1, now()))", data_through)


async def update_window(db: Executor, seconds: float) -> None:
    await db.execute("UPDATE feed_progress SET window_seconds = $1", seconds)


async def update_audited_through(db: Executor, audited_through: datetime | None) -> None:
    """Set where an interrupted night audit continues; None when it is complete."""
    await db.execute("UPDATE feed_progress SET audited_through = $1", audited_through)
