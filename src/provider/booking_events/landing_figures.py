"""The figures of the feed on the provider's landing page."""

from collections.abc import Sequence

from common.web.landing_page import Figure, FigureTable, instant_figure
from common.web.replica import reads_replica
from common.web.resources import pool
from provider.booking_events import queries
from provider.hotel_rooms import BOOKING


@reads_replica
async def landing_figures() -> tuple[Sequence[Figure], Sequence[FigureTable]]:
    """Live counts of the feed and its latest events."""
    totals = await queries.select_totals(pool())
    latest = await queries.select_latest(pool(), 12)
    about = "about " if totals.events >= queries.MAX_COUNTED_EVENTS else ""
    figures = [
        Figure("events in the feed", f"{about}{totals.events:,}"),
        Figure("events in the last minute", f"{totals.last_minute:,}"),
        instant_figure("newest event", totals.newest),
    ]
    rows = [
        (
            f"{event.event_timestamp:%Y-%m-%d %H:%M:%S}",
            event.hotel_id,
            event.room_id,
            f"{event.night_of_stay}",
            "booking" if event.status == BOOKING else "cancellation",
        )
        for event in latest
    ]
    return figures, [FigureTable("Latest events", ("time (UTC)", "hotel", "room", "night", "type"), rows)]
