"""HTTP of the restaurant's staff: bookings and the erasure of guests."""

from datetime import UTC, datetime, timedelta

from quart import Blueprint, Response
from quart_schema import document_response, tag

from common.db.pool import Connection, transaction
from common.time_zones import end_of_day, start_of_day
from common.web import responses
from common.web.idempotency import StoredResponse, run_once_per_key
from common.web.input_types import PageQuery
from common.web.openapi.document import LINK_HEADER, operation
from common.web.pagination import CursorId, CursorInstant, decode_cursor, page_and_link
from common.web.query_string import validate_querystring
from common.web.request_body import json_body
from common.web.resources import pool
from common.web.responses import json_response
from common.web.table_response import table
from provider.dining import erasure, service
from provider.dining.inputs import (
    BookingIdQuery,
    BookingsQuery,
    ErasureInput,
    ReasonInput,
    SetBookingInput,
    TableIdQuery,
)
from provider.dining.models import (
    EXAMPLE_BOOKING,
    EXAMPLE_HISTORY,
    Booking,
    BookingHistory,
    ErasureResult,
    example_set_booking,
)
from provider.dining.queries import bookings
from provider.dining.routes.access import ADMIN_TAG, admin_only, current_actor
from provider.dining.routes.input_context import restaurant_context
from provider.dining.settings import SET_OPERATION
from provider.resources import resources

blueprint = Blueprint("dining_bookings", __name__, url_prefix="/api/admin")

BEFORE_FIRST: tuple[datetime | None, int] = (datetime.min.replace(tzinfo=UTC) + timedelta(days=2), 0)
"""The position before the first booking of a list by start and id."""


@blueprint.post("/set_booking/")
@operation(401, 404, 409, request_example=example_set_booking, example=EXAMPLE_BOOKING | {"status": "confirmed"},
           idempotent=True)  # fmt: skip
@tag([ADMIN_TAG])
@admin_only
@validate_querystring(TableIdQuery)
@document_response(Booking, 201)
@json_body(SetBookingInput, context=restaurant_context)
async def set_booking(query_args: TableIdQuery, data: SetBookingInput) -> Response:
    """Add a confirmed booking, for example for a guest on the phone, even if the table is closed for booking.

    Without `force`, 400 when the party is larger than the table, or when the time is outside the opening hours or more
    than a year ahead. 409 when it overlaps a confirmed booking of the table.
    """
    actor, settings = current_actor(), resources().dining

    async def create(connection: Connection) -> StoredResponse:
        now = datetime.now(UTC)
        data.require_future_start(now)
        booking = await service.set_booking(connection, settings, query_args.id, data, actor, now)
        return StoredResponse(201, responses.encode_json(booking))

    return await run_once_per_key(pool(), SET_OPERATION, create, caller=str(actor))


@blueprint.post("/accept_booking/")
@operation(401, 404, 409, example=EXAMPLE_BOOKING | {"status": "confirmed"})
@tag([ADMIN_TAG])
@admin_only
@validate_querystring(BookingIdQuery)
@document_response(Booking)
async def accept_booking(query_args: BookingIdQuery) -> Response:
    """Confirm a waiting order.

    409 when it is not waiting, its time has passed, or it overlaps a confirmed booking of the table.
    """
    async with transaction(pool()) as connection:
        settings, now = resources().dining, datetime.now(UTC)
        booking = await service.confirm_booking(connection, settings, query_args.id, current_actor(), now)
    return json_response(booking)


@blueprint.post("/cancel_booking/")
@operation(401, 404, 409, request_example={"reason": "We are full that evening."},
           example=EXAMPLE_BOOKING | {"status": "declined", "reason": "We are full that evening."})  # fmt: skip
@tag([ADMIN_TAG])
@admin_only
@validate_querystring(BookingIdQuery)
@document_response(Booking)
@json_body(ReasonInput, empty=True)
async def cancel_booking(query_args: BookingIdQuery, data: ReasonInput) -> Response:
    """Decline a waiting order or cancel a confirmed booking; the guest is told the reason. 409 in any other status."""
    async with transaction(pool()) as connection:
        actor, settings = current_actor(), resources().dining
        booking = await service.cancel_or_decline(connection, settings, query_args.id, actor, data.reason)
    return json_response(booking)


@blueprint.get("/bookings/")
@operation(401, 403, headers={200: LINK_HEADER}, example=[EXAMPLE_BOOKING])
@tag([ADMIN_TAG])
@admin_only
@table("bookings", Booking)
@validate_querystring(BookingsQuery)
@document_response(list[Booking])
async def list_bookings(query_args: BookingsQuery) -> Response:
    """List bookings by the time at which they begin; those without a time come last, and only without from and to.

    from, to: days by the clocks of the restaurant, both included.
    """
    query_args.require_ordered()
    zone = resources().dining.zone
    start = None if query_args.from_ is None else start_of_day(query_args.from_, zone)
    end = None if query_args.to is None else end_of_day(query_args.to, zone)
    after = (
        decode_cursor(query_args.cursor, tuple[CursorInstant | None, CursorId]) if query_args.cursor else BEFORE_FIRST
    )
    found = await bookings.select_bookings(pool(), start, end, query_args.status, after, query_args.limit + 1)
    page, headers = page_and_link(found, query_args.limit, lambda last: (last.starts_at, last.id))
    return json_response(page, headers=headers)


@blueprint.get("/view_active_bookings/")
@operation(401, 403, headers={200: LINK_HEADER}, example=[EXAMPLE_BOOKING])
@tag([ADMIN_TAG])
@admin_only
@table("bookings", Booking)
@validate_querystring(PageQuery)
@document_response(list[Booking])
async def list_active_bookings(query_args: PageQuery) -> Response:
    """List waiting orders and confirmed bookings, oldest first."""
    after = decode_cursor(query_args.cursor, tuple[int])[0] if query_args.cursor else 0
    found = await bookings.select_active_bookings(pool(), after, query_args.limit + 1)
    page, headers = page_and_link(found, query_args.limit, lambda last: (last.id,))
    return json_response(page, headers=headers)


@blueprint.get("/view_booking/")
@operation(401, 403, 404, example=EXAMPLE_HISTORY)
@tag([ADMIN_TAG])
@admin_only
@validate_querystring(BookingIdQuery)
@document_response(BookingHistory)
async def get_booking(query_args: BookingIdQuery) -> Response:
    """Return a booking and every status that it has had, with time and actor."""
    booking = await bookings.select_booking(pool(), query_args.id)
    if booking is None:
        raise service.unknown_booking(query_args.id)
    return json_response(BookingHistory(booking, await bookings.select_status_changes(pool(), booking)))


@blueprint.post("/erase_guest/")
@operation(401, request_example={"email": "ann@example.com", "phone": None}, example={"bookings": 3})
@tag([ADMIN_TAG])
@admin_only
@document_response(ErasureResult)
@json_body(ErasureInput, context=restaurant_context)
async def erase_guest(data: ErasureInput) -> Response:
    """Erase a guest's name, email address, phone number and notes from all bookings, for ever; the bookings stay.

    Messages to the guest that were not sent yet are deleted. The accounting program is told to erase the guest too.
    """
    async with transaction(pool()) as connection:
        erased = await erasure.erase_guest(connection, resources().dining, data, datetime.now(UTC))
    return json_response(ErasureResult(erased))
