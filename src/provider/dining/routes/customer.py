"""HTTP of the guests: finding and ordering tables, and the page behind the cancel button."""

from datetime import UTC, datetime

from quart import Blueprint, Response, request
from quart_schema import document_response, tag

from common.db.pool import Connection, transaction
from common.web import responses
from common.web.errors import NotFound
from common.web.html import PRIVATE_HEADERS, Templates, html_page
from common.web.idempotency import StoredResponse, run_once_per_key
from common.web.openapi.document import LINK_HEADER, operation
from common.web.pagination import decode_cursor, page_and_link
from common.web.query_string import validate_querystring
from common.web.rate_limit import declare_rate_limit
from common.web.request_body import json_body
from common.web.resources import pool
from common.web.responses import json_response
from common.web.table_response import table
from provider.dining import order_rules, service
from provider.dining.auth.cancel_tokens import token_hash
from provider.dining.inputs import BookingInput, CancelTokenQuery, TableFilter, TableIdQuery, TableListQuery
from provider.dining.local_times import format_start
from provider.dining.models import (
    EXAMPLE_BOOKABLE_TABLE,
    EXAMPLE_BOOKING,
    BookableTable,
    Booking,
    Table,
    example_order,
)
from provider.dining.queries import bookings, opening_hours, tables
from provider.dining.routes import order_limits
from provider.dining.routes.input_context import restaurant_context
from provider.dining.settings import CANCEL_PATH, ORDER_OPERATION
from provider.resources import resources

blueprint = Blueprint("dining_customer", __name__)

TAG = "dining: guests"
HTML = {200: {"text/html": {"type": "string"}}}

templates = Templates("provider.dining")


@blueprint.after_request
async def add_private_headers(response: Response) -> Response:
    """Add no-store and no-referrer to all answers of the cancel page, errors included."""
    if request.path == CANCEL_PATH:
        response.headers.update(PRIVATE_HEADERS)
    return response


@blueprint.get("/api/customer/view_tables/")
@operation(headers={200: LINK_HEADER}, example=[EXAMPLE_BOOKABLE_TABLE])
@tag([TAG])
@table("tables", BookableTable)
@validate_querystring(TableListQuery, context=restaurant_context)
@document_response(list[BookableTable])
async def list_tables(query_args: TableListQuery) -> Response:
    """List the bookable tables that match. With `limit`, in pages; the Link header leads to the next.

    With `starts_at`, tables that are confirmed for that time are left out, and times that nobody can order are 400.
    """
    await require_orderable_criteria(query_args)
    after = decode_cursor(query_args.cursor, tuple[int])[0] if query_args.cursor else 0
    limit = query_args.limit
    found = await tables.select_bookable_tables(pool(), query_args, after, limit + 1 if limit else None)
    page, headers = page_and_link(found, limit or len(found), lambda last: (last.id,))
    return json_response(page, headers=headers)


@blueprint.post("/api/customer/view_tables/")
@operation(request_example={"table_type": "cabin", "seats_min": 2, "price_max": 50}, example=[EXAMPLE_BOOKABLE_TABLE])
@tag([TAG])
@document_response(list[BookableTable])
@json_body(TableFilter, empty=True, context=restaurant_context)
async def find_tables(data: TableFilter) -> Response:
    """List all bookable tables that match the criteria in the body."""
    await require_orderable_criteria(data)
    return json_response(await tables.select_bookable_tables(pool(), data, 0, None))


async def require_orderable_criteria(criteria: TableFilter) -> None:
    """Raise Invalid for criteria that contradict each other, and for a time for which no table can be ordered."""
    criteria.require_consistent()
    if criteria.starts_at is not None:
        hours = await opening_hours.select_opening_hours(pool())
        settings, now = resources().dining, datetime.now(UTC)
        order_rules.require_time(settings, hours, criteria.starts_at, criteria.minutes, now)


@blueprint.post("/api/customer/book_table/")
@operation(404, 409, request_example=example_order, example=EXAMPLE_BOOKING, idempotent=True)
@tag([TAG])
@validate_querystring(TableIdQuery)
@document_response(Booking, 201)
@json_body(BookingInput, context=restaurant_context)
@declare_rate_limit(order_limits.per_address, order_limits.per_recipient)
async def book_table(query_args: TableIdQuery, data: BookingInput) -> Response:
    """Order a table. The order waits until staff decide; until then the table remains bookable.

    An email address or a phone number is required. Orders are for at most as many guests as the table has seats, within
    the opening hours, not later than the restaurant's notice and at most a year ahead. 409 when the table is closed for
    booking. The number of orders per hour is limited for each address that sends them and for each recipient of the
    messages; refused orders and repetitions with the same key do not count.
    """

    async def count(connection: Connection, _: Table) -> None:
        await order_limits.take_tokens(connection, data)

    async def create(connection: Connection) -> StoredResponse:
        now = datetime.now(UTC)
        booking = await service.place_order(connection, resources().dining, query_args.id, data, now, count)
        return StoredResponse(201, responses.encode_json(booking))

    return await run_once_per_key(pool(), ORDER_OPERATION, create)


@blueprint.get(CANCEL_PATH)
@html_page
@operation(404, media=HTML, descriptions={200: "The page"})
@tag([TAG])
@validate_querystring(CancelTokenQuery)
async def show_cancel_page(query_args: CancelTokenQuery) -> Response:
    """Show the page behind the link in the email. It changes nothing, since mail scanners follow links."""
    return cancel_page_response(await find_booking(query_args.id))


@blueprint.post(CANCEL_PATH)
@html_page
@operation(404, 409, media=HTML, descriptions={200: "The page, which confirms the cancellation"})
@tag([TAG])
@validate_querystring(CancelTokenQuery)
async def cancel_order(query_args: CancelTokenQuery) -> Response:
    """Cancel the order. Repeating it changes nothing. 409 when the order was declined."""
    booking = await find_booking(query_args.id)
    async with transaction(pool()) as connection:
        booking = await service.cancel_by_guest(connection, resources().dining, booking.id)
    return cancel_page_response(booking)


async def find_booking(token: str) -> Booking:
    """Return the booking of a cancel token. Raises the same NotFound for unknown and for expired tokens."""
    booking = await bookings.select_booking_by_cancel_token(pool(), token_hash(token), datetime.now(UTC))
    if booking is None:
        raise NotFound("This link is invalid or has expired.")
    return booking


def cancel_page_response(booking: Booking) -> Response:
    """Return the cancel page. For a booking that is over, it shows only the status."""
    settings = resources().dining
    when = format_start(booking.starts_at, settings)
    return templates.page("cancel.html", booking=booking, when=when, restaurant=settings.restaurant_name)
