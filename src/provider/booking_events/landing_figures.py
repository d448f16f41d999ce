"""The provider's landing page: what the feed holds."""

from collections.abc import Sequence

from common.db.pool import pool
from common.web.landing import Figure, Table, moment
from provider.booking_events import queries


async def content() -> tuple[Sequence[Figure], Sequence[Table]]:
    """Live counts of the feed and its latest events."""
    totals = await queries.select_totals(pool())
    latest = await queries.select_latest(pool(), 12)
    about = "about " if totals.events >= queries.COUNTED_EVENTS else ""
    figures = [
        Figure("events in the feed", f"{about}{totals.events:,}"),
        Figure("events in the last minute", f"{totals.last_minute:,}"),
        moment("newest event", totals.newest),
    ]
    rows = [
        (
            f"{event.event_timestamp:%Y-%m-%d %H:%M:%S}",
            event.hotel_id,
            event.room_id,
            f"{event.night_of_stay}",
            "booking" if event.status == 1 else "cancellation",
        )
        for event in latest
    ]
    return figures, [Table("Latest events", ("time (UTC)", "hotel", "room", "night", "what"), rows)]
