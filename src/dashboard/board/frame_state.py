"""What the frame of every page shows: how far the feeds are counted, and how many orders wait."""

from datetime import UTC, datetime

from common.web.page_frame import FrameState
from common.web.resources import pool
from dashboard.bookings.queries.feed_progress import select_feed_states
from dashboard.bookings.service import counted_through
from dashboard.front_desk.queries import select_waiting_count
from dashboard.resources import resources


async def read_frame_state() -> FrameState:
    """The state of the frame now."""
    states = await select_feed_states(pool(), resources().config.feed_names)
    waiting = await select_waiting_count(pool(), datetime.now(UTC))
    return FrameState(counted_through(states), {"/front-desk": f"{waiting} waiting"} if waiting else {})
