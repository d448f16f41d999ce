"""The figures of the dashboard's landing page: events counted, and how full the hotels are."""

from collections.abc import Sequence
from datetime import UTC, datetime

from common.web.landing_page import Figure, FigureTable, LinkCell, instant_figure
from common.web.resources import pool
from dashboard.bookings.queries import counters
from dashboard.bookings.queries.feed_progress import select_data_through

NIGHTS_AHEAD = 30
MONTHS_OF_HOTEL = "/dashboard?hotel_id={}&period=month&year={}"


async def landing_figures() -> tuple[Sequence[Figure], Sequence[FigureTable]]:
    """Live counts, and the next 30 nights of each hotel compared with the busiest one."""
    now = datetime.now(UTC)
    hotels = await counters.select_hotels(pool())
    through = await select_data_through(pool())
    outlooks = await counters.select_outlook(pool(), now.date(), NIGHTS_AHEAD)
    figures = [
        Figure("events counted", f"{sum(hotel.events for hotel in hotels):,}"),
        Figure("hotels", f"{len(hotels):,}"),
        instant_figure("counted through", through),
        Figure("behind", f"{max(0.0, (now - through).total_seconds()):.0f} s" if through else "-"),
    ]
    busiest = max((outlook.on_the_books for outlook in outlooks), default=0) or 1
    rows = [
        (
            LinkCell(f"{outlook.hotel_id}", MONTHS_OF_HOTEL.format(outlook.hotel_id, now.year)),
            outlook.on_the_books,
            f"{outlook.today:+d}",
            outlook.on_the_books / busiest,
        )
        for outlook in outlooks
    ]
    head = ("hotel", "room nights on the books", "today", "compared with the busiest")
    return figures, [FigureTable(f"The next {NIGHTS_AHEAD} nights", head, rows)]
