"""The page of a night of a hotel."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime

from quart import Blueprint, Response
from quart_schema import hide

from common.limits import require_sane_night
from common.web.errors import NotFound
from common.web.html import html_page
from common.web.input_types import MAX_ID, parse_night
from common.web.page_frame import Alternate, framed_page, page_tag, unchanged
from common.web.query_string import validate_querystring
from common.web.replica import reads_replica
from common.web.resources import pool
from dashboard.board.board_templates import templates
from dashboard.board.inputs import NightQuery
from dashboard.board.page_views.books import Books
from dashboard.board.page_views.night import NightRows, night_view
from dashboard.board.routes_page.hotel_books import lists_hotels, require_books, require_nights
from dashboard.bookings.curves import compute_usual_curve
from dashboard.bookings.inputs import UsualCurveQuery
from dashboard.bookings.models.curves import UsualPoint
from dashboard.bookings.queries.counters import select_curve
from dashboard.bookings.queries.event_days import select_event_days
from dashboard.bookings.queries.usual_curve import USUAL_CURVE_DAYS

blueprint = Blueprint("board_night", __name__)


@blueprint.get(f"/board/hotels/<int(min=1, max={MAX_ID}):hotel_id>/nights/<night>")
@html_page
@validate_querystring(NightQuery)
@hide
@lists_hotels
@reads_replica
async def get_night(hotel_id: int, night: str, query_args: NightQuery) -> Response:
    """Show how a night stands, and how it filled up beside what is usual."""
    asked = parse_night_of_path(night)
    books = await require_books(hotel_id, query_args, datetime.now(UTC))
    tag = await page_tag(*books.mark)
    if (response := unchanged(tag)) is not None:
        return response
    rows = await read_night(books, asked)
    return framed_page(
        templates,
        "night.html",
        tag,
        alternates=night_alternates(books, asked),
        live_seconds=10 if books.is_today else None,
        books=books,
        view=night_view(books, rows, query_args.days),
        days=query_args.days,
        today_address=books.of_today.night_page(asked),
    )


def parse_night_of_path(text: str) -> date:
    """Parse the night of an address. Raises NotFound, which says what is wrong with it."""
    try:
        return require_sane_night(parse_night(text))
    except ValueError as error:
        raise NotFound(f"The night {text} {error}.") from None


async def read_night(books: Books, night: date) -> NightRows:
    """What the page shows of a night. Raises NotFound for an unknown hotel."""
    hotel_id, as_of = books.hotel.hotel_id, books.as_of
    usual_query = UsualCurveQuery(night=night, match=books.match)
    nights, curve, usual, event_days = await asyncio.gather(
        require_nights(books, night, night),
        select_curve(pool(), hotel_id, night, as_of, USUAL_CURVE_DAYS),
        compute_usual_curve(pool(), hotel_id, usual_query, as_of),
        select_event_days(pool(), hotel_id, night, as_of),
    )
    points: Sequence[UsualPoint] = usual.items
    if books.reading.is_reading_the_past:
        points = [UsualPoint(point.days_before, None, None, None, None) for point in points]
    return NightRows(nights[0], curve, points, event_days)


def night_alternates(books: Books, night: date) -> list[Alternate]:
    """The same figures in other formats."""
    path = f"/hotels/{books.hotel.hotel_id}"
    usual, nights = f"{path}/booking-curve/usual", f"{path}/nights"
    return [
        Alternate("JSON", "application/json", books.address(usual, night=night)),
        Alternate("CSV", "text/csv", books.address(usual, night=night, format="csv")),
        Alternate("JSON of the night", "application/json", books.address(nights, **{"from": night, "to": night})),
    ]
