"""The API of the front desk: the provider sends signed orders, programs of staff decide with the staff token."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any

from quart import Blueprint, Response, request
from quart_schema import document_response, security_scheme, tag

from common.db.pool import transaction
from common.outbox import admin
from common.outbox.admin import MessageState
from common.time_zones import end_of_day, start_of_day
from common.web.bearer import require_token
from common.web.errors import NotFound, document_problems
from common.web.html import PRIVATE_HEADERS
from common.web.input_types import MAX_ID, PageQuery
from common.web.openapi.document import LINK_HEADER, operation
from common.web.openapi.security import bearer_scheme
from common.web.page_session import find_session
from common.web.pagination import CursorId, CursorInstant, decode_cursor, page_and_link
from common.web.query_string import validate_querystring
from common.web.request_body import json_body
from common.web.resources import pool
from common.web.responses import json_response
from common.web.signature import signed
from common.web.table_response import table
from dashboard.front_desk import service
from dashboard.front_desk.house import KNOWN_TABLES, house_at
from dashboard.front_desk.inputs import DayQuery, DeclineInput, OrderInput, OrdersQuery
from dashboard.front_desk.models import DayOrder, Decision, DeskDay, Order
from dashboard.front_desk.queries import desk, lists
from dashboard.front_desk.search import search_terms
from dashboard.front_desk.staff import REALM, STAFF
from dashboard.resources import resources

blueprint = Blueprint("front_desk", __name__, url_prefix="/front-desk")

TAG = "front desk"
STAFF_SCHEME = bearer_scheme("The token of the front desk's staff, which the operator sets as `DASHBOARD_STAFF_TOKEN`.")
ORDER = f"/orders/<int(min=1, max={MAX_ID}):order_id>"

EXAMPLE_ORDER_INPUT = {
    "id": 1,
    "status": "waiting",
    "callback_url": "http://127.0.0.1:9000/api/accounting/decisions",
    "table_id": 1,
    "table_type": "cabin",
    "seats": 4,
    "price": 25.5,
    "name": "Ann",
    "email": "ann@example.com",
    "phone": "+4930123456",
    "guests": 3,
    "starts_at": "2999-01-01T19:00:00Z",
    "minutes": 120,
    "ordered_at": "2998-12-01T10:00:00Z",
    "timezone": "Europe/Berlin",
    "currency": "EUR",
    "notes": "A high chair, please.",
    "decline_reason": None,
    "mail_failure": None,
    "erased": False,
}
EXAMPLE_ORDER = {
    name: value for name, value in EXAMPLE_ORDER_INPUT.items() if name not in ("callback_url", "erased")
} | {
    "day": "2999-01-01",
    "received_at": "2998-12-01T10:00:01Z",
    "decision": None,
    "decided_at": None,
    "delivered": None,
    "refusal_reason": None,
    "changed_at": "2998-12-01T10:00:01Z",
    "was_confirmed": False,
}
EXAMPLE_DAY = {
    "day": "2999-01-01",
    "timezone": "Europe/Berlin",
    "tables": [{"table_id": 1, "table_type": "cabin", "seats": 4}],
    "items": [
        {name: EXAMPLE_ORDER[name] for name in DayOrder.__struct_fields__ if name in EXAMPLE_ORDER}
        | {
            "ends_at": "2999-01-01T21:00:00Z",
            "overlaps": True,
            "overlap": {"order_id": 2, "starts_at": "2999-01-01T18:00:00Z", "ends_at": "2999-01-01T20:00:00Z"},
        }
    ],
}
EXAMPLE_MESSAGE = {
    "id": 1,
    "topic": "decision",
    "subject": "table:1",
    "event": "order 1 decision 1",
    "state": "waiting",
    "attempts": 3,
    "created_at": "2998-12-01T10:00:00Z",
    "due_at": "2998-12-01T10:00:12Z",
    "sent_at": None,
    "settled_at": None,
    "last_error": "UpstreamError: POST http://127.0.0.1:9000/api/accounting/decisions: ClientConnectorError",
}

View = Callable[..., Awaitable[Any]]


def staff_only(view: View) -> View:
    """Restrict a view to requests with the staff token. Raises Unauthorized or TooManyRequests.

    A session of the page reads too, so that its links to tables work; it changes nothing without the page's forms.
    """

    @security_scheme([{"staff": []}])
    @wraps(view)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        is_reading = request.method in ("GET", "HEAD") and "Authorization" not in request.headers
        if not is_reading or await find_session(REALM) is None:
            await require_token(STAFF, resources().front_desk.staff_token)
        response = await view(*args, **kwargs)
        if is_reading:
            response.headers.update(PRIVATE_HEADERS)
        return response

    return document_problems(wrapper, 401, 429)


@blueprint.post("/orders")
@operation(401, 409, request_example=EXAMPLE_ORDER_INPUT, example=EXAMPLE_ORDER,
           descriptions={200: "The order was known; its new status was stored", 201: "Received"})  # fmt: skip
@tag([TAG])
@security_scheme([{"signature": []}])
@signed(lambda: resources().front_desk.accounting_secret)
@document_response(Order, 200)
@document_response(Order, 201)
@json_body(OrderInput)
async def receive_order(data: OrderInput) -> Response:
    """Receive an order from the provider. A repeated order is stored once; a newer status updates it.

    With `erased`, the guest's name, email address, phone number and notes are erased. With `mail_failure`, the order
    shows that the guest was not reached, until an order with `mail_delivered` comes.

    The callback address must be under DASHBOARD_PROVIDER_URL.
    """
    async with transaction(pool()) as connection:
        order, new = await service.receive_order(connection, data, resources().front_desk.provider_url)
    return json_response(order, 201 if new else 200)


@blueprint.get("/orders")
@operation(headers={200: LINK_HEADER}, example=[EXAMPLE_ORDER])
@tag([TAG])
@staff_only
@table("orders", Order)
@validate_querystring(OrdersQuery)
@document_response(list[Order])
async def list_orders(query_args: OrdersQuery) -> Response:
    """Orders, newest first. With `day`, orders without a time are left out."""
    before = decode_cursor(query_args.cursor, tuple[CursorId])[0] if query_args.cursor else None
    search = search_terms(query_args.search) if query_args.search.strip() else None
    found = await lists.select_orders(pool(), query_args.day, query_args.status, before, query_args.limit + 1, search)
    page, headers = page_and_link(found, query_args.limit, lambda last: (last.id,))
    return json_response(page, headers=headers)


@blueprint.get("/day")
@operation(headers={200: LINK_HEADER}, example=EXAMPLE_DAY)
@tag([TAG])
@staff_only
@table("day", DayOrder, items="items")
@validate_querystring(DayQuery)
@document_response(DeskDay)
async def get_day(query_args: DayQuery) -> Response:
    """The waiting and confirmed orders of a day by their start, each with the confirmed one that it overlaps with.

    Orders of the days before that last beyond the beginning of the day are among them; orders without a time are not.
    """
    cursor = query_args.cursor
    after = decode_cursor(cursor, tuple[CursorInstant, CursorId]) if cursor is not None else None
    house = house_at(await desk.select_newest_zone(pool()), datetime.now(UTC))
    day = query_args.day or house.today
    ends = start_of_day(day, house.zone), end_of_day(day, house.zone)
    tables = await desk.select_tables(pool(), house.now - KNOWN_TABLES)
    found = await desk.select_day(pool(), day, *ends, after, query_args.limit + 1)
    page, headers = page_and_link(found, query_args.limit, lambda last: (last.starts_at, last.id))
    return json_response(DeskDay(day, house.zone.key, tables, page), headers=headers)


@blueprint.get(ORDER)
@operation(example=EXAMPLE_ORDER)
@tag([TAG])
@staff_only
@document_response(Order)
async def get_order(order_id: int) -> Response:
    """An order and the decision on it."""
    order = await lists.select_order(pool(), order_id)
    if order is None:
        raise service.unknown_order(order_id)
    return json_response(order)


@blueprint.post(f"{ORDER}/confirm")
@operation(409, example=EXAMPLE_ORDER | {"status": "confirmed", "decision": "confirm", "delivered": False})
@tag([TAG])
@staff_only
@document_response(Order)
async def confirm_order(order_id: int) -> Response:
    """Confirm a waiting order. The decision is sent to the provider, which may refuse it; then the order waits again.

    409 when it is not waiting, or when its time has passed.
    """
    return await decide(order_id, "confirm")


@blueprint.post(f"{ORDER}/decline")
@operation(409, request_example={"reason": "We are full that evening."},
           example=EXAMPLE_ORDER | {"status": "declined", "decision": "decline", "delivered": False,
                                    "decline_reason": "We are full that evening."})  # fmt: skip
@tag([TAG])
@staff_only
@document_response(Order)
@json_body(DeclineInput, empty=True)
async def decline_order(order_id: int, data: DeclineInput) -> Response:
    """Decline a waiting order. The decision is sent to the provider, which tells the guest the reason."""
    return await decide(order_id, "decline", data.reason)


async def decide(order_id: int, decision: Decision, decline_reason: str | None = None) -> Response:
    now = datetime.now(UTC)
    async with transaction(pool()) as connection:
        return json_response(await service.decide(connection, order_id, decision, "front desk", now, decline_reason))


@blueprint.get("/outbox")
@operation(headers={200: LINK_HEADER}, example=[EXAMPLE_MESSAGE])
@tag([TAG])
@staff_only
@table("messages", MessageState)
@validate_querystring(PageQuery)
@document_response(list[MessageState])
async def list_messages(query_args: PageQuery) -> Response:
    """Decisions that have not reached the provider, newest first, with the last error: to be retried, or dead."""
    before = decode_cursor(query_args.cursor, tuple[CursorId])[0] if query_args.cursor else None
    found = await admin.select_messages(pool(), ["waiting", "dead"], before, query_args.limit + 1, service.TOPIC)
    page, headers = page_and_link(found, query_args.limit, lambda last: (last.id,))
    return json_response(page, headers=headers)


@blueprint.post(f"/outbox/<int(min=1, max={MAX_ID}):message_id>/retry")
@operation(descriptions={204: "The message is due now"})
@tag([TAG])
@staff_only
async def retry_message(message_id: int) -> Response:
    """Send a dead message once more."""
    if not await admin.retry_dead_message(pool(), message_id, service.TOPIC):
        raise NotFound(f"There is no dead message {message_id}.")
    return Response(status=204)
