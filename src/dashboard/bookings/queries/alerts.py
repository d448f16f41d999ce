"""SQL of the alerts about feeds: that one is behind, is cut off, or contradicts the ledger."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from common.alerts import Firing
from common.db.pool import Executor
from common.instants import format_minute
from dashboard.bookings.models.figures import DifferenceCounts

BEHIND = timedelta(minutes=5)
"""A feed that is counted through an earlier time than so long ago is reported."""


async def select_feeds_behind(db: Executor, now: datetime, feeds: Sequence[str], interval: timedelta) -> list[Firing]:
    """Those of the feeds that are counted through a time longer ago than BEHIND, and than two reads; by name.

    interval: between two reads. A feed whose past is still being read is not behind: until then nothing is compared.
    """
    rows = await db.fetch(
        """
        SELECT feed, data_through
          FROM feed_progress
         WHERE feed = ANY($1) AND first_read_at IS NOT NULL AND data_through < $2
        """,
        feeds,
        now - max(BEHIND, 2 * interval),
    )
    return [
        Firing(row["feed"], f"The feed is counted through {format_minute(row['data_through'])} only.") for row in rows
    ]


async def select_feeds_caught_up(db: Executor, feeds: Sequence[str]) -> dict[str, str]:
    """How the alerts about feeds that were behind ended, by name: through when each is counted now."""
    rows = await db.fetch("SELECT feed, data_through FROM feed_progress WHERE feed = ANY($1)", feeds)
    return {row["feed"]: f"The feed is counted through {format_minute(row['data_through'])} again." for row in rows}


async def select_feeds_cut_off(db: Executor, feeds: Sequence[str]) -> list[Firing]:
    """Those of the feeds that may have more events of some instants than they sent; by name."""
    rows = await db.fetch(
        """
        SELECT feed, count(*) AS instants, min(event_timestamp) AS first
          FROM feed_cut_off
         WHERE feed = ANY($1)
         GROUP BY feed
        """,
        feeds,
    )
    return [
        Firing(
            row["feed"],
            f"The feed may not have sent all events of {_instants(row['instants'])} "
            f"{row['first']:%Y-%m-%d %H:%M:%S} UTC.",
        )
        for row in rows
    ]


def _instants(count: int) -> str:
    return "the instant" if count == 1 else f"{count:,} instants, the first at"


async def select_feeds_differing(db: Executor, feeds: Sequence[str]) -> list[Firing]:
    """Those of the feeds that no longer have, or have changed, events that are counted; by name.

    What the night audit added by itself is no longer a difference.
    """
    rows = await db.fetch(
        """
        SELECT feed,
               count(*) FILTER (WHERE kind = 'missing') AS missing,
               count(*) FILTER (WHERE kind = 'changed') AS changed
          FROM feed_difference
         WHERE applied_at IS NULL AND feed = ANY($1)
         GROUP BY feed
        """,
        feeds,
    )
    return [Firing(row["feed"], _differences(DifferenceCounts(row["missing"], row["changed"]))) for row in rows]


def _differences(found: DifferenceCounts) -> str:
    them = "it" if sum(found) == 1 else "them"
    return f"The night audit found that the feed {found.in_words}; GET /audits lists {them}."
