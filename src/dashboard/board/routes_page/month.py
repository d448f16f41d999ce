"""The page of a month of a hotel."""

import asyncio
from datetime import UTC, date, datetime

from msgspec.structs import replace
from quart import Blueprint, Response
from quart_schema import hide

from common.web.errors import NotFound
from common.web.html import html_page
from common.web.input_types import MAX_ID
from common.web.page_frame import Alternate, framed_page, page_tag, unchanged
from common.web.query_string import validate_querystring
from common.web.replica import reads_replica
from common.web.resources import pool
from dashboard.board.board_templates import templates
from dashboard.board.inputs import BoardQuery
from dashboard.board.page_views.books import Books
from dashboard.board.page_views.month import month_view
from dashboard.board.routes_page.hotel_books import lists_hotels, require_books, require_nights
from dashboard.bookings.curves import compute_build_up
from dashboard.bookings.inputs import parse_month_of_nights
from dashboard.bookings.months import last_of_months

blueprint = Blueprint("board_month", __name__)


@blueprint.get(f"/board/hotels/<int(min=1, max={MAX_ID}):hotel_id>/months/<month>")
@html_page
@validate_querystring(BoardQuery)
@hide
@lists_hotels
@reads_replica
async def get_month(hotel_id: int, month: str, query_args: BoardQuery) -> Response:
    """Show how a month filled up beside the year before, and its nights."""
    asked = parse_month_of_path(month)
    books = await require_books(hotel_id, query_args, datetime.now(UTC))
    tag = await page_tag(*books.mark)
    if (response := unchanged(tag)) is not None:
        return response
    last = last_of_months(asked)
    build_up, nights = await asyncio.gather(
        compute_build_up(pool(), hotel_id, asked, books.as_of, books.match), require_nights(books, asked, last)
    )
    if books.reading.is_reading_the_past:
        items = [replace(item, last_year=None) for item in build_up.items]
        build_up = replace(build_up, items=items, last_year_slept=None)
    return framed_page(
        templates,
        "month.html",
        tag,
        alternates=month_alternates(books, asked, last),
        live_seconds=10 if books.is_today else None,
        books=books,
        view=month_view(books, nights, build_up),
        today_address=books.of_today.month_page(asked),
    )


def parse_month_of_path(text: str) -> date:
    """Parse the month of an address. Raises NotFound, which says what is wrong with it."""
    try:
        return parse_month_of_nights(text)
    except ValueError:
        raise NotFound(f"{text} is not a valid month: write one from 1900-01 to 2199-12, such as 2026-12.") from None


def month_alternates(books: Books, month: date, last: date) -> list[Alternate]:
    """The same figures in other formats."""
    path, nights = f"/hotels/{books.hotel.hotel_id}", {"from": month, "to": last}
    build_up = books.address(f"{path}/build-up", month=f"{month:%Y-%m}")
    return [
        Alternate("JSON", "application/json", build_up),
        Alternate("CSV", "text/csv", books.address(f"{path}/build-up", month=f"{month:%Y-%m}", format="csv")),
        Alternate("JSON of the nights", "application/json", books.address(f"{path}/nights", **nights)),
        Alternate("CSV of the nights", "text/csv", books.address(f"{path}/nights", **nights, format="csv")),
    ]
