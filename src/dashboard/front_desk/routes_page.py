"""The front desk's page for staff: forms that work without scripts."""

import asyncio
from datetime import UTC, datetime
from typing import cast

from quart import Blueprint, Response, request
from quart_schema import hide

from common.db.pool import transaction
from common.web.errors import Conflict, Invalid, NotFound
from common.web.html import Templates, html_page
from common.web.input_types import parse_notes
from common.web.page_session import Realm, current_session, read_form, redirect_with_notice, session_required
from common.web.resources import pool
from dashboard.front_desk import service
from dashboard.front_desk.models import Decision, Order
from dashboard.front_desk.queries import lists
from dashboard.front_desk.routes import STAFF
from dashboard.resources import resources

REALM = Realm(
    STAFF,
    "/front-desk",
    "Front desk",
    "Staff confirm or decline orders for tables here.",
    tokens=lambda: resources().front_desk.staff_token,
    shown_token=lambda: resources().front_desk.shown_token,
)

blueprint = Blueprint("front_desk_page", __name__, url_prefix=REALM.path)

MAX_WAITING_SHOWN = 200
MAX_SETTLED_SHOWN = 30
MAX_FREED_SHOWN = 30

NOTICES = {
    "confirmed": ("good", "Sent to the restaurant: the table is confirmed. The order shows whether it was accepted."),
    "declined": ("good", "Sent to the restaurant: the order is declined. The order shows whether it was accepted."),
    "already_settled": ("bad", "This order is no longer waiting."),
    "too_late": ("bad", "The time of this order has passed. It cannot be confirmed any more."),
}

templates = Templates("dashboard.front_desk")


@blueprint.get("", strict_slashes=False)
@html_page
@hide
@session_required(REALM)
async def page() -> Response:
    """The page with the waiting orders and the most recently settled ones."""
    now = datetime.now(UTC)
    waiting, freed, settled = await asyncio.gather(
        lists.select_waiting(pool(), now, MAX_WAITING_SHOWN + 1),
        lists.select_freed(pool(), now, MAX_FREED_SHOWN),
        lists.select_settled(pool(), MAX_SETTLED_SHOWN),
    )
    shown = {order.id for order in freed}
    return templates.page(
        "front_desk.html",
        notice=NOTICES.get(request.args.get("notice", "")),
        csrf=current_session().csrf,
        now=now,
        waiting=waiting[:MAX_WAITING_SHOWN],
        more_waiting=len(waiting) > MAX_WAITING_SHOWN,
        freed=freed,
        settled=[order for order in settled if order.id not in shown],
    )


@blueprint.get("/decline")
@html_page
@hide
@session_required(REALM)
async def decline_page() -> Response:
    """The page to decline an order with a reason."""
    number = request.args.get("order", "")
    order = await lists.select_order(pool(), int(number)) if is_order_id(number) else None
    if order is None or order.status != "waiting":
        return redirect_with_notice(REALM, "already_settled")
    return decline_form(order)


def decline_form(order: Order, reason: str = "", fault: str | None = None) -> Response:
    """The page with the form. reason: what was typed; fault: why it is refused."""
    response = templates.page("decline.html", order=order, csrf=current_session().csrf, reason=reason, fault=fault)
    if fault is not None:
        response.status_code = 400
    return response


def is_order_id(number: str) -> bool:
    return number.isascii() and number.isdigit() and len(number) < 19


@blueprint.post("/decide")
@html_page
@hide
@session_required(REALM)
async def decide() -> Response:
    """Confirm or decline an order, as its button says."""
    fields = await read_form(current_session())
    number, decision = fields.get("order", ""), fields.get("decision", "")
    if not is_order_id(number) or decision not in ("confirm", "decline"):
        raise Invalid("The form is not valid.")
    decline_reason = None
    if decision == "decline":
        try:
            decline_reason = parse_notes(fields.get("reason", ""))
        except ValueError as error:
            order = await lists.select_order(pool(), int(number))
            if order is None or order.status != "waiting":
                return redirect_with_notice(REALM, "already_settled")
            return decline_form(order, fields["reason"], str(error))
    try:
        async with transaction(pool()) as connection:
            order = await service.decide(
                connection, int(number), cast("Decision", decision), "front desk", datetime.now(UTC), decline_reason
            )
    except Conflict as conflict:
        too_late = conflict.problem_code in ("time_passed", "order_expired")
        return redirect_with_notice(REALM, "too_late" if too_late else "already_settled")
    except NotFound:
        return redirect_with_notice(REALM, "already_settled")
    return redirect_with_notice(REALM, "confirmed" if order.decision == "confirm" else "declined")
