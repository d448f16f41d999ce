"""HTTP of the restaurant's staff: tables, bookings, the outbox. All paths require the admin role."""

from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec
from quart import Blueprint, Response
from quart_schema import document_response, tag

from common.db.pool import Connection, transaction
from common.outbox import admin
from common.outbox.admin import MessageState
from common.time_zones import end_of_day, start_of_day
from common.web import responses
from common.web.errors import NotFound
from common.web.idempotency import StoredResponse, run_once_per_key
from common.web.input_types import PageQuery, TableQuery
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
    BulkInput,
    ErasureInput,
    MessageIdQuery,
    OpeningHoursList,
    OutboxQuery,
    PricesQuery,
    ReasonInput,
    SetBookingInput,
    TableChange,
    TableIdQuery,
    TableInput,
)
from provider.dining.models import (
    EXAMPLE_BOOKING,
    EXAMPLE_BULK,
    EXAMPLE_HISTORY,
    EXAMPLE_HOURS,
    EXAMPLE_MESSAGE,
    EXAMPLE_ORDER,
    EXAMPLE_TABLE,
    Booking,
    BookingHistory,
    BulkResult,
    ErasureResult,
    OpeningHours,
    Table,
    TablePrice,
)
from provider.dining.notifications import MAIL_TOPIC
from provider.dining.queries import bookings, opening_hours, tables
from provider.dining.routes.access import admin_only, current_actor
from provider.dining.routes.input_context import restaurant_context
from provider.dining.settings import SET_OPERATION
from provider.resources import resources

Item = TypeVar("Item", Table, Booking, MessageState)

blueprint = Blueprint("dining_admin", __name__, url_prefix="/api/admin")

TAG = "dining: administration"
FIRST: tuple[datetime | None, int] = (datetime.min.replace(tzinfo=UTC) + timedelta(days=2), 0)
"""The position before the first booking of a list by start and id."""


@blueprint.post("/add_table/")
@operation(401, request_example={"table_type": "cabin", "seats": 4, "price": 25.5}, example=EXAMPLE_TABLE,
           idempotent=True)  # fmt: skip
@tag([TAG])
@admin_only
@document_response(Table, 201)
@json_body(TableInput, empty=True)
async def add_table(data: TableInput) -> Response:
    """Add a table. By default it is regular, has 2 seats, costs nothing and is open for booking."""

    async def create(connection: Connection) -> StoredResponse:
        [table] = await tables.insert_tables(connection, [data])
        return StoredResponse(201, responses.encode_json(table))

    return await run_once_per_key(pool(), "POST /api/admin/add_table/", create, caller=str(current_actor()))


@blueprint.patch("/update_table/")
@operation(401, 404, request_example={"id": 1, "price": 30, "can_be_booked": False}, example=EXAMPLE_TABLE)
@tag([TAG])
@admin_only
@document_response(Table)
@json_body(TableChange)
async def update_table(data: TableChange) -> Response:
    """Change a table's price, type or seats, or close it for booking. Omitted fields stay as they are."""
    changed = await tables.update_tables(pool(), [data])
    if data.id not in changed:
        raise service.unknown_table(data.id)
    return json_response(changed[data.id])


@blueprint.post("/tables/bulk")
@operation(
    401, 404,
    descriptions={200: "Tables were changed", 201: "Tables were added"},
    example=EXAMPLE_BULK,
    request_example={"add": [{"table_type": "room", "seats": 8}], "update": [{"id": 1, "can_be_booked": False}]},
    idempotent=True,
)  # fmt: skip
@tag([TAG])
@admin_only
@document_response(BulkResult, 200)
@document_response(BulkResult, 201)
@json_body(BulkInput)
async def change_tables(data: BulkInput) -> Response:
    """Add and change many tables, all or none. 404 names the tables that do not exist."""
    data.require_consistent()

    async def create(connection: Connection) -> StoredResponse:
        result = await service.change_tables(connection, data)
        return StoredResponse(201 if result.added else 200, responses.encode_json(result))

    return await run_once_per_key(pool(), "POST /api/admin/tables/bulk", create, caller=str(current_actor()))


@blueprint.get("/view_tables/")
@operation(401, 403, headers={200: LINK_HEADER}, example=[EXAMPLE_TABLE])
@tag([TAG])
@admin_only
@table("tables", Table)
@validate_querystring(PageQuery)
@document_response(list[Table])
async def list_all_tables(query_args: PageQuery) -> Response:
    """List all tables, including those closed for booking."""
    after = decode_cursor(query_args.cursor, tuple[int])[0] if query_args.cursor else 0
    found = await tables.select_tables(pool(), after, query_args.limit + 1)
    return page_response(found, query_args.limit)


@blueprint.get("/view_prices/")
@operation(401, 403, 404, example=[{"price": 25.5, "valid_from": "2026-01-01T12:00:00Z"}])
@tag([TAG])
@admin_only
@table("prices", TablePrice)
@validate_querystring(PricesQuery)
@document_response(list[TablePrice])
async def list_prices(query_args: PricesQuery) -> Response:
    """List every price that a table has had, oldest first."""
    prices = await tables.select_prices(pool(), query_args.id)
    if not prices:
        raise service.unknown_table(query_args.id)
    return json_response(prices)


@blueprint.post("/set_booking/")
@operation(401, 404, 409, request_example=EXAMPLE_ORDER, example=EXAMPLE_BOOKING | {"status": "confirmed"},
           idempotent=True)  # fmt: skip
@tag([TAG])
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
@tag([TAG])
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
@tag([TAG])
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
@tag([TAG])
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
    after = decode_cursor(query_args.cursor, tuple[CursorInstant | None, CursorId]) if query_args.cursor else FIRST
    found = await bookings.select_bookings(pool(), start, end, query_args.status, after, query_args.limit + 1)
    page, headers = page_and_link(found, query_args.limit, lambda last: (last.starts_at, last.id))
    return json_response(page, headers=headers)


@blueprint.get("/opening_hours")
@operation(401, 403, example=EXAMPLE_HOURS)
@tag([TAG])
@admin_only
@table("opening_hours", OpeningHours)
@validate_querystring(TableQuery)
@document_response(list[OpeningHours])
async def list_opening_hours(query_args: TableQuery) -> Response:
    """List the hours in which guests may order tables. An empty list: always."""
    return json_response(await opening_hours.select_opening_hours(pool()))


@blueprint.put("/opening_hours")
@operation(401, request_example=EXAMPLE_HOURS, example=EXAMPLE_HOURS)
@tag([TAG])
@admin_only
@document_response(list[OpeningHours])
@json_body(OpeningHoursList)
async def set_opening_hours(data: OpeningHoursList) -> Response:
    """Replace all opening hours. An empty list: guests may order at any time. Bookings stay as they are.

    Hours that do not close after they open on the same day close on the next one; equal times are a whole day.
    """
    hours = data.opening_hours()
    async with transaction(pool()) as connection:
        return json_response(await service.replace_opening_hours(connection, hours))


@blueprint.get("/view_active_bookings/")
@operation(401, 403, headers={200: LINK_HEADER}, example=[EXAMPLE_BOOKING])
@tag([TAG])
@admin_only
@table("bookings", Booking)
@validate_querystring(PageQuery)
@document_response(list[Booking])
async def list_active_bookings(query_args: PageQuery) -> Response:
    """List waiting orders and confirmed bookings, oldest first."""
    after = decode_cursor(query_args.cursor, tuple[int])[0] if query_args.cursor else 0
    found = await bookings.select_active_bookings(pool(), after, query_args.limit + 1)
    return page_response(found, query_args.limit)


@blueprint.get("/view_booking/")
@operation(401, 403, 404, example=EXAMPLE_HISTORY)
@tag([TAG])
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
@tag([TAG])
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


@blueprint.get("/outbox/")
@operation(401, 403, headers={200: LINK_HEADER}, example=[EXAMPLE_MESSAGE])
@tag([TAG])
@admin_only
@table("messages", MessageState)
@validate_querystring(OutboxQuery)
@document_response(list[MessageState])
async def list_messages(query_args: OutboxQuery) -> Response:
    """List unsent messages to guests and to the accounting program, newest first, with their last error.

    Waiting messages are retried automatically, dead ones only by `retry_message`.
    """
    before = decode_cursor(query_args.cursor, tuple[int])[0] if query_args.cursor else None
    found = await admin.select_messages(pool(), query_args.states, before, query_args.limit + 1)
    if resources().dining.smtp_url is None and not resources().dining.inbox:
        found = [explain_missing_smtp_url(message) for message in found]
    return page_response(found, query_args.limit)


def explain_missing_smtp_url(message: MessageState) -> MessageState:
    """Set the last error of an email that waits because no SMTP server is configured."""
    if message.topic != MAIL_TOPIC or message.state != "waiting":
        return message
    return msgspec.structs.replace(message, last_error="PROVIDER_SMTP_URL is not set; the email waits until it is.")


@blueprint.post("/retry_message/")
@operation(401, 404, descriptions={204: "The message is due now"})
@tag([TAG])
@admin_only
@validate_querystring(MessageIdQuery)
async def retry_message(query_args: MessageIdQuery) -> Response:
    """Retry a dead message once."""
    if not await admin.retry_dead_message(pool(), query_args.id):
        raise NotFound(f"There is no dead message {query_args.id}.")
    return Response(status=204)


def page_response(found: list[Item], limit: int) -> Response:
    """Return up to `limit` of the items, with a Link header to the next page."""
    page, headers = page_and_link(found, limit, lambda last: (last.id,))
    return json_response(page, headers=headers)
