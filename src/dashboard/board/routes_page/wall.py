"""The page for a screen on the wall of a back office: counts alone, without links, live."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import asyncpg
from quart import Blueprint, Response
from quart_schema import hide

from common.web.html import html_page
from common.web.page_frame import FrameState, PageTag, framed_page
from common.web.query_string import validate_querystring
from common.web.replica import reads_replica
from common.web.resources import pool
from dashboard.board.board_templates import templates
from dashboard.board.inputs import WallQuery
from dashboard.board.page_views import wall
from dashboard.board.parts import FailedPart, read_part
from dashboard.bookings.inputs import SummaryQuery
from dashboard.bookings.models.feed_progress import ReadingProgress
from dashboard.bookings.models.summary import FoundSummary
from dashboard.bookings.queries.feed_progress import select_feed_states, select_reading_progress
from dashboard.bookings.service import counted_through
from dashboard.bookings.summary import compute_summary
from dashboard.front_desk.queries.lists import select_desk_counts
from dashboard.resources import resources
from dashboard.uptime.queries.imports import select_newest_poll

blueprint = Blueprint("board_wall", __name__)

PATH = "/wall"
HOUSES_SHOWN = 8
LIVE_SECONDS = 5


@dataclass(frozen=True)
class Feed:
    """How far the feeds are counted; None for one that is not read yet. reading: of a past that is being read."""

    through: datetime | None
    reading: ReadingProgress


@blueprint.get(PATH)
@html_page
@hide
@validate_querystring(WallQuery)
@reads_replica
async def get_wall(query_args: WallQuery) -> Response:
    """Show tonight, today, the orders that wait and the stores that are down, and how old these figures are.

    No browser keeps the page: it shows the time of its data, which passes.
    """
    now, db = datetime.now(UTC), pool()
    hotels, desk, stores, feed = await asyncio.gather(
        read_part("hotels", compute_summary(db, SummaryQuery(limit=HOUSES_SHOWN), None, now)),
        read_part("front desk", select_desk_counts(db, now)),
        read_part("stores", read_stores(db, now)),
        read_part("feed", read_feed(db)),
    )
    state = FrameState(None if isinstance(feed, FailedPart) else feed.through)
    zone = ZoneInfo(resources().config.hotel_timezone)
    return framed_page(
        templates,
        "wall.html",
        PageTag("", state, is_kept=False),
        live_seconds=LIVE_SECONDS,
        theme=query_args.theme,
        hotels=hotels,
        tonight=wall.tonight(hotels) if isinstance(hotels, FoundSummary) else None,
        picked_up=wall.picked_up(hotels.total) if isinstance(hotels, FoundSummary) else None,
        desk=desk,
        waiting=None if isinstance(desk, FailedPart) else wall.waiting(desk, now),
        stores=stores,
        feed=feed,
        is_reading=isinstance(feed, Feed) and feed.reading.is_reading_the_past,
        at=None if state.through is None else state.through.astimezone(zone),
        zone="UTC" if zone.key == "UTC" else f"{zone.key.rpartition('/')[2].replace('_', ' ')} time",
    )


async def read_stores(db: asyncpg.Pool, now: datetime) -> wall.StoresDown:
    """The stores that are down, and whether that is known."""
    fleet, newest = await asyncio.gather(resources().fleet.states(now), select_newest_poll(db, now))
    return wall.stores_down(fleet, newest, now)


async def read_feed(db: asyncpg.Pool) -> Feed:
    """How far the feeds are counted."""
    feeds = resources().config.feed_names
    states, reading = await asyncio.gather(select_feed_states(db, feeds), select_reading_progress(db, feeds))
    return Feed(counted_through(states), reading)
