"""HTTP of the front desk for programs: orders come in signed, staff's programs decide with the staff token."""

import hmac
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from quart import Blueprint, Response
from quart_schema import document_response, security_scheme, tag, validate_querystring

from common.db.pool import transaction
from common.outbox import admin
from common.outbox.admin import MessageState
from common.web.bearer import bearer_token, invalid_token
from common.web.errors import NotFound
from common.web.input_types import MAX_ID, PageQuery
from common.web.openapi.document import LINK_HEADER, operation
from common.web.pagination import CursorId, decode_cursor, page_and_link
from common.web.request_body import json_body
from common.web.resources import pool
from common.web.responses import json_response
from common.web.signature import signed
from dashboard.front_desk import queries, service
from dashboard.front_desk.models import (
    EXAMPLE,
    EXAMPLE_INPUT,
    EXAMPLE_MESSAGE,
    Decision,
    Order,
    OrderInput,
    OrdersQuery,
)
from dashboard.resources import resources

blueprint = Blueprint("front_desk", __name__, url_prefix="/front-desk")

TAG = "front desk"
STAFF_SCHEME = {"type": "http", "scheme": "bearer"}
REALM = "front desk"
ORDER = f"/orders/<int(min=1, max={MAX_ID}):order_id>"

View = Callable[..., Awaitable[Any]]


def staff_only(view: View) -> View:
    """Let a view see only requests with the staff token. Raises Unauthorized."""

    @security_scheme([{"staff": []}])
    @wraps(view)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        token = bearer_token(REALM)
        if not hmac.compare_digest(token.encode(), resources().front_desk.staff_token.reveal().encode()):
            raise invalid_token(REALM, "This is not the staff token.")
        return await view(*args, **kwargs)

    return wrapper


@blueprint.post("/orders")
@operation(401, 409, request_example=EXAMPLE_INPUT, example=EXAMPLE,
           words={200: "The order was known; its status was noted", 201: "Received"})  # fmt: skip
@tag([TAG])
@security_scheme([{"signature": []}])
@signed(lambda: resources().front_desk.accounting_secret)
@document_response(Order, 200)
@document_response(Order, 201)
@json_body(OrderInput)
async def receive_order(data: OrderInput) -> Response:
    """An order from the provider. Sent again it is not received twice; its status, where it has moved on, is noted.

    The callback address must lie under DASHBOARD_PROVIDER_URL.
    """
    async with transaction(pool()) as connection:
        order, new = await service.receive_order(connection, data, resources().front_desk.provider_url)
    return json_response(order, 201 if new else 200)


@blueprint.get("/orders")
@operation(401, headers={200: LINK_HEADER}, example=[EXAMPLE])
@tag([TAG])
@staff_only
@validate_querystring(OrdersQuery)
@document_response(list[Order])
async def list_orders(query_args: OrdersQuery) -> Response:
    """Orders, newest first."""
    before = decode_cursor(query_args.cursor, tuple[CursorId])[0] if query_args.cursor else None
    found = await queries.select_orders(pool(), query_args.status, before, query_args.limit + 1)
    page, headers = page_and_link(found, query_args.limit, lambda last: (last.id,))
    return json_response(page, headers=headers)


@blueprint.post(f"{ORDER}/confirm")
@operation(401, 404, 409, example=EXAMPLE | {"status": "confirmed", "decision": "confirm", "delivered": False})
@tag([TAG])
@staff_only
@document_response(Order)
async def confirm(order_id: int) -> Response:
    """Confirm an order that waits. The provider hears of it by itself, and may yet refuse: then it becomes refused."""
    return await decide(order_id, "confirm")


@blueprint.post(f"{ORDER}/decline")
@operation(401, 404, 409, example=EXAMPLE | {"status": "declined", "decision": "decline", "delivered": False})
@tag([TAG])
@staff_only
@document_response(Order)
async def decline(order_id: int) -> Response:
    """Decline an order that waits."""
    return await decide(order_id, "decline")


async def decide(order_id: int, decision: Decision) -> Response:
    async with transaction(pool()) as connection:
        return json_response(await service.decide(connection, order_id, decision, "front desk"))


@blueprint.get("/outbox")
@operation(401, headers={200: LINK_HEADER}, example=[EXAMPLE_MESSAGE])
@tag([TAG])
@staff_only
@validate_querystring(PageQuery)
@document_response(list[MessageState])
async def view_outbox(query_args: PageQuery) -> Response:
    """Decisions that have not reached the provider, newest first, and why: waiting to be tried again, or dead."""
    before = decode_cursor(query_args.cursor, tuple[CursorId])[0] if query_args.cursor else None
    found = await admin.select_messages(pool(), ["waiting", "dead"], before, query_args.limit + 1)
    page, headers = page_and_link(found, query_args.limit, lambda last: (last.id,))
    return json_response(page, headers=headers)


@blueprint.post(f"/outbox/<int(min=1, max={MAX_ID}):message_id>/retry")
@operation(401, 404, words={204: "It is due now"})
@tag([TAG])
@staff_only
async def retry_message(message_id: int) -> Response:
    """Let a dead message be tried once more."""
    if not await admin.retry_dead_message(pool(), message_id):
        raise NotFound(f"There is no dead message {message_id}.")
    return Response(status=204)
