"""The page of a hotel."""

import asyncio
from datetime import UTC, datetime, timedelta

from quart import Blueprint, Response
from quart_schema import hide

from common.web.html import html_page
from common.web.input_types import MAX_ID
from common.web.page_frame import Alternate, framed_page, page_tag, unchanged
from common.web.query_string import validate_querystring
from common.web.replica import reads_replica
from common.web.resources import pool
from dashboard.board.board_templates import templates
from dashboard.board.inputs import HotelQuery
from dashboard.board.page_views.books import Books
from dashboard.board.page_views.hotel import HotelNights, hotel_page, months_from, page_parameters
from dashboard.board.routes_page.hotel_books import lists_hotels, require_books, require_nights
from dashboard.bookings.curves import compute_cancellations
from dashboard.bookings.queries.hotel_head import select_day_counts, select_last_booked_night
from dashboard.bookings.service import compute_lead_time

JSON, CSV = "application/json", "text/csv"

blueprint = Blueprint("board_hotel", __name__)


@blueprint.get(f"/board/hotels/<int(min=1, max={MAX_ID}):hotel_id>")
@html_page
@hide
@validate_querystring(HotelQuery)
@lists_hotels
@reads_replica
async def get_hotel(hotel_id: int, query_args: HotelQuery) -> Response:
    """Show which nights of a hotel need a decision."""
    books = await require_books(hotel_id, query_args, datetime.now(UTC))
    tag = await page_tag(*books.mark)
    if (response := unchanged(tag)) is not None:
        return response
    year = books.as_of.year
    nights, cancellations, lead_time = await asyncio.gather(
        _read_nights(books, query_args),
        compute_cancellations(pool(), hotel_id, year, books.as_of),
        compute_lead_time(pool(), hotel_id, year, books.as_of),
    )
    page = hotel_page(books, query_args, nights, cancellations, lead_time)
    return framed_page(
        templates,
        "hotel.html",
        tag,
        alternates=_alternates(books),
        live_seconds=10 if books.is_today else None,
        books=books,
        page=page,
        kept=page_parameters(query_args),
        back=books.of_today.hotel_page(**page_parameters(query_args)),
    )


async def _read_nights(books: Books, query: HotelQuery) -> HotelNights:
    first, last = months_from(books.as_of)
    ahead = shown = await require_nights(books, first, last)
    if query.from_ is not None:
        shown = await require_nights(books, *months_from(query.from_))
    hotel_id, as_of = books.hotel.hotel_id, books.as_of
    return HotelNights(
        ahead,
        shown,
        await select_last_booked_night(pool(), hotel_id, as_of),
        await select_day_counts(pool(), hotel_id, as_of - timedelta(days=1), as_of),
    )


def _alternates(books: Books) -> tuple[Alternate, ...]:
    """The nights as JSON and CSV, of which the pace is the sum by month, and the cancellations as JSON.

    Not `/pace`, which compares with 0 where last year is not known.
    """
    first, last = months_from(books.as_of)
    path, nights = f"/hotels/{books.hotel.hotel_id}", {"from": first, "to": last}
    dated = f"as_of={books.as_of}"
    return (
        Alternate("JSON", JSON, books.address(f"{path}/nights", **nights)),
        Alternate("CSV", CSV, books.address(f"{path}/nights", format="csv", **nights)),
        Alternate("Cancellations", JSON, f"{path}/cancellations?year={books.as_of.year}&{dated}"),
    )
