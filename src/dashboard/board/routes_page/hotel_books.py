"""What the pages of a hotel begin with: its books at a date, or the list of hotels where it is not in the feeds."""

import asyncio
from collections.abc import Callable
from datetime import date, datetime
from functools import wraps
from typing import Any, TypeVar

from msgspec.structs import replace
from quart import Response

from common.web.errors import NotFound
from common.web.page_frame import framed_page, page_tag
from common.web.resources import pool
from dashboard.board.board_templates import templates
from dashboard.board.inputs import BoardQuery
from dashboard.board.page_views.books import Books
from dashboard.board.page_views.words import hotel_name
from dashboard.bookings.models.nights import AskedNights, NightFigures
from dashboard.bookings.queries.counters import select_hotels
from dashboard.bookings.queries.feed_progress import select_reading_progress
from dashboard.bookings.queries.hotel_head import select_hotel_head
from dashboard.bookings.queries.morning import select_last_correction
from dashboard.bookings.queries.nights import select_nights
from dashboard.bookings.service import UNKNOWN_HOTEL, require_not_future, unknown_hotel
from dashboard.resources import resources

MOST_HOTELS = 50
"""Hotels that the page for an unknown one lists."""

V = TypeVar("V", bound=Callable[..., Any])


def lists_hotels(view: V) -> V:
    """The view of a page of a hotel, which answers an unknown hotel with the list of the hotels there are.

    It stands above `reads_replica`, since the primary may know a hotel that the replica does not have yet.
    """

    @wraps(view)
    async def list_when_unknown(hotel_id: int, *args: Any, **options: Any) -> Any:
        try:
            return await view(hotel_id, *args, **options)
        except NotFound as error:
            if error.problem_code != UNKNOWN_HOTEL:
                raise
            return await unknown_hotel_page(hotel_id)

    return list_when_unknown  # type: ignore[return-value]  # wraps() keeps the signature, which mypy cannot see


async def require_books(hotel_id: int, query: BoardQuery, now: datetime) -> Books:
    """The books of a hotel that a page is asked for. Raises NotFound, and Invalid for a future date."""
    hotel, corrected_at, reading = await asyncio.gather(
        select_hotel_head(pool(), hotel_id, now),
        select_last_correction(pool()),
        select_reading_progress(pool(), resources().config.feed_names),
    )
    if hotel is None:
        raise unknown_hotel(hotel_id)
    require_not_future(query.as_of, hotel.today)
    return Books(hotel, query.as_of or hotel.today, query.match, corrected_at, reading)


async def require_nights(books: Books, first: date, last: date) -> list[NightFigures]:
    """The figures of nights of the hotel, without last year's while the past is being read.

    Raises NotFound when the last events of the hotel were deleted since its books were read.
    """
    nights = await select_nights(pool(), AskedNights(books.hotel.hotel_id, first, last, books.as_of, books.match))
    if not nights:
        raise unknown_hotel(books.hotel.hotel_id)
    if not books.reading.is_reading_the_past:
        return nights
    return [replace(night, same_time_last_year=None, difference=None, usual_7=None, last_year=None) for night in nights]


async def unknown_hotel_page(hotel_id: int) -> Response:
    """The page with the status 404 that lists the hotels there are."""
    hotels = await select_hotels(pool(), "", 0, MOST_HOTELS, hidden=False)
    hotels.sort(key=lambda hotel: hotel_name(hotel.hotel_id, hotel.name).casefold())
    page = framed_page(templates, "unknown_hotel.html", await page_tag(), hotel_id=hotel_id, hotels=hotels)
    page.status_code = 404
    return page
