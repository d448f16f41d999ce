"""What the pages of a hotel begin with: its books at a date, or the page for a hotel that is not in the feeds."""

from datetime import datetime

from quart import Response

from common.web.page_frame import framed_page, page_tag
from common.web.resources import pool
from dashboard.board.board_templates import templates
from dashboard.board.inputs import BoardQuery
from dashboard.board.page_views.books import Books
from dashboard.bookings.queries.counters import select_hotels
from dashboard.bookings.queries.hotel_head import select_hotel_head
from dashboard.bookings.service import require_not_future

MOST_HOTELS = 50
"""Hotels that the page for an unknown one lists."""


async def read_books(hotel_id: int, query: BoardQuery, now: datetime) -> Books | None:
    """The books of a hotel that a page is asked for; None for an unknown hotel. Raises Invalid for a future date."""
    hotel = await select_hotel_head(pool(), hotel_id, now)
    if hotel is None:
        return None
    require_not_future(query.as_of, hotel.today)
    return Books(hotel, query.as_of or hotel.today, query.match)


async def unknown_hotel_page(hotel_id: int) -> Response:
    """The page with the status 404 that lists the hotels there are."""
    hotels = await select_hotels(pool(), "", 0, MOST_HOTELS, hidden=False)
    page = framed_page(templates, "unknown_hotel.html", await page_tag(), hotel_id=hotel_id, hotels=hotels)
    page.status_code = 404
    return page
