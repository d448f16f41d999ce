"""What the frame of every page shows: how far the feeds are counted, how many orders wait and how many alerts fire."""

from datetime import UTC, datetime

from common.web.page_frame import FrameState
from common.web.resources import pool
from dashboard.alerts.queries.alerts import select_firing_count
from dashboard.alerts.service import hidden_rules
from dashboard.bookings.queries.feed_progress import select_feed_states
from dashboard.bookings.service import counted_through
from dashboard.front_desk.queries.lists import select_waiting_count
from dashboard.resources import resources


async def read_frame_state() -> FrameState:
    """The state of the frame now."""
    config = resources().config
    states = await select_feed_states(pool(), config.feed_names)
    waiting = await select_waiting_count(pool(), datetime.now(UTC))
    firing = await select_firing_count(pool(), hidden_rules(config, for_operators=False))
    badges = {"/board/alerts": f"{firing} firing", "/front-desk": f"{waiting} waiting"}
    counts = {"/board/alerts": firing, "/front-desk": waiting}
    return FrameState(counted_through(states), {address: badges[address] for address in badges if counts[address]})
