"""The dashboard's landing page: how the houses fill."""

from collections.abc import Sequence
from datetime import UTC, datetime

from common.web.landing_page import Figure, FigureTable, LinkCell, instant_figure
from common.web.resources import pool
from dashboard.bookings import queries

NIGHTS_AHEAD = 30
MONTHS = "/dashboard?hotel_id={}&period=month&year={}"


async def landing_figures() -> tuple[Sequence[Figure], Sequence[FigureTable]]:
    """Live counts, and the next thirty nights of each hotel beside the busiest one's."""
    now = datetime.now(UTC)
    hotels = await queries.select_hotels(pool())
    through = await queries.select_data_through(pool())
    nights = await queries.select_next_nights(pool(), now.date(), NIGHTS_AHEAD)
    figures = [
        Figure("events counted", f"{sum(hotel.events for hotel in hotels):,}"),
        Figure("hotels", f"{len(hotels):,}"),
        instant_figure("counted through", through),
        Figure("behind", f"{max(0.0, (now - through).total_seconds()):.0f} s" if through else "-"),
    ]
    busiest = max((booked for _, booked, _ in nights), default=0) or 1
    rows = [
        (LinkCell(f"{hotel}", MONTHS.format(hotel, now.year)), booked, f"{today:+d}", booked / busiest)
        for hotel, booked, today in nights
    ]
    head = ("hotel", "room nights on the books", "today", "beside the busiest")
    return figures, [FigureTable(f"The next {NIGHTS_AHEAD} nights", head, rows)]
